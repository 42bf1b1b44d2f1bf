import type { Scenario, ScenarioFlow } from '../scenario.ts'
import {
  CLUSTER_PROXIES,
  type ClusterRecipe,
  type ClusterService,
  clusterNodeIp,
  clusterPods,
  SERVICE_PORT,
  serviceIp,
} from './cluster-shape.ts'
import { buildRecipe } from './recipe.ts'

/** Services in kube-proxy's nftables mode, each way of reaching them once, by release of kube-proxy. */

const SERVICE: ClusterService = {
  protocol: 'TCP',
  endpoints: [1, 2, 3],
  nodePort: undefined,
  externalIp: false,
  loadBalancer: false,
  affinity: undefined,
  externalPolicy: 'Cluster',
  internalPolicy: 'Cluster',
}

const SERVICES: readonly ClusterService[] = [
  { ...SERVICE, nodePort: 30080, externalIp: true },
  { ...SERVICE, affinity: 10800 },
  { ...SERVICE, endpoints: [3], nodePort: 30082, externalPolicy: 'Local' },
  { ...SERVICE, endpoints: [], nodePort: 30083 },
  { ...SERVICE, endpoints: [0], protocol: 'UDP' },
]

const BASE: Omit<ClusterRecipe, 'proxy' | 'rounds'> = {
  kind: 'cluster',
  mode: 'cluster-host-gw',
  nodes: [
    { rack: 0, pods: 2 },
    { rack: 0, pods: 2 },
  ],
  bridgeNetfilter: 1,
  hairpin: true,
  forwardPolicy: 'ACCEPT',
  services: SERVICES,
  duplicatePodCidr: false,
  rules: [],
  sysctls: [],
  faults: [],
  dead: [],
  backend: 'nft',
}

const PODS = clusterPods({ ...BASE, proxy: 'nftables v1.36.3', rounds: [] })
const NODES = BASE.nodes.map((_, node) => clusterNodeIp(BASE, node))

type From = number | 'laptop' | 'n1'
type Asked = Pick<ScenarioFlow, 'host' | 'netns' | 'protocol' | 'to'>

const ask = (from: From, ip: string, port: number, protocol: Asked['protocol'] = 'tcp'): Asked => {
  const pod = typeof from === 'number' ? PODS[from] : undefined
  const host = pod?.host ?? String(from)
  return { host, netns: pod?.netns ?? 'root', protocol, to: { ip, port } }
}

const toService = (from: From, service: number, protocol: Asked['protocol'] = 'tcp'): Asked =>
  ask(from, serviceIp(service), SERVICE_PORT, protocol)

/** What is asked, and what it shows. */
const ROUNDS: Readonly<Record<string, readonly Asked[]>> = {
  'cluster-ip': [toService(0, 0), toService(0, 0)],
  affinity: [toService(0, 1), toService(0, 1), toService(2, 1)],
  hairpin: [toService(0, 4, 'udp')],
  'node-port': [ask('laptop', NODES[0] ?? '', 30080), ask(2, NODES[0] ?? '', 30080)],
  'local-policy': [ask('laptop', NODES[0] ?? '', 30082), ask('laptop', NODES[1] ?? '', 30082)],
  'no-endpoints': [toService(0, 3), ask('laptop', NODES[0] ?? '', 30083)],
  'from-node': [toService('n1', 0), ask('n1', NODES[0] ?? '', 30080)],
  'wrong-port': [ask(0, serviceIp(0), 81), ask(0, serviceIp(0), 0, 'icmp'), ask(0, '10.96.7.7', 80)],
}

export const nftServices: readonly Scenario[] = CLUSTER_PROXIES.filter((proxy) => proxy.startsWith('nftables')).flatMap(
  (proxy) => {
    const release = proxy.replace(/^nftables (v1\.\d+).*/, '$1')
    const rounds = Object.values(ROUNDS).map((flows) => flows.map((flow): ScenarioFlow => ({ ...flow, sends: [32] })))
    const names = Object.keys(ROUNDS)
    return buildRecipe({ ...BASE, proxy, rounds }, 'nft').map((scenario, i) => ({
      ...scenario,
      name: `service-nftables-${release}-${names[i]}`,
      about: `Services in nftables mode, ${release}: ${names[i]?.replaceAll('-', ' ')}.`,
    }))
  },
)
