import { hash32 } from '../../../linux/draw.ts'

/** Choices that follow from a seed alone (mulberry32). */
export interface Random {
  /** 0 up to, not including, `below`. */
  readonly below: (below: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
  /** Each element with that probability, in order. */
  readonly some: <T>(from: readonly T[], probability: number) => T[]
  /** A list of 0 to `most` made ones. */
  readonly list: <T>(most: number, make: () => T) => T[]
}

export function randomOf(seed: string): Random {
  let state = hash32(seed)
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)]!,
    some: (from, probability) => from.filter(() => next() < probability),
    list: (most, make) => Array.from({ length: below(most + 1) }, make),
  }
}
