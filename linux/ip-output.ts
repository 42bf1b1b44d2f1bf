import { fragmentIp } from '../packet/fragment.ts'
import { type Ip, isLinkLocal, isMulticast, sameIp } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import type { IpPacket } from '../packet/packet.ts'
import { fragmentsOf, pairOf } from './fragments.ts'
import { runHook } from './ip-hook.ts'
import { neighOutput } from './neighbor.ts'
import { attachConntrack } from './netfilter/conntrack-table.ts'
import { type Link, type Netns, sysctl } from './netns.ts'
import type { Errno } from './process.ts'
import { nextHopOf } from './redirect.ts'
import { type OutputRoute, recordOutput, routeMtu, routeOutput } from './route.ts'
import { cloneSkb, type IpSkb, newSkb, type Skb } from './skb.ts'

/** Sending, after Linux net/ipv4/ip_output.c and net/ipv6/ip6_output.c. */

/** What the kernel or a socket wants to send; the source is chosen by the route where it is absent. */
export interface Outgoing {
  readonly packet: IpPacket
  readonly by: string
  readonly socket?: number
  readonly mark?: number
  readonly cause?: number
  /** The packet that the kernel answers with this one, which then belongs to the same flow (nf_ct_attach). */
  readonly answers?: Skb
  /** Octets of data in each TCP segment, where the packet stands for many. */
  readonly gsoSize?: number
}

/** A packet of this machine: OUTPUT, then out by `route`. Returns what a blocking send would fail with, if anything. */
export function ipSend(ns: Netns, outgoing: Outgoing, route: Extract<OutputRoute, { kind: 'ok' }>): Errno | undefined {
  const { kernel } = ns.host
  const skb = newSkb(route.route.dev, outgoing.packet, kernel.newPacket()) as IpSkb
  skb.ns = ns
  skb.mark = outgoing.mark ?? 0
  skb.socket = outgoing.socket
  skb.flowHash = hashOf(ns, outgoing)
  // ip6_xmit, ip_append_data: only TCP in IPv4 has its segments thrown away rather than cut.
  skb.mayCut = outgoing.packet.src.family === 6 || outgoing.packet.payload.kind !== 'tcp'
  skb.gsoSize = outgoing.gsoSize ?? 0
  if (outgoing.packet.payload.kind !== 'tcp')
    skb.fragSizes = sizesFor(outgoing.packet, routeMtu(ns, route.route, outgoing.packet.dst))
  if (outgoing.answers !== undefined) attachConntrack(skb, outgoing.answers)
  kernel.record(skb, {
    kind: 'socket.send',
    sent: outgoing.packet,
    by: outgoing.by,
    ...(outgoing.cause === undefined ? {} : { cause: outgoing.cause }),
  })
  recordOutput(skb, outgoing.packet.dst, route.route, outgoing.packet.src)
  skb.dst = route.route
  return ipLocalOut(skb)
}

/**
 * __ip_append_data, __ip6_append_data: what is longer than the MTU is laid out in parts before any rule sees it, and cut
 * there wherever it then goes, if they fit.
 */
function sizesFor(packet: IpPacket, mtu: number): readonly number[] {
  return lengthOfIp(packet) <= mtu ? [] : fragmentIp({ ...packet, dontFragment: false }, mtu).map(lengthOfIp)
}

/**
 * skb_set_hash_from_sk: connected sockets have a hash of their own (sk_set_txhash), but for those of SCTP; what others
 * send is hashed by its ports, before it is cut.
 */
function hashOf(ns: Netns, { socket: id, packet }: Outgoing): string {
  const socket = id === undefined ? undefined : ns.state.sockets.sockets.get(id)
  const place = `${ns.host.name}/${ns.name}`
  const { payload } = packet
  if (payload.kind === 'sctp') return `${place} sctp ${payload.srcPort}>${payload.dstPort}`
  if (socket?.remote !== undefined && socket.type !== 'icmp') return `${place}/${id}`
  if (payload.kind === 'udp') return `${place} udp ${payload.srcPort}>${payload.dstPort}`
  return payload.kind === 'icmp' && payload.body.kind === 'echo' ? `${place} icmp ${payload.body.id}` : place
}

/** ip_local_out: the OUTPUT hook; a packet that NAT or a mark turned elsewhere is routed again (ip_route_me_harder). */
export function ipLocalOut(skb: IpSkb): Errno | undefined {
  const before = { dst: skb.packet.dst, src: skb.packet.src, mark: skb.mark }
  const passed = runHook(skb, 'output', { out: skb.dev })
  const turned = !sameIp(before.dst, skb.packet.dst) || !sameIp(before.src, skb.packet.src) || before.mark !== skb.mark
  const failed = turned ? routeAgain(skb, passed) : undefined
  return failed ?? (passed ? ipOutput(skb) : 'EPERM')
}

