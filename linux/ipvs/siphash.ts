const MASK = (1n << 64n) - 1n

/** SipHash-1-3 keyed by two 64-bit words, of one 32-bit word: hsiphash_1u32 of a 64-bit kernel (Linux lib/siphash.c). */
export function hsiphash1u32(word: number, key: readonly [bigint, bigint]): number {
  const state: State = [
    0x736f6d6570736575n ^ key[0],
    0x646f72616e646f6dn ^ key[1],
    0x6c7967656e657261n ^ key[0],
    0x7465646279746573n ^ key[1],
  ]
  const block = (4n << 56n) | BigInt(word >>> 0)
  state[3] ^= block
  round(state)
  state[0] ^= block
  state[2] ^= 0xffn
  round(state)
  round(state)
  round(state)
  return Number((state[0] ^ state[1] ^ state[2] ^ state[3]) & 0xffffffffn)
}

type State = [bigint, bigint, bigint, bigint]

const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & MASK

function round(v: State): void {
  v[0] = (v[0] + v[1]) & MASK
  v[1] = rotate(v[1], 13n) ^ v[0]
  v[0] = rotate(v[0], 32n)
  v[2] = (v[2] + v[3]) & MASK
  v[3] = rotate(v[3], 16n) ^ v[2]
  v[0] = (v[0] + v[3]) & MASK
  v[3] = rotate(v[3], 21n) ^ v[0]
  v[2] = (v[2] + v[1]) & MASK
  v[1] = rotate(v[1], 17n) ^ v[2]
  v[2] = rotate(v[2], 32n)
}
