/**
 * The chunks of an SCTP packet, taken apart (RFC 9260 §3.3), where the header stack keeps all but the first as octets.
 *
 * 0               1               2               3
 * +---------------+---------------+-------------------------------+
 * |     type      |     flags     |            length             |
 * +---------------+---------------+-------------------------------+
 * |  DATA: TSN, stream (16), sequence in it (16), payload         |
 * |  protocol, octets; SACK: cumulative TSN, window, number of    |
 * |  gap blocks (16) and of duplicates (16), those; SHUTDOWN:     |
 * |  cumulative TSN; all are padded to whole words                |
 * +---------------------------------------------------------------+
 */
import { get8, get16, get32, put16, put32 } from './octets.ts'
import type { Sctp, SctpChunk } from './packet.ts'

export const CHUNK_TYPE = {
  data: 0,
  init: 1,
  initAck: 2,
  sack: 3,
  heartbeat: 4,
  heartbeatAck: 5,
  abort: 6,
  shutdown: 7,
  shutdownAck: 8,
  error: 9,
  cookieEcho: 10,
  cookieAck: 11,
  shutdownComplete: 14,
} as const

export type Chunk =
  | DataChunk
  | InitChunk
  | SackChunk
  | { readonly kind: 'heartbeat' | 'heartbeatAck' | 'error'; readonly body: Uint8Array }
  /** `reflected`: the T bit, the tag is the receiver's own (RFC 9260 §8.5.1). `causes`: as they stand. */
  | { readonly kind: 'abort'; readonly reflected: boolean; readonly causes: Uint8Array }
  | { readonly kind: 'shutdown'; readonly cumulativeTsn: number }
  | { readonly kind: 'shutdownAck' | 'cookieAck' }
  | { readonly kind: 'shutdownComplete'; readonly reflected: boolean }
  | { readonly kind: 'cookieEcho'; readonly cookie: Uint8Array }
  | { readonly kind: 'unknown'; readonly type: number; readonly flags: number; readonly body: Uint8Array }

export type InitChunk = Extract<SctpChunk, { kind: 'init' | 'initAck' }>

export interface DataChunk {
  readonly kind: 'data'
  readonly tsn: number
  readonly stream: number
  /** Of the message in its stream. */
  readonly sequence: number
  readonly protocol: number
  readonly bytes: Uint8Array
  /** First and last part of a message. */
  readonly begins: boolean
  readonly ends: boolean
  readonly unordered: boolean
  /** The I bit (RFC 7053): to be acknowledged at once. */
  readonly immediate: boolean
}

export interface SackChunk {
  readonly kind: 'sack'
  readonly cumulativeTsn: number
  readonly window: number
  /** What has come beyond, as distances from the cumulative TSN. */
  readonly gaps: readonly Gap[]
  readonly duplicates: readonly number[]
}

export interface Gap {
  readonly start: number
  readonly end: number
}

const HEADER = 4
const DATA_HEADER = 16
const SACK_HEADER = 16
const FLAG = { reflected: 1, ends: 1, begins: 2, unordered: 4, immediate: 8 } as const
const NO_OCTETS = new Uint8Array(0)

/** Octets a chunk takes in a packet, padding included. */
export const paddedLength = (length: number): number => (length + 3) & ~3

/** Length of a chunk as its field says it. */
export function chunkLength(chunk: Chunk): number {
  switch (chunk.kind) {
    case 'data':
      return DATA_HEADER + chunk.bytes.length
    case 'init':
    case 'initAck':
      return 20 + chunk.parameters.length
    case 'sack':
      return SACK_HEADER + 4 * (chunk.gaps.length + chunk.duplicates.length)
    default:
      return HEADER + bodyOf(chunk).length
  }
}

