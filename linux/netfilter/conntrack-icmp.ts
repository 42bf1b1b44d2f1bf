import { ICMP4, ICMP6 } from '../../packet/packet.ts'
import type { IpSkb } from '../skb.ts'
import { type ConntrackEntry, isConfirmed, type Tracked } from './conntrack.ts'
import { refresh } from './conntrack-table.ts'
import { timeoutOf } from './conntrack-timeout.ts'

/** The types that may open a flow: echo, timestamp, information and address requests; in IPv6 echo and node queries. */
const OPENING: Readonly<Record<4 | 6, ReadonlySet<number>>> = {
  4: new Set([ICMP4.echoRequest, 13, 15, 17]),
  6: new Set([ICMP6.echoRequest, 139]),
}

/** nf_conntrack_icmp_packet and nf_conntrack_icmpv6_packet. A reply without a request is invalid. */
export function trackIcmp(entry: ConntrackEntry, skb: IpSkb): Tracked {
  const { family } = skb.packet.src
  if (!isConfirmed(entry) && !OPENING[family].has(entry.original.dstKey >> 8)) return 'invalid'
  refresh(entry, skb.ns, timeoutOf(skb.ns, family === 4 ? 'icmp' : 'icmpv6'))
  return 'valid'
}
