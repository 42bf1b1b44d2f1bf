import { describe, expect, it } from 'vitest'
import { fnv1 } from './fnv.ts'
import { bigRand, goRand } from './go-rand.ts'
import { GO_RAND_TABLE } from './go-rand-table.ts'

const LENGTH = 607
const LAG = 273
const STEPS = 7_800_000_000_000n

/**
 * The generator of gen_cooked.go after 7.8e12 steps. Its recurrence s(n) = s(n-607) + s(n-273) is linear, so it is
 * jumped over: x^N modulo x^607 - x^334 - 1, over 64-bit numbers.
 */
function cookedByDefinition(): bigint[] {
  const first = seeded()
  const power = powerOfX(STEPS)
  const state = Array.from({ length: 2 * LENGTH }, () => 0n)
  for (let j = 0; j < 2 * LENGTH; j++)
    state[j] = j < LENGTH ? (first[slotOf(j - 606)] ?? 0n) : wrap((state[j - LENGTH] ?? 0n) + (state[j - LAG] ?? 0n))
  const cooked = Array.from({ length: LENGTH }, () => 0n)
  for (let t = 0; t < LENGTH; t++) {
    let sum = 0n
    for (let i = 0; i < LENGTH; i++) sum += (power[i] ?? 0n) * (state[i + t] ?? 0n)
    cooked[Number(modulo(334n - (STEPS + BigInt(t) - 606n)))] = wrap(sum)
  }
  return cooked
}

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value)
const modulo = (n: bigint): bigint => ((n % 607n) + 607n) % 607n
const slotOf = (n: number): number => Number(modulo(334n - BigInt(n)))

function seeded(): bigint[] {
  const words: bigint[] = []
  let x = 1
  const next = () => {
    x = (x * 48271) % 2147483647
    return BigInt(x)
  }
  for (let i = 0; i < 20; i++) next()
  for (let i = 0; i < LENGTH; i++) words.push((next() << 20n) ^ (next() << 10n) ^ next())
  return words
}

function powerOfX(exponent: bigint): BigUint64Array {
  let result = new BigUint64Array(LENGTH)
  let base = new BigUint64Array(LENGTH)
  result[0] = 1n
  base[1] = 1n
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = times(result, base)
    base = times(base, base)
  }
  return result
}

function times(p: BigUint64Array, q: BigUint64Array): BigUint64Array<ArrayBuffer> {
  const product = new BigUint64Array(2 * LENGTH)
  for (let i = 0; i < LENGTH; i++) for (let j = 0; j < LENGTH; j++) product[i + j]! += p[i]! * q[j]!
  for (let k = 2 * LENGTH - 1; k >= LENGTH; k--) {
    product[k - LENGTH]! += product[k]!
    product[k - LAG]! += product[k]!
  }
  return product.slice(0, LENGTH)
}

describe("Go's math/rand", () => {
  it('its table is the state of its own generator after 7.8e12 steps', () => {
    const bytes = Buffer.from(GO_RAND_TABLE, 'base64')
    const table = Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readBigUInt64BE(i * 8))
    expect(table).toEqual(cookedByDefinition())
  })

  // Printed by Go 1.2x: rand.New(rand.NewSource(seed)).Uint32().
  it.each([
    [1, [2596996162, 4039455774]],
    [0, [4059586549]],
    [4294967295, [2596996162, 4039455774]],
  ])('seed %d', (seed, numbers) => {
    const rand = goRand(seed)
    expect(numbers.map(() => rand.uint32())).toEqual(numbers)
  })

  // Printed by Go: new(big.Int).Rand(rand.New(rand.NewSource(fnv.New32 of the name)), 2^bits).
  it.each([
    ['node1', 10, 666n],
    ['node1', 2, 2n],
    ['node1', 0, 0n],
    ['node1', 64, 13848646716548840090n],
    ['node1', 74, 16499189050304013659613n],
    ['twin-1', 74, 16283230491819729498549n],
    ['xianchaonode1', 10, 484n],
    ['', 64, 17130459029863087192n],
  ])('big.Int.Rand for "%s" below 2^%d', (name, bits, value) =>
    expect(bigRand(goRand(fnv1(name)), 1n << BigInt(bits))).toBe(value),
  )
})
