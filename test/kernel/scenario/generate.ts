import { formatIp } from '../../../packet/ip.ts'
import type { Message, ScenarioFlow } from '../scenario.ts'
import { nodeIp, podIp, type Service } from './flannel.ts'
import { type FlannelFault, type FlannelRecipe, POD_TCP, POD_UDP } from './flannel-recipe.ts'
import type { Random } from './random.ts'
import { randomOf } from './random.ts'
import { randomRules, type Surroundings } from './random-rules.ts'
import { type ExtraSysctl, MODES, type Mode, type Recipe, type RecipeBase } from './recipe.ts'
import { addressOn, machineNames, ROUTED_TCP, ROUTED_UDP, type RoutedRecipe, segmentPrefix } from './routed-recipe.ts'
import { builtTopology, type TopologyRecipe } from './topology-recipe.ts'

/** The scenario of that number: the same for the same seed, whatever else is asked for. */
export function generate({ seed, index, mode }: { seed: number; index: number; mode: Mode | undefined }): Recipe {
  const random = randomOf(`${seed} ${index}`)
  const chosen = mode ?? MODES[index % MODES.length]!
  switch (chosen) {
    case 'vxlan':
    case 'host-gw':
    case 'udp':
      return flannelRecipe(random, chosen)
    case 'routed4':
    case 'routed6':
      return routedRecipe(random, chosen)
    case 'calico':
    case 'two-racks':
      return topologyRecipe(random, chosen)
  }
}

const MOST_FLOWS = 5

// ------------------------------------------------------------------------------------------------ flows

interface End {
  readonly host: string
  readonly netns: string
}

interface Target {
  readonly ip: string
  readonly tcp: number
  readonly udp: number
}

function flowsOf(random: Random, ends: readonly End[], targets: readonly Target[]): ScenarioFlow[] {
  const flows: ScenarioFlow[] = []
  const count = 1 + random.below(MOST_FLOWS)
  while (flows.length < count) {
    const before = flows.at(-1)
    if (before !== undefined && random.chance(0.2)) flows.push(before)
    else flows.push(flowOf(random, random.pick(ends), random.pick(targets)))
  }
  return flows
}

const SIZES: readonly Message[] = ['x', 'x', 'x', 56, 1000, 1400, 1440, 1472, 1473, 3000]

function flowOf(random: Random, { host, netns }: End, to: Target): ScenarioFlow {
  const protocol = random.pick(['tcp', 'udp', 'icmp'] as const)
  const ttl = random.chance(0.15) ? { ttl: 1 + random.below(4) } : {}
  const wrongPort = random.chance(0.1) ? 1 : 0
  const message = random.pick(SIZES)
  const port = protocol === 'tcp' ? to.tcp : protocol === 'udp' ? to.udp : 0
  const sends = protocol === 'tcp' && random.chance(0.3) ? [] : random.chance(0.2) ? [message, 'x'] : [message]
  return { host, netns, protocol, to: { ip: to.ip, port: port === 0 ? 0 : port + wrongPort }, sends, ...ttl }
}

// ------------------------------------------------------------------------------------------------ flannel

