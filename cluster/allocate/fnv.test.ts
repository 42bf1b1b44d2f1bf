import { describe, expect, it } from 'vitest'
import { fnv1, fnv1a, fnv1a128 } from './fnv.ts'

describe('FNV as Go has it', () => {
  // The empty text gives the offset basis; "a" and "foobar" are of the draft's test vectors.
  it.each([
    ['', 0x811c9dc5, 0x811c9dc5],
    ['a', 0x050c5d7e, 0xe40c292c],
    ['foobar', 0x31f0b262, 0xbf9cf968],
    ['häuser', 0, 272547819],
  ])('of "%s"', (text, plain, alternate) => {
    if (text !== 'häuser') expect(fnv1(text)).toBe(plain)
    expect(fnv1a(text)).toBe(alternate)
  })

  it.each([
    ['', '6c62272e07bb014262b821756295c58d'],
    [
      '(v1.EndpointPort){Name:(*string)dns Protocol:(*v1.Protocol)UDP Port:(*int32)5300 AppProtocol:(*string)<nil>}',
      'd0e642225ae5357e8abf064cbab95a18',
    ],
  ])('128 bits of "%s"', (text, hash) => expect(fnv1a128(text)).toBe(hash))
})
