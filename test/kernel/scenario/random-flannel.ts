import { nodeIp, podIp, type Service } from './flannel.ts'
import { type FlannelRecipe, POD_TCP, POD_UDP } from './flannel-recipe.ts'
import type { Random } from './random.ts'
import { randomFaults } from './random-fault.ts'
import { type End, randomRounds, type Target } from './random-flows.ts'
import { type Furnished, randomSettings } from './random-settings.ts'

export function randomFlannel(random: Random, mode: FlannelRecipe['mode']): FlannelRecipe {
  const nodes = 1 + random.below(3)
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1)
  const pods = numbers.flatMap((node) => [podIp(node, 'a'), podIp(node, 'b')])
  const services = random.chance(0.7) ? random.list(4, () => randomService(random, pods)).map(named) : undefined
  const tunnel = mode === 'vxlan' ? ['flannel.1'] : mode === 'udp' ? ['flannel0'] : []
  const targets = targetsOf(random, { pods, numbers, services: services ?? [] })
  const hosts = numbers.map((node) => `node${node}`)
  const networks = ['10.244.0.0/16', ...numbers.map((node) => `10.244.${node}.0/24`), '192.168.40.0/24']
  const links = ['veth-a', 'veth-b', 'cni0', 'ens33', ...tunnel]
  const addresses = targets.map(({ ip }) => ip)
  return {
    kind: 'flannel',
    mode,
    nodes,
    bridgeNetfilter: random.chance(0.7) ? 1 : 0,
    hairpin: random.chance(0.5),
    services,
    defaultRoute: random.chance(0.7),
    podMtu: random.chance(0.2) ? random.pick([1500, 1400, 1300, 1450]) : undefined,
    faults: randomFaults(random, { hosts, links, networks }),
    rounds: randomRounds(random, { ends: endsOf(numbers), targets, rounds: 4 }),
    ...randomSettings(random, {
      around: { hosts, families: [4], links, addresses, networks },
      machines: [...hosts.map(furnished), { host: 'outside', netns: ['root'], links: { root: ['eth0'] } }],
      ruled: 0.4,
    }),
    dead: random.some(
      pods.flatMap((_, i) => deadKeys(numbers[i >> 1]!, i % 2 === 0 ? 'a' : 'b')),
      0.04,
    ),
  }
}

const furnished = (host: string): Furnished => ({
  host,
  netns: ['root', 'a', 'b'],
  links: { root: ['ens33', 'cni0'], a: ['eth0'], b: ['eth0'] },
})

const endsOf = (numbers: readonly number[]): End[] => [
  ...numbers.flatMap((node): End[] => [
    { host: `node${node}`, netns: 'a' },
    { host: `node${node}`, netns: 'b' },
    { host: `node${node}`, netns: 'root', addresses: [nodeIp(node), `10.244.${node}.1`] },
  ]),
  { host: 'outside', netns: 'root' },
]

const deadKeys = (node: number, pod: string): string[] => [
  `node${node} ${pod} tcp ${POD_TCP}`,
  `node${node} ${pod} udp ${POD_UDP}`,
]

function targetsOf(
  random: Random,
  { pods, numbers, services }: { pods: readonly string[]; numbers: readonly number[]; services: readonly Service[] },
): Target[] {
  const at = (ip: string): Target => ({ ip, tcp: POD_TCP, udp: POD_UDP })
  const reach = services.flatMap(({ ip, nodePort }): Target[] => {
    const direct: Target = { ip, tcp: 80, udp: 80 }
    return nodePort === undefined
      ? [direct]
      : [direct, { ip: nodeIp(random.pick(numbers)), tcp: nodePort, udp: nodePort }]
  })
  return [
    ...pods.map(at),
    ...pods.map(at),
    ...numbers.map((node) => at(nodeIp(node))),
    ...numbers.map((node) => at(`10.244.${node}.1`)),
    ...numbers.map((node) => at(`10.244.${node}.0`)),
    at('192.168.40.2'),
    at('10.244.1.99'),
    at('10.244.9.9'),
    at('198.51.100.1'),
    ...reach,
    ...reach,
  ]
}

function randomService(random: Random, pods: readonly string[]): Omit<Service, 'name' | 'ip'> {
  const protocol = random.pick(['tcp', 'udp'] as const)
  const port = protocol === 'tcp' ? POD_TCP : POD_UDP
  const endpoints = random.some(pods, 0.4).map((ip) => `${ip}:${port}`)
  return { protocol, port: 80, endpoints, ...(random.chance(0.5) ? { nodePort: 30000 + random.below(2000) } : {}) }
}

const named = (service: Omit<Service, 'name' | 'ip'>, index: number): Service => ({
  ...service,
  name: `SERVICE${index + 1}`,
  ip: `10.96.0.${10 + index}`,
})
