import { TCP_FLAG } from '../packet/packet.ts'
import { type Netns, sysctl } from './netns.ts'
import type { Errno } from './process.ts'
import { fail, type Socket } from './socket.ts'
import type { TcpControl } from './tcp-control.ts'
import { abort, doubleRto, sendAck, sendSegment, startRetransmitTimer } from './tcp-output.ts'
import { sendSyn } from './tcp-syn.ts'

/** What happens when no answer comes, after Linux net/ipv4/tcp_timer.c. */

const { syn: SYN, ack: ACK, fin: FIN } = TCP_FLAG

export function tcpTimer(ns: Netns, id: number, what: 'retransmit' | 'delayedAck' | 'timeWait', turn: number): void {
  const socket = ns.state.sockets.sockets.get(id)
  const tcp = socket?.tcp
  if (socket === undefined || tcp === undefined) return
  if (what === 'delayedAck') {
    if (tcp.ackPending && tcp.ackTurn === turn) sendAck(ns, socket, undefined)
    return
  }
  if (what === 'retransmit' && tcp.timerTurn === turn) retransmit(ns, socket, tcp)
}

/** tcp_retransmit_timer: again with a doubled timeout, until the retries are used up. */
function retransmit(ns: Netns, socket: Socket, tcp: TcpControl): void {
  if (tcp.retransmits >= retriesOf(ns, tcp)) {
    const errno: Errno = tcp.softError ?? 'ETIMEDOUT'
    const told = tcp.state !== 'synReceived'
    abort(ns, socket)
    if (told) fail(ns, socket, errno)
    return
  }
  tcp.retransmits++
  const linear = sysctl(ns, 'net.ipv4.tcp_syn_linear_timeouts', 0)
  if (tcp.state !== 'synSent' || tcp.retransmits > linear) doubleRto(tcp)
  startRetransmitTimer(ns, socket)
  if (tcp.state === 'synSent') sendSyn(ns, socket, SYN, undefined)
  else if (tcp.state === 'synReceived') sendSyn(ns, socket, SYN | ACK, undefined)
  else resend(ns, socket, tcp)
}

function retriesOf(ns: Netns, tcp: TcpControl): number {
  if (tcp.state === 'synSent') return sysctl(ns, 'net.ipv4.tcp_syn_retries', 6)
  if (tcp.state === 'synReceived') return sysctl(ns, 'net.ipv4.tcp_synack_retries', 5)
  return sysctl(ns, 'net.ipv4.tcp_retries2', 15)
}

function resend(ns: Netns, socket: Socket, tcp: TcpControl): void {
  const data = tcp.sendQueue.subarray(0, tcp.mss)
  const onlyFin = data.length === 0
  if (onlyFin && !tcp.finSent) return
  const flags = onlyFin ? FIN | ACK : ACK | (data.length === tcp.sendQueue.length ? TCP_FLAG.psh : 0)
  sendSegment(ns, socket, { flags, seq: tcp.sndUna, data })
}