/** A hook that routed again itself (nf_nat_ipv4_local_fn) and failed has dropped the packet already. */
function routeAgain(skb: IpSkb, passed: boolean): Errno | undefined {
  const { src, dst } = skb.packet
  // ip6_route_me_harder: what has no meaning beyond its link stays on it.
  const strict = dst.family === 6 && (isMulticast(dst) || isLinkLocal(dst))
  const again = routeOutput(skb.ns, { dst, src, mark: skb.mark, ...(strict ? { oif: skb.dev.name } : {}) })
  if (again.kind !== 'ok') {
    if (passed) skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'IP_OUTNOROUTES', detail: again.detail })
    return again.errno
  }
  if (!passed) return undefined
  if (again.route.dev !== skb.dst?.dev || again.route.entry !== skb.dst.entry)
    recordOutput(skb, skb.packet.dst, again.route, skb.packet.src)
  skb.dst = again.route
  skb.dev = again.route.dev
  return undefined
}

/** Out by the way that IPVS has chosen: OUTPUT, as if it were made here, but seen as come in by `skb.dev`. */
export function sendOn(skb: IpSkb): void {
  if (skb.dst !== undefined && runHook(skb, 'output', { out: skb.dst.dev })) ipOutput(skb)
}

/** ip_output: POSTROUTING, fragments if need be, and the neighbour. A rule's DROP reaches the sender from here too. */
export function ipOutput(skb: IpSkb): Errno | undefined {
  if (skb.dst === undefined) return undefined
  const { dev } = skb.dst
  const inLink = skb.dev
  skb.dev = dev
  if (!runHook(skb, 'postrouting', inLink === dev ? { out: dev } : { in: inLink, out: dev })) return 'EPERM'
  finishOutput(skb, dev)
  return undefined
}

function finishOutput(skb: IpSkb, dev: Link): void {
  const route = skb.dst
  if (route === undefined) return
  const mtu = routeMtu(skb.ns, route, skb.packet.dst)
  const nextHop = nextHopOf(skb.ns, skb.packet.dst, route.via) ?? skb.packet.dst
  if (segmentLength(skb) <= Math.min(mtu, skb.fragMaxSize || mtu)) return neighOutput(skb, nextHop)
  const parts = cut(skb, mtu)
  if (parts === undefined) return
  for (const packet of parts)
    neighOutput({ ...cloneSkb(skb), dev, packet, fragMaxSize: 0, fragSizes: [] } as IpSkb, nextHop)
}

/** Length of the longest packet that will leave (skb_gso_validate_network_len). */
function segmentLength({ packet, gsoSize }: IpSkb): number {
  const length = lengthOfIp(packet)
  if (gsoSize === 0 || packet.payload.kind !== 'tcp') return length
  return length - Math.max(0, packet.payload.data.length - gsoSize)
}

/** Whether the packet must not be made to fit `mtu`: no part of it is to be smaller than a fragment that it came in. */
export function exceedsMtu({ packet, fragMaxSize, mayCut }: IpSkb, mtu: number): boolean {
  if (packet.src.family === 4 && !packet.dontFragment) return false
  return fragMaxSize > mtu || (!mayCut && lengthOfIp(packet) > mtu)
}

/**
 * ip_fragment, ip6_fragment: a packet that was put together on this machine is cut at its original sizes where they
 * fit, others at the MTU. Undefined: it must not be cut; the sender has been told.
 */
function cut(skb: IpSkb, mtu: number): readonly IpPacket[] | undefined {
  const { packet, ns } = skb
  const length = lengthOfIp(packet)
  const size = skb.fragMaxSize > 0 ? Math.min(mtu, skb.fragMaxSize) : mtu
  if (exceedsMtu(skb, mtu)) {
    ns.host.kernel.record(skb, {
      kind: 'drop',
      reason: 'PKT_TOO_BIG',
      detail: `${length} octets, but ${skb.dev.name} takes ${mtu}`,
    })
    ns.host.stack.icmpError(skb, { kind: 'tooBig', mtu })
    return undefined
  }
  const parts = fragmentsOf(skb, size)
  ns.host.kernel.record(skb, { kind: 'fragment', mtu: size, parts: parts.length })
  return parts
}

/**
 * __ip_select_ident: identifications count up per address pair and protocol from a random start. 0 in IPv6, which
 * has none outside fragments.
 */
export function selectIdent(ns: Netns, src: Ip, dst: Ip, protocol: number): number {
  if (src.family === 6) return 0
  const entry = pairOf(src, dst, protocol)
  const last = ns.state.ipIds.get(entry)
  const site = { host: ns.host.name, netns: ns.name, purpose: 'ip-id', entry } as const
  const id = last === undefined ? ns.host.kernel.draw(site, 0x10000) : (last + 1) & 0xffff
  ns.state.ipIds.set(entry, id)
  return id
}

/** Whether sockets discover path MTUs (IP_PMTUDISC_WANT): DF is set, unless net.ipv4.ip_no_pmtu_disc is. */
export const discoversMtu = (ns: Netns, family: 4 | 6): boolean =>
  family === 6 || sysctl(ns, 'net.ipv4.ip_no_pmtu_disc', 0) === 0

/** net.ipv4.ip_default_ttl, or the hop limit of the device. */
export const defaultTtl = (ns: Netns, family: 4 | 6): number =>
  family === 4 ? sysctl(ns, 'net.ipv4.ip_default_ttl', 64) : sysctl(ns, 'net.ipv6.conf.all.hop_limit', 64)
