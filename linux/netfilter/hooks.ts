import type { Family } from '../../packet/ip.ts'
import { ipvsHandlers } from '../ipvs/hooks.ts'
import type { Link } from '../netns.ts'
import type { IptablesTable } from '../op.ts'
import { type IpSkb, isBridged } from '../skb.ts'
import type { Hook } from '../step.ts'
import { conntrackIn } from './conntrack-in.ts'
import { confirm } from './conntrack-table.ts'
import { defragment } from './defrag.ts'
import { walkTable } from './iptables/evaluate.ts'
import { BUILT_IN, chainOf, type Ruleset, type Table } from './iptables/ruleset.ts'
import { type NatLookup, natHook } from './nat-hook.ts'
import { ACCEPT, DROP, type HookState, type NetfilterConfig, type NfVerdict } from './netfilter.ts'
import { walkNftChain } from './nftables/evaluate.ts'
import { type NftTables, nftTracks, sees } from './nftables/ruleset.ts'

/** Something that wants to see the packets of a hook; the lowest priority first (netfilter_ipv4.h, NF_IP_PRI_*). */
interface Handler {
  readonly priority: number
  /** Of handlers with equal priority the one that came last runs first (nf_hook_entries_grow). */
  readonly registered?: number
  run(skb: IpSkb, state: HookState): NfVerdict
}

export const PRIORITY = {
  defrag: -400,
  raw: -300,
  conntrack: -200,
  mangle: -150,
  natDst: -100,
  filter: 0,
  natSrc: 100,
  conntrackConfirm: 0x7fffffff,
} as const

/**
 * Runs an IP packet through a hook of its namespace: every handler in turn until one does not accept. `in` and `out`
 * are what the hook sees: for a bridged packet the bridge. A namespace that has nothing at this hook leaves no step.
 */
export function nfHook(skb: IpSkb, hook: Hook, links: { readonly in?: Link; readonly out?: Link }): NfVerdict {
  const { family } = skb.packet.src
  const handlers = handlersOf(skb.ns.netfilter)[family][hook]
  if (handlers.length === 0) return ACCEPT
  skb.ns.host.kernel.record(skb, {
    kind: 'hook.enter',
    hook,
    family,
    ...(links.in === undefined ? {} : { in: links.in.name }),
    ...(links.out === undefined ? {} : { out: links.out.name }),
    bridged: isBridged(skb),
  })
  const state: HookState = { hook, family, in: links.in, out: links.out }
  for (const handler of handlers) {
    const verdict = handler.run(skb, state)
    if (verdict.kind !== 'accept') return verdict
  }
  return ACCEPT
}

type HandlersByHook = Readonly<Record<Hook, readonly Handler[]>>

const known = new WeakMap<NetfilterConfig, Readonly<Record<Family, HandlersByHook>>>()

function handlersOf(config: NetfilterConfig): Readonly<Record<Family, HandlersByHook>> {
  let handlers = known.get(config)
  if (handlers === undefined) {
    handlers = {
      4: withIpvs(registered(config, 4), config, 4),
      6: withIpvs(registered(config, 6), config, 6),
    }
    known.set(config, handlers)
  }
  return handlers
}

function registered({ iptables, nftables }: NetfilterConfig, family: Family): HandlersByHook {
  const ruleset = iptables[family]
  const own = nftables.filter((table) => sees(table, family))
  const tracked = ruleset.tracker() !== undefined || nftTracks(own, family)
  const at = (hook: Hook): readonly Handler[] =>
    [
      ...(tracked ? conntrackHandlers(hook) : []),
      ...natHandlers(ruleset, own, hook),
      ...tableHandlers(ruleset, hook),
      ...nftHandlers(own, hook, 'filter'),
    ].sort(byPriority)
  return {
    prerouting: at('prerouting'),
    input: at('input'),
    forward: at('forward'),
    output: at('output'),
    postrouting: at('postrouting'),
  }
}

/** Virtual servers stand among the others at their own priorities. */
function withIpvs(handlers: HandlersByHook, { ipvs }: NetfilterConfig, family: Family): HandlersByHook {
  const at = (hook: Hook): readonly Handler[] => {
    const own = ipvsHandlers(ipvs, family, hook)
    return own.length === 0 ? handlers[hook] : [...handlers[hook], ...own].sort((x, y) => x.priority - y.priority)
  }
  return {
    prerouting: at('prerouting'),
    input: at('input'),
    forward: at('forward'),
    output: at('output'),
    postrouting: at('postrouting'),
  }
}

