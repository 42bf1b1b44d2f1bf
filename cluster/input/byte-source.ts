/**
 * Bytes that can be read from any place and need not stand in memory: a file on disk, a member of an archive, what a
 * gzip file unpacks to.
 */
export interface ByteSource {
  /** Fills `into` with the bytes from `offset`; answers how many there were, fewer only at the end. */
  readonly read: (offset: number, into: Uint8Array) => number
  /** What was found to be wrong with it while it was read: `the gzip file is cut off`. */
  readonly fault: () => string | undefined
}

const faultless = () => undefined

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    read(offset, into) {
      const found = bytes.subarray(offset, offset + into.length)
      into.set(found)
      return found.length
    },
    fault: faultless,
  }
}

/** The bytes `start` to `start + size` of another source. A source that ends before is cut off. */
export function rangeSource(source: ByteSource, { start, size }: { start: number; size: number }): ByteSource {
  let cutOff = false
  return {
    read(offset, into) {
      const wanted = Math.max(0, Math.min(into.length, size - offset))
      const found = wanted === 0 ? 0 : source.read(start + offset, into.subarray(0, wanted))
      if (found < wanted) cutOff = true
      return found
    },
    fault: () => (cutOff ? 'it is cut off' : undefined),
  }
}

/** At most `length` bytes from `offset`, in a buffer of their own. */
export function bytesAt(source: ByteSource, offset: number, length: number): Uint8Array {
  const into = new Uint8Array(length)
  return into.subarray(0, source.read(offset, into))
}

const SIZE_STEP = 1 << 16

/** The number of bytes; what is packed is unpacked for it. */
export function sizeOf(source: ByteSource): number {
  const into = new Uint8Array(SIZE_STEP)
  let size = 0
  for (;;) {
    const found = source.read(size, into)
    size += found
    if (found < into.length) return size
  }
}

/** All bytes, or undefined where there are more than `most`. */
export function wholeSource(source: ByteSource, most: number): Uint8Array | undefined {
  let into: Uint8Array = new Uint8Array(Math.min(SIZE_STEP, most + 1))
  let size = 0
  for (;;) {
    size += source.read(size, into.subarray(size))
    if (size < into.length) return into.subarray(0, size)
    if (size > most) return undefined
    const larger = new Uint8Array(Math.min(into.length * 2, most + 1))
    larger.set(into)
    into = larger
  }
}
