import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addWords, checksumOf, pseudoHeaderSum } from './checksum.ts'
import { crc32c } from './crc32c.ts'
import { ip } from './ip.ts'
import { octetsOf } from './testing/captures.ts'

const checksum = (bytes: Uint8Array): number => checksumOf(addWords(0, bytes, { from: 0, to: bytes.length }))

test.each([
  ['', 0xffff],
  ['0000', 0xffff],
  ['ffff', 0],
  // RFC 1071 §3: 0001 f203 f4f5 f6f7 sum to ddf2.
  ['0001f203f4f5f6f7', 0x220d],
  // An odd octet is the high half of its word.
  ['01', 0xfeff],
  ['000102', 0xfdfe],
  // The carry of the carry.
  ['ffffffff0001', 0xfffe],
])('the checksum of %j is %i', (hex, expected) => {
  expect(checksum(octetsOf(hex))).toBe(expected)
})

test('data that holds its own checksum sums to nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 90 }), (bytes) => {
      bytes.set([0, 0])
      const sum = checksum(bytes)
      bytes.set([sum >>> 8, sum & 255])
      expect(checksum(bytes)).toBe(0)
    }),
  )
})

test('a part of the octets can be summed', () => {
  expect(addWords(5, octetsOf('ffff000100020003ffff'), { from: 2, to: 8 })).toBe(11)
})

test('the longest packet of the largest words does not overflow', () => {
  expect(checksum(new Uint8Array(65535).fill(255))).toBe(0x00ff)
})

test.each([
  ['10.0.0.1', '10.0.0.2', 6, 20, 0x0a00 + 1 + 0x0a00 + 2 + 6 + 20],
  ['fd00::1', 'ff02:1:2:3:4:5:6:7', 58, 0x12345, 0xfd00 + 1 + 0xff02 + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 58 + 1 + 0x2345],
])('the pseudo header of %s > %s', (src, dst, protocol, length, sum) => {
  expect(pseudoHeaderSum({ src: ip(src), dst: ip(dst), protocol, length })).toBe(sum)
})

/** RFC 3720 §B.4, "CRC Examples". */
test.each([
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['nothing', new Uint8Array(0), 0],
])('CRC-32C of %s', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
})
