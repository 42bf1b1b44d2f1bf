import { formatIp } from '../../../packet/ip.ts'
import type { Random } from './random.ts'
import { randomFaults } from './random-fault.ts'
import { type End, randomRounds, type Target } from './random-flows.ts'
import { randomSettings } from './random-settings.ts'
import { builtTopology, type TopologyRecipe } from './topology-recipe.ts'

const TOPOLOGY = { calico: 'textbook-calico-bgp', 'two-racks': 'two-racks' } as const

export function randomTopology(random: Random, mode: TopologyRecipe['mode']): TopologyRecipe {
  const topology = TOPOLOGY[mode]
  const lab = {}
  const built = builtTopology({ topology, lab })
  const machines = [...built.underlay.machines.values()]
  const hosts = machines.map(({ name }) => name).filter((name) => name.startsWith('xianchao'))
  const pods = built.cluster.pods.filter((pod) => pod.ips.length > 0 && !pod.spec.hostNetwork)
  const ends: End[] = [
    ...pods.map((pod) => ({ host: pod.spec.nodeName ?? '', netns: `${pod.meta.namespace}/${pod.meta.name}` })),
    ...machines.map(({ name }) => ({ host: name, netns: 'root' })),
  ].filter(({ host }) => host !== '')
  const targets: Target[] = [
    ...pods.flatMap((pod) => pod.ips.map((ip) => ({ ip: formatIp(ip), tcp: 80, udp: 53 }))),
    ...machines.flatMap((machine) =>
      machine.cards.flatMap(({ addresses }) => addresses.map(({ ip }) => ({ ip: formatIp(ip), tcp: 80, udp: 53 }))),
    ),
    ...built.cluster.services.flatMap(({ clusterIPs, ports }) =>
      clusterIPs.flatMap((ip) => ports.map(({ port }) => ({ ip: formatIp(ip), tcp: port, udp: port }))),
    ),
  ].filter(({ ip }) => !ip.includes(':'))
  const links = ['ens33', ...(mode === 'calico' ? [] : ['cni0', 'flannel.1'])]
  const networks = ['10.244.0.0/16', '192.168.40.0/24']
  return {
    kind: 'topology',
    mode,
    topology,
    lab,
    faults: randomFaults(random, { hosts, links, networks }),
    rounds: randomRounds(random, { ends, targets, rounds: 5 }),
    ...randomSettings(random, {
      around: { hosts, families: [4], links, addresses: targets.map(({ ip }) => ip), networks },
      machines: hosts.map((host) => ({ host, netns: ['root'], links: { root: ['ens33'] } })),
      ruled: 0.4,
    }),
    dead: [],
  }
}
