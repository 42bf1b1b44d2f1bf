import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BROADCAST_MAC, formatMac, isGroupMac, mac, parseMac, readMac, writeMac, ZERO_MAC } from './mac.ts'
import { parsed } from './parsed.ts'
import { arbitraryMac } from './testing/arbitrary.ts'

describe('parseMac', () => {
  test.each([
    ['02:00:00:00:0a:01', 0x020000000a01],
    ['FF:ff:FF:ff:FF:ff', 0xffffffffffff],
    ['00:00:00:00:00:00', 0],
  ])('reads %s', (text, value) => {
    expect(parseMac(text)).toEqual(parsed(value))
  })

  test.each([
    '',
    '02:00:00:00:0a',
    '02:00:00:00:0a:01:02',
    '2:0:0:0:a:1',
    '02-00-00-00-0a-01',
    '0200.0000.0a01',
    'g2:00:00:00:0a:01',
    ' 02:00:00:00:0a:01',
  ])('refuses %j', (text) => {
    expect(parseMac(text)).toEqual({ ok: false, reason: expect.stringContaining('six octets') })
    expect(() => mac(text)).toThrow('six octets')
  })
})

test('a MAC survives printing and the wire', () => {
  fc.assert(
    fc.property(arbitraryMac, (address) => {
      expect(parseMac(formatMac(address))).toEqual(parsed(address))
      const bytes = new Uint8Array(8)
      writeMac(bytes, 1, address)
      expect(readMac(bytes, 1)).toBe(address)
      expect([bytes[0], bytes[7]]).toEqual([0, 0])
    }),
  )
})

test('octets stand in the order they are written', () => {
  const bytes = new Uint8Array(6)
  writeMac(bytes, 0, mac('ca:fe:00:12:34:56'))
  expect([...bytes]).toEqual([0xca, 0xfe, 0, 0x12, 0x34, 0x56])
})

test.each([
  [BROADCAST_MAC, true],
  [mac('33:33:00:00:00:01'), true],
  [mac('01:00:5e:00:00:01'), true],
  [mac('02:01:01:01:01:01'), false],
  [ZERO_MAC, false],
])('group bit of %i: %s', (address, group) => {
  expect(isGroupMac(address)).toBe(group)
})
