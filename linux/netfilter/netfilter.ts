import type { Family } from '../../packet/ip.ts'
import type { Link } from '../netns.ts'
import type { IptablesTable } from '../op.ts'
import type { FragmentQueues } from '../reassembly.ts'
import type { Hook } from '../step.ts'
import { type ConntrackTable, newConntrackTable } from './conntrack.ts'
import { newRecentLists, type RecentLists } from './iptables/recent.ts'
import type { StatisticMatch } from './iptables/rule.ts'
import type { Ruleset } from './iptables/ruleset.ts'

/** The frozen rules of one namespace; shared by every run. */
export interface NetfilterConfig {
  readonly iptables: Readonly<Record<Family, Ruleset>>
  /** ipsets by name, entries as `ipset save` prints them. */
  readonly sets: ReadonlyMap<string, IpSet>
}

export interface IpSet {
  readonly type: string
  readonly entries: readonly string[]
}

/** What traffic changes: conntrack, `recent` lists, counters of `statistic --mode nth`, fragment queues. */
export interface NetfilterState {
  readonly conntrack: ConntrackTable
  readonly recent: RecentLists
  readonly nth: Map<StatisticMatch, number>
  /** Packets and octets by nfacct object. */
  readonly accounts: Map<string, { packets: number; octets: number }>
  readonly fragments: FragmentQueues
}

export function newNetfilterState(): NetfilterState {
  return {
    conntrack: newConntrackTable(),
    recent: newRecentLists(),
    nth: new Map(),
    accounts: new Map(),
    fragments: new Map(),
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
  | { readonly kind: 'notModelled'; readonly table: IptablesTable; readonly chain: string; readonly text: string }

export const ACCEPT: NfVerdict = { kind: 'accept' }
export const DROP: NfVerdict = { kind: 'drop' }
export const STOLEN: NfVerdict = { kind: 'stolen' }
