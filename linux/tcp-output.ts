import { formatIp } from '../packet/ip.ts'
import { type IpPacket, TCP_FLAG, type Tcp, type TcpOption } from '../packet/packet.ts'
import { defaultTtl, discoversMtu, ipSend } from './ip-output.ts'
import { attachConntrack } from './netfilter/conntrack-table.ts'
import { closeByReset } from './netfilter/conntrack-tcp.ts'
import type { Link, Netns } from './netns.ts'
import { type OutputRoute, recordOutput, routeOutput } from './route.ts'
import { type IpSkb, newSkb } from './skb.ts'
import { removeSocket, type Socket, wake } from './socket.ts'
import { MILLISECOND, RTO_MAX, RTO_MIN, seqAdd, seqDiff, type TcpControl, windowField } from './tcp-control.ts'
import { sackOption } from './tcp-sack.ts'
import { flowLabel, identOf } from './udp.ts'

/** Sending segments, after Linux net/ipv4/tcp_output.c and tcp_timer.c. */

const NO_DATA = new Uint8Array(0)

export interface Segment {
  readonly flags: number
  readonly seq: number
  readonly data?: Uint8Array
  readonly options?: readonly TcpOption[]
  readonly window?: number
  readonly cause?: number | undefined
}

/** tcp_transmit_skb. */
export function sendSegment(ns: Netns, socket: Socket, segment: Segment): void {
  const { tcp, remote, local } = socket
  if (tcp === undefined || remote === undefined) return
  const route = routeOutput(ns, { dst: remote.ip, src: local.ip })
  if (route.kind !== 'ok') return
  const acknowledges = (segment.flags & TCP_FLAG.ack) !== 0
  if (acknowledges) {
    tcp.ackPending = false
    tcp.ackTurn++
  }
  const payload: Tcp = {
    kind: 'tcp',
    srcPort: local.port,
    dstPort: remote.port,
    seq: segment.seq,
    ack: acknowledges ? tcp.rcvNxt : 0,
    flags: segment.flags,
    window: segment.window ?? windowField(tcp),
    urgent: 0,
    options: segment.options ?? usualOptions(ns, tcp),
    data: segment.data ?? NO_DATA,
  }
  sendIp(ns, socket, payload, route, segment.cause)
}

function sendIp(
  ns: Netns,
  socket: Socket,
  payload: Tcp,
  route: Extract<OutputRoute, { kind: 'ok' }>,
  cause: number | undefined,
): void {
  const { remote } = socket
  if (remote === undefined) return
  const { family } = remote.ip
  const synAck = (payload.flags & (TCP_FLAG.syn | TCP_FLAG.ack)) === (TCP_FLAG.syn | TCP_FLAG.ack)
  const mini = socket.tcp?.mini === true
  const draft: IpPacket = {
    kind: 'ip',
    src: socket.local.ip ?? route.source,
    dst: remote.ip,
    ttl: (mini ? undefined : socket.ttl) ?? defaultTtl(ns, family),
    tos: 0,
    id: 0,
    // ip_build_and_send_pkt sets it on a SYN,ACK in any case, tcp_sk_init asks for it where a minisock answers.
    dontFragment: family === 4 && (synAck || mini || discoversMtu(ns, 4)),
    flowLabel: flowLabel(ns, socket, remote),
    payload,
  }
  const gsoSize = socket.tcp !== undefined && payload.data.length > socket.tcp.mss ? socket.tcp.mss : 0
  const segments = gsoSize === 0 ? 1 : Math.ceil(payload.data.length / gsoSize)
  const packet = synAck || (mini && family === 4) ? draft : { ...draft, id: identOf(ns, socket, draft, segments) }
  ipSend(
    ns,
    { packet, by: socket.process, socket: socket.id, gsoSize, ...(cause === undefined ? {} : { cause }) },
    route,
  )
}

