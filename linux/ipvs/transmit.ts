import { type Ip, isLoopback } from '../../packet/ip.ts'
import { lengthOfIp } from '../../packet/length.ts'
import { type IpPacket, PROTOCOL } from '../../packet/packet.ts'
import { isConfirmed } from '../netfilter/conntrack.ts'
import { confirm } from '../netfilter/conntrack-table.ts'
import { withTuple } from '../netfilter/nat-rewrite.ts'
import { ACCEPT, DROP, type NfVerdict, STOLEN } from '../netfilter/netfilter.ts'
import { tupleOf } from '../netfilter/tuple.ts'
import { sysctl } from '../netns.ts'
import { type OutputRoute, recordOutput, routeOutput } from '../route.ts'
import type { IpSkb } from '../skb.ts'
import type { Hook } from '../step.ts'
import type { IpvsConnection } from './connection.ts'

/** Sending a client's packet to its real server, Linux net/netfilter/ipvs/ip_vs_xmit.c. */
export function transmit(skb: IpSkb, connection: IpvsConnection, hook: Hook): NfVerdict {
  switch (connection.destination.forward) {
    case 'masquerade':
      return natXmit(skb, connection, hook)
    case 'route':
      return routeXmit(skb, connection)
    case 'tunnel':
      return tunnelXmit(skb, connection)
  }
}

const isLocal = (route: Found): boolean => route.route.type === 'local'

type Found = Extract<OutputRoute, { kind: 'ok' }>

/**
 * __ip_vs_get_out_rt: the way to the real server. TTL counts down for what leaves the machine, also for packets made
 * here. Undefined: it cannot be sent, and who should know has been told.
 */
function outRoute(skb: IpSkb, to: Ip, tunnelOverhead = 0): Found | undefined {
  const { ns, packet } = skb
  const { kernel, stack } = ns.host
  const route = routeOutput(ns, { dst: to })
  if (route.kind !== 'ok') {
    drop(skb, 'IP_OUTNOROUTES', route.detail)
    stack.icmpError(skb, { kind: 'hostUnreachable' })
    return undefined
  }
  if (isLocal(route)) return route
  if (isLoopback(packet.src)) {
    // crosses_local_route_boundary: nothing from 127.0.0.0/8 may leave.
    drop(skb, 'NETFILTER_DROP', 'IPVS: a packet from a loopback address is not sent to another machine')
    return undefined
  }
  if (packet.ttl <= 1) {
    drop(skb, 'TTL_EXPIRED', `${packet.src.family === 4 ? 'TTL' : 'hop limit'} ${packet.ttl} would become 0`)
    stack.icmpError(skb, { kind: 'ttlExceeded' })
    return undefined
  }
  const mtu = (route.route.entry?.route.mtu ?? route.route.dev.mtu) - tunnelOverhead
  const cannotCut = packet.src.family === 6 || (packet.dontFragment && pmtuMatters(skb, tunnelOverhead))
  if (cannotCut && skb.gsoSize === 0 && lengthOfIp(packet) > mtu) {
    drop(skb, 'PKT_TOO_BIG', `${lengthOfIp(packet)} octets, but the way to the real server takes ${mtu}`)
    stack.icmpError(skb, { kind: 'tooBig', mtu })
    return undefined
  }
  recordOutput(skb, to, route.route, undefined)
  skb.packet = { ...packet, ttl: packet.ttl - 1 }
  kernel.record(skb, {
    kind: 'forward',
    ttlBefore: packet.ttl,
    ttlAfter: packet.ttl - 1,
    in: skb.dev.name,
    out: route.route.dev.name,
  })
  return route
}

/** A tunnel without path MTU discovery cuts what does not fit. */
const pmtuMatters = ({ ns }: IpSkb, tunnelOverhead: number): boolean =>
  tunnelOverhead === 0 || sysctl(ns, 'net.ipv4.vs.pmtu_disc', 1) !== 0

function drop(
  skb: IpSkb,
  reason: 'IP_OUTNOROUTES' | 'NETFILTER_DROP' | 'TTL_EXPIRED' | 'PKT_TOO_BIG',
  detail: string,
): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason, detail })
}

