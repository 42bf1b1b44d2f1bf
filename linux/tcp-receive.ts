import { formatIp } from '../packet/ip.ts'
import { TCP_FLAG, type Tcp } from '../packet/packet.ts'
import type { SocketAddress } from './process.ts'
import { routeOutput } from './route.ts'
import type { IpSkb } from './skb.ts'
import { fail, lookupSocket, openSocket, type Socket } from './socket.ts'
import { receiveConnected } from './tcp-connected.ts'
import { initialWindow, newControl, seqAdd, type TcpControl } from './tcp-control.ts'
import { abort, sendAck, sendReset, startRetransmitTimer, stopRetransmitTimer, wakeConnected } from './tcp-output.ts'
import { advertisedMss, drawIsn, negotiate, sendSyn } from './tcp-syn.ts'

/** Segments that come in, up to the connection that they are for, after Linux net/ipv4/tcp_ipv4.c and tcp_input.c. */

const { syn: SYN, ack: ACK, rst: RST } = TCP_FLAG

/** tcp_v4_rcv, tcp_v6_rcv. */
export function tcpReceive(skb: IpSkb, segment: Tcp): void {
  const { ns, packet } = skb
  const local = { ip: packet.dst, port: segment.dstPort }
  const remote = { ip: packet.src, port: segment.srcPort }
  const socket = lookupSocket(ns, 'tcp', { local, remote })
  if (socket?.tcp === undefined) return refuse(skb, local)
  if (socket.backlog === undefined) return deliver(skb, segment, socket)
  socket.backlog.push(() => {
    if (ns.state.sockets.sockets.has(socket.id)) deliver(skb, segment, socket)
  })
}

/** tcp_v4_do_rcv, tcp_v6_do_rcv. */
function deliver(skb: IpSkb, segment: Tcp, socket: Socket): void {
  const { ns, packet } = skb
  if (socket.tcp === undefined) return
  const local = { ip: packet.dst, port: segment.dstPort }
  const name = `tcp ${formatIp(local.ip)}:${local.port}`
  ns.host.kernel.record(skb, { kind: 'socket.deliver', received: packet, socket: name, process: socket.process })
  switch (socket.tcp.state) {
    case 'listen':
      return receiveInListen(skb, segment, socket)
    case 'synSent':
      return receiveInSynSent(skb, segment, socket, socket.tcp)
    default:
      return receiveConnected(skb, segment, socket, socket.tcp)
  }
}

function refuse(skb: IpSkb, local: SocketAddress): void {
  const detail = `nothing listens on TCP ${formatIp(local.ip)}:${local.port}`
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'NO_SOCKET', detail })
  sendReset(skb, 'kernel')
}

/** tcp_conn_request: a SYN makes a connection that waits for its ACK; anything else has no business here. */
function receiveInListen(skb: IpSkb, segment: Tcp, listener: Socket): void {
  const { ns, packet } = skb
  if ((segment.flags & RST) !== 0) return
  if ((segment.flags & ACK) !== 0) return sendReset(skb, 'kernel')
  if ((segment.flags & SYN) === 0) return
  const route = routeOutput(ns, { dst: packet.src, src: packet.dst })
  if (route.kind !== 'ok') return
  const fd = ns.state.sockets.nextConnection++
  const socket = openSocket(ns, { fd, process: listener.process, type: 'tcp', family: packet.src.family })
  socket.unaccepted = []
  socket.local = { ip: packet.dst, port: segment.dstPort }
  socket.remote = { ip: packet.src, port: segment.srcPort }
  const control = newControl('synReceived', advertisedMss(ns, route, packet.src))
  control.listener = listener.fd
  socket.tcp = control
  const entry = `tcp ${segment.dstPort} for ${formatIp(packet.src)}:${segment.srcPort}`
  control.sndUna = drawIsn(ns, entry)
  control.sndNxt = seqAdd(control.sndUna, 1)
  control.rcvNxt = seqAdd(segment.seq, 1)
  negotiate(ns, control, segment, entry)
  control.sndWnd = segment.window
  control.rcvWnd = initialWindow(control.advMss - (control.timestamps === undefined ? 0 : 12))
  startRetransmitTimer(ns, socket)
  sendSyn(ns, socket, SYN | ACK, skb.id)
}

/** tcp_rcv_synsent_state_process. */
function receiveInSynSent(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
  const { ns } = skb
  const hasAck = (segment.flags & ACK) !== 0
  if (hasAck && segment.ack !== tcp.sndNxt) return sendReset(skb, 'kernel')
  if ((segment.flags & RST) !== 0) {
    if (!hasAck) return
    abort(ns, socket)
    return fail(ns, socket, 'ECONNREFUSED', { ip: skb.packet.src, cause: skb.id })
  }
  if ((segment.flags & SYN) === 0 || !hasAck) return
  tcp.rcvNxt = seqAdd(segment.seq, 1)
  tcp.sndUna = segment.ack
  tcp.softError = undefined
  negotiate(ns, tcp, segment, '')
  tcp.sndWnd = segment.window
  tcp.state = 'established'
  stopRetransmitTimer(tcp)
  wakeConnected(ns, socket, skb.id)
  sendAck(ns, socket, skb.id)
}
