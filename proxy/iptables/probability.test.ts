import { describe, expect, it } from 'vitest'
import { probability } from './probability.ts'

describe('probability', () => {
  // Written by Go: fmt.Sprintf("%0.10f", 1.0/float64(n)).
  it.each([
    [1, '1.0000000000'],
    [2, '0.5000000000'],
    [3, '0.3333333333'],
    [6, '0.1666666667'],
    [7, '0.1428571429'],
    [1024, '0.0009765625'],
    [2048, '0.0004882812'],
    [4096, '0.0002441406'],
    [100_001, '0.0000099999'],
  ])('one in %i is %s', (n, text) => {
    expect([probability(n), probability(n)]).toEqual([text, text])
  })
})
