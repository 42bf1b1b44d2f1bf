import type { Ip } from '../packet/ip.ts'
import type { Chunk, DataChunk } from '../packet/sctp-chunk.ts'

/** The state of one SCTP association (struct sctp_association, Linux include/net/sctp/structs.h): what shows on the wire. */
export interface SctpAssociation {
  state: SctpAssociationState
  /** Descriptor of the listening socket that it came by. */
  readonly listener: number | undefined
  /** What cookies for it are signed with. */
  readonly key: number
  /** The process has closed it: nobody is told any more. */
  orphaned: boolean
  /** Own addresses that it may use (base.bind_addr), and those of the peer, the one in use first. */
  bound: readonly Ip[]
  peers: readonly Ip[]
  /** Verification tags: what packets to us carry, and packets to the peer. */
  myTag: number
  peerTag: number
  initialTsn: number
  outboundStreams: number
  inboundStreams: number
  peerKnows: PeerAbilities
  /** What the peer gave us to send back, and what it says that it has no room beyond. */
  cookie: Uint8Array
  peerWindow: number
  /** Room for what comes, and what of it was last told (rwnd, a_rwnd). */
  window: number
  toldWindow: number
  unread: number

  // What is sent.
  nextTsn: number
  /** All up to here has arrived. */
  ackedTsn: number
  nextSequence: number
  /** Messages, cut into chunks, that wait for their turn; their TSNs are not given yet. */
  readonly waiting: DataChunk[]
  readonly sent: SentData[]
  /** Control chunks that go with the next packet, and whether it is being held (outqueue.cork). */
  readonly control: Chunk[]
  corked: boolean
  pathMtu: number
  congestionWindow: number
  slowStartThreshold: number
  partlyAcked: number

  // What is received.
  /** All up to here has come (tsn_map's cumulative_tsn_ack_point). */
  cameTsn: number
  readonly early: DataChunk[]
  readonly duplicates: number[]
  /** Parts of a message whose end has not come. */
  readonly parts: DataChunk[]
  /** The next data is acknowledged at once; packets of data since the last SACK. */
  sackAtOnce: boolean
  sackCount: number

  // Timers.
  /** Nanoseconds. */
  rto: number
  smoothed: { rtt: number; variation: number } | undefined
  /** When the chunk left whose round trip is measured. */
  measuring: { readonly tsn: number; readonly at: number } | undefined
  /** Timeouts of INIT and COOKIE ECHO, which count by themselves. */
  initTimeout: number
  initErrors: number
  errors: number
  readonly path: SctpPath
  heartbeat: { readonly nonce: number; readonly at: number } | undefined
  lastSent: number
  readonly timers: Record<SctpTimerName, { turn: number; pending: boolean }>
}

/** The one way to the peer (struct sctp_transport). */
export interface SctpPath {
  state: 'active' | 'potentiallyFailed' | 'inactive'
  /** Since something was last answered. */
  errors: number
  /** A heartbeat has not been answered. */
  heartbeatOut: boolean
}

export type SctpAssociationState =
  | 'cookieWait'
  | 'cookieEchoed'
  | 'established'
  | 'shutdownPending'
  | 'shutdownSent'
  | 'shutdownReceived'
  | 'shutdownAckSent'

export interface PeerAbilities {
  readonly ecn: boolean
  readonly forwardTsn: boolean
}

export interface SentData {
  readonly chunk: DataChunk
  /** Told to have come beyond a gap. */
  gapAcked: boolean
  /** To be sent again; it does not count as in flight. */
  again: boolean
  /** How often a later one was told to have come and this not. */
  missing: number
}

/**
 * T1-init, T1-cookie, T2-shutdown, T3-rtx, T5-shutdown-guard of RFC 9260, the delayed SACK, the heartbeat, and the one that
 * puts an ICMP protocol unreachable off while a system call holds the socket.
 */
export type SctpTimerName =
  | 't1Init'
  | 't1Cookie'
  | 't2Shutdown'
  | 't3Rtx'
  | 't5Guard'
  | 'sack'
  | 'heartbeat'
  | 'unreachable'

