import { describe, expect, it } from 'vitest'
import { formatIp, ip } from '../../packet/ip.ts'
import { formatPrefix, prefix } from '../../packet/prefix.ts'
import { blockAddresses, blockAllocator, blocksInOrder, ordinalIn } from './calico-block.ts'

const POOL = { cidr: prefix('10.244.0.0/16'), blockSize: 26 }
const first = (pool: typeof POOL, host: string): string => {
  const [block] = blocksInOrder(pool, host)
  return formatPrefix(block!)
}

describe("a node's first block follows from its name", () => {
  // The pod addresses of public clusters with these hosts fall into these blocks.
  it.each([
    ['xianchaonode1', '10.244.121.0/26'],
    ['xianchaonode2', '10.244.102.64/26'],
    ['xianchaomaster1', '10.244.123.64/26'],
    ['master', '10.244.219.64/26'],
    ['k8s-node1', '10.244.36.64/26'],
    ['k8s-node2', '10.244.169.128/26'],
    ['k8s-master', '10.244.235.192/26'],
    ['master1', '10.244.137.64/26'],
    ['node1', '10.244.166.128/26'],
    ['node2', '10.244.104.0/26'],
    ['node01', '10.244.196.128/26'],
    ['node02', '10.244.140.64/26'],
    ['slave2', '10.244.140.64/26'],
    ['k8s-node-2', '10.244.140.64/26'],
    ['xuegod62', '10.244.187.64/26'],
    ['xuegod64', '10.244.209.128/26'],
  ])('%s: %s', (host, block) => expect(first(POOL, host)).toBe(block))

  it.each([
    [
      'an IPv6 pool with more than 2^64 blocks',
      { cidr: prefix('fd00:10:244::/48'), blockSize: 122 },
      'fd00:10:244:df9b:fa8:334a:557b:7740/122',
    ],
    ['a pool of one block', { cidr: prefix('10.0.0.0/26'), blockSize: 26 }, '10.0.0.0/26'],
  ])('%s', (_, pool, block) => expect(first(pool, 'node1')).toBe(block))

  it('a pool smaller than a block has none', () =>
    expect([...blocksInOrder({ cidr: prefix('10.0.0.0/28'), blockSize: 26 }, 'a')]).toEqual([]))
})

describe('claiming blocks', () => {
  it('the later of two hosts with the same first block takes the next one', () => {
    const blocks = blockAllocator(POOL, [])
    expect(['node02', 'slave2', 'k8s-node-2', 'node02'].map((host) => formatPrefix(blocks.claim(host)!))).toEqual([
      '10.244.140.64/26',
      '10.244.140.128/26',
      '10.244.140.192/26',
      '10.244.141.0/26',
    ])
  })

  it('blocks that are known are left out', () => {
    const blocks = blockAllocator(POOL, [prefix('10.244.140.64/26')])
    expect(formatPrefix(blocks.claim('node02')!)).toBe('10.244.140.128/26')
  })

  it('wraps at the end, gives each block once, and then none', () => {
    const pool = { cidr: prefix('10.0.0.0/24'), blockSize: 26 }
    const blocks = blockAllocator(pool, [])
    const given = ['a', 'b', 'c', 'd', 'e'].map((host) => blocks.claim(host))
    expect(new Set(given.slice(0, 4).map((block) => formatPrefix(block!))).size).toBe(4)
    expect(given[4]).toBeUndefined()
  })

  it('a host has at most twenty', () => {
    const blocks = blockAllocator(POOL, [])
    const given = Array.from({ length: 21 }, () => blocks.claim('a'))
    expect(given.filter((block) => block !== undefined).length).toBe(20)
  })
})

describe('addresses of a block', () => {
  const addresses = (from: number, taken: readonly string[] = []) =>
    [...blockAddresses(prefix('10.0.0.64/30'), { from, isTaken: (one) => taken.includes(formatIp(one)) })].map(formatIp)
  it.each([
    [
      'from the first on: calico uses network and broadcast address too',
      0,
      [],
      ['10.0.0.64', '10.0.0.65', '10.0.0.66', '10.0.0.67'],
    ],
    ['from an ordinal on', 2, [], ['10.0.0.66', '10.0.0.67']],
    ['without those in use', 0, ['10.0.0.65'], ['10.0.0.64', '10.0.0.66', '10.0.0.67']],
  ])('%s', (_, from, taken, expected) => expect(addresses(from, taken)).toEqual(expected))

  it('ordinal of an address', () => expect(ordinalIn(prefix('10.244.102.64/26'), ip('10.244.102.86'))).toBe(22))
})