/** A packet of these chunks, of which there has to be one. */
export function sctpOf(
  { srcPort, dstPort, tag }: { readonly srcPort: number; readonly dstPort: number; readonly tag: number },
  [first, ...more]: readonly [Chunk, ...Chunk[]],
): Sctp {
  const further = new Uint8Array(more.reduce((sum, chunk) => sum + paddedLength(chunkLength(chunk)), 0))
  let at = 0
  for (const chunk of more) {
    writeChunk(further, at, chunk)
    at += paddedLength(chunkLength(chunk))
  }
  const packet = { kind: 'sctp', srcPort, dstPort, verificationTag: tag, chunk: headOf(first) } as const
  return more.length === 0 ? packet : { ...packet, further }
}

/** The first chunk as the header stack has it. */
function headOf(chunk: Chunk): SctpChunk {
  if (chunk.kind === 'init' || chunk.kind === 'initAck') return chunk
  if (chunk.kind === 'abort' && chunk.causes.length === 0) return { kind: 'abort', flags: flagsOf(chunk) }
  return { kind: 'other', type: typeOf(chunk), flags: flagsOf(chunk), body: bodyOf(chunk) }
}

function writeChunk(out: Uint8Array, at: number, chunk: Chunk): void {
  out[at] = typeOf(chunk)
  out[at + 1] = flagsOf(chunk)
  put16(out, at + 2, chunkLength(chunk))
  out.set(bodyOf(chunk), at + HEADER)
}

const typeOf = (chunk: Chunk): number => (chunk.kind === 'unknown' ? chunk.type : CHUNK_TYPE[chunk.kind])

function flagsOf(chunk: Chunk): number {
  switch (chunk.kind) {
    case 'data':
      return (
        (chunk.ends ? FLAG.ends : 0) |
        (chunk.begins ? FLAG.begins : 0) |
        (chunk.unordered ? FLAG.unordered : 0) |
        (chunk.immediate ? FLAG.immediate : 0)
      )
    case 'abort':
    case 'shutdownComplete':
      return chunk.reflected ? FLAG.reflected : 0
    case 'unknown':
      return chunk.flags
    default:
      return 0
  }
}

/** What follows the chunk's header. */
export function bodyOf(chunk: Chunk): Uint8Array {
  switch (chunk.kind) {
    case 'data': {
      const out = new Uint8Array(DATA_HEADER - HEADER + chunk.bytes.length)
      put32(out, 0, chunk.tsn)
      put16(out, 4, chunk.stream)
      put16(out, 6, chunk.sequence)
      put32(out, 8, chunk.protocol)
      out.set(chunk.bytes, 12)
      return out
    }
    case 'init':
    case 'initAck': {
      const out = new Uint8Array(16 + chunk.parameters.length)
      put32(out, 0, chunk.initiateTag)
      put32(out, 4, chunk.receiverWindow)
      put16(out, 8, chunk.outboundStreams)
      put16(out, 10, chunk.inboundStreams)
      put32(out, 12, chunk.initialTsn)
      out.set(chunk.parameters, 16)
      return out
    }
    case 'sack':
      return sackBody(chunk)
    case 'shutdown': {
      const out = new Uint8Array(4)
      put32(out, 0, chunk.cumulativeTsn)
      return out
    }
    case 'heartbeat':
    case 'heartbeatAck':
    case 'error':
    case 'unknown':
      return chunk.body
    case 'abort':
      return chunk.causes
    case 'cookieEcho':
      return chunk.cookie
    case 'shutdownAck':
    case 'cookieAck':
    case 'shutdownComplete':
      return NO_OCTETS
  }
}

function sackBody({ cumulativeTsn, window, gaps, duplicates }: SackChunk): Uint8Array {
  const out = new Uint8Array(SACK_HEADER - HEADER + 4 * (gaps.length + duplicates.length))
  put32(out, 0, cumulativeTsn)
  put32(out, 4, window)
  put16(out, 8, gaps.length)
  put16(out, 10, duplicates.length)
  let at = 12
  for (const { start, end } of gaps) {
    put16(out, at, start)
    put16(out, at + 2, end)
    at += 4
  }
  for (const tsn of duplicates) {
    put32(out, at, tsn)
    at += 4
  }
  return out
}

