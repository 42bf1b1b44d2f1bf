import {
  CLUSTER_PROXIES,
  type ClusterMode,
  type ClusterNode,
  type ClusterRecipe,
  type ClusterService,
  clusterNodeIp,
  clusterPods,
  externalIp,
  nodeName,
  podNetOf,
  SERVICE_PORT,
  serviceIp,
  usesNft,
} from './cluster-shape.ts'
import { POD_TCP, POD_UDP } from './flannel-recipe.ts'
import type { Random } from './random.ts'
import { randomFaults } from './random-fault.ts'
import { type End, randomRounds, type Target } from './random-flows.ts'
import { type Furnished, randomSettings } from './random-settings.ts'

type Shape = Omit<ClusterRecipe, 'rounds' | 'rules' | 'sysctls' | 'faults' | 'dead' | 'backend' | 'observeMs'>

export function randomCluster(random: Random, mode: ClusterMode): ClusterRecipe {
  const shape = shapeOf(random, mode)
  const pods = clusterPods(shape as ClusterRecipe)
  const hosts = shape.nodes.map((_, node) => nodeName(node))
  const at = (ip: string): Target => ({ ip, tcp: POD_TCP, udp: POD_UDP })
  const nodeIps = shape.nodes.map((_, node) => clusterNodeIp(shape, node))
  const reach = shape.services.flatMap((service, index) => serviceTargets(random, service, { index, nodeIps }))
  const targets = [
    ...pods.map(({ ip }) => at(ip)),
    ...nodeIps.map(at),
    ...shape.nodes.map((_, node) => at(`10.244.${podNetOf(shape, node)}.1`)),
    at('192.168.40.200'),
    at('203.0.113.10'),
    at('192.168.40.1'),
    at('10.244.0.99'),
    at('10.244.77.7'),
    ...reach,
    ...reach,
    ...reach,
  ]
  const ends: End[] = [
    ...pods.map(({ host, netns }) => ({ host, netns })),
    ...pods.map(({ host, netns }) => ({ host, netns })),
    ...hosts.map((host, node) => ({ host, netns: 'root', addresses: [nodeIps[node]!] })),
    { host: 'laptop', netns: 'root' },
    { host: 'outside', netns: 'root' },
  ]
  const tunnel = mode === 'cluster-vxlan' || mode === 'cluster-directrouting' ? ['flannel.1'] : []
  const links = ['eth0', ...(mode === 'cluster-calico' ? [] : ['cni0']), ...tunnel]
  const networks = ['10.244.0.0/16', '10.244.0.0/24', '10.244.1.0/24', '192.168.40.0/24', '192.168.50.0/24']
  const machines = hosts.map((host): Furnished => {
    const own = pods.filter((pod) => pod.host === host).map(({ netns }) => netns)
    return {
      host,
      netns: ['root', ...own],
      links: Object.fromEntries([['root', ['eth0']], ...own.map((ns) => [ns, ['eth0']])]),
    }
  })
  return {
    ...shape,
    faults: randomFaults(random, { hosts, links, networks }),
    rounds: randomRounds(random, { ends, targets, rounds: 4 }),
    ...randomSettings(random, {
      around: { hosts, families: [4], links, addresses: targets.map(({ ip }) => ip), networks },
      machines,
      ruled: 0.25,
    }),
    ...(usesNft(shape) ? { backend: 'nft' as const } : {}),
    dead: random.some(
      pods.flatMap(({ host, netns }) => [`${host} ${netns} tcp ${POD_TCP}`, `${host} ${netns} udp ${POD_UDP}`]),
      0.04,
    ),
  }
}

/** Most labs are small; some have five nodes, some nodes four pods. */
function shapeOf(random: Random, mode: ClusterMode): Shape {
  const twoRacks = random.chance(0.5)
  const count = random.pick([1, 2, 2, 2, 3, 3, 4, 5])
  const nodes = Array.from(
    { length: count },
    (_, node): ClusterNode => ({
      rack: twoRacks && node > 0 && random.chance(0.5) ? 1 : 0,
      pods: random.pick(count > 3 ? [1, 1, 2] : [1, 2, 2, 3, 4]),
    }),
  )
  const podCount = nodes.reduce((sum, { pods }) => sum + pods, 0)
  return {
    kind: 'cluster',
    mode,
    nodes,
    proxy: random.chance(0.5) ? 'iptables v1.36.3' : random.pick(CLUSTER_PROXIES),
    bridgeNetfilter: random.chance(0.7) ? 1 : 0,
    hairpin: random.chance(0.5),
    forwardPolicy: random.chance(0.5) ? 'DROP' : 'ACCEPT',
    services: [randomService(random, podCount), ...random.list(3, () => randomService(random, podCount))],
    duplicatePodCidr: count > 1 && random.chance(0.08),
  }
}

function randomService(random: Random, pods: number): ClusterService {
  const numbers = Array.from({ length: pods }, (_, i) => i)
  const loadBalancer = random.chance(0.15)
  const open = loadBalancer || random.chance(0.5)
  return {
    protocol: random.pick(['TCP', 'UDP'] as const),
    endpoints: random.chance(0.15) ? [] : random.some(numbers, 0.5),
    nodePort: open ? 30000 + random.below(2000) : undefined,
    externalIp: random.chance(0.2),
    loadBalancer,
    affinity: random.chance(0.25) ? 10800 : undefined,
    externalPolicy: random.chance(0.4) ? 'Local' : 'Cluster',
    internalPolicy: random.chance(0.2) ? 'Local' : 'Cluster',
  }
}

function serviceTargets(
  random: Random,
  service: ClusterService,
  { index, nodeIps }: { index: number; nodeIps: readonly string[] },
): Target[] {
  const at = (ip: string, port: number): Target => ({ ip, tcp: port, udp: port })
  return [
    at(serviceIp(index), SERVICE_PORT),
    ...(service.nodePort === undefined ? [] : [at(random.pick(nodeIps), service.nodePort)]),
    ...(service.externalIp ? [at(externalIp(index), SERVICE_PORT)] : []),
    ...(service.loadBalancer ? [at(`203.0.113.${100 + index}`, SERVICE_PORT)] : []),
  ]
}
