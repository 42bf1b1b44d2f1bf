import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp, type Ip, ipKey } from '../../packet/ip.ts'
import { contains, formatPrefix, type Prefix, prefix } from '../../packet/prefix.ts'
import { blockAddresses, blockAllocator } from './calico-block.ts'
import { clusterIpFor, dnsServiceIp, kubernetesServiceIp } from './cluster-ip.ts'
import { hostLocalAddresses } from './host-local.ts'
import { generatedName, templateHash } from './names.ts'
import { nodeRanges } from './node-cidr.ts'
import { NODE_PORTS, nodePortFor } from './node-port.ts'

const none = () => false
const take = <T>(count: number, values: Iterable<T>): T[] => {
  const found: T[] = []
  for (const value of values) {
    if (found.length === count) break
    found.push(value)
  }
  return found
}

describe('host-local', () => {
  const addresses = (range: string, from?: number) =>
    take(4, hostLocalAddresses(prefix(range), { from, isTaken: none })).map(formatIp)
  it.each([
    ['begins behind the gateway', '10.244.1.0/24', undefined, ['10.244.1.2', '10.244.1.3', '10.244.1.4', '10.244.1.5']],
    ['goes on where it stopped', '10.244.1.0/24', 36, ['10.244.1.36', '10.244.1.37', '10.244.1.38', '10.244.1.39']],
    [
      'wraps before the broadcast address',
      '10.244.1.0/24',
      253,
      ['10.244.1.253', '10.244.1.254', '10.244.1.2', '10.244.1.3'],
    ],
    ['never gives the gateway', '10.244.1.0/24', 1, ['10.244.1.2', '10.244.1.3', '10.244.1.4', '10.244.1.5']],
    ['IPv6 has no broadcast address', 'fd00::/126', undefined, ['fd00::2', 'fd00::3']],
    ['a small range', '10.0.0.0/29', undefined, ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5']],
    ['a range without room', '10.0.0.0/31', undefined, []],
  ])('%s', (_, range, from, expected) => expect(addresses(range, from)).toEqual(expected))

  it('gives 253 addresses of a /24, each once', () => {
    const all = [...hostLocalAddresses(prefix('10.244.1.0/24'), { from: 100, isTaken: none })].map(formatIp)
    expect(all.length).toBe(253)
    expect(new Set(all).size).toBe(253)
    expect(all).not.toContain('10.244.1.255')
  })
})

describe('node ranges', () => {
  it.each([
    ['10.244.0.0/16', [], ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24']],
    ['10.244.0.0/16', ['10.244.1.0/24'], ['10.244.0.0/24', '10.244.2.0/24', '10.244.3.0/24']],
    ['fd00:10:244::/56', [], ['fd00:10:244::/64', 'fd00:10:244:1::/64', 'fd00:10:244:2::/64']],
    ['10.244.5.0/24', [], ['10.244.5.0/24']],
    ['10.244.5.0/26', [], ['10.244.5.0/26']],
  ])('of %s without %j', (cluster, taken, expected) =>
    expect(
      take(
        3,
        nodeRanges(prefix(cluster), (range) => taken.includes(formatPrefix(range))),
      ).map(formatPrefix),
    ).toEqual(expected),
  )
})

describe('Service addresses', () => {
  const range = prefix('10.96.0.0/12')
  it('the first is that of kubernetes, the tenth that of kube-dns', () => {
    expect(formatIp(kubernetesServiceIp(range))).toBe('10.96.0.1')
    expect(formatIp(dnsServiceIp(range))).toBe('10.96.0.10')
    expect(formatIp(kubernetesServiceIp(prefix('fd00:10:96::/112')))).toBe('fd00:10:96::1')
  })

  it('follow from the name alone, until the place is taken', () => {
    const a = clusterIpFor(range, { name: 'default/a', isTaken: none })!
    expect(clusterIpFor(range, { name: 'default/a', isTaken: none })).toEqual(a)
    expect(clusterIpFor(range, { name: 'default/a', isTaken: (one) => ipKey(one) === ipKey(a) })).not.toEqual(a)
  })

  it('are of the upper band while there is room, then of the lower one, then none', () => {
    const small = prefix('10.0.0.0/26')
    const taken = new Set<number | string>()
    const given: number[] = []
    for (let i = 0; ; i++) {
      const ip = clusterIpFor(small, { name: `ns/${i}`, isTaken: (one) => taken.has(ipKey(one)) })
      if (ip === undefined) break
      taken.add(ipKey(ip))
      given.push(ip.d & 63)
    }
    expect(given.length).toBe(62)
    expect(given.slice(0, 46).every((ordinal) => ordinal > 16)).toBe(true)
    expect(given.slice(46).every((ordinal) => ordinal <= 16)).toBe(true)
  })
})

describe('node ports', () => {
  it('leave the lower band to people while there is room, and are each given once', () => {
    const taken = new Set<number>()
    const size = NODE_PORTS.last - NODE_PORTS.first + 1
    for (let i = 0; i < size; i++) taken.add(nodePortFor(`ns/${i}`, (port) => taken.has(port))!)
    expect(taken.size).toBe(size)
    expect(Math.min(...taken)).toBe(30_000)
    expect(nodePortFor('one/more', (port) => taken.has(port))).toBeUndefined()
    expect(nodePortFor('ns/0', none)!).toBeGreaterThanOrEqual(30_086)
  })
})

describe('names', () => {
  it('have the form of the real ones', () => {
    expect(generatedName('my-nginx-5b56bdf79d-', 'seed')).toMatch(
      /^my-nginx-5b56bdf79d-[bcdfghjklmnpqrstvwxz2456789]{5}$/,
    )
    expect(templateHash({ labels: { app: 'x' } })).toMatch(/^[456789bcdf]{8,10}$/)
  })
  it('depend on what they are made from', () => {
    expect(templateHash({ a: 1 })).not.toBe(templateHash({ a: 2 }))
    expect(generatedName('a-', '1')).not.toBe(generatedName('a-', '2'))
  })
  it('are cut to 63 characters before the suffix', () => {
    const name = generatedName(`${'x'.repeat(70)}-`, 'seed')
    expect(name.length).toBe(63)
  })
})

describe('no allocator gives an address twice', () => {
  const range = fc.constantFrom('10.0.0.0/29', '10.1.0.0/24', '10.96.0.0/20', 'fd00::/125', 'fd00:1::/64').map(prefix)
  const inside = (of: Prefix, ips: readonly Ip[]) => {
    expect(new Set(ips.map(ipKey)).size).toBe(ips.length)
    for (const ip of ips) expect(contains(of, ip)).toBe(true)
  }

  it('host-local', () => {
    fc.assert(
      fc.property(range, fc.nat(300), (of, from) =>
        inside(of, take(300, hostLocalAddresses(of, { from, isTaken: none }))),
      ),
    )
  })

  it('clusterIP', () => {
    fc.assert(
      fc.property(range, fc.array(fc.string({ maxLength: 3 }), { maxLength: 40 }), (of, names) => {
        const taken = new Set<number | string>()
        const given = names.flatMap((name) => {
          const ip = clusterIpFor(of, { name, isTaken: (one) => taken.has(ipKey(one)) })
          if (ip !== undefined) taken.add(ipKey(ip))
          return ip ?? []
        })
        inside(of, given)
      }),
    )
  })

  it('calico blocks', () => {
    const hosts = fc.array(fc.constantFrom('a', 'b', 'c', 'node02', 'slave2'), { maxLength: 30 })
    fc.assert(
      fc.property(hosts, (names) => {
        const pool = { cidr: prefix('10.0.0.0/22'), blockSize: 28 }
        const blocks = blockAllocator(pool, [])
        const given = names.flatMap((host) => blocks.claim(host) ?? [])
        const addresses = given.flatMap((block) => [...blockAddresses(block, { from: 0, isTaken: none })])
        inside(pool.cidr, addresses)
        expect(addresses.length).toBe(given.length * 16)
      }),
    )
  })
})
