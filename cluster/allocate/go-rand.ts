import { GO_RAND_TABLE } from './go-rand-table.ts'

/**
 * Go's math/rand with a fixed seed (math/rand/rng.go): an additive lagged Fibonacci generator over 64-bit words. Calico
 * seeds it with a hash of the node's name to choose the node's first address block.
 */
export interface GoRand {
  /** Rand.Uint32. */
  readonly uint32: () => number
}

const LENGTH = 607
const TAP = 273
const MODULUS = 2 ** 31 - 1
const ZERO_SEED = 89482311
const WARM_UP = 20

/** x * 48271 mod 2^31-1 (Schrage's method is not needed: the product fits a double). */
const next = (x: number): number => (x * 48271) % MODULUS

let cooked: BigUint64Array | undefined

function table(): BigUint64Array {
  if (cooked !== undefined) return cooked
  const bytes = Uint8Array.from(atob(GO_RAND_TABLE), (letter) => letter.charCodeAt(0))
  const view = new DataView(bytes.buffer)
  cooked = BigUint64Array.from({ length: LENGTH }, (_, i) => view.getBigUint64(i * 8))
  return cooked
}

/** rand.New(rand.NewSource(seed)) for a seed that is not negative. */
export function goRand(seed: number): GoRand {
  const state = new BigUint64Array(LENGTH)
  const words = table()
  let x = seed % MODULUS || ZERO_SEED
  for (let i = 0; i < WARM_UP; i++) x = next(x)
  for (let i = 0; i < LENGTH; i++) {
    const a = next(x)
    const b = next(a)
    x = next(b)
    state[i] = (BigInt(a) << 40n) ^ (BigInt(b) << 20n) ^ BigInt(x) ^ (words[i] ?? 0n)
  }
  let tap = 0
  let feed = LENGTH - TAP
  return {
    uint32() {
      tap = (tap + LENGTH - 1) % LENGTH
      feed = (feed + LENGTH - 1) % LENGTH
      const word = BigInt.asUintN(64, (state[feed] ?? 0n) + (state[tap] ?? 0n))
      state[feed] = word
      // Int63 drops the top bit, Uint32 takes the upper 32 of the rest.
      return Number((word >> 31n) & 0xffffffffn)
    },
  }
}

/** (*big.Int).Rand on a 64-bit machine: a uniform number below `limit` (math/big nat.random). */
export function bigRand(rand: GoRand, limit: bigint): bigint {
  const bits = limit.toString(2).length
  const words = Math.ceil(bits / 64)
  const mask = (1n << BigInt(bits % 64 === 0 ? 64 : bits % 64)) - 1n
  for (;;) {
    let value = 0n
    for (let i = 0; i < words; i++) {
      let word = BigInt(rand.uint32()) | (BigInt(rand.uint32()) << 32n)
      if (i === words - 1) word &= mask
      value |= word << BigInt(64 * i)
    }
    if (value < limit) return value
  }
}