function flannelRecipe(random: Random, mode: FlannelRecipe['mode']): FlannelRecipe {
  const nodes = 1 + random.below(3)
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1)
  const pods = numbers.flatMap((node) => [podIp(node, 'a'), podIp(node, 'b')])
  const services = random.chance(0.7) ? random.list(4, () => randomService(random, pods)).map(named) : undefined
  const ends: End[] = [
    ...numbers.flatMap((node) => [
      { host: `node${node}`, netns: 'a' },
      { host: `node${node}`, netns: 'b' },
      { host: `node${node}`, netns: 'root' },
    ]),
    { host: 'outside', netns: 'root' },
  ]
  const at = (ip: string): Target => ({ ip, tcp: POD_TCP, udp: POD_UDP })
  const targets: Target[] = [
    ...pods.map(at),
    ...pods.map(at),
    ...numbers.map((node) => at(nodeIp(node))),
    ...numbers.map((node) => at(`10.244.${node}.1`)),
    ...numbers.map((node) => at(`10.244.${node}.0`)),
    at('192.168.40.2'),
    at('10.244.1.99'),
    at('10.244.9.9'),
    at('198.51.100.1'),
    ...(services ?? []).flatMap((service) => serviceTargets(random, service, numbers)),
    ...(services ?? []).flatMap((service) => serviceTargets(random, service, numbers)),
  ]
  const links = ['veth-a', 'veth-b', 'cni0', 'ens33', ...(mode === 'vxlan' ? ['flannel.1'] : [])]
  const around: Surroundings = {
    hosts: numbers.map((node) => `node${node}`),
    family: 4,
    links,
    addresses: targets.map(({ ip }) => ip),
    networks: ['10.244.0.0/16', ...numbers.map((node) => `10.244.${node}.0/24`), '192.168.40.0/24'],
  }
  return {
    kind: 'flannel',
    mode,
    nodes,
    bridgeNetfilter: random.chance(0.7) ? 1 : 0,
    hairpin: random.chance(0.5),
    services,
    defaultRoute: random.chance(0.7),
    faults: random.chance(0.3) ? [randomFault(random, { mode, nodes, links })] : [],
    flows: flowsOf(random, ends, targets),
    rules: random.chance(0.4) ? randomRules(random, around) : [],
    sysctls: randomSysctls(
      random,
      numbers.map((node) => ({ host: `node${node}`, pods: ['a', 'b'] })),
    ),
    dead: random.some(
      pods.flatMap((_, i) => deadKeys(numbers[i >> 1]!, i % 2 === 0 ? 'a' : 'b')),
      0.04,
    ),
  }
}

const deadKeys = (node: number, pod: string): string[] => [
  `node${node} ${pod} tcp ${POD_TCP}`,
  `node${node} ${pod} udp ${POD_UDP}`,
]

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

function serviceTargets(random: Random, { ip, nodePort }: Service, nodes: readonly number[]): Target[] {
  const direct: Target = { ip, tcp: 80, udp: 80 }
  return nodePort === undefined ? [direct] : [direct, { ip: nodeIp(random.pick(nodes)), tcp: nodePort, udp: nodePort }]
}

function randomFault(
  random: Random,
  { mode, nodes, links }: { mode: FlannelRecipe['mode']; nodes: number; links: readonly string[] },
): FlannelFault {
  const node = 1 + random.below(nodes)
  const peer = 1 + random.below(nodes)
  const kinds = mode === 'vxlan' ? (['fdbMissing', 'neighMissing', 'neighWrong'] as const) : (['routeMissing'] as const)
  const rest = ['routeMissing', 'linkDown', 'blackhole', 'podMtu'] as const
  const kind = random.pick([...kinds, ...rest])
  if (kind === 'linkDown') return { kind, node, link: random.pick(links) }
  if (kind === 'blackhole')
    return {
      kind,
      node,
      prefix: random.pick([`10.244.${peer}.0/24`, '10.244.0.0/16', '192.168.40.182/32', '10.96.0.0/16']),
    }
  if (kind === 'podMtu') return { kind, mtu: random.pick([1500, 1400, 1300, 1450]) }
  return { kind, node, peer }
}

// ------------------------------------------------------------------------------------------------ settings

function randomSysctls(
  random: Random,
  machines: readonly { readonly host: string; readonly pods: readonly string[] }[],
): ExtraSysctl[] {
  return machines.flatMap(({ host, pods }) => {
    const found: ExtraSysctl[] = []
    const set = (netns: string, key: string, value: number) => found.push({ host, netns, key, value: String(value) })
    if (random.chance(0.3)) set('root', 'net.ipv4.conf.all.rp_filter', random.below(3))
    if (random.chance(0.05)) set('root', 'net.ipv4.ip_forward', 0)
    if (random.chance(0.1)) set('root', 'net.ipv4.conf.all.send_redirects', 0)
    if (random.chance(0.05)) set('root', 'net.ipv4.icmp_echo_ignore_all', 1)
    for (const pod of pods) if (random.chance(0.1)) set(pod, 'net.ipv4.ip_no_pmtu_disc', 1)
    return found
  })
}

// ------------------------------------------------------------------------------------------------ routed

