import { icmpTypeOf } from '../packet/icmp-type.ts'
import { type Ip, isMulticast, isUnspecified } from '../packet/ip.ts'
import { ICMP4, ICMP6, type Icmp, type IcmpBody, type IpPacket, PROTOCOL } from '../packet/packet.ts'
import { quote } from '../packet/quote.ts'
import { echoError, echoReplyReceive } from './echo-socket.ts'
import { addressType, isLocalAddress, selectSource } from './fib.ts'
import { flowLabelOf } from './flow-label.ts'
import { mayTell } from './inet-peer.ts'
import { defaultTtl, ipSend, selectIdent } from './ip-output.ts'
import { advertisementReceive, solicitationReceive } from './ndp.ts'
import { type IcmpError, type Netns, sysctl } from './netns.ts'
import { isBusy, isKnown } from './quoted-owner.ts'
import { quotedTransport } from './quoted-transport.ts'
import { redirectReceive } from './redirect.ts'
import { learnMtu, routeOutput } from './route.ts'
import { sctpError } from './sctp-error.ts'
import type { IpSkb } from './skb.ts'
import { tcpError } from './tcp-error.ts'
import { udpError } from './udp.ts'

/** ICMP and ICMPv6, after Linux net/ipv4/icmp.c and net/ipv6/icmp.c. */

/** icmp_rcv, icmpv6_rcv: answer echo requests, tell sockets about errors, pass NDP on. */
export function icmpReceive(skb: IpSkb, icmp: Icmp): void {
  const { body } = icmp
  switch (body.kind) {
    case 'echo':
      return isEchoRequest(skb, icmp) ? echoReply(skb, body) : echoReplyReceive(skb, body)
    case 'error':
      return newsReceive(skb, icmp, body)
    case 'neighborSolicitation':
      return solicitationReceive(skb, body)
    case 'neighborAdvertisement':
      return advertisementReceive(skb, body)
    case 'redirect':
      // Redirects of IPv6 (ndisc_redirect_rcv) are not acted upon.
      return skb.packet.src.family === 4 ? newsReceive(skb, icmp, body) : ignored(skb, icmp)
    case 'other':
      return ignored(skb, icmp)
  }
}

function ignored(skb: IpSkb, icmp: Icmp): void {
  skb.ns.host.kernel.record(skb, {
    kind: 'drop',
    reason: 'NO_SOCKET',
    detail: `ICMP type ${icmp.type} is not acted upon`,
  })
}

function isEchoRequest(skb: IpSkb, icmp: Icmp): boolean {
  return icmp.type === (skb.packet.src.family === 4 ? ICMP4.echoRequest : ICMP6.echoRequest)
}

/** icmp_echo, icmpv6_echo_reply: from the address that was asked, with the request's data. */
function echoReply(skb: IpSkb, request: Extract<IcmpBody, { kind: 'echo' }>): void {
  const { ns, packet } = skb
  const { family } = packet.src
  if (family === 4 && sysctl(ns, 'net.ipv4.icmp_echo_ignore_all', 0) !== 0) return
  if (family === 4 && skb.dst?.type !== 'local' && sysctl(ns, 'net.ipv4.icmp_echo_ignore_broadcasts', 1) !== 0) return
  recordDelivered(skb, 'icmp echo')
  const type = family === 4 ? ICMP4.echoReply : ICMP6.echoReply
  const source = skb.dst?.type === 'local' ? packet.dst : undefined
  const icmp: Icmp = { kind: 'icmp', type, code: 0, body: request }
  sendIcmp(ns, { to: packet.src, source, icmp, tos: packet.tos, by: 'icmp echo reply', cause: skb.id })
}

export function recordDelivered(skb: IpSkb, socket: string, process?: string): void {
  skb.ns.host.kernel.record(skb, {
    kind: 'socket.deliver',
    received: skb.packet,
    socket,
    ...(process === undefined ? {} : { process }),
  })
}

interface IcmpMessage {
  readonly to: Ip
  readonly source: Ip | undefined
  readonly icmp: Icmp
  readonly tos: number
  readonly by: string
  readonly cause: number
  readonly answers?: IpSkb
}

function sendIcmp(ns: Netns, { to, source, icmp, tos, by, cause, answers }: IcmpMessage): void {
  const route = routeOutput(ns, { dst: to, src: source })
  if (route.kind !== 'ok') return
  const packet: IpPacket = {
    kind: 'ip',
    src: route.source,
    dst: to,
    ttl: defaultTtl(ns, to.family),
    tos,
    id: selectIdent(ns, route.source, to, PROTOCOL.icmp),
    dontFragment: false,
    flowLabel: flowLabelOf(ns, {
      src: route.source,
      dst: to,
      protocol: PROTOCOL.icmpv6,
      srcPort: icmp.type,
      dstPort: icmp.code,
    }),
    payload: icmp,
  }
  ns.state.sendingIcmp.add(to.family)
  ipSend(ns, { packet, by, cause, ...(answers === undefined ? {} : { answers }) }, route)
  ns.state.sendingIcmp.delete(to.family)
}

