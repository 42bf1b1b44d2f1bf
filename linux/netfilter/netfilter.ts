import type { Family } from '../../packet/ip.ts'
import type { IpvsConfig } from '../ipvs/ipvs-config.ts'
import { type IpvsState, newIpvsState } from '../ipvs/ipvs-state.ts'
import type { Link } from '../netns.ts'
import type { FragmentQueues } from '../reassembly.ts'
import type { Hook } from '../step.ts'
import { type ConntrackTable, newConntrackTable } from './conntrack.ts'
import { newRecentLists, type RecentLists } from './iptables/recent.ts'
import type { StatisticMatch } from './iptables/rule.ts'
import type { Ruleset } from './iptables/ruleset.ts'
import type { Expression } from './nftables/expression.ts'
import { type Meters, newMeters } from './nftables/metering.ts'
import type { NftTables } from './nftables/ruleset.ts'
import type { NftSetStates } from './nftables/set-state.ts'

/** The frozen rules of one namespace; shared by every run. */
export interface NetfilterConfig {
  readonly iptables: Readonly<Record<Family, Ruleset>>
  readonly nftables: NftTables
  /** ipsets by name, entries as `ipset save` prints them. */
  readonly sets: ReadonlyMap<string, IpSet>
  readonly ipvs: IpvsConfig
}

export interface IpSet {
  readonly type: string
  readonly entries: readonly string[]
}

/** What traffic changes: conntrack, `recent` lists, elements of sets, counters of `nth` and `inc`, fragment queues. */
export interface NetfilterState {
  readonly conntrack: ConntrackTable
  readonly recent: RecentLists
  readonly nth: Map<StatisticMatch, number>
  readonly nftSets: NftSetStates
  /** How often each `numgen inc` was asked, modulo its own. */
  readonly numgens: Map<Expression, number>
  readonly meters: Meters
  /** Packets and octets by nfacct object. */
  readonly accounts: Map<string, { packets: number; octets: number }>
  readonly fragments: FragmentQueues
  readonly ipvs: IpvsState
}

export function newNetfilterState(): NetfilterState {
  return {
    conntrack: newConntrackTable(),
    recent: newRecentLists(),
    nth: new Map(),
    nftSets: new Map(),
    numgens: new Map(),
    meters: newMeters(),
    accounts: new Map(),
    fragments: new Map(),
    ipvs: newIpvsState(),
  }
}

/** The kernel's nf_hook_state: where a packet is while its hook runs. */
export interface HookState {
  readonly hook: Hook
  readonly family: Family
  readonly in: Link | undefined
  readonly out: Link | undefined
}

export type NfVerdict =
  | { readonly kind: 'accept' | 'drop' | 'stolen' }
  /** A REJECT rule: the caller tells the sender and drops the packet. */
  | { readonly kind: 'reject'; readonly with: string }
  /** A rule was reached whose effect is not known; `text` says which part of it. The walk must not go on. */
  | { readonly kind: 'notModelled'; readonly table: string; readonly chain: string; readonly text: string }

export const ACCEPT: NfVerdict = { kind: 'accept' }
export const DROP: NfVerdict = { kind: 'drop' }
export const STOLEN: NfVerdict = { kind: 'stolen' }
