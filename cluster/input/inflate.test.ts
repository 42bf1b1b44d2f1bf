import { constants, deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesAt, memorySource, sizeOf } from './byte-source.ts'
import { crc32 } from './crc32.ts'
import { gunzipped } from './gzip.ts'
import { type Checkpoint, inflate } from './inflate.ts'

/** Bytes that repeat themselves near and far, as texts do, and random ones between them. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(3000)).map(([part, times]) => {
        const bytes = new Uint8Array(part.length * times)
        for (let i = 0; i < times; i++) bytes.set(part, i * part.length)
        return bytes
      }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)))

const packing = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE),
  memLevel: fc.integer({ min: 1, max: 9 }),
})

function unpacked(packed: Uint8Array): { bytes: Uint8Array; fault: string | undefined; used: number } {
  const inflating = inflate(memorySource(packed), 0)
  const parts: Uint8Array[] = []
  for (let piece = inflating.next(); piece !== undefined; piece = inflating.next()) parts.push(piece.slice())
  return { bytes: new Uint8Array(Buffer.concat(parts)), fault: inflating.fault(), used: inflating.inputOffset() }
}

describe('unpacks what zlib packed', () => {
  it('whatever it is, and however it was packed', () => {
    fc.assert(
      fc.property(content, packing, fc.uint8Array({ maxLength: 9 }), (bytes, options, behind) => {
        const packed = deflateRawSync(bytes, options)
        const result = unpacked(Buffer.concat([packed, behind]))
        expect(Buffer.compare(result.bytes, bytes)).toBe(0)
        expect(result.fault).toBeUndefined()
        expect(result.used).toBe(packed.length)
      }),
      { numRuns: 60 },
    )
  })

  it('cut off anywhere: what stands before the cut, and that it is cut off', () => {
    fc.assert(
      fc.property(content, packing, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, options, share) => {
        const packed = deflateRawSync(bytes, options)
        const result = unpacked(packed.subarray(0, Math.floor((packed.length - 1) * share)))
        expect(Buffer.compare(result.bytes, bytes.subarray(0, result.bytes.length))).toBe(0)
        expect(result.fault).toBe('it is cut off')
      }),
      { numRuns: 60 },
    )
  })

  it('random bytes end somewhere, without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => void unpacked(bytes)),
      { numRuns: 300 },
    )
  })
})

/** Bits as DEFLATE packs them: numbers with the lowest bit first. */
function packedBits(numbers: readonly (readonly [value: number, bits: number])[]): Uint8Array {
  const bits = numbers.flatMap(([value, count]) => Array.from({ length: count }, (_, i) => (value >>> i) & 1))
  return Uint8Array.from({ length: Math.ceil(bits.length / 8) + 4 }, (_, i) =>
    bits.slice(i * 8, i * 8 + 8).reduce((byte, bit, k) => byte | (bit << k), 0),
  )
}

/** A block whose literals have codes of 1 to 14 bits, one of each, and so many of 15 bits. */
function blockWithLongCodes(codesOf15: number): Uint8Array {
  const lengths = Array.from({ length: 257 }, (_, i) => (i < 14 ? i + 1 : i < 14 + codesOf15 ? 15 : 0))
  // Each length of a code is itself a code of four bits: those of 0 to 15 are 0 to 15, highest bit first.
  const code = (length: number) => [8, 4, 2, 1].reduce((sum, bit, k) => sum | ((length & bit) === 0 ? 0 : 1 << k), 0)
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
  return packedBits([
    [1, 1],
    [2, 2],
    [0, 5],
    [0, 5],
    [order.length - 4, 4],
    ...order.map((symbol) => [symbol < 16 ? 4 : 0, 3] as const),
    ...[...lengths, 0].map((length) => [code(length), 4] as const),
  ])
}

describe('codes of the longest kind', () => {
  it.each([
    [2, 'it is cut off'],
    [3, 'it is damaged'],
  ])('%i of 15 bits', (count, fault) => {
    // Two fill the code; then nothing follows, and the end of the block has no code at all.
    const told = unpacked(blockWithLongCodes(count)).fault
    expect(told === undefined ? '' : told.includes('cut off') ? 'it is cut off' : 'it is damaged').toBe(fault)
  })
})

it('a checkpoint that is reached from a checkpoint knows its place in the whole', () => {
  const plain = new Uint8Array(3 << 20)
  for (let i = 0; i < plain.length; i++) plain[i] = (i * 2654435761) >>> (24 + (i % 5))
  const packed = deflateRawSync(plain, { memLevel: 1 })
  const places = (from: number | Checkpoint): Checkpoint[] => {
    const inflating = inflate(memorySource(packed), from)
    const found: Checkpoint[] = []
    while (inflating.next() !== undefined) found.push(...[inflating.checkpoint() ?? []].flat())
    return found
  }
  const all = places(0)
  expect(all.length).toBeGreaterThan(2)
  const again = places(all[0]!)
  expect(again.map(({ output }) => output).at(-1)).toBe(all.at(-1)!.output)
  expect(again.map(({ input }) => input).at(-1)).toBe(all.at(-1)!.input)
})

describe('a packed file is read from any place', () => {
  const plain = new Uint8Array(12 << 20)
  for (let i = 0; i < plain.length; i++) plain[i] = (i * 2654435761) >>> (24 + (i % 5))
  const one = gzipSync(plain.subarray(0, 9 << 20))
  const two = gzipSync(plain.subarray(9 << 20))
  const packed = Buffer.concat([one, two])

  it('as it stands there, over members and checkpoints', () => {
    const source = gunzipped(memorySource(packed))!
    const places = [0, 5, 1 << 20, 11 << 20, (9 << 20) - 7, 3 << 20, 0, (12 << 20) - 3, 8 << 20, 4 << 20, 10 << 20]
    for (const place of places)
      expect(Buffer.compare(bytesAt(source, place, 1000), plain.subarray(place, place + 1000))).toBe(0)
    expect(sizeOf(source)).toBe(plain.length)
    expect(source.fault()).toBeUndefined()
  })

  it('a wrong byte anywhere is found out by the time its end is reached', () => {
    const fault = (at: number) => {
      const broken = Uint8Array.from(packed)
      broken[at]! ^= 0x10
      const source = gunzipped(memorySource(broken))
      if (source === undefined) return 'no gzip'
      sizeOf(source)
      return source.fault()
    }
    const inHeader = new Set([4, 5, 6, 7, 8, 9])
    for (let at = 3; at < packed.length; at += 70_001) if (!inHeader.has(at)) expect(fault(at)).toBeDefined()
    for (const at of [one.length - 8, one.length - 4, packed.length - 8, packed.length - 1])
      expect(fault(at)).toBe('its checksum does not fit: it is damaged')
  })
})

it('CRC-32 as zlib has it, in one go or in parts', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const packed = gzipSync(bytes)
      const whole = packed.readUInt32LE(packed.length - 8)
      expect(crc32(0, bytes)).toBe(whole)
      expect(crc32(crc32(0, bytes.subarray(0, cut)), bytes.subarray(cut))).toBe(whole)
    }),
  )
})
