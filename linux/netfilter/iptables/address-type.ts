import { type Ip, isLoopback, isMulticast, isUnspecified } from '../../../packet/ip.ts'
import { addressType, fibLookup } from '../../fib.ts'
import type { Link, Netns } from '../../netns.ts'
import type { MatchPlace } from './place.ts'
import { ADDRESS_TYPES, type AddrTypeMatch } from './rule.ts'

const bit = (name: (typeof ADDRESS_TYPES)[number]): number => 1 << ADDRESS_TYPES.indexOf(name)

const UNSPEC = bit('UNSPEC')
const UNICAST = bit('UNICAST')
const LOCAL = bit('LOCAL')
const BROADCAST = bit('BROADCAST')
const ANYCAST = bit('ANYCAST')
const MULTICAST = bit('MULTICAST')
const UNREACHABLE = bit('UNREACHABLE')

/** addrtype_mt_v1, Linux net/netfilter/xt_addrtype.c. */
export function matchAddrType(match: AddrTypeMatch, { skb, state }: MatchPlace): boolean {
  const dev = match.limit === 'in' ? state.in : match.limit === 'out' ? state.out : undefined
  const { ns, packet } = skb
  const { source, destination } = match
  if (source !== undefined && hasType(ns, packet.src, source.types, dev) === source.not) return false
  return destination === undefined || hasType(ns, packet.dst, destination.types, dev) !== destination.not
}

function hasType(ns: Netns, ip: Ip, types: number, dev: Link | undefined): boolean {
  return ip.family === 4 ? (types & typeOf(ns, ip, dev)) !== 0 : hasType6(ns, ip, types, dev)
}

function typeOf(ns: Netns, ip: Ip, dev: Link | undefined): number {
  switch (addressType(ns, ip, dev)) {
    case 'local':
      return LOCAL
    case 'unicast':
      return UNICAST
    case 'broadcast':
      return BROADCAST
    case 'multicast':
      return MULTICAST
  }
}

/** match_type6: what the address alone tells, and only for the other types the routes. */
function hasType6(ns: Netns, ip: Ip, types: number, dev: Link | undefined): boolean {
  if ((types & MULTICAST) !== 0 && !isMulticast(ip)) return false
  if ((types & UNICAST) !== 0 && (isMulticast(ip) || isUnspecified(ip) || isLoopback(ip))) return false
  if ((types & UNSPEC) !== 0 && !isUnspecified(ip)) return false
  if ((types & (LOCAL | ANYCAST | UNREACHABLE)) === 0) return true
  return (types & routedType6(ns, ip, dev)) !== 0
}

/** match_lookup_rt6. With a device, only its own addresses are local. */
function routedType6(ns: Netns, ip: Ip, dev: Link | undefined): number {
  const onDevice = dev !== undefined && addressType(ns, ip, dev) === 'local' ? LOCAL : 0
  const found = fibLookup(ns.fib, { dst: ip, ...(dev === undefined ? {} : { oif: dev.name }) })
  if (found.kind !== 'found') return onDevice | UNREACHABLE
  return onDevice | (dev === undefined && found.entry.route.type === 'local' ? LOCAL : 0)
}
