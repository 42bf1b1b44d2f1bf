import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, ipPlus } from './ip.ts'
import { bitsOf, containsPrefix, formatPrefix, lastIp, networkOf, prefix, samePrefix } from './prefix.ts'
import { dottedMask, hostRange, listAddresses, nextPrefix, sizeOf } from './prefix-list.ts'
import { arbitraryFamily, arbitraryIp } from './testing/arbitrary.ts'

const arbitraryPrefix = arbitraryFamily.chain((family) =>
  fc
    .tuple(arbitraryIp(family), fc.integer({ min: 0, max: bitsOf(family) }))
    .map(([address, length]) => networkOf(address, length)),
)

describe('listAddresses', () => {
  test.each([
    ['10.244.1.0/30', 0n, 10, ['10.244.1.0', '10.244.1.1', '10.244.1.2', '10.244.1.3']],
    ['10.244.1.0/24', 254n, 10, ['10.244.1.254', '10.244.1.255']],
    ['10.244.1.0/24', 256n, 10, []],
    ['10.244.1.7/32', 0n, 10, ['10.244.1.7']],
    ['0.0.0.0/0', 0xffffffffn, 2, ['255.255.255.255']],
    ['fd00::/64', 1n, 2, ['fd00::1', 'fd00::2']],
    ['fd00::/64', 1n << 63n, 1, ['fd00::8000:0:0:0']],
    ['::ffff:1.2.3.0/120', 4n, 1, ['::ffff:1.2.3.4']],
    ['::/0', (1n << 128n) - 1n, 5, ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']],
    ['10.0.0.0/8', 5n, 0, []],
  ] as const)('%s from %i, %i of them', (text, from, limit, expected) => {
    expect(listAddresses(prefix(text), { from, limit }).map(formatIp)).toEqual(expected)
  })

  test('counts up from the network address', () => {
    fc.assert(
      fc.property(arbitraryPrefix, (range) => {
        const listed = listAddresses(range, { limit: 3 })
        const there = Number(sizeOf(range) < 3n ? sizeOf(range) : 3n)
        expect(listed).toEqual([0, 1, 2].slice(0, there).map((n) => ipPlus(range.address, n)))
      }),
    )
  })
})

test.each([
  ['10.244.1.0/24', '10.244.1.1', '10.244.1.254'],
  ['10.244.1.4/30', '10.244.1.5', '10.244.1.6'],
  ['10.244.1.4/31', '10.244.1.4', '10.244.1.5'],
  ['10.244.1.4/32', '10.244.1.4', '10.244.1.4'],
  ['0.0.0.0/0', '0.0.0.1', '255.255.255.254'],
  ['fd00::/64', 'fd00::', 'fd00::ffff:ffff:ffff:ffff'],
  ['fd00::8/128', 'fd00::8', 'fd00::8'],
])('hosts of %s are %s to %s', (text, first, last) => {
  const range = hostRange(prefix(text))
  expect([formatIp(range.first), formatIp(range.last)]).toEqual([first, last])
})

describe('nextPrefix', () => {
  test.each([
    ['10.244.1.0/24', 1, '10.244.2.0/24'],
    ['10.244.1.0/24', -1, '10.244.0.0/24'],
    ['10.244.0.0/24', 255, '10.244.255.0/24'],
    ['255.255.255.0/24', 1, undefined],
    ['0.0.0.0/24', -1, undefined],
    ['0.0.0.0/0', 1, undefined],
    ['0.0.0.0/0', 0, '0.0.0.0/0'],
    ['255.255.255.255/32', 1, undefined],
    ['fd00:10:244::/64', 1, 'fd00:10:244:1::/64'],
    ['ffff::/16', 1, undefined],
  ] as const)('%s, %i on, is %s', (text, count, next) => {
    const found = nextPrefix(prefix(text), count)
    expect(found && formatPrefix(found)).toBe(next)
  })

  test('begins right after the range', () => {
    fc.assert(
      fc.property(arbitraryPrefix, (range) => {
        const next = nextPrefix(range)
        if (next === undefined) {
          expect(lastIp(range)).toEqual(lastIp({ ...range, length: 0 }))
          return
        }
        const back = nextPrefix(next, -1)
        expect(back && samePrefix(back, range)).toBe(true)
        expect(containsPrefix(range, next)).toBe(false)
        expect(next.length).toBe(range.length)
      }),
    )
  })
})

test.each([
  ['10.244.0.0/16', '255.255.0.0'],
  ['10.0.0.0/12', '255.240.0.0'],
  ['0.0.0.0/0', '0.0.0.0'],
  ['10.0.0.1/32', '255.255.255.255'],
  ['fd00::/64', undefined],
])('the mask of %s is %s', (text, mask) => {
  expect(dottedMask(prefix(text))).toBe(mask)
})
