/**
 * The Fowler-Noll-Vo hashes of Go's hash/fnv over UTF-8 bytes (draft-eastlake-fnv). FNV-1 multiplies before it mixes a
 * byte in, FNV-1a after.
 */

const OFFSET_32 = 0x811c9dc5
const PRIME_32 = 0x01000193
const OFFSET_128 = 0x6c62272e07bb014262b821756295c58dn
const PRIME_128 = 0x0000000001000000000000000000013bn
const MASK_128 = (1n << 128n) - 1n

const encoder = new TextEncoder()

export function fnv1(text: string): number {
  let hash = OFFSET_32
  for (const byte of encoder.encode(text)) hash = (Math.imul(hash, PRIME_32) ^ byte) >>> 0
  return hash
}

export function fnv1a(text: string): number {
  let hash = OFFSET_32
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, PRIME_32) >>> 0
  return hash
}

/** The 128-bit hash as 32 hexadecimal digits. */
export function fnv1a128(text: string): string {
  let hash = OFFSET_128
  for (const byte of encoder.encode(text)) hash = ((hash ^ BigInt(byte)) * PRIME_128) & MASK_128
  return hash.toString(16).padStart(32, '0')
}