function routedRecipe(random: Random, mode: RoutedRecipe['mode']): RoutedRecipe {
  const routers = random.below(4)
  const base: RoutedRecipe = {
    kind: 'routed',
    mode,
    routers,
    aside: random.chance(0.5),
    mtus: Array.from({ length: routers + 1 }, () => random.pick([1500, 1500, 1500, 1400, 1300])),
    forgets:
      random.chance(0.15) && routers > 0
        ? [{ router: 1 + random.below(routers), way: random.pick(['left', 'right'] as const) }]
        : [],
    refuses:
      random.chance(0.15) && routers > 0
        ? [
            {
              router: 1 + random.below(routers),
              type: random.pick(['blackhole', 'unreachable', 'prohibit'] as const),
              segment: random.below(routers + 1),
            },
          ]
        : [],
    flows: [],
    rules: [],
    sysctls: [],
    dead: [],
  }
  const machines = machineNames(base)
  const at = (ip: string): Target => ({ ip, tcp: ROUTED_TCP, udp: ROUTED_UDP })
  const targets: Target[] = Array.from({ length: routers + 1 }, (_, segment) =>
    [1, 2, 2, 3].map((number) => at(addressOn(base, segment, number))),
  ).flat()
  targets.push(at(addressOn(base, 0, 77)), at(mode === 'routed4' ? '198.51.100.1' : '2001:db8::1'))
  const around: Surroundings = {
    hosts: machines,
    family: mode === 'routed4' ? 4 : 6,
    links: ['seg0', 'seg1'],
    addresses: targets.map(({ ip }) => ip),
    networks: Array.from({ length: routers + 1 }, (_, segment) => segmentPrefix(base, segment)),
  }
  return {
    ...base,
    flows: flowsOf(
      random,
      machines.map((host) => ({ host, netns: 'root' })),
      targets,
    ),
    rules: random.chance(0.5) ? randomRules(random, around) : [],
    sysctls:
      mode === 'routed4'
        ? randomSysctls(
            random,
            machines.map((host) => ({ host, pods: [] })),
          )
        : [],
    dead: random.some(
      machines.flatMap((host) => [`${host} root tcp ${ROUTED_TCP}`, `${host} root udp ${ROUTED_UDP}`]),
      0.08,
    ),
  }
}

// ------------------------------------------------------------------------------------------------ topologies

const TOPOLOGY = { calico: 'textbook-calico-bgp', 'two-racks': 'two-racks' } as const

function topologyRecipe(random: Random, mode: TopologyRecipe['mode']): TopologyRecipe {
  const topology = TOPOLOGY[mode]
  const nodes = [...builtTopology({ topology, lab: {} }).underlay.machines.keys()].filter((name) =>
    name.startsWith('xianchao'),
  )
  const lab = {}
  const built = builtTopology({ topology, lab })
  const machines = [...built.underlay.machines.values()]
  const pods = built.cluster.pods.filter((pod) => pod.ips.length > 0 && !pod.spec.hostNetwork)
  const place = (pod: (typeof pods)[number]): End => ({
    host: pod.spec.nodeName ?? '',
    netns: `${pod.meta.namespace}/${pod.meta.name}`,
  })
  const ends: End[] = [...pods.map(place), ...machines.map(({ name }) => ({ host: name, netns: 'root' }))].filter(
    ({ host }) => host !== '',
  )
  const targets: Target[] = [
    ...pods.flatMap((pod) => pod.ips.map((ip) => ({ ip: formatIp(ip), tcp: 80, udp: 53 }))),
    ...machines.flatMap((machine) =>
      machine.cards.flatMap(({ addresses }) => addresses.map(({ ip }) => ({ ip: formatIp(ip), tcp: 80, udp: 53 }))),
    ),
    ...built.cluster.services.flatMap(({ clusterIPs, ports }) =>
      clusterIPs.flatMap((ip) => ports.map(({ port }) => ({ ip: formatIp(ip), tcp: port, udp: port }))),
    ),
  ].filter(({ ip }) => !ip.includes(':'))
  const around: Surroundings = {
    hosts: nodes,
    family: 4,
    links: ['ens33', ...(mode === 'calico' ? [] : ['cni0', 'flannel.1'])],
    addresses: targets.map(({ ip }) => ip),
    networks: ['10.244.0.0/16', '192.168.40.0/24'],
  }
  const base: RecipeBase = {
    mode,
    flows: flowsOf(random, ends, targets),
    rules: random.chance(0.4) ? randomRules(random, around) : [],
    sysctls: randomSysctls(
      random,
      nodes.map((host) => ({ host, pods: [] })),
    ),
    dead: [],
  }
  return { ...base, kind: 'topology', mode, topology, lab }
}
