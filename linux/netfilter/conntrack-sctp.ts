import { get8, get16 } from '../../packet/octets.ts'
import type { Sctp, SctpChunk } from '../../packet/packet.ts'
import { CHUNK_TYPE } from '../../packet/sctp-chunk.ts'
import type { IpSkb } from '../skb.ts'
import {
  type ConntrackEntry,
  type Direction,
  isConfirmed,
  opposite,
  type SctpFlow,
  type SctpState,
  STATUS,
  type Tracked,
} from './conntrack.ts'
import { refresh } from './conntrack-table.ts'
import { type TimeoutName, timeoutOf } from './conntrack-timeout.ts'

/** The SCTP tracker, after Linux net/netfilter/nf_conntrack_proto_sctp.c (6.18). */

const STATES: readonly SctpState[] = [
  'NONE',
  'CLOSED',
  'COOKIE_WAIT',
  'COOKIE_ECHOED',
  'ESTABLISHED',
  'SHUTDOWN_SENT',
  'SHUTDOWN_RECD',
  'SHUTDOWN_ACK_SENT',
  'HEARTBEAT_SENT',
]

/** By chunk type: the next state for each of STATES; `IV` invalid. Chunks that are not here change nothing. */
const TRANSITIONS: Readonly<Record<Direction, ReadonlyMap<number, string>>> = {
  original: new Map([
    [CHUNK_TYPE.init, 'CL CL CW CE ES CL CL SA CW'],
    [CHUNK_TYPE.initAck, 'CL CL CW CE ES SS SR SA CL'],
    [CHUNK_TYPE.abort, 'CL CL CL CL CL CL CL CL CL'],
    [CHUNK_TYPE.shutdown, 'CL CL CW CE SS SS SR SA CL'],
    [CHUNK_TYPE.shutdownAck, 'SA CL CW CE ES SA SA SA SA'],
    [CHUNK_TYPE.error, 'CL CL CW CE ES SS SR SA CL'],
    [CHUNK_TYPE.cookieEcho, 'CL CL CE CE ES SS SR SA CL'],
    [CHUNK_TYPE.cookieAck, 'CL CL CW CE ES SS SR SA CL'],
    [CHUNK_TYPE.shutdownComplete, 'CL CL CW CE ES SS SR CL CL'],
    [CHUNK_TYPE.heartbeat, 'HS CL CW CE ES SS SR SA HS'],
    [CHUNK_TYPE.heartbeatAck, 'CL CL CW CE ES SS SR SA HS'],
  ]),
  reply: new Map([
    [CHUNK_TYPE.init, 'IV CL CW CE ES SS SR SA IV'],
    [CHUNK_TYPE.initAck, 'IV CW CW CE ES SS SR SA IV'],
    [CHUNK_TYPE.abort, 'IV CL CL CL CL CL CL CL IV'],
    [CHUNK_TYPE.shutdown, 'IV CL CW CE SR SS SR SA IV'],
    [CHUNK_TYPE.shutdownAck, 'IV CL CW CE ES SA SA SA IV'],
    [CHUNK_TYPE.error, 'IV CL CW CL ES SS SR SA IV'],
    [CHUNK_TYPE.cookieEcho, 'IV CL CW CE ES SS SR SA IV'],
    [CHUNK_TYPE.cookieAck, 'IV CL CW ES ES SS SR SA IV'],
    [CHUNK_TYPE.shutdownComplete, 'IV CL CW CE ES SS SR CL IV'],
    [CHUNK_TYPE.heartbeat, 'IV CL CW CE ES SS SR SA HS'],
    [CHUNK_TYPE.heartbeatAck, 'IV CL CW CE ES SS SR SA ES'],
  ]),
}

const LETTERS: Readonly<Record<string, SctpState>> = {
  NO: 'NONE',
  CL: 'CLOSED',
  CW: 'COOKIE_WAIT',
  CE: 'COOKIE_ECHOED',
  ES: 'ESTABLISHED',
  SS: 'SHUTDOWN_SENT',
  SR: 'SHUTDOWN_RECD',
  SA: 'SHUTDOWN_ACK_SENT',
  HS: 'HEARTBEAT_SENT',
}

/** Undefined: invalid. */
function nextState(direction: Direction, chunk: number, state: SctpState): SctpState | undefined {
  const row = TRANSITIONS[direction].get(chunk)
  return row === undefined ? state : LETTERS[row.slice(STATES.indexOf(state) * 3).slice(0, 2)]
}

const TIMEOUT: Readonly<Record<SctpState, TimeoutName>> = {
  NONE: 'sctp_closed',
  CLOSED: 'sctp_closed',
  COOKIE_WAIT: 'sctp_cookie_wait',
  COOKIE_ECHOED: 'sctp_cookie_echoed',
  ESTABLISHED: 'sctp_established',
  SHUTDOWN_SENT: 'sctp_shutdown_sent',
  SHUTDOWN_RECD: 'sctp_shutdown_recd',
  SHUTDOWN_ACK_SENT: 'sctp_shutdown_ack_sent',
  HEARTBEAT_SENT: 'sctp_heartbeat_sent',
}

interface Chunk {
  readonly type: number
  readonly flags: number
  /** Of INIT and INIT ACK. */
  readonly initiateTag: number | undefined
}

