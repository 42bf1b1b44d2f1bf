import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { type Family, formatIp, sameIp } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import type { Refusal } from '../plugin.ts'
import type { FlannelConfig } from './config.ts'
import { type ExtIface, isOnLink } from './ext-iface.ts'
import type { Lease } from './lease.ts'
import { hasFault, ofFamily, type Peer, peersOf } from './peers.ts'
import { peerOrigin } from './vxlan.ts'

interface Here {
  readonly node: KubeNode
  readonly lease: Lease
  readonly iface: ExtIface
}

/** One route per peer by way of its node (pkg/backend/hostgw), where the kernel takes that node as a next hop. */
export function hostGwOps(cluster: Cluster, config: FlannelConfig, here: Here, family: Family): Op[] {
  return peersOf(config, here.lease, family).flatMap((peer) => {
    if (refusalOf(cluster, here, peer) !== undefined) return []
    const { subnet, publicIp } = peer.lease
    const route = {
      type: 'unicast',
      destination: subnet,
      via: publicIp,
      dev: here.iface.name,
      protocol: 'boot',
    } as const
    return [{ kind: 'route.replace', route, netns: ROOT_NETNS, origin: peerOrigin(peer) }]
  })
}

export function hostGwRefusals(
  cluster: Cluster,
  config: FlannelConfig,
  here: Here,
  family: Family,
): readonly Refusal[] {
  return peersOf(config, here.lease, family).flatMap((peer) => {
    const refusal = refusalOf(cluster, here, peer)
    return refusal === undefined ? [] : [refusal]
  })
}

/**
 * flanneld adds no `onlink`, so a next hop outside the link's own prefixes is refused; flanneld logs it and tries
 * again every ten seconds (route_network.go).
 */
function refusalOf(cluster: Cluster, { node, iface }: Here, peer: Peer): Refusal | undefined {
  const { subnet, publicIp } = peer.lease
  const command = `ip route add ${formatPrefix(subnet)} via ${formatIp(publicIp)} dev ${iface.name}`
  const base = { node: node.meta.name, destination: subnet, command, peer: peer.node.meta.name }
  if (hasFault(cluster, 'routeMissing', { node, peer: peer.node }))
    return {
      ...base,
      answer: 'never given',
      reason: `a fault in the Lab document: the route to ${peer.node.meta.name} is missing`,
    }
  if (isOnLink(iface.link, publicIp)) return undefined
  return {
    ...base,
    answer: 'Error: Nexthop has invalid gateway.',
    reason: `${peer.node.meta.name} (${formatIp(publicIp)}) is behind a router: host-gw needs all nodes on one L2 segment`,
  }
}

/** host-gw does not start where the published address is not the interface's own (a node behind NAT). */
export const behindNat = (lease: Lease, iface: ExtIface): boolean => {
  const own = ofFamily(lease, 4)
  return own !== undefined && !iface.link.addresses.some(({ ip }) => sameIp(ip, own.publicIp))
}