/** Every chunk of a packet, in order; those after one whose length cannot be are left out. */
export function chunksOf({ chunk, further = NO_OCTETS }: Sctp): readonly Chunk[] {
  const chunks: Chunk[] = [firstOf(chunk)]
  for (let at = 0; at + HEADER <= further.length; ) {
    const length = get16(further, at + 2)
    if (length < HEADER || at + length > further.length) break
    const body = further.subarray(at + HEADER, at + length)
    chunks.push(readChunk(get8(further, at), get8(further, at + 1), body))
    at += paddedLength(length)
  }
  return chunks
}

function firstOf(chunk: SctpChunk): Chunk {
  switch (chunk.kind) {
    case 'init':
    case 'initAck':
      return chunk
    case 'abort':
      return { kind: 'abort', reflected: (chunk.flags & FLAG.reflected) !== 0, causes: NO_OCTETS }
    case 'other':
      return readChunk(chunk.type, chunk.flags, chunk.body)
  }
}

function readChunk(type: number, flags: number, body: Uint8Array): Chunk {
  const unknown: Chunk = { kind: 'unknown', type, flags, body }
  switch (type) {
    case CHUNK_TYPE.data:
      return body.length < 12 ? unknown : readData(flags, body)
    case CHUNK_TYPE.init:
    case CHUNK_TYPE.initAck:
      return body.length < 16 ? unknown : readInit(type, body)
    case CHUNK_TYPE.sack:
      return readSack(body) ?? unknown
    case CHUNK_TYPE.heartbeat:
      return { kind: 'heartbeat', body }
    case CHUNK_TYPE.heartbeatAck:
      return { kind: 'heartbeatAck', body }
    case CHUNK_TYPE.error:
      return { kind: 'error', body }
    case CHUNK_TYPE.abort:
      return { kind: 'abort', reflected: (flags & FLAG.reflected) !== 0, causes: body }
    case CHUNK_TYPE.shutdown:
      return body.length < 4 ? unknown : { kind: 'shutdown', cumulativeTsn: get32(body, 0) }
    case CHUNK_TYPE.shutdownAck:
      return { kind: 'shutdownAck' }
    case CHUNK_TYPE.cookieEcho:
      return { kind: 'cookieEcho', cookie: body }
    case CHUNK_TYPE.cookieAck:
      return { kind: 'cookieAck' }
    case CHUNK_TYPE.shutdownComplete:
      return { kind: 'shutdownComplete', reflected: (flags & FLAG.reflected) !== 0 }
    default:
      return unknown
  }
}

function readInit(type: number, body: Uint8Array): InitChunk {
  return {
    kind: type === CHUNK_TYPE.init ? 'init' : 'initAck',
    initiateTag: get32(body, 0),
    receiverWindow: get32(body, 4),
    outboundStreams: get16(body, 8),
    inboundStreams: get16(body, 10),
    initialTsn: get32(body, 12),
    parameters: body.subarray(16),
  }
}

function readData(flags: number, body: Uint8Array): DataChunk {
  return {
    kind: 'data',
    tsn: get32(body, 0),
    stream: get16(body, 4),
    sequence: get16(body, 6),
    protocol: get32(body, 8),
    bytes: body.subarray(12),
    begins: (flags & FLAG.begins) !== 0,
    ends: (flags & FLAG.ends) !== 0,
    unordered: (flags & FLAG.unordered) !== 0,
    immediate: (flags & FLAG.immediate) !== 0,
  }
}

function readSack(body: Uint8Array): SackChunk | undefined {
  if (body.length < 12) return undefined
  const [gapCount, duplicateCount] = [get16(body, 8), get16(body, 10)]
  const duplicatesAt = 12 + 4 * gapCount
  if (body.length < duplicatesAt + 4 * duplicateCount) return undefined
  return {
    kind: 'sack',
    cumulativeTsn: get32(body, 0),
    window: get32(body, 4),
    gaps: Array.from({ length: gapCount }, (_, i) => ({
      start: get16(body, 12 + 4 * i),
      end: get16(body, 14 + 4 * i),
    })),
    duplicates: Array.from({ length: duplicateCount }, (_, i) => get32(body, duplicatesAt + 4 * i)),
  }
}
