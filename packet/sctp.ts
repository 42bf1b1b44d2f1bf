/**
 * SCTP (RFC 9260): the common header, and the first chunk. The checksum is CRC-32C, least significant octet first.
 *
 *  0               1               2               3
 * +-------------------------------+-------------------------------+
 * |          source port          |       destination port        |
 * +-------------------------------+-------------------------------+
 * |                       verification tag                        |
 * |                           checksum                            |
 * +---------------+---------------+-------------------------------+
 * |  chunk type   |     flags     |         chunk length          |
 * +---------------+---------------+-------------------------------+
 * |  INIT, INIT ACK: initiate tag, receiver window,               |
 * |  outbound streams (16), inbound streams (16), initial TSN     |
 * |  and parameters; zeros fill up to whole words                 |
 * +---------------------------------------------------------------+
 */
import { crc32c } from './crc32c.ts'
import { get8, get16, get32, put16, put32 } from './octets.ts'
import type { Sctp, SctpChunk } from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export const SCTP_HEADER = 12
const CHUNK_HEADER = 4
const INIT_LENGTH = 20
const CHUNK = { init: 1, initAck: 2, abort: 6 } as const

/** Chunk length as its field says it: without padding. */
function chunkLength(chunk: SctpChunk): number {
  switch (chunk.kind) {
    case 'init':
    case 'initAck':
      return INIT_LENGTH + chunk.parameters.length
    case 'abort':
      return CHUNK_HEADER
    case 'other':
      return CHUNK_HEADER + chunk.body.length
  }
}

const padded = (length: number): number => (length + 3) & ~3

export const lengthOfSctp = (sctp: Sctp): number =>
  SCTP_HEADER + padded(chunkLength(sctp.chunk)) + (sctp.further?.length ?? 0)

/** Writes everything, checksum included; `out` ends where the SCTP packet ends. */
export function writeSctp(out: Uint8Array, at: number, sctp: Sctp): void {
  put16(out, at, sctp.srcPort)
  put16(out, at + 2, sctp.dstPort)
  put32(out, at + 4, sctp.verificationTag)
  const chunkAt = at + SCTP_HEADER
  const length = chunkLength(sctp.chunk)
  put16(out, chunkAt + 2, length)
  writeChunk(out, chunkAt, sctp.chunk)
  if (sctp.further !== undefined) out.set(sctp.further, chunkAt + padded(length))
  putChecksum(out, at, crc32c(out.subarray(at)))
}

function writeChunk(out: Uint8Array, at: number, chunk: SctpChunk): void {
  switch (chunk.kind) {
    case 'init':
    case 'initAck':
      out[at] = CHUNK[chunk.kind]
      put32(out, at + 4, chunk.initiateTag)
      put32(out, at + 8, chunk.receiverWindow)
      put16(out, at + 12, chunk.outboundStreams)
      put16(out, at + 14, chunk.inboundStreams)
      put32(out, at + 16, chunk.initialTsn)
      out.set(chunk.parameters, at + INIT_LENGTH)
      return
    case 'abort':
      out[at] = CHUNK.abort
      out[at + 1] = chunk.flags
      return
    case 'other':
      out[at] = chunk.type
      out[at + 1] = chunk.flags
      out.set(chunk.body, at + CHUNK_HEADER)
  }
}

function putChecksum(out: Uint8Array, at: number, crc: number): void {
  out[at + 8] = crc
  out[at + 9] = crc >>> 8
  out[at + 10] = crc >>> 16
  out[at + 11] = crc >>> 24
}

/** Whether the checksum of the SCTP packet that is `bytes` is right. */
export function sctpChecksumIsRight(bytes: Uint8Array): boolean {
  const copy = bytes.slice()
  putChecksum(copy, 0, 0)
  putChecksum(copy, 0, crc32c(copy))
  return get32(copy, 8) === get32(bytes, 8)
}

export function readSctp(bytes: Uint8Array, at: number, end: number): Parsed<Sctp> {
  const chunkAt = at + SCTP_HEADER
  if (end - chunkAt < CHUNK_HEADER)
    return refused(`SCTP: ${end - at} octets, the header and a chunk need ${SCTP_HEADER + CHUNK_HEADER}`)
  const length = get16(bytes, chunkAt + 2)
  if (length < CHUNK_HEADER) return refused(`SCTP: chunk length ${length} is under ${CHUNK_HEADER}`)
  const furtherAt = chunkAt + padded(length)
  if (furtherAt > end) return refused(`SCTP: chunk length ${length}, but ${end - chunkAt} octets are there`)
  return parsed({
    kind: 'sctp',
    srcPort: get16(bytes, at),
    dstPort: get16(bytes, at + 2),
    verificationTag: get32(bytes, at + 4),
    chunk: readChunk(bytes, chunkAt, chunkAt + length),
    ...(furtherAt < end && { further: bytes.subarray(furtherAt, end) }),
  })
}

/** A chunk that says more than its typed form could hold (flags, error causes) stays octets. */
function readChunk(bytes: Uint8Array, at: number, end: number): SctpChunk {
  const type = get8(bytes, at)
  const flags = get8(bytes, at + 1)
  if ((type === CHUNK.init || type === CHUNK.initAck) && flags === 0 && end - at >= INIT_LENGTH)
    return {
      kind: type === CHUNK.init ? 'init' : 'initAck',
      initiateTag: get32(bytes, at + 4),
      receiverWindow: get32(bytes, at + 8),
      outboundStreams: get16(bytes, at + 12),
      inboundStreams: get16(bytes, at + 14),
      initialTsn: get32(bytes, at + 16),
      parameters: bytes.subarray(at + INIT_LENGTH, end),
    }
  if (type === CHUNK.abort && end - at === CHUNK_HEADER) return { kind: 'abort', flags }
  return { kind: 'other', type, flags, body: bytes.subarray(at + CHUNK_HEADER, end) }
}
