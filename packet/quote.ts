import { ICMP_LONG_HEADER } from './icmp.ts'
import type { Family } from './ip.ts'
import { IPV4_HEADER } from './ipv4.ts'
import { IPV6_HEADER } from './ipv6.ts'
import { lengthOfIp } from './length.ts'
import type { IpPacket, Quote } from './packet.ts'

/** ICMP errors stay within these totals: RFC 1812 §4.3.2.3, and RFC 4443 §2.4 (c), the least IPv6 MTU. */
const LONGEST_ERROR = { 4: 576, 6: 1280 } as const

/**
 * Octets of the offending packet that fit into an ICMP error, as Linux reckons: IPv4 also stays within the MTU of the
 * way back (net/ipv4/icmp.c, icmp_send; net/ipv6/icmp.c, icmp6_send, which does not ask for the MTU).
 */
export function quoteRoom(family: Family, mtu: number): number {
  return family === 4
    ? Math.min(mtu, LONGEST_ERROR[4]) - IPV4_HEADER - ICMP_LONG_HEADER
    : LONGEST_ERROR[6] - IPV6_HEADER - ICMP_LONG_HEADER
}

/** The beginning of `packet`, up to `room` octets. */
export function quote(packet: IpPacket, room: number): Quote {
  return { packet, length: Math.min(room, lengthOfIp(packet)) }
}
