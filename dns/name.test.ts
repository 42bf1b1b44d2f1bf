import { describe, expect, it } from 'vitest'
import { checkName, fqdn, isSubdomain, joinName, labelOctets, labelsOf, leftOf, longestZone } from './name.ts'

describe('domain names', () => {
  it.each([
    ['web', 'web.'],
    ['web.', 'web.'],
    ['a\\.', 'a\\..'],
    ['a\\\\.', 'a\\\\.'],
    ['.', '.'],
  ])('%s is absolute as %s', (name, absolute) => expect(fqdn(name)).toBe(absolute))

  it.each([
    ['a.b.', ['a', 'b']],
    ['.', []],
    ['a\\.b.c.', ['a\\.b', 'c']],
    ['\\097\\046.c.', ['\\097\\046', 'c']],
  ])('the labels of %s', (name, labels) => expect(labelsOf(name)).toEqual(labels))

  it.each([
    ['cluster.local.', 'a.cluster.local.', true],
    ['cluster.local.', 'CLUSTER.Local.', true],
    ['cluster.local.', 'xcluster.local.', false],
    ['a.b.', 'b.', false],
    ['.', 'anything.', true],
    ['b.', 'a\\.b.', false],
    ['b.', 'a\\\\.b.', true],
  ])('zone %s, name %s', (zone, name, inside) => expect(isSubdomain(zone, name)).toBe(inside))

  it('the longest zone holds a name', () => {
    expect(longestZone(['.', 'local.', 'cluster.local.'], 'a.cluster.local.')).toBe('cluster.local.')
    expect(longestZone(['x.'], 'a.y.')).toBeUndefined()
  })

  it('what stands left of the zone', () => {
    expect(leftOf('a.b.cluster.local.', 'cluster.local.')).toBe('a.b')
    expect(leftOf('cluster.local.', 'cluster.local.')).toBe('')
    expect(leftOf('a.b.', '.')).toBe('a.b')
  })

  it('parts are joined without empty labels', () => expect(joinName('ns.dns', '.', 'zone.')).toBe('ns.dns.zone.'))

  it.each([
    ['\\097b', [0x61, 0x62]],
    ['a\\.b', [0x61, 0x2e, 0x62]],
    ['ä', [0xc3, 0xa4]],
  ])('octets of label %s', (label, octets) => expect(labelOctets(label)).toEqual(octets))

  it.each([
    [`${'a'.repeat(63)}.`, ''],
    [`${'a'.repeat(64)}.`, `label "${'a'.repeat(64)}" is 64 octets long: 63 are allowed`],
    ['a..b.', '"a..b." has an empty label'],
    ['.a.', '".a." has an empty label'],
    ['a\\.b..c.', '"a\\.b..c." has an empty label'],
    ['a\\..c.', ''],
    ['a', '"a" is not an absolute name: the final dot is missing'],
    [
      `${`${'a'.repeat(49)}.`.repeat(5)}bbbb.`,
      `"${`${'a'.repeat(49)}.`.repeat(5)}bbbb." is 256 octets long: 255 are allowed`,
    ],
    [`${`${'a'.repeat(49)}.`.repeat(5)}bbb.`, ''],
    ['.', ''],
  ])('%s can or cannot stand in a message', (name, reason) => {
    const checked = checkName(name)
    expect(checked.ok ? '' : checked.reason).toBe(reason)
  })
})
