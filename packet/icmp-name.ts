import type { Family } from './ip.ts'
import type { Icmp } from './packet.ts'

/** Keys are `type/code`, or the type where the code does not matter. IANA "ICMP Parameters". */
const ICMP_NAMES: Readonly<Record<string, string>> = {
  '0': 'echo reply',
  '3/0': 'net unreachable',
  '3/1': 'host unreachable',
  '3/2': 'protocol unreachable',
  '3/3': 'port unreachable',
  '3/4': 'fragmentation needed',
  '3/5': 'source route failed',
  '3/6': 'net unknown',
  '3/7': 'host unknown',
  '3/9': 'net prohibited',
  '3/10': 'host prohibited',
  '3/11': 'net unreachable for TOS',
  '3/12': 'host unreachable for TOS',
  '3/13': 'admin prohibited',
  '3/14': 'host precedence violation',
  '3/15': 'precedence cutoff',
  '3': 'unreachable',
  '4': 'source quench',
  '5/0': 'redirect net',
  '5/1': 'redirect host',
  '5': 'redirect',
  '8': 'echo request',
  '9': 'router advertisement',
  '10': 'router solicitation',
  '11/0': 'ttl exceeded in transit',
  '11/1': 'reassembly time exceeded',
  '11': 'time exceeded',
  '12': 'parameter problem',
  '13': 'timestamp request',
  '14': 'timestamp reply',
}

/** The same for ICMPv6: IANA "ICMPv6 Parameters". */
const ICMPV6_NAMES: Readonly<Record<string, string>> = {
  '1/0': 'no route',
  '1/1': 'admin prohibited',
  '1/2': 'beyond scope of source',
  '1/3': 'address unreachable',
  '1/4': 'port unreachable',
  '1/5': 'source address failed policy',
  '1/6': 'reject route',
  '1': 'unreachable',
  '2': 'packet too big',
  '3/0': 'hop limit exceeded in transit',
  '3/1': 'reassembly time exceeded',
  '3': 'time exceeded',
  '4': 'parameter problem',
  '128': 'echo request',
  '129': 'echo reply',
  '130': 'multicast listener query',
  '131': 'multicast listener report',
  '132': 'multicast listener done',
  '133': 'router solicitation',
  '134': 'router advertisement',
  '135': 'neighbor solicitation',
  '136': 'neighbor advertisement',
  '137': 'redirect',
  '143': 'multicast listener report v2',
}

/** `host unreachable` for 3/1; `message` for what has no name. */
export function icmpName(family: Family, { type, code }: Pick<Icmp, 'type' | 'code'>): string {
  const names = family === 4 ? ICMP_NAMES : ICMPV6_NAMES
  return names[`${type}/${code}`] ?? names[type] ?? 'message'
}
