import { formatIp, type Ip } from '../packet/ip.ts'
import { TCP_FLAG, type Tcp, type TcpOption } from '../packet/packet.ts'
import { type Netns, sysctl } from './netns.ts'
import type { Errno, ProcessEvent, SocketAddress } from './process.ts'
import { type OutputRoute, routeMtu, routeOutput } from './route.ts'
import type { IpSkb } from './skb.ts'
import { ephemeralPort, fail, failCall, lookupSocket, openSocket, removeSocket, type Socket, wake } from './socket.ts'
import {
  CHALLENGE_INTERVAL,
  DELAYED_ACK,
  findOption,
  initialWindow,
  newControl,
  seqAdd,
  seqDiff,
  type TcpControl,
  TICK,
  windowScaleFor,
} from './tcp-control.ts'
import {
  abort,
  doubleRto,
  pushQueue,
  sendAck,
  sendReset,
  sendSegment,
  startRetransmitTimer,
  stopRetransmitTimer,
  timestampOption,
  wakeConnected,
} from './tcp-output.ts'
import { forgetEarly, noteDuplicate, noteEarly, noteSacked } from './tcp-sack.ts'

/** TCP sockets (RFC 9293), after Linux net/ipv4/tcp.c, tcp_input.c, tcp_ipv4.c and tcp_timer.c. */

const { syn: SYN, ack: ACK, fin: FIN, rst: RST } = TCP_FLAG

// ------------------------------------------------------------------------------------------------ system calls

export function tcpListen(socket: Socket): void {
  socket.tcp = newControl('listen', 536)
}

/** tcp_v4_connect, tcp_v6_connect: sends the SYN. */
export function tcpConnect(ns: Netns, socket: Socket, to: SocketAddress, cause?: number): void {
  const route = routeOutput(ns, { dst: to.ip, src: socket.local.ip })
  if (route.kind !== 'ok') return failCall(ns, socket, route.errno)
  const flow = `tcp ${formatIp(to.ip)}:${to.port}`
  if (socket.local.port === 0) socket.local.port = ephemeralPort(ns, socket, flow)
  socket.local.ip = route.source
  socket.remote = to
  const control = newControl('synSent', advertisedMss(ns, route, to.ip))
  socket.tcp = control
  const entry = `${flow} from ${socket.local.port}`
  control.sndUna = drawIsn(ns, entry)
  control.sndNxt = seqAdd(control.sndUna, 1)
  control.timestamps = { offset: drawTimestamp(ns, entry), recent: 0 }
  control.windowScale = { mine: scaleOf(ns), peers: 0 }
  control.rcvWnd = initialWindow(control.advMss)
  startRetransmitTimer(ns, socket)
  sendSyn(ns, socket, SYN, cause)
}

/** Writes to the connection. */
export function tcpSend(ns: Netns, socket: Socket, bytes: Uint8Array, cause?: number): void {
  const { tcp } = socket
  if (tcp === undefined || tcp.finQueued) return
  tcp.sendQueue = joined(tcp.sendQueue, bytes)
  pushQueue(ns, socket, cause)
}

export function tcpClose(ns: Netns, socket: Socket, cause?: number): void {
  const { tcp } = socket
  if (tcp === undefined || tcp.state === 'listen' || tcp.state === 'synSent') return removeSocket(ns, socket)
  tcp.finQueued = true
  pushQueue(ns, socket, cause)
}

// ------------------------------------------------------------------------------------------------ segments in

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

/** Takes up what the peer's SYN offered (tcp_parse_options). */
function negotiate(ns: Netns, control: TcpControl, segment: Tcp, entry: string): void {
  const mss = findOption(segment.options, 'mss')?.mss ?? 536
  const scale = findOption(segment.options, 'windowScale')
  const stamps = findOption(segment.options, 'timestamps')
  control.sackPermitted = findOption(segment.options, 'sackPermitted') !== undefined
  control.windowScale = scale === undefined ? undefined : { mine: scaleOf(ns), peers: scale.shift }
  if (stamps === undefined) control.timestamps = undefined
  else control.timestamps = { offset: control.timestamps?.offset ?? drawTimestamp(ns, entry), recent: stamps.value }
  control.mss = Math.min(control.advMss, mss) - (control.timestamps === undefined ? 0 : 12)
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
  negotiate(ns, tcp, segment, '')
  tcp.sndWnd = segment.window
  tcp.state = 'established'
  stopRetransmitTimer(tcp)
  wakeConnected(ns, socket, skb.id)
  sendAck(ns, socket, skb.id)
}

/** tcp_rcv_established and tcp_rcv_state_process for the synchronised states. */
function receiveConnected(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
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

/** tcp_data_queue and tcp_fin. */
function receiveData(skb: IpSkb, segment: Tcp, socket: Socket, tcp: TcpControl): void {
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
    tcp.unread = joined(tcp.unread, data)
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

const NO_DATA = new Uint8Array(0)

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  if (head.length === 0) return tail
  const whole = new Uint8Array(head.length + tail.length)
  whole.set(head)
  whole.set(tail, head.length)
  return whole
}

/** tcp_recvmsg: everything that waits to be read. */
export function tcpRead(socket: Socket): Uint8Array {
  const bytes = socket.tcp?.unread ?? NO_DATA
  if (socket.tcp !== undefined) socket.tcp.unread = NO_DATA
  return bytes
}

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

// ------------------------------------------------------------------------------------------------ timers

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

// ------------------------------------------------------------------------------------------------ handshake parts

function sendSyn(ns: Netns, socket: Socket, flags: number, cause: number | undefined): void {
  const { tcp } = socket
  if (tcp === undefined) return
  const options: TcpOption[] = [{ kind: 'mss', mss: tcp.advMss }]
  const { timestamps, windowScale } = tcp
  options.push({ kind: 'sackPermitted' })
  if (timestamps !== undefined) options.push(timestampOption(ns, timestamps))
  if (windowScale !== undefined) options.push({ kind: 'nop' }, { kind: 'windowScale', shift: windowScale.mine })
  sendSegment(ns, socket, { flags, seq: tcp.sndUna, options, window: Math.min(tcp.rcvWnd, 65535), cause })
}

/** The segment size we announce: what fits the route's MTU. */
function advertisedMss(ns: Netns, route: Extract<OutputRoute, { kind: 'ok' }>, to: Ip): number {
  const mtu = routeMtu(ns, route.route, to)
  return to.family === 4 ? Math.min(mtu, 65535) - 40 : mtu - 60
}

const scaleOf = (ns: Netns): number => windowScaleFor(sysctl(ns, 'net.ipv4.tcp_rmem', 6291456))

const drawIsn = (ns: Netns, entry: string): number =>
  ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'tcp-isn', entry }, 0x100000000)

const drawTimestamp = (ns: Netns, entry: string): number =>
  ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'tcp-timestamp', entry }, 0x100000000)
