import { type Family, formatIp, type Ip, ipKey } from '../packet/ip.ts'
import { formatMac, type Mac, ZERO_MAC } from '../packet/mac.ts'
import { type Frame, type IpPacket, PROTOCOL, type Udp } from '../packet/packet.ts'
import { isLocalAddress } from './fib.ts'
import { defaultTtl, ipLocalOut, selectIdent } from './ip-output.ts'
import { type FdbEntry, type Link, MAX_XMIT_RECURSION, type Netns } from './netns.ts'
import { recordOutput, routeOutput } from './route.ts'
import { type IpSkb, isIp, newSkb, type Skb } from './skb.ts'
import type { DropReason } from './step.ts'

/** VXLAN devices (RFC 7348), after Linux drivers/net/vxlan/vxlan_core.c. */

/** Octets that the tunnel adds to the inner packet: inner Ethernet 14, VXLAN 8, UDP 8, and the outer IP header. */
export const vxlanOverhead = (family: 4 | 6): number => 14 + 8 + 8 + (family === 4 ? 20 : 40)

/** vxlan_xmit: the device's own forwarding database says which machine has the destination MAC. */
export function vxlanXmit(skb: Skb): void {
  const { dev, mac } = skb
  if (mac === undefined || dev.type.kind !== 'vxlan') return
  const entry = remotesOf(dev, mac.dst) ?? dev.fdb.permanent.get(ZERO_MAC)
  if (entry === undefined || entry.remotes.length === 0)
    return drop(
      skb,
      'VXLAN_NO_REMOTE',
      `${dev.name} has no fdb entry for ${formatMac(mac.dst)} and no default; TX dropped counts up, nobody is told`,
    )
  for (const remote of entry.remotes) xmitOne({ ...skb }, remote, entry)
}

function remotesOf(dev: Link, mac: Mac): FdbEntry | undefined {
  return dev.fdb.permanent.get(mac)
}

/** vxlan_xmit_one: the frame becomes the payload of a UDP datagram of this machine. The mark stays on it. */
function xmitOne(skb: Skb, remote: Ip, entry: FdbEntry): void {
  const { dev, ns, mac } = skb
  if (dev.type.kind !== 'vxlan' || mac === undefined) return
  const { vni, port, local } = dev.type
  const inner: Frame = { dst: mac.dst, src: mac.src, payload: skb.packet }
  const { kernel } = ns.host
  kernel.record(skb, {
    kind: 'tunnel.encap',
    link: dev.name,
    vni,
    inner,
    remote,
    overhead: vxlanOverhead(remote.family),
    origin: entry.origin,
  })
  // An entry that names no device (`via`) is looked up among all routes: rdst->remote_ifindex is 0.
  const route = routeOutput(ns, { dst: remote, src: local, mark: skb.mark })
  if (isLocalAddress(ns, remote)) return bypass(skb, dev, inner)
  if (route.kind !== 'ok') return drop(skb, 'IP_OUTNOROUTES', `outer packet: ${route.detail}`)
  // udp_tunnel_dst_lookup.
  if (route.route.dev === dev)
    return drop(skb, 'RECURSION_LIMIT', `circular route: the way to ${formatIp(remote)} is by ${dev.name} itself`)
  const key = skb.tunnelHash ?? flowKey(inner, skb.flowHash)
  const outer: Udp = {
    kind: 'udp',
    srcPort: sourcePort(skb, key),
    dstPort: port,
    noChecksum: !dev.type.udpChecksum,
    payload: { kind: 'vxlan', vni, frame: inner },
  }
  const { xmit } = ns.host
  if (xmit.recursion > MAX_XMIT_RECURSION.tunnel)
    return drop(skb, 'RECURSION_LIMIT', `dead loop on ${dev.name}: its own packets lead into it`)
  const packet: IpPacket = {
    kind: 'ip',
    src: route.source,
    dst: remote,
    ttl: defaultTtl(ns, remote.family),
    tos: isIp(skb) ? skb.packet.tos & 3 : 0,
    id: selectIdent(ns, route.source, remote, PROTOCOL.udp),
    dontFragment: dev.type.dontFragment && remote.family === 4,
    flowLabel: 0,
    payload: outer,
  }
  const encapsulated: Skb = { ...newSkb(route.route.dev, packet, skb.id), ns, mark: skb.mark, dst: route.route }
  encapsulated.tunnelHash = hasPorts(inner) ? key : undefined
  recordOutput(encapsulated, remote, route.route, route.source)
  // iptunnel_xmit, ip6tunnel_xmit.
  xmit.recursion++
  ipLocalOut(encapsulated as IpSkb)
  xmit.recursion--
}

