import { describe, expect, it } from 'vitest'
import { parseGoDuration } from './go-duration.ts'

describe('parseGoDuration', () => {
  it.each([
    ['24h0m0s', 86_400],
    ['1h30m', 5_400],
    ['1.5h', 5_400],
    ['.5s', 0.5],
    ['250ms', 0.25],
    ['0', 0],
    ['0s', 0],
    ['-1m', -60],
    ['+90s', 90],
    ['1m1ms', 60.001],
  ])('%s is %d s', (text, seconds) => {
    expect(parseGoDuration(text)).toBeCloseTo(seconds, 9)
  })

  it.each(['', '10', 's', '1h ', '1d', '1h30', 'h1', '1h-1m'])('"%s" is none', (text) => {
    expect(parseGoDuration(text)).toBeUndefined()
  })
})