/** ip_vs_nat_xmit: the destination becomes the real server; a real server of this machine is reached by going on. */
function natXmit(skb: IpSkb, connection: IpvsConnection, hook: Hook): NfVerdict {
  const { real } = connection
  const cameIn = hook !== 'output'
  const route = outRoute(skb, real.ip)
  if (route === undefined) return STOLEN
  if (isLocal(route) && isLoopback(real.ip) && cameIn) {
    drop(skb, 'NETFILTER_DROP', 'IPVS: nobody outside is sent to a loopback address')
    return STOLEN
  }
  rewriteDestination(skb, connection, hook)
  skb.ipvs = true
  skb.mayCut = true
  if (connection.usesConntrack) alterReply(skb, connection, 'toServer')
  else untrack(skb)
  return sendOrContinue(skb, route)
}

function rewriteDestination(skb: IpSkb, { real }: IpvsConnection, hook: Hook): void {
  const before = skb.packet
  const tuple = tupleOf(before)
  if (tuple === undefined) return
  skb.packet = withTuple(before, { ...tuple, dst: real.ip, dstKey: real.port }, 'dst')
  skb.ns.host.kernel.record(skb, { kind: 'nat.rewrite', which: 'dst', hook, undo: false, before, after: skb.packet })
}

/**
 * ip_vs_update_conntrack: answers will come from the real server, so that conntrack must know them by its address;
 * only while the entry is new, and in the direction that made it.
 */
export function alterReply(skb: IpSkb, connection: IpvsConnection, which: 'toServer' | 'fromServer'): void {
  const { ct } = skb
  if (ct?.entry === undefined || ct.direction !== 'original' || isConfirmed(ct.entry)) return
  const { real, virtual } = connection
  const { reply } = ct.entry
  ct.entry.reply =
    which === 'toServer'
      ? { ...reply, src: real.ip, srcKey: real.port }
      : { ...reply, dst: virtual.ip, dstKey: virtual.port }
}

/** ip_vs_notrack: without net.ipv4.vs.conntrack a packet of a virtual server is nobody's flow. */
export function untrack(skb: IpSkb): void {
  skb.ct = { state: 'untracked', direction: 'original', entry: undefined }
}

function sendOrContinue(skb: IpSkb, route: Found): NfVerdict {
  if (isLocal(route)) return ACCEPT
  skb.dst = route.route
  skb.ns.host.stack.sendOn(skb)
  return STOLEN
}

/** ip_vs_dr_xmit: the packet as it is, to the real server's MAC; the virtual address is the real server's too. */
function routeXmit(skb: IpSkb, connection: IpvsConnection): NfVerdict {
  const route = outRoute(skb, connection.real.ip)
  if (route === undefined) return STOLEN
  skb.ipvs = true
  skb.mayCut = true
  if (!connection.usesConntrack) untrack(skb)
  return sendOrContinue(skb, withNextHop(route, connection.real.ip))
}

/** FLOWI_FLAG_KNOWN_NH: the neighbour that is asked for is the real server, not the address in the packet. */
const withNextHop = (route: Found, ip: Ip): Found => ({
  ...route,
  route: { ...route.route, via: route.route.via ?? ip },
})

const IPIP_OVERHEAD = { 4: 20, 6: 40 } as const

/** ip_vs_tunnel_xmit: the packet in another one for the real server. */
function tunnelXmit(skb: IpSkb, connection: IpvsConnection): NfVerdict {
  const { ns } = skb
  const to = connection.real.ip
  const route = outRoute(skb, to, IPIP_OVERHEAD[to.family])
  if (route === undefined) return STOLEN
  skb.ipvs = true
  if (isLocal(route)) {
    if (!connection.usesConntrack) untrack(skb)
    return ACCEPT
  }
  // ip_vs_tunnel_xmit_prepare: the inner flow is kept now, for the outer packet is another one's.
  if (connection.usesConntrack && !confirm(skb)) return DROP
  skb.ct = undefined
  const inner = skb.packet
  skb.packet = outerPacket(inner, { src: route.source, dst: to }, pmtuMatters(skb, 1))
  skb.dst = route.route
  skb.mayCut = true
  ns.host.stack.sendOn(skb)
  return STOLEN
}

function outerPacket(inner: IpPacket, ends: { readonly src: Ip; readonly dst: Ip }, keepsDf: boolean): IpPacket {
  return {
    kind: 'ip',
    ...ends,
    ttl: inner.ttl,
    tos: inner.tos,
    id: 0,
    dontFragment: ends.dst.family === 4 && keepsDf && inner.dontFragment,
    flowLabel: 0,
    payload: inner,
  }
}

export const hasTracker = (protocol: number): boolean =>
  protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp
