import { describe, expect, it } from 'vitest'
import { fuzzCorpus } from './corpus.ts'
import { loadMutated } from './load-mutated.ts'
import { mutatedSnapshot } from './mutated-snapshot.ts'

const corpus = fuzzCorpus()
const SHARE = 300

it('a damaged snapshot never throws (`npm run fuzz` tries 100,000)', () => {
  for (let seed = 0; seed < SHARE; seed++) loadMutated(corpus, seed)
}, 120_000)

describe('what the fuzzer once found', () => {
  it.each([
    // Thousands of mistakes in one object, which was parsed again for the place of each.
    [2078],
    [52_388],
    // A workload of a billion pods; some that look at each other before they choose a node.
    [6570],
    [13_039],
    [56_947],
  ])('seed %i', (seed) => loadMutated(corpus, seed), 20_000)
})

it('a seed always gives the same snapshot', () => {
  const text = (seed: number) => Buffer.from(mutatedSnapshot(corpus, seed).bytes).toString('base64')
  for (const seed of [1, 7, 99]) expect(text(seed)).toBe(text(seed))
  expect(new Set(Array.from({ length: 50 }, (_, seed) => text(seed))).size).toBe(50)
})
