import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sha256 } from './sha256.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const hex = (digest: Uint8Array) => [...digest].map((b) => b.toString(16).padStart(2, '0')).join('')

describe('sha256', () => {
  // NIST FIPS 180-4 example messages and the SHA-256 short message file.
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ])('has the published digest of a message', (text, digest) => {
    expect(hex(sha256(bytes(text)))).toBe(digest)
  })

  it.each([54, 55, 56, 57, 63, 64, 65, 119, 120, 128])('pads a message of %i bytes to whole blocks', (length) => {
    const message = new Uint8Array(length).fill(0x5a)
    expect(hex(sha256(message))).toBe(createHash('sha256').update(message).digest('hex'))
  })

  it('agrees with OpenSSL on any message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (message) => {
        expect(hex(sha256(message))).toBe(createHash('sha256').update(message).digest('hex'))
      }),
    )
  })
})