function usualOptions(ns: Netns, tcp: TcpControl): readonly TcpOption[] {
  if (tcp.timestamps === undefined) return sackOption(tcp)
  return [{ kind: 'nop' }, { kind: 'nop' }, timestampOption(ns, tcp.timestamps), ...sackOption(tcp)]
}

/** The clock of timestamps ticks in milliseconds (tcp_time_stamp_ms). */
export function timestampOption(ns: Netns, timestamps: { offset: number; recent: number }): TcpOption {
  const ticks = Math.floor(ns.host.kernel.now() / MILLISECOND)
  return { kind: 'timestamps', value: (timestamps.offset + ticks) >>> 0, echo: timestamps.recent }
}

export function sendAck(ns: Netns, socket: Socket, cause: number | undefined): void {
  if (socket.tcp !== undefined) sendSegment(ns, socket, { flags: TCP_FLAG.ack, seq: socket.tcp.sndNxt, cause })
}

/**
 * tcp_write_xmit: as much of the queue as both windows allow, in one packet that is cut into segments where it leaves
 * (gso.ts), then the FIN. A close that finds octets unsent puts the FIN on the last of them (tcp_send_fin).
 */
export function pushQueue(ns: Netns, socket: Socket, cause: number | undefined): void {
  const { tcp } = socket
  if (tcp === undefined || tcp.state === 'synSent' || tcp.state === 'synReceived' || tcp.finSent) return
  const sent = seqDiff(tcp.sndNxt, tcp.sndUna)
  const left = tcp.sendQueue.length - sent
  const size = Math.min(left, Math.min(tcp.sndWnd, tcp.cwnd * tcp.mss) - sent)
  const seq = tcp.sndNxt
  const whole = size === left
  // The state is settled before anything leaves: the answer may come while the sending call is still under way.
  if (left > 0 && size > 0) {
    noteDataSent(ns, tcp)
    tcp.sndNxt = seqAdd(seq, size)
  }
  const fin = whole && tcp.finQueued
  if (fin) takeFin(tcp)
  if (tcp.sndNxt === seq) return
  startRetransmitTimer(ns, socket)
  const data = tcp.sendQueue.subarray(sent, sent + Math.max(size, 0))
  const flags = TCP_FLAG.ack | (whole && left > 0 ? TCP_FLAG.psh : 0) | (fin ? TCP_FLAG.fin : 0)
  sendSegment(ns, socket, { flags, seq, data, cause })
}

/** The FIN takes a sequence number and brings another state. */
function takeFin(tcp: TcpControl): void {
  tcp.sndNxt = seqAdd(tcp.sndNxt, 1)
  tcp.finSent = true
  if (tcp.state === 'established') tcp.state = 'finWait1'
  else if (tcp.state === 'closeWait') tcp.state = 'lastAck'
}

/** tcp_event_data_sent: data soon after data received makes the connection interactive; its ACKs may ride on data. */
function noteDataSent(ns: Netns, tcp: TcpControl): void {
  if (ns.host.kernel.now() - tcp.lastReceived < 40 * MILLISECOND) tcp.pingpong = true
}

export function startRetransmitTimer(ns: Netns, socket: Socket): void {
  const { tcp } = socket
  if (tcp === undefined) return
  tcp.timerTurn++
  const { kernel } = ns.host
  kernel.emit({
    kind: 'timer',
    at: kernel.now() + tcp.rto,
    ns,
    timer: { kind: 'tcp', socket: socket.id, what: 'retransmit', turn: tcp.timerTurn },
  })
}

/** Everything is acknowledged: no timer, and a fresh timeout for what comes next. */
export function stopRetransmitTimer(tcp: TcpControl): void {
  tcp.timerTurn++
  tcp.retransmits = 0
  tcp.rto = RTO_MIN
}

export const doubleRto = (tcp: TcpControl): void => {
  tcp.rto = Math.min(tcp.rto * 2, RTO_MAX)
}

