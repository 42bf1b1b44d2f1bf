import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareIp,
  formatIp,
  ip,
  ipBytes,
  ipKey,
  ipPlus,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isReserved,
  isUnspecified,
  parseIp,
  readIp,
  sameIp,
  withoutLeadingZeros,
} from './ip.ts'
import { parsed } from './parsed.ts'
import { arbitraryFamily, arbitraryIp } from './testing/arbitrary.ts'

const anyIp = arbitraryFamily.chain(arbitraryIp)

describe('parseIp', () => {
  test.each([
    ['10.244.1.5', 4, [0, 0, 0, 0x0af40105]],
    ['0.0.0.0', 4, [0, 0, 0, 0]],
    ['255.255.255.255', 4, [0, 0, 0, 0xffffffff]],
    ['::', 6, [0, 0, 0, 0]],
    ['::1', 6, [0, 0, 0, 1]],
    ['1::', 6, [0x10000, 0, 0, 0]],
    ['fd00:10:244::7', 6, [0xfd000010, 0x02440000, 0, 7]],
    ['1:2:3:4:5:6:7:8', 6, [0x10002, 0x30004, 0x50006, 0x70008]],
    ['1:2:3:4:5:6:7::', 6, [0x10002, 0x30004, 0x50006, 0x70000]],
    ['::2:3:4:5:6:7:8', 6, [2, 0x30004, 0x50006, 0x70008]],
    ['FE80::ABCD', 6, [0xfe800000, 0, 0, 0xabcd]],
    ['00ff::0001', 6, [0x00ff0000, 0, 0, 1]],
    ['::ffff:1.2.3.4', 6, [0, 0, 0xffff, 0x01020304]],
    ['::1.2.3.4', 6, [0, 0, 0, 0x01020304]],
    ['64:ff9b::10.0.0.1', 6, [0x0064ff9b, 0, 0, 0x0a000001]],
    ['1:2:3:4:5:6:1.2.3.4', 6, [0x10002, 0x30004, 0x50006, 0x01020304]],
  ] as const)('reads %s', (text, family, [a, b, c, d]) => {
    expect(parseIp(text)).toEqual(parsed({ family, a, b, c, d }))
  })

  test.each([
    ['', 'four octets'],
    ['10', 'four octets'],
    ['10.1', 'four octets'],
    ['10.0.0', 'four octets'],
    ['10.0.0.0.1', 'four octets'],
    ['010.0.0.1', 'octet "010" has a leading zero'],
    ['10.0.0.00', 'octet "00" has a leading zero'],
    ['10.0.0.256', 'octet 256 is over 255'],
    ['10.0.0.1000', 'octet "1000" is not a number'],
    ['10.0.0.', 'octet "" is not a number'],
    ['10.0.0.-1', 'octet "-1" is not a number'],
    ['10.0.0.1e1', 'octet "1e1" is not a number'],
    ['0x0a.0.0.1', 'octet "0x0a" is not a number'],
    [' 10.0.0.1', 'octet " 10" is not a number'],
    ['10.0.0.1\n', 'octet "1\n" is not a number'],
    ['10.0.0.1/24', 'octet "1/24" is not a number'],
    ['1:2:3:4:5:6:7:8:9', 'not eight groups'],
    ['1:2:3:4:5:6:7', 'not eight groups'],
    ['1:2:3:4:5:6:7:8::', 'not eight groups'],
    ['1:2:3:4::5:6:7:8', 'not eight groups'],
    ['1:2:3:4:5:6:7:1.2.3.4', 'not eight groups'],
    ['1::2::3', '"::" may stand once'],
    [':::', 'hexadecimal digits'],
    [':1', 'hexadecimal digits'],
    ['1:', 'hexadecimal digits'],
    [':', 'hexadecimal digits'],
    ['12345::', 'hexadecimal digits'],
    ['g::', 'hexadecimal digits'],
    ['::-1', 'hexadecimal digits'],
    ['fe80::1%eth0', 'a zone (%) is not allowed'],
    ['::ffff:010.0.0.1', 'hexadecimal digits'],
    ['::1.2.3.4:5', 'hexadecimal digits'],
    ['1.2.3.4::', 'a dotted IPv4 address may only stand at the end'],
    ['1.2.3.4::1', 'a dotted IPv4 address may only stand at the end'],
    ['[::1]', 'hexadecimal digits'],
  ])('refuses %j', (text, why) => {
    expect(parseIp(text)).toEqual({ ok: false, reason: expect.stringContaining(why) })
    expect(() => ip(text)).toThrow(why)
  })
})