/** The chunks of a packet; undefined where the bundling rules of RFC 9260 §6.10 are broken (do_basic_checks). */
function chunksOf(sctp: Sctp): readonly Chunk[] | undefined {
  const chunks = [firstChunk(sctp.chunk)]
  const more = sctp.further ?? new Uint8Array()
  for (let at = 0; at + 4 <= more.length; ) {
    const length = get16(more, at + 2)
    if (length < 4) return undefined
    chunks.push({ type: get8(more, at), flags: get8(more, at + 1), initiateTag: undefined })
    at += (length + 3) & ~3
  }
  const alone = [CHUNK_TYPE.init, CHUNK_TYPE.initAck, CHUNK_TYPE.shutdownComplete] as readonly number[]
  const first = [CHUNK_TYPE.cookieAck, CHUNK_TYPE.cookieEcho] as readonly number[]
  if (chunks.length > 1 && chunks.some(({ type }) => alone.includes(type))) return undefined
  return chunks.slice(1).some(({ type }) => first.includes(type)) ? undefined : chunks
}

function firstChunk(chunk: SctpChunk): Chunk {
  switch (chunk.kind) {
    case 'init':
      return { type: CHUNK_TYPE.init, flags: 0, initiateTag: chunk.initiateTag }
    case 'initAck':
      return { type: CHUNK_TYPE.initAck, flags: 0, initiateTag: chunk.initiateTag }
    case 'abort':
      return { type: CHUNK_TYPE.abort, flags: chunk.flags, initiateTag: undefined }
    case 'other':
      return { type: chunk.type, flags: chunk.flags, initiateTag: undefined }
  }
}

/** Chunks that may come with another verification tag than the flow's; they are looked at one by one. */
const OWN_TAG_RULE: ReadonlySet<number> = new Set([
  CHUNK_TYPE.init,
  CHUNK_TYPE.shutdownComplete,
  CHUNK_TYPE.cookieEcho,
  CHUNK_TYPE.abort,
  CHUNK_TYPE.shutdownAck,
  CHUNK_TYPE.heartbeat,
  CHUNK_TYPE.heartbeatAck,
])

/** nf_conntrack_sctp_packet. A heartbeat on a second path with another tag is not modelled: it is invalid. */
export function trackSctp(entry: ConntrackEntry, skb: IpSkb, direction: Direction): Tracked {
  const { payload } = skb.packet
  const chunks = payload.kind === 'sctp' ? chunksOf(payload) : undefined
  if (payload.kind !== 'sctp' || chunks === undefined) return 'invalid'
  const tag = payload.verificationTag
  if (!isConfirmed(entry)) entry.flow = openFlow(chunks, tag)
  const { flow } = entry
  if (flow?.kind !== 'sctp') return 'invalid'
  if (!chunks.some(({ type }) => OWN_TAG_RULE.has(type)) && tag !== flow.tags[direction]) return 'invalid'
  let refreshes = true
  for (const chunk of chunks) {
    if (!tagFits(flow, chunk, { tag, direction })) return 'invalid'
    const old = flow.state
    const next = nextState(direction, chunk.type, old)
    if (next === undefined) return 'invalid'
    if (chunk.initiateTag !== undefined) {
      flow.tags[opposite(direction)] = chunk.initiateTag
      // An INIT sent again does not prolong the wait.
      if (next === 'CLOSED' && old === 'CLOSED' && isConfirmed(entry)) refreshes = false
    }
    flow.state = next
    if (next === 'ESTABLISHED' && old !== next) entry.status |= STATUS.assured
  }
  if (refreshes) refresh(entry, skb.ns, timeoutOf(skb.ns, TIMEOUT[flow.state]))
  return 'valid'
}

/** sctp_new; RFC 9260 §8.4: what answers nothing opens nothing. */
function openFlow(chunks: readonly Chunk[], tag: number): SctpFlow | undefined {
  const out = [CHUNK_TYPE.abort, CHUNK_TYPE.shutdownComplete, CHUNK_TYPE.cookieAck] as readonly number[]
  if (chunks.some(({ type }) => out.includes(type))) return undefined
  const tags = { original: 0, reply: 0 }
  for (const { type, initiateTag } of chunks) {
    const next = nextState('original', type, 'NONE')
    if (next === undefined || next === 'NONE') return undefined
    if (type === CHUNK_TYPE.init && tag !== 0) return undefined
    if (type === CHUNK_TYPE.heartbeat) tags.original = tag
    else tags.reply = initiateTag ?? tag
  }
  return { kind: 'sctp', state: 'NONE', tags }
}

const TAG_REFLECTED = 1

/** RFC 9260 §8.5.1. */
function tagFits(
  flow: SctpFlow,
  { type, flags }: Chunk,
  { tag, direction }: { readonly tag: number; readonly direction: Direction },
): boolean {
  switch (type) {
    case CHUNK_TYPE.init:
      return tag === 0
    case CHUNK_TYPE.abort:
    case CHUNK_TYPE.shutdownComplete:
      return tag === flow.tags[(flags & TAG_REFLECTED) === 0 ? direction : opposite(direction)]
    case CHUNK_TYPE.cookieEcho:
      return tag === flow.tags[direction]
    case CHUNK_TYPE.heartbeat:
    case CHUNK_TYPE.heartbeatAck:
      if (flow.tags[direction] === 0) flow.tags[direction] = tag
      return tag === flow.tags[direction]
    default:
      return true
  }
}