/** The connection is over for the process, and gone. */
export function abort(ns: Netns, socket: Socket): void {
  if (socket.tcp !== undefined) stopRetransmitTimer(socket.tcp)
  removeSocket(ns, socket)
}

export function wakeConnected(ns: Netns, socket: Socket, cause: number): void {
  const { local, remote } = socket
  if (local.ip === undefined || remote === undefined) return
  const here = { ip: local.ip, port: local.port }
  wake(ns, socket, { kind: 'connected', fd: socket.fd, local: here, peer: remote }, cause)
}

/** tcp_v4_send_reset / nf_send_reset: the answer to a segment that belongs to no connection. */
export function resetFor(tcp: Tcp): Tcp {
  const hasAck = (tcp.flags & TCP_FLAG.ack) !== 0
  const length = tcp.data.length + (tcp.flags & TCP_FLAG.syn ? 1 : 0) + (tcp.flags & TCP_FLAG.fin ? 1 : 0)
  return {
    kind: 'tcp',
    srcPort: tcp.dstPort,
    dstPort: tcp.srcPort,
    seq: hasAck ? tcp.ack : 0,
    ack: hasAck ? 0 : seqAdd(tcp.seq, length),
    flags: TCP_FLAG.rst | (hasAck ? 0 : TCP_FLAG.ack),
    window: 0,
    urgent: 0,
    options: [],
    data: NO_DATA,
  }
}

/** Sends a reset back to where `skb` came from. */
export function sendReset(skb: IpSkb, by: string): void {
  const { ns, packet } = skb
  if (packet.payload.kind !== 'tcp' || (packet.payload.flags & TCP_FLAG.rst) !== 0) return
  const route = routeOutput(ns, { dst: packet.src, src: packet.dst })
  if (route.kind !== 'ok') return
  const { family } = packet.src
  const site = {
    host: ns.host.name,
    netns: ns.name,
    purpose: 'flow-label',
    entry: `rst ${formatIp(packet.src)}`,
  } as const
  const reset: IpPacket = {
    kind: 'ip',
    src: packet.dst,
    dst: packet.src,
    ttl: defaultTtl(ns, family),
    tos: 0,
    id: 0,
    dontFragment: family === 4,
    flowLabel: family === 4 ? 0 : ns.host.kernel.draw(site, 0x100000),
    payload: resetFor(packet.payload),
  }
  if (by === 'REJECT') closeByReset(skb)
  if (by === 'REJECT' && skb.bridge !== undefined) return sendByPort(skb, reset, { port: skb.bridge.physIn, route })
  // Only nf_send_reset ties its answer to the flow; a reset for want of a socket is looked up like any packet.
  ipSend(ns, { packet: reset, by, cause: skb.id, ...(by === 'REJECT' ? { answers: skb } : {}) }, route)
}

/**
 * What came in by a port of a bridge is refused by that port at once, with the MACs of its frame turned round: the
 * answer passes neither OUTPUT nor POSTROUTING, nor the bridge (nf_send_reset, Linux net/ipv4/netfilter/
 * nf_reject_ipv4.c; nf_send_reset6, net/ipv6/netfilter/nf_reject_ipv6.c).
 */
function sendByPort(
  refused: IpSkb,
  packet: IpPacket,
  { port, route }: { readonly port: Link; readonly route: Extract<OutputRoute, { kind: 'ok' }> },
): void {
  const { kernel, stack } = refused.ns.host
  const skb = newSkb(port, packet, kernel.newPacket())
  attachConntrack(skb, refused)
  kernel.record(skb, { kind: 'socket.send', sent: packet, by: 'REJECT', cause: refused.id })
  recordOutput(skb, packet.dst, route.route, packet.src)
  if (refused.mac !== undefined) skb.mac = { src: refused.mac.dst, dst: refused.mac.src }
  stack.xmit(skb)
}