const MILLISECOND = 1_000_000
export const SECOND = 1000 * MILLISECOND
/** net.sctp.rto_initial, rto_min, rto_max (SCTP_RTO_* of include/net/sctp/constants.h). */
export const RTO_INITIAL = 3 * SECOND
export const RTO_MIN = SECOND
export const RTO_MAX = 60 * SECOND
/** net.sctp.sack_timeout, hb_interval, valid_cookie_life. */
export const SACK_DELAY = 200 * MILLISECOND
export const HEARTBEAT_INTERVAL = 30 * SECOND
export const COOKIE_LIFE = 60 * SECOND
/** net.sctp.max_init_retransmits, association_max_retrans. */
export const MAX_INIT_RETRANSMITS = 8
export const MAX_RETRANSMITS = 10
/** SCTP_DEFAULT_OUTSTREAMS, SCTP_DEFAULT_INSTREAMS. */
const OUTBOUND_STREAMS = 10
const INBOUND_STREAMS = 65535
/** Half of the receive buffer, net.core.rmem_default 212992 (sctp_association_init). */
const INITIAL_WINDOW = 106_496
/** SCTP_DEFAULT_MAXWINDOW's guess for a peer that has not spoken yet. */
const PEER_WINDOW = 65535

/** What a socket that listens keeps: the key that its cookies are signed with. */
export interface SctpListener {
  readonly state: 'listen'
  readonly key: number
}

/** sctp_association_init. */
export function newAssociation(
  one: Pick<SctpAssociation, 'state' | 'bound' | 'peers' | 'myTag' | 'initialTsn' | 'pathMtu'> &
    Partial<Pick<SctpAssociation, 'listener' | 'key'>>,
): SctpAssociation {
  const timer = () => ({ turn: 0, pending: false })
  return {
    state: one.state,
    listener: one.listener,
    key: one.key ?? 0,
    orphaned: false,
    bound: one.bound,
    peers: one.peers,
    myTag: one.myTag,
    peerTag: 0,
    initialTsn: one.initialTsn,
    outboundStreams: OUTBOUND_STREAMS,
    inboundStreams: INBOUND_STREAMS,
    peerKnows: { ecn: false, forwardTsn: false },
    cookie: new Uint8Array(0),
    peerWindow: PEER_WINDOW,
    window: INITIAL_WINDOW,
    toldWindow: INITIAL_WINDOW,
    unread: 0,
    nextTsn: one.initialTsn,
    ackedTsn: tsnAdd(one.initialTsn, -1),
    nextSequence: 0,
    waiting: [],
    sent: [],
    control: [],
    corked: false,
    pathMtu: one.pathMtu,
    congestionWindow: initialCongestionWindow(one.pathMtu),
    slowStartThreshold: INITIAL_WINDOW,
    partlyAcked: 0,
    cameTsn: 0,
    early: [],
    duplicates: [],
    parts: [],
    sackAtOnce: true,
    sackCount: 0,
    rto: RTO_INITIAL,
    smoothed: undefined,
    measuring: undefined,
    initTimeout: RTO_INITIAL,
    initErrors: 0,
    errors: 0,
    path: { state: 'active', errors: 0, heartbeatOut: false },
    heartbeat: undefined,
    lastSent: 0,
    timers: {
      t1Init: timer(),
      t1Cookie: timer(),
      t2Shutdown: timer(),
      t3Rtx: timer(),
      t5Guard: timer(),
      sack: timer(),
      heartbeat: timer(),
      unreachable: timer(),
    },
  }
}

/** RFC 9260 §7.2.1. */
const initialCongestionWindow = (pathMtu: number): number => Math.min(4 * pathMtu, Math.max(2 * pathMtu, 4380))

/** Serial number arithmetic (RFC 9260 §1.6): how far `a` is ahead of `b`, negative if behind. */
export const tsnDiff = (a: number, b: number): number => (a - b) | 0
export const tsnAdd = (a: number, n: number): number => (a + n) >>> 0

/** Octets of data that are on their way. */
export function inFlight({ sent }: SctpAssociation): number {
  let octets = 0
  for (const { chunk, gapAcked, again } of sent) if (!gapAcked && !again) octets += chunk.bytes.length
  return octets
}

/** sctp_outq_is_empty: nothing waits to be sent or acknowledged. */
export const hasDataOut = ({ waiting, sent }: SctpAssociation): boolean => waiting.length + sent.length > 0
