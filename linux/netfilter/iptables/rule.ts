import type { Family, Ip } from '../../../packet/ip.ts'
import type { Prefix } from '../../../packet/prefix.ts'
import type { Origin } from '../../origin.ts'

/** A rule that stands in a table, with who put it there. */
export interface Rule extends RuleSpec {
  readonly origin: Origin
}

/**
 * A parsed rule, as the kernel keeps it: the tests of the IP header first (struct ipt_ip), then the matches in the
 * order given, then the target. Absent tests are `undefined`, so that every rule has the same shape.
 */
export interface RuleSpec {
  readonly family: Family
  readonly source: AddressTest | undefined
  readonly destination: AddressTest | undefined
  readonly in: LinkTest | undefined
  readonly out: LinkTest | undefined
  readonly protocol: ProtocolTest | undefined
  /** `-f`: later fragments only; all but those. */
  readonly fragments: { readonly not: boolean } | undefined
  readonly matches: readonly Match[]
  /** Undefined: the rule only counts. */
  readonly target: Target | undefined
}

export interface AddressTest {
  readonly not: boolean
  readonly prefix: Prefix
}

export interface LinkTest {
  readonly not: boolean
  /** `eth0`, or `eth+` for every name that begins so. */
  readonly name: string
}

export interface ProtocolTest {
  readonly not: boolean
  readonly number: number
}

export type Match =
  | { readonly kind: 'comment'; readonly text: string }
  | AddrTypeMatch
  | { readonly kind: 'mark'; readonly not: boolean; readonly value: number; readonly mask: number }
  | StateMatch
  | StatisticMatch
  | RecentMatch
  | PortsMatch
  | { readonly kind: 'icmp'; readonly not: boolean; readonly type: number; readonly codes: Range }
  | MultiportMatch
  | { readonly kind: 'nfacct'; readonly name: string }
  | SetMatch
  | PhysdevMatch
  | IpvsMatch
  | NotModelled

/** What is read but not emulated, in the words of the rule: `-m owner --uid-owner 0`. */
export interface NotModelled {
  readonly kind: 'notModelled'
  readonly text: string
}

export interface AddrTypeMatch {
  readonly kind: 'addrtype'
  readonly source: { readonly not: boolean; readonly types: number } | undefined
  readonly destination: { readonly not: boolean; readonly types: number } | undefined
  readonly limit: 'in' | 'out' | undefined
}

/** Bit `1 << index` of `types`: the kernel's RTN_* numbers (rtnetlink.h), in the order iptables prints them. */
export const ADDRESS_TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
] as const

/** `-m conntrack --ctstate`, and its older spelling `-m state --state`. */
export interface StateMatch {
  readonly kind: 'state'
  readonly spelling: 'conntrack' | 'state'
  readonly not: boolean
  readonly states: number
}

/** The bits of StateMatch, in the order iptables prints them. */
export const CONNECTION_STATES = {
  INVALID: 1,
  NEW: 2,
  RELATED: 4,
  ESTABLISHED: 8,
  UNTRACKED: 16,
  SNAT: 32,
  DNAT: 64,
} as const

export type StatisticMatch =
  /** `threshold` of 2^31 packets match; the kernel keeps the probability so. */
  | { readonly kind: 'statistic'; readonly mode: 'random'; readonly not: boolean; readonly threshold: number }
  | {
      readonly kind: 'statistic'
      readonly mode: 'nth'
      readonly not: boolean
      readonly every: number
      readonly packet: number
    }

export interface RecentMatch {
  readonly kind: 'recent'
  readonly action: 'set' | 'rcheck' | 'update' | 'remove'
  readonly not: boolean
  readonly name: string
  readonly side: 'source' | 'destination'
  readonly mask: Ip
  /** 0: any age. */
  readonly seconds: number
  /** 0: once is enough. */
  readonly hitcount: number
  readonly reap: boolean
  readonly rttl: boolean
}

/** Both ends count. */
export interface Range {
  readonly min: number
  readonly max: number
}

export interface PortTest extends Range {
  readonly not: boolean
}

export interface PortsMatch {
  readonly kind: 'tcp' | 'udp' | 'sctp'
  readonly source: PortTest | undefined
  readonly destination: PortTest | undefined
  /** TCP only: of the bits in `mask`, exactly those in `set` are set. */
  readonly flags: { readonly not: boolean; readonly mask: number; readonly set: number } | undefined
}

