import fc from 'fast-check'
import IpCidr from 'ip-cidr'
import { Netmask } from 'netmask'
import { describe, expect, test } from 'vitest'
import { type Family, formatIp, type Ip, ip, ipv6 } from './ip.ts'
import { parsed } from './parsed.ts'
import {
  bitsOf,
  comparePrefix,
  contains,
  containsPrefix,
  formatPrefix,
  hostPrefix,
  lastIp,
  maskWord,
  networkOf,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
  prefix,
  samePrefix,
} from './prefix.ts'
import { arbitraryFamily, arbitraryIp } from './testing/arbitrary.ts'

describe('parsePrefix', () => {
  test.each([
    ['10.244.0.0/16', '10.244.0.0', 16],
    ['0.0.0.0/0', '0.0.0.0', 0],
    ['10.0.0.1/32', '10.0.0.1', 32],
    ['fd00:10:244::/64', 'fd00:10:244::', 64],
    ['::/0', '::', 0],
    ['::1/128', '::1', 128],
  ])('reads %s', (text, address, length) => {
    expect(parsePrefix(text)).toEqual(parsed({ address: ip(address), length }))
    expect(prefix(text)).toEqual({ address: ip(address), length })
  })

  test.each([
    ['10.1/16', 'four octets'],
    ['010.0.0.0/8', 'leading zero'],
    ['10.0.0.0', 'the prefix length is missing'],
    ['10.0.0.0/', 'prefix length "" is not 0 to 32'],
    ['10.0.0.0/33', 'prefix length "33" is not 0 to 32'],
    ['10.0.0.0/08', 'prefix length "08" is not 0 to 32'],
    ['10.0.0.0/-1', 'prefix length "-1" is not 0 to 32'],
    ['10.0.0.0/8.0', 'prefix length "8.0" is not 0 to 32'],
    ['10.0.0.0/8/8', 'prefix length "8/8" is not 0 to 32'],
    ['10.0.0.0/255.0.0.0', 'is not 0 to 32'],
    ['10.0.0.0/ 8', 'prefix length " 8" is not 0 to 32'],
    ['fd00::/129', 'prefix length "129" is not 0 to 128'],
    ['fe80::%eth0/64', 'a zone (%) is not allowed'],
    ['/24', 'four octets'],
    ['10.244.1.1/24', 'host bits set: did you mean 10.244.1.0/24?'],
    ['fd00::1/64', 'host bits set: did you mean fd00::/64?'],
  ])('refuses %j', (text, why) => {
    expect(parsePrefix(text)).toEqual({ ok: false, reason: expect.stringContaining(why) })
    expect(() => prefix(text)).toThrow(why)
  })

  test('host bits are cut off where they are allowed', () => {
    expect(parsePrefix('10.244.1.1/24', 'allow')).toEqual(parsed(prefix('10.244.1.0/24')))
    expect(parsePrefix('fd00::1/64', 'mask')).toEqual(parsed(prefix('fd00::/64')))
  })

  test('an interface address keeps its host bits', () => {
    expect(parseInterfaceAddress('10.244.1.1/24')).toEqual(parsed({ ip: ip('10.244.1.1'), length: 24 }))
  })
})

test.each([
  [-5, 0],
  [0, 0],
  [1, 0x80000000],
  [24, 0xffffff00],
  [31, 0xfffffffe],
  [32, 0xffffffff],
  [40, 0xffffffff],
])('the mask word of %i bits', (bits, word) => {
  expect(maskWord(bits)).toBe(word)
})

test.each([
  ['10.244.0.0/16', '10.244.255.255', true],
  ['10.244.0.0/16', '10.245.0.0', false],
  ['0.0.0.0/0', '255.255.255.255', true],
  ['0.0.0.0/0', 'fd00::1', false],
  ['::/0', '10.0.0.1', false],
  ['::/0', 'fd00::1', true],
  ['::/96', '10.0.0.1', false],
  ['10.0.0.0/8', '::ffff:10.0.0.1', false],
  ['::ffff:10.0.0.0/104', '10.0.0.1', false],
  ['128.0.0.0/1', '200.0.0.0', true],
  ['fd00::/33', 'fd00:0:7fff::1', true],
  ['fd00::/33', 'fd00:0:8000::1', false],
  ['fd00::/127', 'fd00::1', true],
  ['fd00::/127', 'fd00::2', false],
])('%s contains %s: %s', (range, address, expected) => {
  expect(contains(prefix(range), ip(address))).toBe(expected)
})

