import type { Origin } from '../../origin.ts'
import type { Hook } from '../../step.ts'

/** Which packets a table sees: IPv4, IPv6, or both. */
export type NftFamily = 'ip' | 'ip6' | 'inet'

/** What `add` of nft(8) makes in a table, in the words of its own syntax. */
export type NftObject =
  | { readonly kind: 'table'; readonly comment?: string }
  | { readonly kind: 'chain'; readonly name: string; readonly base?: NftBase; readonly comment?: string }
  | ({ readonly kind: 'set' | 'map' } & NftSetSpec)
  /** `rule`: what stands after the chain's name, its comment included. */
  | { readonly kind: 'rule'; readonly chain: string; readonly rule: string }
  | ({ readonly kind: 'element' } & NftElement)

/** What makes a chain a base chain. */
export interface NftBase {
  readonly type: 'filter' | 'nat' | 'route'
  readonly hook: Hook
  readonly priority: number
  /** `accept` unless said. */
  readonly policy?: 'accept' | 'drop'
}

export interface NftSetSpec {
  readonly name: string
  /** `ipv4_addr . inet_proto . inet_service`. */
  readonly type: string
  /** What a map leads to: `verdict`, `ipv4_addr . inet_service`. */
  readonly value?: string
  readonly flags?: readonly ('constant' | 'interval' | 'dynamic' | 'timeout')[]
  /** Seconds that an element lives. */
  readonly timeout?: number
  readonly size?: number
  readonly comment?: string
}

export interface NftElement {
  readonly of: 'set' | 'map'
  readonly set: string
  /** `10.96.0.1 . tcp . 443`. */
  readonly key: string
  /** Of a map: `goto service-X`. */
  readonly value?: string
  readonly comment?: string
}

/** What `flush` empties and `delete` takes away. */
export type NftReference =
  | { readonly kind: 'table' }
  | { readonly kind: 'chain' | 'set' | 'map'; readonly name: string }
  | { readonly kind: 'element'; readonly of: 'set' | 'map'; readonly set: string; readonly key: string }

/**
 * Rules that belong together and are the same on every node that has this variant of them: made once, shared by
 * reference. Chains and sets are made when a packet first comes to one of `entries`, or when somebody prints them.
 */
export interface NftBlock {
  /** What leads into the block. */
  readonly elements: readonly NftElementLine[]
  /** Chains by which the block is entered; the others are reachable from these only. */
  readonly entries: readonly string[]
  /** Made anew each time: who walks them keeps them, who prints them does not. */
  readonly own: () => NftOwn
}

export interface NftElementLine extends NftElement {
  readonly origin: Origin
}

/** What a block has of its own, in the order in which it is made. */
export interface NftOwn {
  readonly sets: readonly NftSetLine[]
  readonly chains: readonly NftChainLines[]
}

export interface NftSetLine extends NftSetSpec {
  readonly kind: 'set' | 'map'
  readonly origin: Origin
}

export interface NftChainLines {
  readonly name: string
  readonly rules: readonly NftRuleLine[]
}

export interface NftRuleLine {
  readonly rule: string
  readonly origin: Origin
}

/** The longest comment that nft takes (NFTNL_UDATA_COMMENT_MAXLEN). */
export const LONGEST_COMMENT = 128
