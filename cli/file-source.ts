import { closeSync, openSync, readSync } from 'node:fs'
import type { ByteSource } from '../cluster/input/byte-source.ts'

/** A file on disk, of which only the bytes that are asked for are read. */
export function fileSource(path: string): ByteSource {
  let fault: string | undefined
  return {
    read(offset, into) {
      let found = 0
      try {
        const file = openSync(path, 'r')
        try {
          while (found < into.length) {
            const more = readSync(file, into, found, into.length - found, offset + found)
            if (more === 0) break
            found += more
          }
        } finally {
          closeSync(file)
        }
      } catch (error) {
        fault = error instanceof Error ? error.message : String(error)
      }
      return found
    },
    fault: () => fault,
  }
}

const PIECE = 1 << 24

/** What can be read only once, from front to back (standard input, a pipe): kept in memory, in pieces. */
export function streamSource(file: number): ByteSource {
  const pieces: Uint8Array[] = []
  let size = 0
  for (let ended = false; !ended; ) {
    const piece = new Uint8Array(PIECE)
    let filled = 0
    while (filled < PIECE) {
      const more = readAvailable(file, piece, filled)
      if (more === 0) {
        ended = true
        break
      }
      filled += more
    }
    size += filled
    pieces.push(ended ? piece.slice(0, filled) : piece)
  }
  return {
    read(offset, into) {
      const end = Math.min(size, offset + into.length)
      for (let at = offset; at < end; ) {
        const start = at % PIECE
        const part = pieces[Math.floor(at / PIECE)]?.subarray(start, start + end - at) ?? new Uint8Array()
        into.set(part, at - offset)
        at += part.length
      }
      return Math.max(0, end - offset)
    },
    fault: () => undefined,
  }
}

/** A terminal or pipe whose writer is slow may have nothing yet. */
function readAvailable(file: number, into: Uint8Array, offset: number): number {
  for (;;) {
    try {
      return readSync(file, into, offset, into.length - offset, null)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EOF') return 0
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MILLISECONDS)
    }
  }
}

const WAIT_MILLISECONDS = 10
