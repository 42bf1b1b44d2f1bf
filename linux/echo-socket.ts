import { formatIp } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import { ICMP4, ICMP6, type Icmp, type IcmpBody, type IpPacket, PROTOCOL } from '../packet/packet.ts'
import { flowLabelOf } from './flow-label.ts'
import { icmpErrno } from './icmp-errno.ts'
import { defaultTtl, discoversMtu, ipSend, selectIdent } from './ip-output.ts'
import type { Netns } from './netns.ts'
import type { SocketAddress } from './process.ts'
import { routeMtu, routeOutput } from './route.ts'
import type { IpSkb } from './skb.ts'
import { fail, failCall, type Socket, wake } from './socket.ts'

/** Ping sockets (SOCK_DGRAM, IPPROTO_ICMP), after Linux net/ipv4/ping.c. The identifier is the local port. */

export function echoSend(
  ns: Netns,
  socket: Socket,
  { to, bytes, cause }: { to: SocketAddress; bytes: Uint8Array; cause: number | undefined },
): void {
  const route = routeOutput(ns, { dst: to.ip, src: socket.local.ip })
  if (route.kind !== 'ok') return failCall(ns, socket, route.errno)
  const { family } = to.ip
  if (socket.local.port === 0) {
    const site = {
      host: ns.host.name,
      netns: ns.name,
      purpose: 'icmp-id',
      entry: `${socket.process} ${formatIp(to.ip)}`,
    } as const
    socket.local.port = 1 + ns.host.kernel.draw(site, 0xffff)
  }
  socket.echoes++
  const draft: IpPacket = {
    kind: 'ip',
    src: route.source,
    dst: to.ip,
    ttl: socket.ttl ?? defaultTtl(ns, family),
    tos: 0,
    id: selectIdent(ns, route.source, to.ip, PROTOCOL.icmp),
    dontFragment: family === 4 && discoversMtu(ns, 4),
    flowLabel: flowLabelOf(ns, {
      src: route.source,
      dst: to.ip,
      protocol: PROTOCOL.icmpv6,
      srcPort: ICMP6.echoRequest,
      dstPort: 0,
    }),
    payload: {
      kind: 'icmp',
      type: family === 4 ? ICMP4.echoRequest : ICMP6.echoRequest,
      code: 0,
      body: { kind: 'echo', id: socket.local.port, seq: socket.echoes, data: bytes },
    },
  }
  // ip_append_data: DF while the request fits, otherwise it is cut here.
  const fits = lengthOfIp(draft) <= routeMtu(ns, route.route, to.ip)
  const packet = { ...draft, dontFragment: draft.dontFragment && fits }
  const failed = ipSend(
    ns,
    { packet, by: socket.process, socket: socket.id, ...(cause === undefined ? {} : { cause }) },
    route,
  )
  // ping_v6_sendmsg does not look at what icmpv6_push_pending_frames answers.
  if (failed !== undefined && family === 4) failCall(ns, socket, failed)
}

/** ping_rcv: a reply goes to the socket whose identifier it carries. */
export function echoReplyReceive(skb: IpSkb, body: Extract<IcmpBody, { kind: 'echo' }>): void {
  const { ns, packet } = skb
  const socket = echoSocket(ns, body.id, packet.src.family)
  if (socket !== undefined) {
    ns.host.kernel.record(skb, {
      kind: 'socket.deliver',
      received: packet,
      socket: `icmp id ${body.id}`,
      process: socket.process,
    })
    const from = { ip: packet.src, port: 0 }
    return wake(ns, socket, { kind: 'data', fd: socket.fd, bytes: body.data, from, ttl: packet.ttl }, skb.id)
  }
  ns.host.kernel.record(skb, {
    kind: 'drop',
    reason: 'NO_SOCKET',
    detail: `nobody waits for echo replies with id ${body.id}`,
  })
}

/**
 * ping_err: the socket whose echo request is quoted learns of the error and of who sent it. ping(8) asks for details
 * (IP_RECVERR), so what is not fatal is told too.
 */
export function echoError(skb: IpSkb, quoted: IpPacket, { request, error }: { request: Icmp; error: Icmp }): void {
  const { ns } = skb
  const { family } = quoted.src
  // A redirect is no error, but ping(8) wants to see it.
  const errno = error.body.kind === 'redirect' ? 'EREMOTEIO' : icmpErrno(error, family)?.errno
  const isRequest = request.type === (family === 4 ? ICMP4.echoRequest : ICMP6.echoRequest)
  if (errno === undefined || !isRequest || request.body.kind !== 'echo') return
  const socket = echoSocket(ns, request.body.id, family)
  if (socket !== undefined) fail(ns, socket, errno, { ip: skb.packet.src, cause: skb.id })
}

export function echoSocket(ns: Netns, id: number, family: 4 | 6): Socket | undefined {
  for (const socket of ns.state.sockets.sockets.values())
    if (socket.type === 'icmp' && socket.local.port === id && socket.family === family) return socket
  return undefined
}
