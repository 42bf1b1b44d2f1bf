import type { TcpOption } from '../packet/packet.ts'
import type { Errno } from './process.ts'
import type { SackBlock } from './tcp-sack.ts'

/** The state of one TCP connection (struct tcp_sock), the part that shows on the wire. */
export interface TcpControl {
  state: TcpState
  /** Sequence numbers, modulo 2^32: first unacknowledged, next to send, next expected. */
  sndUna: number
  sndNxt: number
  rcvNxt: number
  /** What the peer's window allows, in octets. */
  sndWnd: number
  /** Segment sizes without options: ours (from the route) and the one in use. */
  advMss: number
  mss: number
  windowScale: { mine: number; peers: number } | undefined
  /** Our receive window in octets. */
  rcvWnd: number
  /** Offset of our timestamps, and the peer's last; undefined: not in use. */
  timestamps: { offset: number; recent: number } | undefined
  /** Segments of at most `cwnd` times `mss` are in flight (initial window 10, RFC 6928). */
  cwnd: number
  /** Octets written and not yet acknowledged, from sndUna (after a SYN) on. */
  sendQueue: Uint8Array
  /** Octets received that the process has not read (sk_receive_queue). */
  unread: Uint8Array
  /** The process has closed: a FIN follows the queue. */
  finQueued: boolean
  finSent: boolean
  /** What is left of the connection answers from a minisock (tcp_time_wait), which has no options of the socket's. */
  mini: boolean
  /** Segments that came early, by sequence number. */
  early: { seq: number; data: Uint8Array; fin: boolean }[]
  /** Blocks of them as we tell the peer, the latest first; whether it wants to be told. */
  sacks: readonly SackBlock[]
  sackPermitted: boolean
  /** What has come twice, which the next segment tells the peer (duplicate_sack). */
  duplicate: SackBlock | undefined
  /** What the peer has told us it has, beyond what it acknowledges. */
  peerHas: SackBlock[]
  retransmits: number
  /** Retransmission timeout in nanoseconds. */
  rto: number
  /** Counts up when the timer is set anew or stopped. */
  timerTurn: number
  ackTurn: number
  ackPending: boolean
  /** Segments still acknowledged at once (icsk_ack.quick); none while answering back and forth (pingpong). */
  quickAcks: number
  pingpong: boolean
  lastReceived: number
  /** The window field that data on the fast path carries; undefined: no data has come yet. */
  predictedWindow: number | undefined
  /** Descriptor of the listening socket that an incoming connection came by. */
  listener: number | undefined
  /** When a segment out of place was last answered; such answers are kept 500 ms apart (tcp_invalid_ratelimit). */
  lastChallenge: number
  /** Last error that was not final (sk_err_soft). */
  softError: Errno | undefined
}

export type TcpState =
  | 'listen'
  | 'synSent'
  | 'synReceived'
  | 'established'
  | 'finWait1'
  | 'finWait2'
  | 'closing'
  | 'timeWait'
  | 'closeWait'
  | 'lastAck'

export const MILLISECOND = 1_000_000
export const SECOND = 1_000_000_000
/** TCP_TIMEOUT_INIT, TCP_RTO_MIN, TCP_RTO_MAX, TCP_DELACK_MIN (include/net/tcp.h). */
export const RTO_INITIAL = SECOND
export const RTO_MIN = 200 * MILLISECOND
export const RTO_MAX = 120 * SECOND
export const DELAYED_ACK = 40 * MILLISECOND
/** How long a tick of the timers is at CONFIG_HZ=250, which most distributions take. */
export const TICK = 4 * MILLISECOND
/** net.ipv4.tcp_invalid_ratelimit. */
export const CHALLENGE_INTERVAL = 500 * MILLISECOND
/** TCP_MAX_QUICKACKS. */
const QUICK_ACKS = 16
/** Half of the default receive buffer (tcp_rmem[1] = 131072, tcp_adv_win_scale = 1). */
const RECEIVE_SPACE = 65536

export function newControl(state: TcpState, advMss: number): TcpControl {
  return {
    state,
    sndUna: 0,
    sndNxt: 0,
    rcvNxt: 0,
    sndWnd: 0,
    advMss,
    mss: Math.min(advMss, 536),
    windowScale: undefined,
    rcvWnd: 0,
    timestamps: undefined,
    cwnd: 10,
    sendQueue: new Uint8Array(0),
    unread: new Uint8Array(0),
    finQueued: false,
    finSent: false,
    mini: false,
    early: [],
    sacks: [],
    sackPermitted: false,
    duplicate: undefined,
    peerHas: [],
    retransmits: 0,
    rto: RTO_INITIAL,
    timerTurn: 0,
    ackTurn: 0,
    ackPending: false,
    quickAcks: QUICK_ACKS,
    pingpong: false,
    lastReceived: -SECOND,
    predictedWindow: undefined,
    listener: undefined,
    lastChallenge: -SECOND,
    softError: undefined,
  }
}

/** tcp_select_initial_window: a multiple of the segment size, at most what fits the field unscaled. */
export function initialWindow(segment: number): number {
  const space = RECEIVE_SPACE > segment ? RECEIVE_SPACE - (RECEIVE_SPACE % segment) : RECEIVE_SPACE
  return Math.min(space, 65535)
}

/** The scale that lets the window grow to tcp_rmem[2]: its bits over 15, at most 14. */
export function windowScaleFor(receiveMax: number): number {
  return Math.min(14, Math.max(0, Math.floor(Math.log2(receiveMax)) - 15))
}

/** The window field after the handshake: rounded up to the scale's step (__tcp_select_window). */
export function windowField(control: TcpControl): number {
  const shift = control.windowScale?.mine ?? 0
  const step = 1 << shift
  return Math.min(65535, (Math.ceil(control.rcvWnd / step) * step) >>> shift)
}

/** Sequence arithmetic (RFC 9293 §3.4): how far `a` is ahead of `b`, negative if behind. */
export const seqDiff = (a: number, b: number): number => (a - b) | 0
export const seqAdd = (a: number, n: number): number => (a + n) >>> 0

export const findOption = <Kind extends TcpOption['kind']>(
  options: readonly TcpOption[],
  kind: Kind,
): Extract<TcpOption, { kind: Kind }> | undefined =>
  options.find((option): option is Extract<TcpOption, { kind: Kind }> => option.kind === kind)
