import type { Ip } from '../../packet/ip.ts'
import { bitsOf, formatPrefix, type Prefix } from '../../packet/prefix.ts'
import { fnv1 } from './fnv.ts'
import { bigRand, goRand } from './go-rand.ts'
import { ipAbove, ipDistance } from './ip-math.ts'

/** An IPPool as the block choice needs it. */
export interface BlockPool {
  readonly cidr: Prefix
  /** Prefix length of its blocks: 26 for IPv4, 122 for IPv6 unless the pool says otherwise. */
  readonly blockSize: number
}

/** Blocks that one host may have (IPAMConfig maxBlocksPerHost). */
const MAX_BLOCKS_PER_HOST = 20

export const defaultBlockSize = (family: 4 | 6): number => (family === 4 ? 26 : 122)

/**
 * The blocks of a pool in the order in which a host tries them: from a place that its name decides, each next one, with
 * wrap (projectcalico/calico v3.32 libcalico-go/lib/ipam/ipam_block_reader_writer.go, randomBlockGenerator). The name
 * is the Node's name.
 */
export function* blocksInOrder(pool: BlockPool, host: string): Generator<Prefix> {
  const family = pool.cidr.address.family
  if (pool.blockSize < pool.cidr.length) return
  const count = 1n << BigInt(pool.blockSize - pool.cidr.length)
  const size = 1n << BigInt(bitsOf(family) - pool.blockSize)
  const first = bigRand(goRand(fnv1(host)), count)
  for (let i = 0n; i < count; i++)
    yield { address: ipAbove(pool.cidr.address, ((first + i) % count) * size), length: pool.blockSize }
}

/** Gives hosts their blocks; a block belongs to the first host that asks for it. */
export interface BlockAllocator {
  /** The next block for a host; undefined when the pool is used up or the host has as many as it may. */
  readonly claim: (host: string) => Prefix | undefined
}

export function blockAllocator(pool: BlockPool, taken: readonly Prefix[]): BlockAllocator {
  const owned = new Set(taken.map(formatPrefix))
  const counts = new Map<string, number>()
  return {
    claim(host) {
      const count = counts.get(host) ?? 0
      if (count >= MAX_BLOCKS_PER_HOST) return undefined
      for (const block of blocksInOrder(pool, host)) {
        const name = formatPrefix(block)
        if (owned.has(name)) continue
        owned.add(name)
        counts.set(host, count + 1)
        return block
      }
      return undefined
    },
  }
}

/** The addresses of a block in the order in which they are given out: from `from` upwards. Taken ones are left out. */
export function* blockAddresses(block: Prefix, of: { from: number; isTaken: (ip: Ip) => boolean }): Generator<Ip> {
  const size = 1n << BigInt(bitsOf(block.address.family) - block.length)
  for (let i = BigInt(of.from); i < size; i++) {
    const ip = ipAbove(block.address, i)
    if (!of.isTaken(ip)) yield ip
  }
}

/** The place of an address in its block. */
export const ordinalIn = (block: Prefix, ip: Ip): number => Number(ipDistance(block.address, ip))
