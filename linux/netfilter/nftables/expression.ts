import type { Ip } from '../../../packet/ip.ts'
import type { Prefix } from '../../../packet/prefix.ts'
import type { RejectWith } from '../iptables/rule.ts'

/**
 * A rule of nf_tables as read from its text: statements in order, each of which may end the rule. Linux
 * net/netfilter/nf_tables_core.c (6.18), syntax of nft 1.0.6.
 */
export interface NftRuleSpec {
  readonly statements: readonly Statement[]
  readonly comment: string | undefined
}

/** What a register holds: a number, an address, or the name of an interface. */
export type Data = number | Ip | string

/** The datatypes of nft that are read; every value, set and map has one, or several joined. */
export type DataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'ifname'
  | 'integer'
  | 'ct_state'
  | 'ct_status'
  | 'ct_dir'
  | 'fib_addrtype'
  | 'nf_proto'
  | 'pkt_type'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'tcp_flag'

/** Where a value comes from. */
export type Expression =
  | { readonly kind: 'payload'; readonly header: Header; readonly field: PayloadField; readonly type: DataType }
  | { readonly kind: 'meta'; readonly key: MetaKey; readonly type: DataType }
  | { readonly kind: 'ct'; readonly key: CtKey; readonly type: DataType }
  /** `fib saddr type`, `fib daddr . iif type`. */
  | { readonly kind: 'fib'; readonly of: 'saddr' | 'daddr'; readonly device: 'iif' | 'oif' | undefined }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly mod: number; readonly offset: number }
  | { readonly kind: 'binary'; readonly operator: '&' | '|' | '^'; readonly left: Expression; readonly right: number }
  | { readonly kind: 'concat'; readonly parts: readonly Expression[] }
  | { readonly kind: 'map'; readonly key: Expression; readonly map: SetRef }
  | HashExpression
  | { readonly kind: 'constant'; readonly data: Data; readonly type: DataType }

/** `jhash ip saddr mod 2 seed 0x1 offset 4`. Without a seed the kernel draws one when the rule is made. */
export interface HashExpression {
  readonly kind: 'jhash'
  readonly key: Expression
  readonly mod: number
  readonly seed: number
  readonly offset: number
}

export type Header = 'ip' | 'ip6' | 'tcp' | 'udp' | 'sctp' | 'th' | 'icmp' | 'icmpv6'
export type PayloadField = 'saddr' | 'daddr' | 'protocol' | 'ttl' | 'sport' | 'dport' | 'flags' | 'type' | 'code'
export type MetaKey = 'l4proto' | 'mark' | 'iif' | 'iifname' | 'oifname' | 'nfproto' | 'pkttype'
export type CtKey = 'state' | 'status' | 'direction' | 'mark'

/** What one field of a key is compared with. */
export type Operand =
  | { readonly kind: 'value'; readonly data: Data }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'range'; readonly min: Data; readonly max: Data }
  /** An interface name that begins so: `"veth*"`. */
  | { readonly kind: 'begins'; readonly text: string }

export type SetRef =
  | { readonly kind: 'named'; readonly name: string }
  /** Written in the rule; sorted, and ranges that touch are one. */
  | { readonly kind: 'anonymous'; readonly types: readonly DataType[]; readonly elements: readonly SetElement[] }

export interface SetElement {
  /** One for each field of the key. */
  readonly key: readonly Operand[]
  /** Of a map. */
  readonly value: ElementValue | undefined
}

export type ElementValue =
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  | { readonly kind: 'data'; readonly data: readonly Data[]; readonly types: readonly DataType[] }

export type NftVerdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }

export type Comparison = '==' | '!=' | '<' | '>' | '<=' | '>='

export type Statement =
  | {
      readonly kind: 'match'
      readonly left: Expression
      readonly comparison: Comparison
      readonly right: Operand
      /** Flags without a comparison: any of the bits of the value. */
      readonly anyBit: boolean
    }
  | { readonly kind: 'lookup'; readonly left: Expression; readonly not: boolean; readonly set: SetRef }
  | { readonly kind: 'vmap'; readonly key: Expression; readonly map: SetRef }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  /** `meta mark set`. */
  | { readonly kind: 'mark'; readonly value: Expression }
  /** `ct mark set`. */
  | { readonly kind: 'ctMark'; readonly value: Expression }
  | NatStatement
  | { readonly kind: 'reject'; readonly how: string; readonly with: Readonly<Record<4 | 6, RejectWith>> }
  | {
      readonly kind: 'update'
      readonly action: 'add' | 'update' | 'delete'
      readonly set: string
      readonly key: Expression
      /** Seconds; undefined: the set's own. */
      readonly timeout: number | undefined
    }
  | { readonly kind: 'counter'; readonly packets: number; readonly bytes: number }
  | LimitStatement
  | QuotaStatement
  | {
      readonly kind: 'log'
      readonly prefix: string | undefined
      readonly level: string | undefined
      readonly group: number | undefined
    }
  /** `meta nftrace set 1`: who watches sees the packet's way. */
  | { readonly kind: 'nftrace'; readonly on: number }
  | { readonly kind: 'notrack' }
  /** The rest of a rule from something on that is not emulated. */
  | { readonly kind: 'notModelled'; readonly text: string }

export interface LimitStatement {
  readonly kind: 'limit'
  readonly of: 'packets' | 'bytes'
  readonly rate: number
  /** The time that the rate is for. */
  readonly seconds: number
  readonly burst: number
  readonly over: boolean
}

export interface QuotaStatement {
  readonly kind: 'quota'
  readonly bytes: number
  /** What was counted before. */
  readonly used: number
  readonly over: boolean
}

export interface NatStatement {
  readonly kind: 'dnat' | 'snat' | 'masquerade' | 'redirect'
  /** `dnat ip addr . port to`: what the address expression gives is an address and a port. */
  readonly addressAndPort: boolean
  readonly address: Expression | { readonly kind: 'addresses'; readonly min: Ip; readonly max: Ip } | undefined
  readonly ports: { readonly min: number; readonly max: number } | undefined
  readonly random: boolean
  readonly fullyRandom: boolean
  readonly persistent: boolean
}
