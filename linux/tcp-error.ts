import { ICMP4, type Icmp, type IpPacket, TCP_FLAG, type Tcp } from '../packet/packet.ts'
import { icmpErrno } from './icmp-errno.ts'
import type { Netns } from './netns.ts'
import type { IpSkb } from './skb.ts'
import { fail, lookupSocket, removeSocket, type Socket } from './socket.ts'
import { seqDiff, type TcpControl } from './tcp-control.ts'
import { abort, sendSegment } from './tcp-output.ts'
import { firstHole } from './tcp-sack.ts'

/** ICMP errors about TCP segments, after tcp_v4_err and tcp_v6_err (Linux net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c). */

type Connection = Socket & { readonly tcp: TcpControl }

/** The connection that sent the quoted segment, if that is one of those it still waits for an answer to. */
export function quotedConnection(ns: Netns, quoted: IpPacket, segment: Tcp): Connection | undefined {
  const local = { ip: quoted.src, port: segment.srcPort }
  const socket = lookupSocket(ns, 'tcp', { local, remote: { ip: quoted.dst, port: segment.dstPort } })
  if (socket?.tcp === undefined || socket.tcp.state === 'listen' || socket.tcp.state === 'timeWait') return undefined
  const { sndUna, sndNxt } = socket.tcp
  const awaited = seqDiff(segment.seq, sndUna) >= 0 && seqDiff(segment.seq, sndNxt) <= 0
  return awaited ? (socket as Connection) : undefined
}

/** A connection that is being opened fails at once; an open one remembers, and goes on. */
export function tcpError(skb: IpSkb, quoted: IpPacket, segment: Tcp, icmp: Icmp): void {
  const { ns } = skb
  const socket = quotedConnection(ns, quoted, segment)
  if (socket === undefined) return
  const { tcp } = socket
  if (tcp.state === 'synReceived') {
    if (endsRequest(icmp, quoted.src.family)) removeSocket(ns, socket)
    return
  }
  if (icmp.body.kind === 'error' && icmp.body.mtu > 0) {
    const { mtu } = icmp.body
    // tcp_release_cb: a new path MTU that arrives during a system call is looked at when the call ends.
    if (socket.backlog !== undefined) socket.released.push(() => shrink(ns, socket, mtu))
    else shrink(ns, socket, mtu)
    return
  }
  const errno = icmpErrno(icmp, quoted.src.family)?.errno
  if (errno === undefined) return
  if (tcp.state === 'synSent') {
    if (socket.backlog === undefined) abort(ns, socket)
    else tcp.softError = errno
    // While connect() itself is under way the error is only noted; a program that waits with poll(2) is told in IPv4
    // (ip_icmp_error queues it), and in IPv6 when the SYN sent again is refused again.
    if (socket.backlog !== undefined && quoted.src.family === 6) return
    return fail(ns, socket, errno, { ip: skb.packet.src, cause: skb.id })
  }
  tcp.softError = errno
}

/** Whether the listener forgets whom it answered a SYN (tcp_req_err). */
function endsRequest(icmp: Icmp, family: 4 | 6): boolean {
  if (family === 6) return icmpErrno(icmp, 6)?.fatal === true
  return icmp.type === ICMP4.timeExceeded || (icmp.type === ICMP4.unreachable && icmp.code <= 1)
}

/** tcp_v4_mtu_reduced, tcp_simple_retransmit: smaller segments, and what the peer lacks of the old ones again at once. */
function shrink(ns: Netns, socket: Connection, mtu: number): void {
  const { tcp } = socket
  const headers = (socket.remote?.ip.family === 6 ? 60 : 40) + (tcp.timestamps === undefined ? 0 : 12)
  if (mtu - headers >= tcp.mss) return
  tcp.mss = mtu - headers
  if (tcp.state === 'synSent') return
  const data = tcp.sendQueue.subarray(0, firstHole(tcp))
  if (data.length > 0) sendSegment(ns, socket, { flags: TCP_FLAG.ack | TCP_FLAG.psh, seq: tcp.sndUna, data })
}
