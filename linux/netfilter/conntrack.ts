import type { ConntrackInfo } from '../skb.ts'
import type { Tuple } from './tuple.ts'

/**
 * Connection tracking, after Linux net/netfilter/nf_conntrack_core.c (6.18): what is kept of a flow. Zones,
 * expectations and helpers are not modelled.
 */

/** One tracked flow: struct nf_conn. */
export interface ConntrackEntry {
  readonly id: number
  readonly original: Tuple
  /** What answers look like; NAT changes it before the entry is confirmed. */
  reply: Tuple
  /** Bits of STATUS. */
  status: number
  /** When the entry ends, in nanoseconds; until it is confirmed, how long it shall live. */
  timeout: number
  /** What the protocol's tracker keeps; set by the first packet. */
  flow: TcpFlow | UdpFlow | SctpFlow | undefined
  /** Index of the link that MASQUERADE took the address of (masq_index). */
  masqueradeLink: number | undefined
  /** What rules wrote on it; 0 until then. */
  mark?: number
  /** When it went into the table. */
  confirmedAt?: number
}

/** The bits of `ct->status` that we use (nf_conntrack_common.h). */
export const STATUS = {
  seenReply: 2,
  assured: 4,
  confirmed: 8,
  srcNat: 16,
  dstNat: 32,
  srcNatDone: 128,
  dstNatDone: 256,
  fixedTimeout: 1024,
  natClash: 4096,
} as const

export const isConfirmed = (entry: ConntrackEntry): boolean => (entry.status & STATUS.confirmed) !== 0

export type Direction = ConntrackInfo['direction']

export const opposite = (direction: Direction): Direction => (direction === 'original' ? 'reply' : 'original')

/** What a tracker makes of a packet. `repeat`: its entry is dead, look again. */
export type Tracked = 'valid' | 'invalid' | 'repeat'

export interface UdpFlow {
  readonly kind: 'udp'
  /** From when on (nanoseconds) an answered flow counts as a stream. */
  readonly streamFrom: number
}

export type TcpState =
  | 'NONE'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'ESTABLISHED'
  | 'FIN_WAIT'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'SYN_SENT2'

/** struct ip_ct_tcp. */
export interface TcpFlow {
  readonly kind: 'tcp'
  state: TcpState
  readonly seen: Readonly<Record<Direction, TcpSide>>
  last: TcpLast
  retransmissions: number
}

/** What was seen of one side (struct ip_ct_tcp_state). Sequence numbers are unsigned 32-bit. */
export interface TcpSide {
  /** The end of what it sent. */
  end: number
  /** The last octet that the other side lets it send. */
  maxEnd: number
  /** The largest window it offered; 0: nothing was seen of it. */
  maxWindow: number
  /** The highest acknowledgement it sent. */
  maxAck: number | undefined
  scale: number
  windowScale: boolean
  sackPermitted: boolean
  /** It sent the first FIN. */
  closeInit: boolean
  /** Picked up in the middle of the flow: its window scale is not known. */
  liberal: boolean
  unacknowledged: boolean
}

/** The last packet that was let through. */
export interface TcpLast {
  index: TcpPacketKind
  direction: Direction
  seq: number
  ack: number
  /** Undefined before there was an ACK, or a packet that did not fit. */
  end: number | undefined
  window: number
  /** Of a SYN that was let through although it did not fit. */
  scale: number | undefined
  sackPermitted: boolean
  challengeAck: boolean
  simultaneousOpen: boolean
}

export type TcpPacketKind = 'syn' | 'synack' | 'fin' | 'ack' | 'rst' | 'none'

export type SctpState =
  | 'NONE'
  | 'CLOSED'
  | 'COOKIE_WAIT'
  | 'COOKIE_ECHOED'
  | 'ESTABLISHED'
  | 'SHUTDOWN_SENT'
  | 'SHUTDOWN_RECD'
  | 'SHUTDOWN_ACK_SENT'
  | 'HEARTBEAT_SENT'

export interface SctpFlow {
  readonly kind: 'sctp'
  state: SctpState
  /** Verification tags that packets of each direction carry. */
  readonly tags: Record<Direction, number>
}

export interface ConntrackTable {
  /** Both directions of each confirmed entry. */
  readonly byTuple: Map<string, FoundEntry>
  /** Entries whose source NAT has looked at, by protocol and original source; the newest first (nat_bysource). */
  readonly bySource: Map<string, readonly ConntrackEntry[]>
  nextId: number
}

export interface FoundEntry {
  readonly entry: ConntrackEntry
  readonly direction: Direction
}

export const newConntrackTable = (): ConntrackTable => ({ byTuple: new Map(), bySource: new Map(), nextId: 1 })
