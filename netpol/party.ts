import type { Cluster } from '../cluster/cluster.ts'
import type { KubeNode, Pod } from '../cluster/objects.ts'
import { type Ip, ipKey, sameIp } from '../packet/ip.ts'

/** One end of a connection as policies see it: a pod with the address in use, or an address of something else. */
export type Party =
  | { readonly kind: 'pod'; readonly pod: Pod; readonly ip: Ip }
  | { readonly kind: 'address'; readonly ip: Ip }

/**
 * Who has an address. Pods on the host network have their node's and count as the node, as all usual enforcers take
 * the choice the API leaves; finished pods have none any more.
 */
export function partyOf(cluster: Cluster, ip: Ip): Party {
  const pod = cluster.index.podByIp.get(ipKey(ip))
  return pod === undefined ? { kind: 'address', ip } : { kind: 'pod', pod, ip }
}

/** The node a pod runs on, if `party` is one of its addresses. */
export function isOwnNode(cluster: Cluster, pod: Pod, party: Party): boolean {
  if (party.kind === 'pod') return false
  const node: KubeNode | undefined = cluster.index.node.get(pod.spec.nodeName)
  return node !== undefined && [...node.internalIPs, ...node.externalIPs].some((ip) => sameIp(ip, party.ip))
}
