import type { ByteSource } from './byte-source.ts'
import { crc32 } from './crc32.ts'
import { type Checkpoint, inflate } from './inflate.ts'

/** One packed stream in a source, and what its frame says it unpacks to. */
export interface PackedStream {
  /** Offset of the first DEFLATE block. */
  readonly start: number
  /** Reads what stands behind the stream: what it should have been, and where another stream begins. */
  readonly after: (offset: number) => StreamEnd
}

export interface StreamEnd {
  /** Undefined: it is missing. */
  readonly expected: { readonly crc: number; readonly size: number } | undefined
  readonly next: PackedStream | undefined
}

/** Bytes between two places where unpacking can begin again; each costs 32 KiB. */
const CHECKPOINT_EVERY = 4 << 20

/** What DEFLATE can make of a byte is 1032; a list of pods is about 20. More than this is no snapshot but a bomb. */
const MOST_RATIO = 500
const RATIO_COUNTS_FROM = 64 << 20

interface Mark extends Checkpoint {
  readonly stream: PackedStream
  /** Bytes of the streams before this one. */
  readonly before: number
}

/** The unpacked bytes of a stream and those behind it. Read from front to back it is checked against its checksums. */
export function unpackedSource(source: ByteSource, first: PackedStream): ByteSource {
  const marks: Mark[] = []
  let fault: string | undefined
  /** Where checking has come to: only what follows it is checked. */
  let checkedTo = 0
  let cursor = begin(first, 0)
  let piece: Uint8Array | undefined
  let pieceStart = 0

  function begin(stream: PackedStream, before: number) {
    // A stream can be checked while it is read for the first time.
    return { stream, before, inflating: inflate(source, stream.start), output: 0, crc: 0, whole: before >= checkedTo }
  }
  function resume(mark: Mark) {
    const { stream, before, output } = mark
    return { stream, before, inflating: inflate(source, mark), output, crc: 0, whole: false }
  }

  /** Moves to the next piece; false at the end. */
  function advance(): boolean {
    for (;;) {
      const next = cursor.inflating.next()
      if (next !== undefined) {
        pieceStart = cursor.before + cursor.output
        piece = next
        cursor.output += next.length
        const end = pieceStart + next.length
        if (end > checkedTo) checkNew(next, end)
        return fault !== BOMB
      }
      piece = undefined
      const problem = cursor.inflating.fault()
      if (problem !== undefined) {
        fault ??= problem
        return false
      }
      const { expected, next: following } = cursor.stream.after(cursor.inflating.inputOffset())
      if (cursor.whole) checkEnd(expected)
      if (following === undefined) return false
      cursor = begin(following, cursor.before + cursor.output)
    }
  }
  function checkNew(bytes: Uint8Array, end: number): void {
    cursor.crc = crc32(cursor.crc, bytes)
    checkedTo = end
    const checkpoint = cursor.inflating.checkpoint()
    const latest = marks.at(-1)
    if (checkpoint !== undefined && end - (latest === undefined ? 0 : latest.before + latest.output) > CHECKPOINT_EVERY)
      marks.push({ ...checkpoint, stream: cursor.stream, before: cursor.before })
    const used = cursor.inflating.inputOffset() - first.start
    if (end > RATIO_COUNTS_FROM && end > used * MOST_RATIO) fault ??= BOMB
  }
  function checkEnd(expected: StreamEnd['expected']): void {
    if (expected === undefined) fault ??= 'it is cut off'
    else if (expected.crc !== cursor.crc || expected.size !== cursor.output % 2 ** 32)
      fault ??= 'its checksum does not fit: it is damaged'
  }
  function seek(offset: number): void {
    const here = piece === undefined ? cursor.before + cursor.output : pieceStart
    const mark = marks.findLast((one) => one.before + one.output <= offset)
    if (offset >= here && (mark === undefined || mark.before + mark.output <= here)) return
    piece = undefined
    cursor = mark === undefined ? begin(first, 0) : resume(mark)
  }

  return {
    read(offset, into) {
      seek(offset)
      let found = 0
      while (found < into.length) {
        const at = offset + found
        if (piece !== undefined && at >= pieceStart && at < pieceStart + piece.length) {
          const part = piece.subarray(at - pieceStart, at - pieceStart + into.length - found)
          into.set(part, found)
          found += part.length
        } else if (!advance()) return found
      }
      return found
    },
    fault: () => fault,
  }
}

const BOMB = `it unpacks to more than ${MOST_RATIO} times its size, as no snapshot does`