describe('formatIp', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    // RFC 5952 §4.2.2: one zero group is not shortened.
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    // §4.2.3: the longest run, and of two equal ones the first.
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    // §4.1, §4.3: no leading zeros, lower case.
    ['2001:0DB8::0001', '2001:db8::1'],
    ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
    ['0:2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['0:0:3:4:5:6:0:0', '::3:4:5:6:0:0'],
    // §5: a mapped address is written dotted.
    ['::ffff:a00:1', '::ffff:10.0.0.1'],
    ['::ffff:0:a00:1', '::ffff:0:a00:1'],
    ['::a00:1', '::a00:1'],
  ])('%s prints as %s', (text, canonical) => {
    expect(formatIp(ip(text))).toBe(canonical)
  })

  test('what it prints reads back', () => {
    fc.assert(
      fc.property(anyIp, (address) => {
        expect(parseIp(formatIp(address))).toEqual(parsed(address))
      }),
    )
  })
})

test.each([
  ['127.0.0.1', 'loopback'],
  ['127.255.0.1', 'loopback'],
  ['128.0.0.1', ''],
  ['::1', 'loopback'],
  ['::2', ''],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.254', 'reserved'],
  ['255.255.255.255', ''],
  ['ff02::1', 'multicast'],
  ['fe00::1', ''],
  ['169.254.1.1', 'link-local'],
  ['169.255.1.1', ''],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', ''],
  ['0.0.0.0', 'unspecified'],
  ['::', 'unspecified'],
  ['0.0.0.1', ''],
  ['::f0:0:0:0', ''],
  ['f000::', ''],
  ['0:0:1::', ''],
  ['::1:0:0', ''],
  ['ff::', ''],
])('%s is %j', (text, kind) => {
  const address = ip(text)
  const kinds = Object.entries({
    loopback: isLoopback(address),
    multicast: isMulticast(address),
    reserved: isReserved(address),
    'link-local': isLinkLocal(address),
    unspecified: isUnspecified(address),
  })
  expect(kinds.filter(([, is]) => is).map(([name]) => name)).toEqual(kind === '' ? [] : [kind])
})

test('addresses sort by family, then value', () => {
  const sorted = ['0.0.0.1', '10.0.0.2', '10.0.0.10', '255.0.0.0', '::', '::1', '0:0:0:1::', '1::', 'fd00::', 'ff00::']
  const shuffled = [...sorted].reverse().map(ip)
  expect(shuffled.sort(compareIp).map(formatIp)).toEqual(sorted)
})

test('same, order, key and octets agree on which addresses are equal', () => {
  const near = fc.tuple(anyIp, anyIp, fc.boolean()).map(([x, y, same]) => [x, same ? { ...x } : y] as const)
  fc.assert(
    fc.property(near, ([x, y]) => {
      const same = x.family === y.family && formatIp(x) === formatIp(y)
      expect(sameIp(x, y)).toBe(same)
      expect(compareIp(x, y) === 0).toBe(same)
      expect(ipKey(x) === ipKey(y)).toBe(same)
      expect(readIp(ipBytes(x), 0, x.family)).toEqual(x)
      expect(ipBytes(x).length).toBe(x.family === 4 ? 4 : 16)
    }),
  )
})

test('an IPv4 address and the IPv6 address of the same number are two', () => {
  const v6 = ip('::10.0.0.1')
  expect(sameIp(ip('10.0.0.1'), v6)).toBe(false)
  expect(ipKey(ip('10.0.0.1'))).not.toBe(ipKey(v6))
})

test.each([
  ['10.0.0.255', 1, '10.0.1.0'],
  ['10.0.1.0', -1, '10.0.0.255'],
  ['fd00::ffff', 1, 'fd00::1:0'],
])('%s plus %i is %s', (text, n, sum) => {
  expect(formatIp(ipPlus(ip(text), n))).toBe(sum)
})

describe('withoutLeadingZeros', () => {
  test.each([
    ['172.30.0.041', '172.30.0.41'],
    ['010.0.00.000', '10.0.0.0'],
    ['203.0.113.000/025', '203.0.113.0/25'],
    ['10.100.200.30', '10.100.200.30'],
    ['fd00::001', 'fd00::001'],
  ])('%s is read as %s', (text, plain) => {
    expect(withoutLeadingZeros(text)).toBe(plain)
  })
})
