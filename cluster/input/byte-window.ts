import type { ByteSource } from './byte-source.ts'

/**
 * The part of a source that is looked at: it moves forward, and holds the object that is being read and some of what
 * follows. Places are indexes into `bytes` while it stands still, offsets into the source where they must outlast a move.
 */
export interface ByteWindow {
  readonly source: ByteSource
  /** What is at hand. */
  bytes: Uint8Array
  /** Offset of `bytes[0]` in the source. */
  offset: number
  /** The bytes at hand are the last ones. */
  ended: boolean
  /** The object at hand is larger than any that can be read; the source is taken to end here. */
  overflowed: boolean
  buffer: Uint8Array
  line: number
  /** Index up to which line feeds are counted in `line`. */
  counted: number
}

const FIRST_BUFFER = 1 << 16
const USUAL_BUFFER = 1 << 20
/** V8 has no longer text. */
const MOST_BYTES = 0x1fffffe8
const LINE_FEED = 10

export function openWindow(source: ByteSource, firstPiece = FIRST_BUFFER): ByteWindow {
  const buffer = new Uint8Array(firstPiece)
  const bytes = buffer.subarray(0, source.read(0, buffer))
  const ended = bytes.length < buffer.length
  return { source, bytes, ended, buffer, overflowed: false, offset: 0, line: 1, counted: 0 }
}

/** Drops what stands before index `keep`, which becomes index 0, and reads on; false where nothing follows. */
export function readOn(window: ByteWindow, keep: number): boolean {
  if (window.ended) return false
  lineAt(window, keep)
  const kept = window.bytes.length - keep
  const room = window.buffer
  if (kept * 2 > room.length || room.length < USUAL_BUFFER) {
    if (kept >= MOST_BYTES) {
      window.ended = true
      window.overflowed = true
      return false
    }
    window.buffer = new Uint8Array(Math.min(room.length * 2, MOST_BYTES + 1))
    window.buffer.set(window.bytes.subarray(keep))
  } else room.copyWithin(0, keep, window.bytes.length)
  window.offset += keep
  window.counted -= keep
  const wanted = window.buffer.length - kept
  const found = window.source.read(window.offset + kept, window.buffer.subarray(kept))
  window.ended = found < wanted
  window.bytes = window.buffer.subarray(0, kept + found)
  return found > 0
}

/** The 1-based line of an index; indexes only grow. */
export function lineAt(window: ByteWindow, index: number): number {
  const { bytes, buffer, counted } = window
  if (index <= counted) return window.line
  // Four bytes at once where they stand in one word of the buffer, which `bytes` begins with.
  const first = Math.min((counted + 3) & ~3, index)
  const last = Math.max(index & ~3, first)
  window.line += feedsOneByOne(bytes, counted, first)
  window.line += feedsInWords(new Uint32Array(buffer.buffer, 0, buffer.length >> 2), first >> 2, last >> 2)
  window.line += feedsOneByOne(bytes, last, index)
  window.counted = index
  return window.line
}

function feedsOneByOne(bytes: Uint8Array, from: number, to: number): number {
  let feeds = 0
  for (let i = from; i < to; i++) if (bytes[i] === LINE_FEED) feeds++
  return feeds
}

const FEEDS = 0x0a0a0a0a
const LOW_BITS = 0x7f7f7f7f
const ONES = 0x01010101

/** Line feeds in words: the highest bit of each byte that equals one is set, and these bits are added up. */
function feedsInWords(words: Uint32Array, from: number, to: number): number {
  let feeds = 0
  for (let i = from; i < to; i++) {
    const other = (words[i] as number) ^ FEEDS
    const found = ~(((other & LOW_BITS) + LOW_BITS) | other | LOW_BITS)
    if (found !== 0) feeds += Math.imul(found >>> 7, ONES) >>> 24
  }
  return feeds
}
