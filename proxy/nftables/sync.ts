import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { Family } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { chooseEndpoints } from '../endpoint-choice.ts'
import { serviceMap } from '../service-map.ts'
import { viewpointOf } from '../viewpoint.ts'
import { type ServiceBlock, serviceBlock } from './service-block.ts'
import { type SyncSetup, syncSetup } from './sync-setup.ts'

/** What one sync of kube-proxy's nftables mode makes of one family: everything that should be there. */
export interface NftSync {
  readonly node: KubeNode
  readonly setup: SyncSetup
  /** In the order of the service map. */
  readonly services: readonly ServiceBlock[]
}

export function nftSync(
  cluster: Cluster,
  node: KubeNode,
  given: { readonly family: Family; readonly config: KubeProxyConfig; readonly facts: HostFacts },
): NftSync {
  const setup = syncSetup(cluster, node, given)
  const from = viewpointOf(node, given.config.version)
  return {
    node,
    setup,
    services: serviceMap(cluster, given.family, given.config.version).ports.map((port) =>
      serviceBlock(port, chooseEndpoints(port, from), { setup, node: node.meta.name }),
    ),
  }
}
