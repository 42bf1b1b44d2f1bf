import type { ProxyModeName } from '../../../proxy/proxy-mode.ts'
import {
  anywhere,
  deliver,
  expected,
  here,
  isLetIn,
  isLocalOnly,
  isReachedFromOutside,
  masqueradesClusterIP,
} from './expected.ts'
import { DROPPED, type Outcome, PASSED, REFUSED } from './outcome.ts'
import type { Flow, SomeEndpoint, World } from './world.ts'

/** A place where kube-proxy does something else in a mode than what `expected` promises. The first that holds counts. */
export interface Difference {
  readonly name: string
  readonly modes: readonly ProxyModeName[]
  /** Where upstream says so. */
  readonly source: string
  readonly holds: (world: World, flow: Flow) => boolean
  readonly outcome: (world: World, flow: Flow) => Outcome
}

const isOutside = ({ to }: Flow): boolean => to === 'externalIP' || to === 'balancer'

const isNodePort = ({ to }: Flow): boolean => to.startsWith('nodePort')

const hasNobody = (flow: Flow): boolean => anywhere(flow.service).length === 0

/** syncEndpoint of ipvs mode: one list for all clients of an address. */
function ipvsEndpoints(flow: Flow): readonly SomeEndpoint[] {
  const { service } = flow
  if (!isLocalOnly(flow)) return anywhere(service)
  const local = here(service)
  if (local.length > 0) return local
  const neverAnywhere = service.internalLocal && !isReachedFromOutside(service)
  return neverAnywhere ? [] : anywhere(service)
}

/** What the sets of ipvs mode masquerade: who the client is counts for ClusterIPs only. */
const ipvsMasquerades = (world: World, flow: Flow): boolean =>
  flow.to === 'clusterIP'
    ? masqueradesClusterIP(world, flow) || (world.detect === 'none' && flow.from === 'node')
    : !flow.service.externalLocal

const ipvsDelivers = (world: World, flow: Flow): Outcome => {
  const endpoints = ipvsEndpoints(flow)
  return endpoints.length === 0
    ? REFUSED
    : deliver(world, flow, { endpoints, masquerade: ipvsMasquerades(world, flow) })
}

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'the node itself is not refused at an external address without endpoints',
    modes: ['iptables'],
    source: 'v1.36.3 pkg/proxy/iptables/proxier.go iptablesJumpChains: OUTPUT leads to KUBE-SERVICES only',
    holds: (_, flow) => flow.from === 'node' && isOutside(flow) && hasNobody(flow),
    outcome: () => PASSED,
  },
  {
    name: 'a port that no Service has at a service address is refused',
    modes: ['ipvs'],
    source: 'kubernetes/kubernetes#72236; v1.36.3 pkg/proxy/ipvs/proxier.go chain KUBE-IPVS-FILTER',
    holds: (_, { to }) => to.startsWith('other port'),
    outcome: () => REFUSED,
  },
  {
    name: 'a port that no Service has at a ClusterIP is refused',
    modes: ['nftables'],
    source: 'v1.36.3 pkg/proxy/nftables/proxier.go chain cluster-ips-check',
    holds: (_, { to }) => to === 'other port of clusterIP',
    outcome: () => REFUSED,
  },
  {
    name: "nodePorts are served at the node's primary address alone",
    modes: ['nftables'],
    source: 'v1.36.3 cmd/kube-proxy/app/server_linux.go: NodePortAddresses defaults to primary in nftables mode',
    holds: (_, { to }) => to === 'nodePort on loopback' || to === 'nodePort on the bridge',
    outcome: () => REFUSED,
  },
  {
    name: 'loadBalancerSourceRanges come before all else',
    modes: ['nftables'],
    source:
      'v1.36.3 pkg/proxy/nftables/proxier.go: filter-prerouting-pre-dnat and firewall-ips without a look at endpoints',
    holds: (world, flow) => hasNobody(flow) && !isLetIn(world, flow),
    outcome: () => DROPPED,
  },
  {
    name: 'a nodePort on loopback has no virtual server',
    modes: ['ipvs'],
    source: 'v1.36.3 pkg/proxy/ipvs/proxier.go syncProxyRules: nodeIPs without loopback',
    holds: (_, { to }) => to === 'nodePort on loopback',
    outcome: () => REFUSED,
  },
  {
    name: 'loadBalancerSourceRanges hold with no endpoint too',
    modes: ['ipvs'],
    source: 'v1.36.3 pkg/proxy/ipvs/proxier.go: KUBE-LOAD-BALANCER-FW is filled before endpoints are looked at',
    // The node's own packets meet the director before the filter.
    holds: (world, flow) => flow.from !== 'node' && hasNobody(flow) && !isLetIn(world, flow),
    outcome: () => DROPPED,
  },
  {
    name: 'policy Local without a local endpoint falls back to all',
    modes: ['ipvs'],
    source: 'kubernetes/kubernetes#97081; v1.36.3 pkg/proxy/ipvs/proxier.go syncEndpoint',
    holds: (world, flow) =>
      isLocalOnly(flow) && here(flow.service).length === 0 && !hasNobody(flow) && isLetIn(world, flow),
    outcome: ipvsDelivers,
  },
  {
    name: 'externalTrafficPolicy Local holds for pods and the node as well',
    modes: ['ipvs'],
    source: 'v1.36.3 pkg/proxy/ipvs/proxier.go syncEndpoint: one list of real servers for all clients',
    holds: (world, flow) => (isOutside(flow) || isNodePort(flow)) && isLocalOnly(flow) && isLetIn(world, flow),
    outcome: ipvsDelivers,
  },
  {
    name: 'without a way to tell pods, the node is masqueraded at a ClusterIP, which is its own address',
    modes: ['ipvs'],
    source: 'v1.36.3 pkg/proxy/ipvs/proxier.go: KUBE-CLUSTER-IP src,dst',
    holds: (world, flow) => flow.to === 'clusterIP' && flow.from === 'node' && world.detect === 'none',
    outcome: ipvsDelivers,
  },
]

/** What a mode does, and by which difference. */
export function inMode(
  world: World,
  flow: Flow,
  mode: ProxyModeName,
): { readonly outcome: Outcome; readonly difference: Difference | undefined } {
  // No mode does anything with it.
  if (flow.service.ofOtherProxy) return { outcome: expected(world, flow), difference: undefined }
  const difference = DIFFERENCES.find(({ modes, holds }) => modes.includes(mode) && holds(world, flow))
  return { outcome: difference?.outcome(world, flow) ?? expected(world, flow), difference }
}
