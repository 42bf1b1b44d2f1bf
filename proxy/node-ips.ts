import type { KubeNode } from '../cluster/objects.ts'
import { type Family, type Ip, isUnspecified, LOOPBACK_V4, LOOPBACK_V6 } from '../packet/ip.ts'

export type NodeIPs = Readonly<Record<Family, Ip>>

/**
 * The node's address in each family, for sourceRanges and the keyword `primary` (cmd/kube-proxy/app/server.go
 * detectNodeIPs): its first InternalIP, else ExternalIP; loopback where it has none. A bindAddress that is not
 * unspecified takes the place of the one in its family.
 */
export function nodeIPs(node: KubeNode, bindAddress: Ip | undefined): NodeIPs {
  const addresses = [...node.internalIPs, ...node.externalIPs]
  const first = (family: Family) => addresses.find((ip) => ip.family === family)
  const found: NodeIPs = { 4: first(4) ?? LOOPBACK_V4, 6: first(6) ?? LOOPBACK_V6 }
  return bindAddress === undefined || isUnspecified(bindAddress)
    ? found
    : { ...found, [bindAddress.family]: bindAddress }
}