export interface MultiportMatch {
  readonly kind: 'multiport'
  readonly which: 'source' | 'destination' | 'either'
  readonly not: boolean
  readonly ports: readonly Range[]
}

export interface SetMatch {
  readonly kind: 'set'
  readonly not: boolean
  readonly name: string
  /** For each dimension of the set, which end of the packet it is compared with. */
  readonly sides: readonly ('src' | 'dst')[]
}

/** By which port of a bridge the packet came in, or goes out. */
export interface PhysdevMatch {
  readonly kind: 'physdev'
  readonly isIn: NotTest | undefined
  readonly isOut: NotTest | undefined
  readonly isBridged: NotTest | undefined
  readonly in: LinkTest | undefined
  readonly out: LinkTest | undefined
}

export interface NotTest {
  readonly not: boolean
}

/** Packets that a virtual server has dealt with, by its address and port. */
export interface IpvsMatch {
  readonly kind: 'ipvs'
  readonly property: NotTest | undefined
  readonly protocol: ProtocolTest | undefined
  readonly address: AddressTest | undefined
  readonly port: PortTest | undefined
}

export type Target =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** mark = (mark & ~mask) ^ value: what every MARK option comes down to. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'dnat' | 'snat'; readonly range: NatRange }
  | { readonly kind: 'masquerade' | 'redirect'; readonly range: NatRange }
  | { readonly kind: 'reject'; readonly with: RejectWith }
  /** `-j CT --notrack`, or `-j NOTRACK`. */
  | { readonly kind: 'notrack'; readonly spelling: 'CT' | 'NOTRACK' }
  | NotModelled

/** The kernel's struct nf_nat_range2. */
export interface NatRange {
  readonly addresses: { readonly min: Ip; readonly max: Ip } | undefined
  readonly ports: Range | undefined
  /** `--random`. */
  readonly random: boolean
  readonly randomFully: boolean
  readonly persistent: boolean
}

export type RejectWith = (typeof REJECT_WITH)[Family][number]

/** What `--reject-with` may say; the first is the default (libipt_REJECT, libip6t_REJECT of iptables 1.8.9). */
export const REJECT_WITH = {
  4: [
    'icmp-port-unreachable',
    'icmp-net-unreachable',
    'icmp-host-unreachable',
    'icmp-proto-unreachable',
    'icmp-net-prohibited',
    'icmp-host-prohibited',
    'tcp-reset',
    'icmp-admin-prohibited',
  ],
  6: [
    'icmp6-port-unreachable',
    'icmp6-no-route',
    'icmp6-adm-prohibited',
    'icmp6-addr-unreachable',
    'tcp-reset',
    'icmp6-policy-fail',
    'icmp6-reject-route',
  ],
} as const

/** Names of IP protocols as /etc/protocols of Debian 12 spells them; iptables prints these instead of the number. */
export const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries({
    icmp: 1,
    igmp: 2,
    ggp: 3,
    ipencap: 4,
    st: 5,
    tcp: 6,
    egp: 8,
    igp: 9,
    pup: 12,
    udp: 17,
    hmp: 20,
    'xns-idp': 22,
    rdp: 27,
    'iso-tp4': 29,
    dccp: 33,
    xtp: 36,
    ddp: 37,
    'idpr-cmtp': 38,
    ipv6: 41,
    'ipv6-route': 43,
    'ipv6-frag': 44,
    idrp: 45,
    rsvp: 46,
    gre: 47,
    esp: 50,
    ah: 51,
    skip: 57,
    'ipv6-icmp': 58,
    'ipv6-nonxt': 59,
    'ipv6-opts': 60,
    rspf: 73,
    vmtp: 81,
    eigrp: 88,
    ospf: 89,
    'ax.25': 93,
    ipip: 94,
    etherip: 97,
    encap: 98,
    pim: 103,
    ipcomp: 108,
    vrrp: 112,
    l2tp: 115,
    isis: 124,
    sctp: 132,
    fc: 133,
    'mobility-header': 135,
    udplite: 136,
    'mpls-in-ip': 137,
    manet: 138,
    hip: 139,
    shim6: 140,
    wesp: 141,
    rohc: 142,
    ethernet: 143,
  }).map(([name, number]) => [number, name]),
)