/** icmp_send, icmp6_send: an error about `skb` to its sender. Silent where RFC 1122 §3.2.2 forbids one. */
export function icmpError(skb: IpSkb, error: IcmpError): void {
  const { ns, packet } = skb
  const { family } = packet.src
  // icmp_xmit_lock, icmpv6_xmit_lock: of ICMP that the kernel is just sending itself nobody is told.
  if (ns.state.sendingIcmp.has(family) || !mayBeAnswered(skb)) return
  const [type, code] = typeAndCode(error, family)
  if (!withinRateLimit(ns, packet.src, type)) return
  // Asked at one of its own addresses the machine answers from that; otherwise routing picks the source, in IPv6
  // among those of the device it came in by (icmp6_send: a more meaningful one).
  const own = skb.dst === undefined ? isLocalAddress(ns, packet.dst) : skb.dst.type === 'local'
  const room = family === 4 ? 576 - 20 - 8 : 1280 - 40 - 8
  const quoted = quote(packet, room)
  const body: IcmpBody =
    error.kind === 'redirect'
      ? { kind: 'redirect', gateway: error.gateway, quote: quoted }
      : {
          kind: 'error',
          quote: quoted,
          mtu: error.kind === 'tooBig' ? error.mtu : 0,
          ...(error.kind === 'protocolUnreachable' && family === 6 ? { pointer: NEXT_HEADER_AT } : {}),
        }
  sendIcmp(ns, {
    to: packet.src,
    source: own ? packet.dst : meaningfulSource(skb),
    icmp: { kind: 'icmp', type, code, body },
    tos: family === 4 ? (packet.tos & 0x1e) | 0xc0 : 0,
    by: `icmp ${error.kind}`,
    cause: skb.id,
    answers: skb,
  })
}

function meaningfulSource({ ns, input, packet }: IpSkb): Ip | undefined {
  if (input === undefined || packet.src.family === 4) return undefined
  const route = routeOutput(ns, { dst: packet.src })
  const preferred = route.kind === 'ok' ? route.route.entry?.route.src : undefined
  return preferred ?? selectSource(ns, input, packet.src)
}

function mayBeAnswered(skb: IpSkb): boolean {
  const { ns, packet } = skb
  const { src, dst, fragment } = packet
  if (isUnspecified(src) || isMulticast(src) || isMulticast(dst)) return false
  if (dst.family === 4 && (addressType(ns, dst) === 'broadcast' || addressType(ns, src) === 'broadcast')) return false
  // icmp6_send looks for no transport header in later fragments, and so tells of them too.
  if (fragment !== undefined && fragment.offset > 0) return dst.family === 6
  const type = icmpTypeOf(packet)?.type
  if (type === undefined) return true
  return dst.family === 4 ? !ERRORS4.has(type) : type >= FIRST_INFORMATIONAL6
}

/** icmp_pointers[].error: unreachable, source quench, redirect, time exceeded, parameter problem. */
const ERRORS4: ReadonlySet<number> = new Set([ICMP4.unreachable, 4, ICMP4.redirect, ICMP4.timeExceeded, 12])
/** ICMPV6_INFOMSG_MASK: what is not an error, neighbour discovery too. */
const FIRST_INFORMATIONAL6 = 128

const UNREACHABLE: Readonly<Record<string, readonly [v4: number, v6: number]>> = {
  netUnreachable: [0, 0],
  hostUnreachable: [1, 3],
  portUnreachable: [3, 4],
  prohibited: [13, 1],
}

/** Where an IPv6 header has what nobody takes (icmpv6_param_prob). */
const NEXT_HEADER_AT = 6

function typeAndCode(error: IcmpError, family: 4 | 6): readonly [type: number, code: number] {
  switch (error.kind) {
    case 'code':
      return [error.type, error.code]
    case 'ttlExceeded':
      return [family === 4 ? ICMP4.timeExceeded : ICMP6.timeExceeded, 0]
    case 'tooBig':
      return family === 4 ? [ICMP4.unreachable, 4] : [ICMP6.tooBig, 0]
    case 'redirect':
      return family === 4 ? [ICMP4.redirect, 1] : [ICMP6.redirect, 0]
    case 'protocolUnreachable':
      return family === 4 ? [ICMP4.unreachable, 2] : [ICMP6.parameterProblem, 1]
    default: {
      const codes = UNREACHABLE[error.kind] ?? [0, 0]
      return family === 4 ? [ICMP4.unreachable, codes[0]] : [ICMP6.unreachable, codes[1]]
    }
  }
}

/** icmpv4_xrlim_allow, icmpv6_xrlim_allow: unreachable, time exceeded and their like (icmp_ratemask 0x1818). */
function withinRateLimit(ns: Netns, to: Ip, type: number): boolean {
  const limit = sysctl(ns, to.family === 4 ? 'net.ipv4.icmp_ratelimit' : 'net.ipv6.icmp.ratelimit', 1000)
  const limited = to.family === 6 ? type < 128 && type !== ICMP6.tooBig : ((0x1818 >> type) & 1) === 1
  if (limit === 0 || !limited || (type === ICMP4.unreachable && to.family === 4 && isLocalAddress(ns, to))) return true
  return mayTell(ns, to, limit)
}

/** icmp_unreach, icmp_redirect, icmpv6_notify: what sent the quoted packet learns what became of it. */
function newsReceive(skb: IpSkb, icmp: Icmp, body: Extract<IcmpBody, { kind: 'error' | 'redirect' }>): void {
  const quoted = body.quote.packet
  const { ns } = skb
  const transport = quotedTransport(quoted)
  recordDelivered(skb, `icmp error about ${transport.kind}`)
  if (isKnown(ns, quoted, transport)) {
    if (body.kind === 'error' && body.mtu > 0) learnMtu(ns, quoted.dst, body.mtu)
    if (body.kind === 'redirect' && !isBusy(ns, quoted, transport)) redirectReceive(skb, body)
  }
  if (transport.kind === 'tcp') tcpError(skb, quoted, transport, icmp)
  else if (transport.kind === 'udp') udpError(skb, quoted, transport, icmp)
  else if (transport.kind === 'sctp') sctpError(skb, quoted, { sctp: transport, icmp })
  else if (transport.kind === 'icmp') echoError(skb, quoted, { request: transport, error: icmp })
}
