import { type ByteSource, bytesAt } from './byte-source.ts'
import { type PackedStream, type StreamEnd, unpackedSource } from './unpacked-source.ts'

const HAS_HEADER_CRC = 2
const HAS_EXTRA = 4
const HAS_NAME = 8
const HAS_COMMENT = 16
const FIXED_HEADER = 10
const TRAILER = 8
const MOST_HEADER = 1 << 16

/** The magic number and the one method there is (RFC 1952 2.3.1). */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8

/** What a gzip file unpacks to; members behind each other are one (RFC 1952 2.2). Undefined where its header is cut off. */
export function gunzipped(source: ByteSource): ByteSource | undefined {
  const first = memberAt(source, 0)
  return first === undefined ? undefined : unpackedSource(source, first)
}

function memberAt(source: ByteSource, offset: number): PackedStream | undefined {
  const header = bytesAt(source, offset, MOST_HEADER)
  if (!isGzip(header)) return undefined
  const flags = header[3] ?? 0
  let at = FIXED_HEADER
  if (flags & HAS_EXTRA) at += 2 + ((header[at] ?? 0) | ((header[at + 1] ?? 0) << 8))
  if (flags & HAS_NAME) at = endOfText(header, at)
  if (flags & HAS_COMMENT) at = endOfText(header, at)
  if (flags & HAS_HEADER_CRC) at += 2
  if (at > header.length) return undefined
  return { start: offset + at, after: (end) => trailerAt(source, end) }
}

function endOfText(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(0, from)
  return end < 0 ? bytes.length + 1 : end + 1
}

function trailerAt(source: ByteSource, offset: number): StreamEnd {
  const trailer = bytesAt(source, offset, TRAILER)
  if (trailer.length < TRAILER) return { expected: undefined, next: undefined }
  const words = new DataView(trailer.buffer, trailer.byteOffset)
  return {
    expected: { crc: words.getUint32(0, true), size: words.getUint32(4, true) },
    next: memberAt(source, offset + TRAILER),
  }
}
