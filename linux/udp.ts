import { emitTransport } from '../packet/emit.ts'
import { formatIp } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import { type Icmp, type IpPacket, PROTOCOL, type Udp } from '../packet/packet.ts'
import { flowLabelOf } from './flow-label.ts'
import { icmpErrno } from './icmp-errno.ts'
import { defaultTtl, discoversMtu, ipSend, selectIdent } from './ip-output.ts'
import type { Netns } from './netns.ts'
import type { SocketAddress } from './process.ts'
import { routeMtu, routeOutput } from './route.ts'
import type { IpSkb } from './skb.ts'
import { ephemeralPort, fail, failCall, lookupSocket, type Socket, wake } from './socket.ts'

/** UDP sockets, after Linux net/ipv4/udp.c and net/ipv6/udp.c. */

/** udp_sendmsg. Errors of the way (no route, a rule that drops) reach the process at once. */
export function udpSend(
  ns: Netns,
  socket: Socket,
  { to, bytes, cause }: { to: SocketAddress; bytes: Uint8Array; cause: number | undefined },
): void {
  const route = routeOutput(ns, { dst: to.ip, src: socket.local.ip })
  if (route.kind !== 'ok') return failCall(ns, socket, route.errno)
  if (socket.local.port === 0) socket.local.port = ephemeralPort(ns, socket, `udp ${formatIp(to.ip)}:${to.port}`)
  const udp: Udp = {
    kind: 'udp',
    srcPort: socket.local.port,
    dstPort: to.port,
    noChecksum: false,
    payload: { kind: 'data', bytes },
  }
  const draft: IpPacket = {
    kind: 'ip',
    src: route.source,
    dst: to.ip,
    ttl: socket.ttl ?? defaultTtl(ns, to.ip.family),
    tos: 0,
    id: 0,
    dontFragment: to.ip.family === 4 && discoversMtu(ns, 4),
    flowLabel: flowLabelOf(ns, {
      src: route.source,
      dst: to.ip,
      protocol: PROTOCOL.udp,
      srcPort: socket.local.port,
      dstPort: to.port,
    }),
    payload: udp,
  }
  // IP_PMTUDISC_WANT: DF while the datagram fits, otherwise it is cut here.
  const fits = lengthOfIp(draft) <= routeMtu(ns, route.route, to.ip)
  const packet = { ...draft, dontFragment: draft.dontFragment && fits, id: identOf(ns, socket, draft) }
  const failed = ipSend(
    ns,
    { packet, by: socket.process, socket: socket.id, ...(cause === undefined ? {} : { cause }) },
    route,
  )
  if (failed !== undefined) failCall(ns, socket, failed)
}

/**
 * A connected socket counts its own identifications (inet_id), one for each of `segments`; others share one counter
 * per address pair.
 */
export function identOf(ns: Netns, socket: Socket, packet: IpPacket, segments = 1): number {
  if (packet.src.family === 6) return 0
  if (socket.remote === undefined) return selectIdent(ns, packet.src, packet.dst, PROTOCOL.udp)
  const site = {
    host: ns.host.name,
    netns: ns.name,
    purpose: 'ip-id',
    entry: `${socket.type} ${socket.local.port}`,
  } as const
  const ident = socket.ident === undefined ? ns.host.kernel.draw(site, 0x10000) : (socket.ident + 1) & 0xffff
  socket.ident = (ident + segments - 1) & 0xffff
  return ident
}

/** ip6_make_flowlabel with auto_flowlabels 1: a hash of the flow, the same for all its packets. */
export function flowLabel(ns: Netns, socket: Socket, to: SocketAddress): number {
  if (to.ip.family === 4) return 0
  const entry = `${socket.type} ${socket.local.port}>${formatIp(to.ip)} ${to.port}`
  const site = { host: ns.host.name, netns: ns.name, purpose: 'flow-label', entry } as const
  socket.flowLabel ??= ns.host.kernel.draw(site, 0x100000)
  return socket.flowLabel
}

/** udp_rcv: to the socket, or an ICMP port unreachable. */
export function udpReceive(skb: IpSkb, udp: Udp): void {
  const { ns, packet } = skb
  const local = { ip: packet.dst, port: udp.dstPort }
  const remote = { ip: packet.src, port: udp.srcPort }
  const socket = lookupSocket(ns, 'udp', { local, remote })
  if (socket === undefined) {
    ns.host.kernel.record(skb, {
      kind: 'drop',
      reason: 'NO_SOCKET',
      detail: `nothing listens on UDP ${formatIp(packet.dst)}:${udp.dstPort}`,
    })
    // nf_reset_ct in __udp4_lib_rcv, __udp6_lib_rcv: the error has to be found by what it quotes.
    skb.ct = undefined
    return ns.host.stack.icmpError(skb, { kind: 'portUnreachable' })
  }
  ns.host.kernel.record(skb, {
    kind: 'socket.deliver',
    received: packet,
    socket: `udp ${formatIp(local.ip)}:${local.port}`,
    process: socket.process,
  })
  wake(
    ns,
    socket,
    { kind: 'data', fd: socket.fd, bytes: bytesOf(packet, udp), from: remote, to: local, ttl: packet.ttl },
    skb.id,
  )
}

const bytesOf = (packet: IpPacket, udp: Udp): Uint8Array =>
  udp.payload.kind === 'data' ? udp.payload.bytes : emitTransport(packet).subarray(8)

/**
 * udp_err, udpv6_err: a connected socket sees ECONNREFUSED for a port unreachable; host and network unreachable stay
 * unseen unless the process asked for IP_RECVERR, as they are not fatal.
 */
export function udpError(skb: IpSkb, quoted: IpPacket, udp: Udp, icmp: Icmp): void {
  const { ns } = skb
  const socket = lookupSocket(ns, 'udp', {
    local: { ip: quoted.src, port: udp.srcPort },
    remote: { ip: quoted.dst, port: udp.dstPort },
  })
  if (socket?.remote === undefined) return
  const error = icmpErrno(icmp, quoted.src.family)
  if (error === undefined) return
  // A socket that discovers the path MTU is told that its datagram was too big.
  const tooBig = error.errno === 'EMSGSIZE' && discoversMtu(ns, quoted.src.family)
  if (error.fatal || tooBig || socket.recvErr) fail(ns, socket, error.errno, { ip: skb.packet.src, cause: skb.id })
}