/** encap_bypass_if_local: the remote is this machine itself; the frame is received at once. */
function bypass(skb: Skb, dev: Link, inner: Frame): void {
  skb.mac = { src: inner.src, dst: inner.dst }
  skb.dst = undefined
  skb.ct = undefined
  dev.ns.host.kernel.emit({ kind: 'backlog', skb })
}

/** udp_flow_src_port: a hash of the inner flow, within the ephemeral range. The same flow keeps its port. */
function sourcePort({ ns, dev }: Skb, key: string): number {
  const site = {
    host: ns.host.name,
    netns: ns.name,
    purpose: 'vxlan-source-port',
    entry: `${dev.name} ${key}`,
  } as const
  const known = ns.state.flowPorts.get(site.entry)
  if (known !== undefined) return known
  const port = 32768 + ns.host.kernel.draw(site, 60999 - 32768 + 1)
  ns.state.flowPorts.set(site.entry, port)
  return port
}

/**
 * What the kernel's flow dissector hashes: addresses, protocol and ports; MACs where it is no IP packet. The identifier
 * of an echo is not asked for (flow_keys_dissector_keys, Linux net/core/flow_dissector.c). A fragment has no ports to
 * tell flows apart, but still the hash of the socket it came from.
 */
function flowKey(frame: Frame, flowHash: string | undefined): string {
  const { payload } = frame
  if (payload.kind !== 'ip') return `${formatMac(frame.src)}>${formatMac(frame.dst)}`
  const transport = payload.payload
  const addresses = `${ipKey(payload.src)}>${ipKey(payload.dst)}`
  if (payload.fragment !== undefined) return flowHash === undefined ? addresses : `${addresses} ${flowHash}`
  if ('srcPort' in transport) return `${addresses} ${transport.kind} ${transport.srcPort}>${transport.dstPort}`
  return `${addresses} ${transport.kind}`
}

const hasPorts = ({ payload }: Frame): boolean =>
  payload.kind === 'ip' && payload.fragment === undefined && 'srcPort' in payload.payload

/** vxlan_rcv: true where the datagram was for a vxlan device of this namespace (whatever became of it). */
export function vxlanReceive(skb: IpSkb, udp: Udp): boolean {
  if (udp.payload.kind !== 'vxlan') return false
  const { ns } = skb
  const { vni, frame } = udp.payload
  const listening = devicesOn(ns, udp.dstPort, skb.packet.src.family)
  if (listening.length === 0) return false
  const dev = listening.find((link) => link.type.kind === 'vxlan' && link.type.vni === vni)
  if (dev === undefined) {
    drop(skb, 'VXLAN_VNI_NOT_FOUND', `no vxlan device on port ${udp.dstPort} has VNI ${vni}`)
    return true
  }
  if (frame.src === dev.mac) {
    drop(skb, 'LOCAL_MAC', `the inner frame claims to come from ${dev.name} itself (${formatMac(frame.src)})`)
    return true
  }
  ns.host.kernel.record(skb, { kind: 'tunnel.decap', link: dev.name, vni, inner: frame })
  if (dev.type.kind === 'vxlan' && dev.type.learning)
    dev.fdb.learned.set(frame.src, { port: formatIp(skb.packet.src), at: ns.host.kernel.now() })
  const inner: Skb = {
    ...newSkb(dev, frame.payload, skb.id),
    mac: { src: frame.src, dst: frame.dst },
    mark: skb.mark,
  }
  ns.host.kernel.emit({ kind: 'backlog', skb: inner })
  return true
}

/** Devices by the socket they share: one per family and port (vxlan_find_sock). */
/** Whether datagrams to `port` are vxlan's. */
export const hasVxlanOn = (ns: Netns, port: number, family: Family): boolean => devicesOn(ns, port, family).length > 0

function devicesOn(ns: Netns, port: number, family: Family): readonly Link[] {
  const found: Link[] = []
  for (const link of ns.links.values())
    if (link.type.kind === 'vxlan' && link.type.port === port && link.type.local.family === family && link.up)
      found.push(link)
  return found
}

function drop(skb: Skb, reason: DropReason, detail: string): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason, detail })
}
