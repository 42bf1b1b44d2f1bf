import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { type Family, formatIp } from '../../packet/ip.ts'
import { formatMac } from '../../packet/mac.ts'
import { bitsOf, formatPrefix } from '../../packet/prefix.ts'
import { sysctlLink } from '../bridge/bridge.ts'
import { originOf } from '../origin.ts'
import type { Refusal } from '../plugin.ts'
import { ENCAP_OVERHEAD, type VxlanBackend } from './backend.ts'
import type { FlannelConfig } from './config.ts'
import { addressOf, type ExtIface, isOnLink } from './ext-iface.ts'
import type { FamilyLease, Lease } from './lease.ts'
import { hasFault, type Peer, peersOf } from './peers.ts'

/** `flannel.1`, and for IPv6 a device of its own. */
export const vtepName = (backend: VxlanBackend, family: Family): string =>
  family === 4 ? `flannel.${backend.vni}` : `flannel-v6.${backend.vni}`

/** The device of one family (pkg/backend/vxlan/device.go): the subnet's own address, as a host address, on it. */
export function vxlanDeviceOps(config: FlannelConfig, backend: VxlanBackend, own: FamilyLease, iface: ExtIface): Op[] {
  const local = addressOf(iface, own.family)
  if (local === undefined) return []
  const name = vtepName(backend, own.family)
  const at = root(originOf('flanneld', `podCIDR ${formatPrefix(own.subnet)}`, config.configMap))
  return [
    at({
      kind: 'link.add',
      name,
      mac: own.vtepMac,
      mtu: (backend.mtu ?? iface.mtu) - ENCAP_OVERHEAD.vxlan,
      type: {
        kind: 'vxlan',
        vni: backend.vni,
        port: backend.port,
        local,
        dev: iface.name,
        learning: backend.learning,
        dontFragment: false,
        udpChecksum: true,
      },
    }),
    at({ kind: 'sysctl.set', key: `net.ipv6.conf.${sysctlLink(name)}.accept_ra`, value: '0' }),
    at({ kind: 'addr.add', link: name, address: { ip: own.subnet.address, length: bitsOf(own.family) } }),
    at({ kind: 'link.set', name, up: true }),
  ]
}

/** Three writes per peer, the route last (vxlan_network.go): neighbour, FDB, route; or one plain route where direct. */
export function vxlanPeerOps(
  cluster: Cluster,
  config: FlannelConfig,
  here: { readonly node: KubeNode; readonly lease: Lease; readonly backend: VxlanBackend; readonly facts: HostFacts },
  family: Family,
): Op[] {
  return peersOf(config, here.lease, family).flatMap((peer) => {
    const missing = missingOf(cluster, here.node, peer)
    const direct = here.backend.directRouting ? directDevice(here.facts, peer) : undefined
    return direct === undefined
      ? tunnelOps(vtepName(here.backend, family), peer, missing)
      : missing.route
        ? []
        : [directRoute(direct, peer)]
  })
}

interface Missing {
  readonly neighbor: boolean
  readonly fdb: boolean
  readonly route: boolean
}

function missingOf(cluster: Cluster, node: KubeNode, peer: Peer): Missing {
  const between = { node, peer: peer.node }
  return {
    neighbor: hasFault(cluster, 'arpMissing', between),
    fdb: hasFault(cluster, 'fdbMissing', between),
    route: hasFault(cluster, 'routeMissing', between),
  }
}

/** The link by which the peer's address is reached without a gateway (pkg/ip DirectRouting: one route lookup). */
const directDevice = (facts: HostFacts, { lease }: Peer): string | undefined =>
  facts.interfaces.find((link) => isOnLink(link, lease.publicIp))?.name

function directRoute(dev: string, peer: Peer): Op {
  const { subnet, publicIp } = peer.lease
  const route = { type: 'unicast', destination: subnet, via: publicIp, dev, protocol: 'boot' } as const
  return root(peerOrigin(peer, 'DirectRouting: the peer is on this segment'))({ kind: 'route.replace', route })
}

function tunnelOps(link: string, peer: Peer, missing: Missing): Op[] {
  const { subnet, publicIp, vtepMac } = peer.lease
  const at = root(peerOrigin(peer))
  const ops: Op[] = []
  if (!missing.neighbor) ops.push(at({ kind: 'neigh.replace', link, ip: subnet.address, mac: vtepMac }))
  if (!missing.fdb) ops.push(at({ kind: 'fdb.append', link, mac: vtepMac, dst: publicIp }))
  const route = {
    type: 'unicast',
    destination: subnet,
    via: subnet.address,
    dev: link,
    onlink: true,
    protocol: 'boot',
  } as const
  if (!missing.route) ops.push(at({ kind: 'route.replace', route }))
  return ops
}

/** The entries that faults of the Lab keep away. */
export function vxlanRefusals(
  cluster: Cluster,
  config: FlannelConfig,
  here: { readonly node: KubeNode; readonly lease: Lease; readonly backend: VxlanBackend; readonly facts: HostFacts },
  family: Family,
): readonly Refusal[] {
  const link = vtepName(here.backend, family)
  return peersOf(config, here.lease, family).flatMap((peer) => {
    const missing = missingOf(cluster, here.node, peer)
    const { subnet, publicIp, vtepMac } = peer.lease
    const [at, mac] = [formatIp(subnet.address), formatMac(vtepMac)]
    const commands = [
      ...(missing.neighbor ? [`ip neigh replace ${at} lladdr ${mac} dev ${link} nud permanent`] : []),
      ...(missing.fdb ? [`bridge fdb append ${mac} dev ${link} dst ${formatIp(publicIp)} self permanent`] : []),
      ...(missing.route ? [`ip route replace ${formatPrefix(subnet)} via ${at} dev ${link} onlink`] : []),
    ]
    return commands.map((command) => ({
      node: here.node.meta.name,
      destination: subnet,
      command,
      answer: 'never given',
      reason: `a fault in the Lab document: this entry for ${peer.node.meta.name} is missing`,
      peer: peer.node.meta.name,
    }))
  })
}

/** Origin of what is there for another node's pods. */
export const peerOrigin = (peer: Peer, reason?: string): Origin =>
  originOf('flanneld', `podCIDR ${formatPrefix(peer.lease.subnet)} of Node ${peer.node.meta.name}`, peer.node, reason)

const root =
  (origin: Origin) =>
  (body: OpBody): Op => ({ ...body, netns: ROOT_NETNS, origin })
