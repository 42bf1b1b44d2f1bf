import { appended } from '../packet/octets.ts'
import { TCP_FLAG, type Tcp } from '../packet/packet.ts'
import type { Netns } from './netns.ts'
import type { ProcessEvent } from './process.ts'
import type { IpSkb } from './skb.ts'
import { type Socket, wake } from './socket.ts'
import { DELAYED_ACK, seqAdd, seqDiff, type TcpControl, TICK } from './tcp-control.ts'
import { sendAck } from './tcp-output.ts'
import { forgetEarly, noteDuplicate, noteEarly } from './tcp-sack.ts'

/** Data that comes in, and when it is acknowledged, after Linux net/ipv4/tcp_input.c. */

const { fin: FIN } = TCP_FLAG

/** tcp_data_queue and tcp_fin. */
export function receiveData(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
  const { ns } = skb
  const fin = (segment.flags & FIN) !== 0
  if (segment.data.length === 0 && !fin) return
  const ahead = seqDiff(segment.seq, tcp.rcvNxt)
  if (ahead > 0) {
    tcp.early.push({ seq: segment.seq, data: segment.data, fin })
    noteEarly(tcp, segment.seq, seqAdd(segment.seq, segment.data.length + (fin ? 1 : 0)))
    return sendAck(ns, socket, skb.id)
  }
  const fresh = segment.data.subarray(-ahead)
  if (ahead < 0) noteDuplicate(tcp, segment.seq, seqAdd(segment.seq, segment.data.length - fresh.length))
  if (fresh.length === 0 && !fin) return sendAck(ns, socket, skb.id)
  const fast = isFastPath(segment, tcp)
  const wakes = [...take(skb, socket, tcp, { data: fresh, fin }), ...takeEarly(skb, socket, tcp)]
  forgetEarly(tcp)
  // The fast path acknowledges before it wakes the reader, tcp_data_queue after (tcp_rcv_established).
  if (fast) scheduleAck(skb, socket, tcp)
  for (const event of wakes) wake(ns, socket, event, skb.id)
  if (!fast) scheduleAck(skb, socket, tcp)
}

/** Header prediction: data in order on a connection whose peer has not changed its window (tp->pred_flags). */
function isFastPath(segment: Tcp, tcp: TcpControl): boolean {
  const fast = tcp.predictedWindow === segment.window && (segment.flags & FIN) === 0 && tcp.early.length === 0
  tcp.predictedWindow = segment.window
  return fast
}

/** Takes up what came in order; answers what the process is to be told. */
function take(
  skb: IpSkb,
  socket: Socket,
  tcp: TcpControl,
  { data, fin }: { data: Uint8Array; fin: boolean },
): readonly ProcessEvent[] {
  const { ns, packet } = skb
  const wakes: ProcessEvent[] = []
  tcp.rcvNxt = seqAdd(tcp.rcvNxt, data.length + (fin ? 1 : 0))
  if (data.length > 0) {
    tcp.lastReceived = ns.host.kernel.now()
    // A process that has not yet read is not woken again: it will read all there is.
    const woken = tcp.unread.length > 0
    tcp.unread = appended(tcp.unread, data)
    if (!woken && socket.remote !== undefined)
      wakes.push({ kind: 'data', fd: socket.fd, bytes: NO_DATA, from: socket.remote, ttl: packet.ttl })
  }
  if (!fin) return wakes
  wakes.push({ kind: 'closed', fd: socket.fd })
  if (tcp.state === 'established') {
    tcp.state = 'closeWait'
    tcp.pingpong = true
  } else if (tcp.state === 'finWait1') tcp.state = 'closing'
  else if (tcp.state === 'finWait2') tcp.state = 'timeWait'
  return wakes
}

export const NO_DATA = new Uint8Array(0)

/** tcp_ofo_queue: what came early and is in order now. */
function takeEarly(skb: IpSkb, socket: Socket, tcp: TcpControl): readonly ProcessEvent[] {
  const wakes: ProcessEvent[] = []
  const inOrder = tcp.rcvNxt
  for (;;) {
    const next = tcp.early.findIndex((part) => seqDiff(part.seq, tcp.rcvNxt) <= 0)
    const [part] = next < 0 ? [] : tcp.early.splice(next, 1)
    if (part === undefined) return wakes
    if (seqDiff(part.seq, inOrder) < 0) noteDuplicate(tcp, part.seq, inOrder)
    const overlap = seqDiff(tcp.rcvNxt, part.seq)
    if (overlap <= part.data.length)
      wakes.push(...take(skb, socket, tcp, { data: part.data.subarray(overlap), fin: part.fin }))
  }
}

/** __tcp_ack_snd_check: at once in quick-ack mode, otherwise with the next data or after the delay. */
function scheduleAck(skb: IpSkb, socket: Socket, tcp: TcpControl): void {
  const { ns } = skb
  if (tcp.state === 'timeWait' || (tcp.quickAcks > 0 && !tcp.pingpong) || tcp.ackPending) {
    tcp.quickAcks = Math.max(0, tcp.quickAcks - 1)
    return sendAck(ns, socket, skb.id)
  }
  const delay = tcp.lastReceived < 0 ? TICK : DELAYED_ACK
  if (delay === TICK && tickComesNow(ns, tcp)) return sendAck(ns, socket, skb.id)
  tcp.ackPending = true
  tcp.ackTurn++
  const { kernel } = ns.host
  const timer = { kind: 'tcp', socket: socket.id, what: 'delayedAck', turn: tcp.ackTurn } as const
  kernel.emit({ kind: 'timer', at: kernel.now() + delay, ns, timer })
}

/**
 * A connection without data has no estimate yet of how long an ACK may wait (icsk_ack.ato is 0 in tcp_send_delayed_ack):
 * its timer runs out at the next tick. That one may fall before the reader has its turn; no time passes until then
 * here, so it does where a judge says so alone.
 */
const tickComesNow = (ns: Netns, { rcvNxt }: TcpControl): boolean =>
  ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'tick', entry: `tcp ack ${rcvNxt}` }, [1, 0]) === 1
