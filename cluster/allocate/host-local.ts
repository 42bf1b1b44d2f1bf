import type { Ip } from '../../packet/ip.ts'
import { bitsOf, type Prefix } from '../../packet/prefix.ts'
import { ipAbove } from './ip-math.ts'

/** The gateway is the first address of the range; pods begin behind it. */
const FIRST_POD_ORDINAL = 2

/**
 * The addresses that host-local gives out of a node's podCIDR: upwards from `from`, with wrap, without the network
 * address, the gateway (.1) and, in IPv4, the broadcast address (containernetworking/plugins
 * plugins/ipam/host-local/backend/allocator). Taken ones are left out.
 */
export function* hostLocalAddresses(
  range: Prefix,
  of: { from: number | undefined; isTaken: (ip: Ip) => boolean },
): Generator<Ip> {
  const family = range.address.family
  const size = 1n << BigInt(bitsOf(family) - range.length)
  const last = family === 4 ? size - 2n : size - 1n
  const first = BigInt(FIRST_POD_ORDINAL)
  if (last < first) return
  const asked = BigInt(of.from ?? FIRST_POD_ORDINAL)
  const start = asked < first || asked > last ? first : asked
  for (let ordinal = start; ; ) {
    const ip = ipAbove(range.address, ordinal)
    if (!of.isTaken(ip)) yield ip
    ordinal = ordinal === last ? first : ordinal + 1n
    if (ordinal === start) return
  }
}
