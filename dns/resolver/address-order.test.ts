import { describe, expect, it } from 'vitest'
import { formatIp, type Ip, ip } from '../../packet/ip.ts'
import {
  GLIBC_POLICY,
  GO_POLICY,
  likelySource,
  MUSL_POLICY,
  type Policy,
  type Sources,
  sortedDestinations,
} from './address-order.ts'

const sourcesOf = (own: readonly string[], length?: number): Sources => ({
  sourceFor: (to) => likelySource(to, own.map(ip)),
  prefixLengthOf: () => length,
})

const sortedBy = (policy: Policy, destinations: readonly string[], own: readonly string[]) =>
  sortedDestinations(destinations.map(ip), sourcesOf(own), policy).map(formatIp)

describe('destination address order', () => {
  it.each([
    ['what can be reached comes first', ['2001:db8::1', '192.0.2.1'], ['10.244.1.7'], ['192.0.2.1', '2001:db8::1']],
    [
      'IPv6 before IPv4 where both can',
      ['192.0.2.1', '2001:db8::1'],
      ['10.244.1.7', '2001:db8:1::7'],
      ['2001:db8::1', '192.0.2.1'],
    ],
    ['nothing can be reached: by precedence', ['192.0.2.1', '2001:db8::1'], [], ['2001:db8::1', '192.0.2.1']],
    [
      'a link-local address is no way to a global one',
      ['2001:db8::1', '192.0.2.1'],
      ['10.244.1.7', 'fe80::7'],
      ['192.0.2.1', '2001:db8::1'],
    ],
    [
      'a unique local source does not match a global destination',
      ['2001:db8::1', '192.0.2.1'],
      ['10.244.1.7', 'fd00::7'],
      ['192.0.2.1', '2001:db8::1'],
    ],
    [
      'the longer common prefix',
      ['2001:db8:2::1', '2001:db8:1::1'],
      ['2001:db8:1::7'],
      ['2001:db8:1::1', '2001:db8:2::1'],
    ],
    [
      'what can be reached, though of another scope than the source',
      ['192.0.2.1', 'fec0::1'],
      ['2001:db8::7'],
      ['fec0::1', '192.0.2.1'],
    ],
    [
      'a site-local address is of another scope',
      ['fec0::1', '192.0.2.1'],
      ['10.244.1.7', '2001:db8::7'],
      ['192.0.2.1', 'fec0::1'],
    ],
    ['loopback can always be reached', ['192.0.2.9', '127.0.0.1'], [], ['127.0.0.1', '192.0.2.9']],
  ])('%s, by either table', (_, destinations, own, order) => {
    for (const policy of [GLIBC_POLICY, MUSL_POLICY]) expect(sortedBy(policy, destinations, own)).toEqual(order)
  })

  const near = ['192.0.2.9', '10.244.1.1']
  it('IPv4 stays as it came; musl takes the common prefix for it too', () => {
    for (const policy of [GLIBC_POLICY, GO_POLICY]) expect(sortedBy(policy, near, ['10.244.1.7'])).toEqual(near)
    expect(sortedBy(MUSL_POLICY, near, ['10.244.1.7'])).toEqual([...near].reverse())
  })

  it('Go leaves what cannot be reached as it came, and compares 64 bits of IPv6', () => {
    const unreachable = ['192.0.2.1', '2001:db8::1']
    expect(sortedBy(GO_POLICY, unreachable, [])).toEqual(unreachable)
    expect(sortedBy(GO_POLICY, ['192.0.2.1', 'fec0::1'], ['2001:db8::7'])).toEqual(['fec0::1', '192.0.2.1'])
    const hosts = ['2001:db8:1::8000', '2001:db8:1::6']
    expect(sortedBy(GO_POLICY, hosts, ['2001:db8:1::7'])).toEqual(hosts)
    expect(sortedBy(MUSL_POLICY, hosts, ['2001:db8:1::7'])).toEqual([...hosts].reverse())
  })

  // As glibc 2.36 sorts on a machine with these addresses and default routes.
  it.each([
    [
      'unique local before IPv4',
      ['10.96.0.1', 'fd00::1'],
      ['10.244.1.7', 'fd00::7', '2001:db8:1::7'],
      ['fd00::1', '10.96.0.1'],
    ],
    [
      'the nearer of two IPv6',
      ['2001:db8::1', 'fd00::2', '10.96.0.1'],
      ['10.244.1.7', 'fd00::7', '2001:db8:1::7'],
      ['fd00::2', '2001:db8::1', '10.96.0.1'],
    ],
    [
      'IPv4 before a global address with a unique local source',
      ['2001:db8::1', 'fd00::2', '10.96.0.1'],
      ['10.244.1.7', 'fd00::7'],
      ['fd00::2', '10.96.0.1', '2001:db8::1'],
    ],
  ])('glibc: %s', (_, destinations, own, order) => {
    const source = (to: Ip) =>
      to.family === 4 ? ip('10.244.1.7') : to.a >>> 24 === 0xfd ? ip('fd00::7') : ip(own.at(-1)!)
    const sources: Sources = { sourceFor: source, prefixLengthOf: () => 24 }
    expect(sortedDestinations(destinations.map(ip), sources, GLIBC_POLICY).map(formatIp)).toEqual(order)
  })

  // The order glibc 2.36 gives the addresses of one name of /etc/hosts.
  const HEADLESS = ['10.244.2.9', '10.244.1.200', '10.244.3.1', '10.244.1.6', '10.244.1.4', '10.1.1.1']
  const NEAREST_FIRST = ['10.244.1.4', '10.244.1.6', '10.244.1.200', '10.244.2.9', '10.244.3.1', '10.1.1.1']
  it.each([
    [24, NEAREST_FIRST],
    [16, NEAREST_FIRST],
    [32, HEADLESS],
    [undefined, HEADLESS],
  ])('IPv4 addresses of the own subnet come first, the nearest first, at /%s', (length, order) => {
    const sorted = sortedDestinations(HEADLESS.map(ip), sourcesOf(['10.244.1.5'], length), GLIBC_POLICY)
    expect(sorted.map(formatIp)).toEqual(order)
  })

  it('RFC 6724 puts IPv4 before unique local', () => {
    expect(sortedBy(MUSL_POLICY, ['fd00::1', '10.96.0.1'], ['10.244.1.7', 'fd00::7'])).toEqual(['10.96.0.1', 'fd00::1'])
  })
})