test.each([
  ['10.0.0.0/8', '10.1.0.0/16', true],
  ['10.1.0.0/16', '10.0.0.0/8', false],
  ['10.1.0.0/16', '10.1.0.0/16', true],
  ['10.0.0.0/8', '11.0.0.0/16', false],
  ['0.0.0.0/0', '::/0', false],
])('%s contains range %s: %s', (outer, inner, expected) => {
  expect(containsPrefix(prefix(outer), prefix(inner))).toBe(expected)
})

test('ranges sort by address, then length', () => {
  const sorted = ['0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/16', '10.1.0.0/16', '::/0', 'fd00::/8']
  expect([...sorted].reverse().map(prefix).sort(comparePrefix).map(formatPrefix)).toEqual(sorted)
  expect(samePrefix(prefix('10.0.0.0/8'), prefix('10.0.0.0/16'))).toBe(false)
  expect(samePrefix(prefix('10.0.0.0/8'), prefix('10.0.0.0/8'))).toBe(true)
  expect(samePrefix(hostPrefix(ip('::1')), prefix('::1/128'))).toBe(true)
})

/** A range, and an address that is often near it. */
const rangeAndAddress = (family: Family) =>
  fc
    .record({
      address: arbitraryIp(family),
      length: fc.integer({ min: 0, max: bitsOf(family) }),
      other: arbitraryIp(family),
      flip: fc.integer({ min: 0, max: bitsOf(family) }),
    })
    .map(({ address, length, other, flip }) => {
      const near = flip === bitsOf(family) ? address : flipped(address, flip)
      return { range: networkOf(address, length), addresses: [address, near, other] }
    })

/** `address` with one bit turned; bit 0 is the most significant. */
function flipped(address: Ip, bit: number): Ip {
  if (address.family === 4) return { ...address, d: (address.d ^ (0x80000000 >>> bit)) >>> 0 }
  const turn = (word: number, first: number) =>
    bit >= first && bit < first + 32 ? (word ^ (0x80000000 >>> (bit - first))) >>> 0 : word
  return ipv6(turn(address.a, 0), turn(address.b, 32), turn(address.c, 64), turn(address.d, 96))
}

/** Eight full groups, which ip-cidr cannot take for an IPv4 address. */
const plain = (address: Ip): string =>
  address.family === 4
    ? formatIp(address)
    : [address.a, address.b, address.c, address.d]
        .flatMap((word) => [(word >>> 16).toString(16), (word & 0xffff).toString(16)])
        .join(':')

describe('agrees with netmask and ip-cidr within a family', () => {
  test.each([4, 6] as const)('IPv%i', (family) => {
    fc.assert(
      fc.property(rangeAndAddress(family), ({ range, addresses }) => {
        const netmask = new Netmask(formatPrefix(range))
        const cidr = new IpCidr(`${plain(range.address)}/${range.length}`)
        expect(netmask.base).toBe(netmaskText(range.address))
        expect(netmask.broadcast ?? netmask.last).toBe(netmaskText(lastIp(range)))
        expect(ip(cidr.start<string>())).toEqual(range.address)
        expect(ip(cidr.end<string>())).toEqual(lastIp(range))
        for (const address of addresses) {
          const ours = contains(range, address)
          expect(netmask.contains(formatIp(address))).toBe(ours)
          expect(cidr.contains(plain(address))).toBe(ours)
        }
      }),
      { numRuns: 500 },
    )
  })

  /** netmask prints mapped addresses in hexadecimal. */
  const netmaskText = (address: Ip): string =>
    formatIp(address).startsWith('::ffff:') && address.family === 6 && address.c === 0xffff && address.b === 0
      ? `::ffff:${(address.d >>> 16).toString(16)}:${(address.d & 0xffff).toString(16)}`
      : formatIp(address)
})

test('a range and its network address are stable under masking', () => {
  const cases = arbitraryFamily.chain(rangeAndAddress)
  fc.assert(
    fc.property(cases, ({ range, addresses }) => {
      expect(networkOf(range.address, range.length)).toEqual(range)
      expect(contains(range, lastIp(range))).toBe(true)
      expect(parsePrefix(formatPrefix(range))).toEqual(parsed<Prefix>(range))
      for (const address of addresses)
        expect(samePrefix(networkOf(address, range.length), range)).toBe(contains(range, address))
    }),
  )
})