const byPriority = (x: Handler, y: Handler): number =>
  x.priority - y.priority || (y.registered ?? 0) - (x.registered ?? 0)

/** nf_ct_netns_get: tracking is on only where some rule needs it. Packets enter it first and are confirmed last. */
function conntrackHandlers(hook: Hook): readonly Handler[] {
  if (hook === 'forward') return []
  if (hook === 'input' || hook === 'postrouting') return [{ priority: PRIORITY.conntrackConfirm, run: confirmLast }]
  return [
    { priority: PRIORITY.defrag, run: defragment },
    { priority: PRIORITY.conntrack, run: trackFirst },
  ]
}

function trackFirst(skb: IpSkb): NfVerdict {
  conntrackIn(skb)
  return ACCEPT
}

/** What a packet dies of that lost the race to be confirmed: the counter of `conntrack -S` that goes up. */
export const INSERT_FAILED =
  'conntrack insert_failed: a packet of the same socket was confirmed first, and NAT has sent that one elsewhere'

function confirmLast(skb: IpSkb): NfVerdict {
  if (confirm(skb)) return ACCEPT
  const races = skb.packet.payload.kind === 'udp' && skb.ns.host.capabilities.conntrackRace !== undefined
  const detail = races ? INSERT_FAILED : 'conntrack: another flow has the same addresses and ports'
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'NETFILTER_DROP', detail })
  return DROP
}

/**
 * NAT works at four hooks as soon as there is a nat table or chain, whichever of them have rules; those are asked in
 * the order of their own priorities (nf_nat_register_fn).
 */
function natHandlers(ruleset: Ruleset, tables: NftTables, hook: Hook): readonly Handler[] {
  const table = ruleset.tables.get('nat')
  const nft = nftHandlers(tables, hook, 'nat')
  if (hook === 'forward' || (table === undefined && !hasNatChain(tables))) return []
  const priority = hook === 'prerouting' || hook === 'output' ? PRIORITY.natDst : PRIORITY.natSrc
  const own: Handler[] =
    table === undefined || isIdle(table, hook)
      ? []
      : [{ priority, registered: table.registered, run: (skb, state) => walkTable(skb, state, table) }]
  const lookups: readonly NatLookup[] = [...own, ...nft].sort(byPriority).map(({ run }) => run)
  return [{ priority, run: (skb, state) => natHook(skb, state, lookups) }]
}

const hasNatChain = (tables: NftTables): boolean =>
  tables.some(({ chains }) => [...chains.values()].some(({ base }) => base?.type === 'nat'))

/** The base chains of a hook; chains of type route stand among those of type filter. */
function nftHandlers(tables: NftTables, hook: Hook, type: 'filter' | 'nat'): readonly Handler[] {
  const handlers: Handler[] = []
  for (const table of tables)
    for (const base of table.chains.values()) {
      if (base.base?.hook !== hook || (base.base.type === 'nat') !== (type === 'nat')) continue
      const { priority } = base.base
      const { registered } = base
      handlers.push({ priority, registered, run: (skb, state) => walkNftChain(skb, state, { table, base }) })
    }
  return handlers
}

const TABLE_PRIORITY: Readonly<Record<Exclude<IptablesTable, 'nat'>, number>> = {
  raw: PRIORITY.raw,
  mangle: PRIORITY.mangle,
  filter: PRIORITY.filter,
}

function tableHandlers(ruleset: Ruleset, hook: Hook): readonly Handler[] {
  const handlers: Handler[] = []
  for (const name of ['raw', 'mangle', 'filter'] as const) {
    const table = ruleset.tables.get(name)
    if (table === undefined || !BUILT_IN[name].includes(hook) || isIdle(table, hook)) continue
    handlers.push({
      priority: TABLE_PRIORITY[name],
      registered: table.registered,
      run: (skb, state) => walkTable(skb, state, table),
    })
  }
  return handlers
}

/** A built-in chain without rules that accepts: nothing can happen in it, and iptables (nf_tables) does not make it. */
function isIdle(table: Table, hook: Hook): boolean {
  const chain = table.chains.get(chainOf(hook))
  return chain === undefined || (chain.lines.length === 0 && chain.policy === 'ACCEPT')
}
