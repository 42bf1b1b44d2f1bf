import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { Family } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { chooseEndpoints, type Viewpoint } from '../endpoint-choice.ts'
import { matchingAddresses } from '../node-port-addresses.ts'
import { serviceMap } from '../service-map.ts'
import { proxyFeatures } from '../versions.ts'
import { type FrameRules, frameRules } from './frame-rules.ts'
import { type ServiceRules, serviceRules } from './service-rules.ts'
import type { ServiceFlavour } from './service-writing.ts'
import { type SyncSetup, syncSetup } from './sync-setup.ts'

/** What one sync of kube-proxy's iptables mode makes of one family: all rules that should be there. */
export interface IptablesSync {
  readonly setup: SyncSetup
  readonly frame: FrameRules
  /** Large-cluster mode. */
  readonly terse: boolean
  /** In the order of the service map. */
  readonly services: readonly ServiceRules[]
}

/** Above this many endpoints kube-proxy leaves out comments and most clean-up. */
const LARGE_CLUSTER_ENDPOINTS = 1000

export function iptablesSync(
  cluster: Cluster,
  node: KubeNode,
  given: { readonly family: Family; readonly config: KubeProxyConfig; readonly facts: HostFacts },
): IptablesSync {
  const { config, family } = given
  const setup = syncSetup(node, family, given)
  const map = serviceMap(cluster, family, config.version)
  const from: Viewpoint = {
    node: node.meta.name,
    zone: node.meta.labels[ZONE_LABEL] ?? '',
    features: proxyFeatures(config.version),
  }
  const terse = map.totalEndpoints > LARGE_CLUSTER_ENDPOINTS
  const shared = { flavour: flavourOf(setup, terse), nodeIP: setup.nodeIP }
  return {
    setup,
    frame: frameRules(setup),
    terse,
    services: map.ports.map((port) => serviceRules(port, chooseEndpoints(port, from), shared)),
  }
}

function servesNodePorts({ nodePortAddresses, facts }: SyncSetup): boolean {
  return nodePortAddresses.kind === 'all' || matchingAddresses(nodePortAddresses.cidrs, facts).length > 0
}

const ZONE_LABEL = 'topology.kubernetes.io/zone'

const flavourOf = (setup: SyncSetup, terse: boolean): ServiceFlavour => ({
  masqueradeAll: setup.masqueradeAll,
  local: setup.local,
  servesNodePorts: !setup.features.nodePortsNeedAddress || servesNodePorts(setup),
  countsLocalhost: setup.localhostNodePorts && setup.counters,
  terse,
  features: setup.features,
})
