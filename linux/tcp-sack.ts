import { get32, put32 } from '../packet/octets.ts'
import type { Tcp, TcpOption } from '../packet/packet.ts'
import { seqDiff, type TcpControl } from './tcp-control.ts'

/** Selective acknowledgement (RFC 2018), after Linux net/ipv4/tcp_input.c and tcp_output.c. */

/** Sequence numbers from `start` up to, not including, `end`. */
export interface SackBlock {
  readonly start: number
  readonly end: number
}

const SACK = 5
/** TCP_NUM_SACKS; with timestamps in the header only three fit. */
const MOST_BLOCKS = 4
const MOST_BESIDE_TIMESTAMPS = 3

/** tcp_sack_new_ofo_skb: what came early, the latest first; neighbours become one block. */
export function noteEarly(tcp: TcpControl, start: number, end: number): void {
  let block: SackBlock = { start, end }
  const others: SackBlock[] = []
  for (const other of tcp.sacks) {
    if (seqDiff(block.start, other.end) <= 0 && seqDiff(other.start, block.end) <= 0)
      block = {
        start: seqDiff(other.start, block.start) < 0 ? other.start : block.start,
        end: seqDiff(other.end, block.end) > 0 ? other.end : block.end,
      }
    else others.push(other)
  }
  tcp.sacks = [block, ...others].slice(0, MOST_BLOCKS)
}

/** tcp_sack_remove: blocks that are no longer early. */
export function forgetEarly(tcp: TcpControl): void {
  tcp.sacks = tcp.early.length === 0 ? [] : tcp.sacks.filter(({ start }) => seqDiff(start, tcp.rcvNxt) > 0)
}

/** tcp_dsack_extend: octets that were here already (RFC 2883); what does not touch those noted before goes untold. */
export function noteDuplicate(tcp: TcpControl, start: number, end: number): void {
  const { duplicate } = tcp
  if (duplicate === undefined) {
    tcp.duplicate = { start, end }
    return
  }
  if (seqDiff(start, duplicate.end) > 0 || seqDiff(duplicate.start, end) > 0) return
  tcp.duplicate = {
    start: seqDiff(start, duplicate.start) < 0 ? start : duplicate.start,
    end: seqDiff(end, duplicate.end) > 0 ? end : duplicate.end,
  }
}

/** The option as tcp_established_options lays it out: what came twice is told first, and once. */
export function sackOption(tcp: TcpControl): readonly TcpOption[] {
  const told = tcp.duplicate === undefined ? tcp.sacks : [tcp.duplicate, ...tcp.sacks]
  tcp.duplicate = undefined
  if (told.length === 0 || !tcp.sackPermitted) return []
  const blocks = told.slice(0, tcp.timestamps === undefined ? MOST_BLOCKS : MOST_BESIDE_TIMESTAMPS)
  const bytes = new Uint8Array(blocks.length * 8)
  for (const [i, { start, end }] of blocks.entries()) {
    put32(bytes, i * 8, start)
    put32(bytes, i * 8 + 4, end)
  }
  return [{ kind: 'nop' }, { kind: 'nop' }, { kind: 'other', type: SACK, bytes }]
}

/** tcp_sacktag_write_queue: keeps what the peer has beyond its acknowledgement. */
export function noteSacked(tcp: TcpControl, segment: Tcp): void {
  tcp.peerHas = tcp.peerHas.filter(({ end }) => seqDiff(end, segment.ack) > 0)
  for (const option of segment.options) {
    if (option.kind !== 'other' || option.type !== SACK) continue
    for (let at = 0; at + 8 <= option.bytes.length; at += 8)
      tcp.peerHas.push({ start: get32(option.bytes, at), end: get32(option.bytes, at + 4) })
  }
}

/** Octets from the first unacknowledged one on that the peer does not have. */
export function firstHole(tcp: TcpControl): number {
  const starts = tcp.peerHas.map(({ start }) => seqDiff(start, tcp.sndUna)).filter((ahead) => ahead > 0)
  return Math.min(tcp.sendQueue.length, seqDiff(tcp.sndNxt, tcp.sndUna), ...starts)
}
