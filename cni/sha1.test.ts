import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { sha1 } from './sha1.ts'

describe('sha1', () => {
  // FIPS 180 test vectors.
  it.each([
    ['abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
  ])('of %j', (text, digest) => expect(sha1(text)).toBe(digest))

  it('agrees with another implementation at every padding length', () => {
    for (let length = 0; length < 140; length++) {
      const text = 'é'.repeat(length % 3) + 'x'.repeat(length)
      expect(sha1(text)).toBe(createHash('sha1').update(text).digest('hex'))
    }
  })
})
