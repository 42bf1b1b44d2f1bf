import type { KubeNode } from '../cluster/objects.ts'
import type { Family } from '../packet/ip.ts'
import type { Prefix } from '../packet/prefix.ts'
import type { KubeProxyConfig } from './config.ts'

/** How a rule can tell that traffic comes from a pod of this node or cluster (pkg/proxy/util/localdetector.go). */
export type LocalTraffic =
  | { readonly kind: 'source'; readonly cidr: Prefix }
  | { readonly kind: 'interface'; readonly name: string }
  | { readonly kind: 'interfacePrefix'; readonly prefix: string }

/** Undefined: there is no way, and the rules that would ask are not written. The first CIDR of each family counts. */
export function localTraffic(config: KubeProxyConfig, node: KubeNode, family: Family): LocalTraffic | undefined {
  const detect = config.detectLocal
  switch (detect.kind) {
    case 'none':
      return undefined
    case 'clusterCIDR':
      return sourceIn(detect.cidrs, family)
    case 'nodeCIDR':
      return sourceIn(node.podCIDRs, family)
    case 'bridgeInterface':
      return { kind: 'interface', name: detect.bridge }
    case 'interfaceNamePrefix':
      return { kind: 'interfacePrefix', prefix: detect.prefix }
    default:
      return detect satisfies never
  }
}

function sourceIn(cidrs: readonly Prefix[], family: Family): LocalTraffic | undefined {
  const cidr = cidrs.find((candidate) => candidate.address.family === family)
  return cidr === undefined ? undefined : { kind: 'source', cidr }
}
