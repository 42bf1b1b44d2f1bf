import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { addressOfReverse, parseServerKey, reverseZones } from './zones.ts'

describe('server block keys', () => {
  it.each([
    ['.', { transport: 'dns', zones: ['.'], port: undefined }],
    ['.:53', { transport: 'dns', zones: ['.'], port: 53 }],
    ['Example.ORG:1053', { transport: 'dns', zones: ['example.org.'], port: 1053 }],
    ['tls://example.org', { transport: 'tls', zones: ['example.org.'], port: undefined }],
    ['10.0.0.0/8', { transport: 'dns', zones: ['10.in-addr.arpa.'], port: undefined }],
    ['10.244.0.0/16:54', { transport: 'dns', zones: ['244.10.in-addr.arpa.'], port: 54 }],
    ['10.0.0.0/33', { transport: 'dns', zones: ['10.0.0.0/33.'], port: undefined }],
  ])('%s', (key, expected) => expect(parseServerKey(key)).toEqual({ ok: true, value: expected }))

  it.each([
    ['', 'expecting data after last colon: ""'],
    ['.:', 'expecting data after last colon: ".:"'],
    ['a..b', 'zone is not a valid domain name: a..b'],
    [`${'a'.repeat(64)}.b`, `zone is not a valid domain name: ${'a'.repeat(64)}.b`],
    ['a'.repeat(256), 'specified zone is too long: 256 > 255'],
  ])('%s is none', (key, reason) => expect(parseServerKey(key)).toEqual({ ok: false, reason }))
})

describe('reverse zones of a CIDR', () => {
  it.each([
    ['192.168.1.0/24', ['1.168.192.in-addr.arpa.']],
    ['10.1.2.0/23', ['2.1.10.in-addr.arpa.', '3.1.10.in-addr.arpa.']],
    ['10.1.3.7/23', ['2.1.10.in-addr.arpa.', '3.1.10.in-addr.arpa.']],
    ['192.0.2.4/31', ['4.2.0.192.in-addr.arpa.', '5.2.0.192.in-addr.arpa.']],
    ['fd00::/8', ['d.f.ip6.arpa.']],
    ['2001:db8::/31', ['8.b.d.0.1.0.0.2.ip6.arpa.', '9.b.d.0.1.0.0.2.ip6.arpa.']],
    ['10.0.0.1', undefined],
  ])('%s', (cidr, zones) => expect(reverseZones(cidr)).toEqual(zones))

  it('a mask off the octet gives a zone for each', () => expect(reverseZones('10.0.0.0/17')).toHaveLength(128))
})

describe('the address of a reverse name', () => {
  const V6 = '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.'
  it.each([
    ['1.0.96.10.in-addr.arpa.', '10.96.0.1'],
    ['96.10.in-addr.arpa.', undefined],
    ['x.1.0.96.10.in-addr.arpa.', undefined],
    ['300.0.96.10.in-addr.arpa.', undefined],
    [V6, '2001:db8::1'],
    [`x.y.${V6}`, '2001:db8::1'],
    [V6.slice(2), undefined],
    ['www.example.com.', undefined],
  ])('%s', (name, address) => {
    const found = addressOfReverse(name)
    expect(found && formatIp(found)).toBe(address)
  })
})
