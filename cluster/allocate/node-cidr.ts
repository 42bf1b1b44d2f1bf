import { bitsOf, type Prefix } from '../../packet/prefix.ts'
import { ipAbove } from './ip-math.ts'

/** `--node-cidr-mask-size-ipv4` and `-ipv6` of the controller manager. */
const NODE_MASK = { 4: 24, 6: 64 } as const

/** The ranges of a cluster's pod network that nodes get, in order; ranges that are in use are left out. */
export function* nodeRanges(cluster: Prefix, isTaken: (range: Prefix) => boolean): Generator<Prefix> {
  const family = cluster.address.family
  const length = Math.max(NODE_MASK[family], cluster.length)
  const count = 1n << BigInt(length - cluster.length)
  const size = 1n << BigInt(bitsOf(family) - length)
  for (let i = 0n; i < count; i++) {
    const range = { address: ipAbove(cluster.address, i * size), length }
    if (!isTaken(range)) yield range
  }
}
