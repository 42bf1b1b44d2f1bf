import { TCP_FLAG, type Tcp } from '../packet/packet.ts'
import type { Netns } from './netns.ts'
import type { IpSkb } from './skb.ts'
import { fail, removeSocket, type Socket, wake } from './socket.ts'
import { CHALLENGE_INTERVAL, findOption, seqAdd, seqDiff, type TcpControl } from './tcp-control.ts'
import { receiveData } from './tcp-data.ts'
import { abort, pushQueue, sendAck, sendReset, stopRetransmitTimer } from './tcp-output.ts'
import { noteSacked } from './tcp-sack.ts'
import { sendSyn } from './tcp-syn.ts'

/** Segments of connections that both ends know, after Linux net/ipv4/tcp_input.c. */

const { syn: SYN, ack: ACK, fin: FIN, rst: RST } = TCP_FLAG

/** tcp_rcv_established and tcp_rcv_state_process for the synchronised states. */
export function receiveConnected(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
  if (tcp.state === 'finWait2' || tcp.state === 'timeWait') tcp.mini = true
  if ((segment.flags & SYN) !== 0) return receiveSynAgain(skb, segment, socket, tcp)
  if (!inWindow(segment, tcp)) {
    if ((segment.flags & RST) === 0) challenge(skb, segment, socket, tcp)
    return
  }
  if ((segment.flags & RST) !== 0) return resetByPeer(skb, socket, tcp)
  if ((segment.flags & ACK) === 0) return
  const stamps = findOption(segment.options, 'timestamps')
  if (stamps !== undefined && tcp.timestamps !== undefined && seqDiff(segment.seq, tcp.rcvNxt) <= 0)
    tcp.timestamps.recent = stamps.value
  if (!acknowledge(skb, segment, socket, tcp)) return
  receiveData(skb, segment, socket, tcp)
}

/** A SYN for a connection that waits for its ACK is answered again; in other states it is challenged (RFC 5961). */
function receiveSynAgain(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
  if (tcp.state === 'synReceived' && segment.seq === seqAdd(tcp.rcvNxt, -1))
    return sendSyn(skb.ns, socket, SYN | ACK, skb.id)
  sendAck(skb.ns, socket, skb.id)
}

function inWindow(segment: Tcp, tcp: TcpControl): boolean {
  const length = segment.data.length + ((segment.flags & FIN) !== 0 ? 1 : 0)
  const start = seqDiff(segment.seq, tcp.rcvNxt)
  return start + Math.max(length, 0) >= 0 && start <= Math.max(tcp.rcvWnd, 1)
}

/** Answers a segment out of place; without data not more often than twice a second, so that two ends cannot echo. */
function challenge(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
  const now = skb.ns.host.kernel.now()
  if (segment.data.length === 0 && now - tcp.lastChallenge < CHALLENGE_INTERVAL) return
  tcp.lastChallenge = now
  sendAck(skb.ns, socket, skb.id)
}

function resetByPeer(skb: IpSkb, socket: Socket, tcp: TcpControl): void {
  const { ns } = skb
  const told = tcp.state !== 'synReceived' && tcp.state !== 'timeWait' && tcp.state !== 'lastAck'
  abort(ns, socket)
  if (told) fail(ns, socket, 'ECONNRESET', { ip: skb.packet.src, cause: skb.id })
}

/** tcp_ack, and the state changes it brings. False: the connection is gone. */
function acknowledge(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): boolean {
  const { ns } = skb
  if (seqDiff(segment.ack, tcp.sndNxt) > 0) {
    if (tcp.state === 'synReceived') sendReset(skb, 'kernel')
    else challenge(skb, segment, socket, tcp)
    return false
  }
  // Something works: what ICMP told before is forgotten.
  tcp.softError = undefined
  noteSacked(tcp, segment)
  updateWindow(segment, tcp)
  const acked = seqDiff(segment.ack, tcp.sndUna)
  if (tcp.state === 'synReceived' && acked > 0) {
    tcp.state = 'established'
    tcp.sndUna = seqAdd(tcp.sndUna, 1)
    tcp.predictedWindow = segment.window
    accepted(skb, socket, tcp)
  }
  const data = Math.min(Math.max(seqDiff(segment.ack, tcp.sndUna), 0), tcp.sendQueue.length)
  if (acked > 0) {
    if (data > 0) tcp.cwnd++
    tcp.sendQueue = tcp.sendQueue.subarray(data)
    tcp.sndUna = segment.ack
    stopRetransmitTimer(tcp)
  }
  if (tcp.finSent && tcp.sndUna === tcp.sndNxt && !finAcknowledged(ns, socket, tcp)) return false
  if (tcp.sendQueue.length > 0 || (tcp.finQueued && !tcp.finSent)) pushQueue(ns, socket, skb.id)
  return true
}

/**
 * tcp_ack_update_window: a window that changes is the one that the fast path expects from then on. When all is
 * acknowledged the memory that sending took is given back (sk_mem_reclaim), and the first data that comes finds none,
 * which takes it off the fast path (sk_forward_alloc in tcp_rcv_established).
 */
function updateWindow(segment: Tcp, tcp: TcpControl): void {
  const window = segment.window << (tcp.windowScale?.peers ?? 0)
  if (segment.data.length === 0 && tcp.early.length === 0) {
    const inFlight = seqDiff(tcp.sndNxt, segment.ack) > 0
    if (!inFlight && tcp.lastReceived < 0) tcp.predictedWindow = undefined
    else if (window !== tcp.sndWnd) tcp.predictedWindow = segment.window
  }
  tcp.sndWnd = window
}

/** Our FIN has arrived. False: that was the last of the connection. */
function finAcknowledged(ns: Netns, socket: Socket, tcp: TcpControl): boolean {
  switch (tcp.state) {
    case 'finWait1':
      tcp.state = 'finWait2'
      return true
    case 'closing':
      tcp.state = 'timeWait'
      return true
    case 'lastAck':
      removeSocket(ns, socket)
      return false
    default:
      return true
  }
}

function accepted(skb: IpSkb, socket: Socket, tcp: TcpControl): void {
  const { local, remote } = socket
  if (tcp.listener === undefined || local.ip === undefined || remote === undefined) return
  const here = { ip: local.ip, port: local.port }
  wake(skb.ns, socket, { kind: 'accepted', fd: tcp.listener, connection: socket.fd, local: here, peer: remote }, skb.id)
}
