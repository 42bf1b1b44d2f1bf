import type { Family } from '../../../packet/ip.ts'
import type { IptablesOp, IptablesTable } from '../../op.ts'
import type { Origin } from '../../origin.ts'
import type { Hook } from '../../step.ts'
import { type IptablesBlock, once, type RuleLine } from '../block.ts'
import type { Registrations } from '../nftables/ruleset.ts'
import { blockChains, type Chain, makeChain, ruleOf } from './chain.ts'
import type { Rule } from './rule.ts'

/** The iptables (or ip6tables) tables of one namespace. */
export interface Ruleset {
  readonly family: Family
  /** Only the tables that something was ever put into. */
  readonly tables: ReadonlyMap<IptablesTable, Table>
  /**
   * The first rule that needs connection tracking, or undefined: the kernel tracks in a namespace only while some
   * rule needs it (nf_ct_netns_get, called by the checkentry of these matches and targets).
   */
  readonly tracker: () => TrackedRule | undefined
}

export interface Table {
  readonly name: IptablesTable
  readonly family: Family
  /** When its chains came to their hooks. */
  readonly registered: number
  readonly chains: ReadonlyMap<string, Chain>
  /** Chains that blocks own and other chains may jump to. */
  readonly entries: ReadonlyMap<string, IptablesBlock>
  readonly blocks: readonly IptablesBlock[]
}

export interface TrackedRule {
  readonly chain: Chain
  /** 1-based. */
  readonly index: number
  readonly rule: Rule
}

/** In the order of the hooks, which is the order iptables-save prints them in. */
export const BUILT_IN: Readonly<Record<IptablesTable, readonly Hook[]>> = {
  raw: ['prerouting', 'output'],
  mangle: ['prerouting', 'input', 'forward', 'output', 'postrouting'],
  nat: ['prerouting', 'input', 'output', 'postrouting'],
  filter: ['input', 'forward', 'output'],
}

/** `enum nft_table_type` of iptables/nft.h: the order in which iptables-save 1.8.9 (nf_tables) prints tables. */
const TABLE_ORDER: readonly IptablesTable[] = ['mangle', 'raw', 'filter', 'nat']

/** A ruleset while ops come in. */
export interface RulesetBuilder {
  readonly tables: Readonly<Record<Family, Map<IptablesTable, TableBuilder>>>
  readonly registrations: Registrations
}

interface TableBuilder {
  readonly registered: number
  readonly chains: Map<string, ChainBuilder>
  readonly entries: Map<string, IptablesBlock>
  readonly blocks: IptablesBlock[]
}

interface ChainBuilder {
  policy: 'ACCEPT' | 'DROP' | undefined
  readonly lines: RuleLine[]
  /** Inserted at the top, the newest last. */
  readonly inserted: RuleLine[]
}

export const newRulesetBuilder = (registrations: Registrations = { next: 0 }): RulesetBuilder => ({
  tables: { 4: new Map(), 6: new Map() },
  registrations,
})

/** Does what iptables would do; returns what it would complain about. */
export function applyIptablesOp(
  builder: RulesetBuilder,
  op: IptablesOp & { readonly origin: Origin },
): string | undefined {
  switch (op.kind) {
    case 'chain.new':
      newChain(tableOf(builder, op.family, op.table), op.chain)
      return undefined
    case 'chain.policy': {
      const chain = tableOf(builder, op.family, op.table).chains.get(op.chain)
      if (chain?.policy === undefined) return `${op.table} ${op.chain}: only a built-in chain has a policy`
      chain.policy = op.policy
      return undefined
    }
    case 'rule.append':
    case 'rule.insert': {
      const chain = tableOf(builder, op.family, op.table).chains.get(op.chain)
      if (chain === undefined) return noChain(op.table, op.chain)
      const line = { table: op.table, chain: op.chain, args: op.args, origin: op.origin }
      if (op.kind === 'rule.append') chain.lines.push(line)
      else chain.inserted.push(line)
      return undefined
    }
    case 'rules.block':
      return addBlock(builder, op.family, op.block)
  }
}

const noChain = (table: IptablesTable, chain: string): string => `${table} ${chain}: there is no such chain`

function tableOf(builder: RulesetBuilder, family: Family, name: IptablesTable): TableBuilder {
  const known = builder.tables[family].get(name)
  if (known !== undefined) return known
  const registered = builder.registrations.next++
  const table: TableBuilder = { registered, chains: new Map(), entries: new Map(), blocks: [] }
  for (const hook of BUILT_IN[name]) table.chains.set(chainOf(hook), { policy: 'ACCEPT', lines: [], inserted: [] })
  builder.tables[family].set(name, table)
  return table
}

/** The built-in chain that a hook runs. */
export const chainOf = (hook: Hook): string => hook.toUpperCase()

function newChain(table: TableBuilder, chain: string): void {
  if (!table.chains.has(chain)) table.chains.set(chain, { policy: undefined, lines: [], inserted: [] })
}

function addBlock(builder: RulesetBuilder, family: Family, block: IptablesBlock): string | undefined {
  let trouble: string | undefined
  for (const { table, chain } of block.entries) {
    const builtTable = tableOf(builder, family, table)
    builtTable.entries.set(chain, block)
    if (builtTable.blocks.at(-1) !== block) builtTable.blocks.push(block)
  }
  for (const line of block.dispatch) {
    const chain = tableOf(builder, family, line.table).chains.get(line.chain)
    if (chain === undefined) trouble ??= noChain(line.table, line.chain)
    else chain.lines.push(line)
  }
  return trouble
}

/** The frozen result, one ruleset per family. */
export function finishRulesets(builder: RulesetBuilder): Readonly<Record<Family, Ruleset>> {
  return { 4: finishRuleset(4, builder.tables[4]), 6: finishRuleset(6, builder.tables[6]) }
}

function finishRuleset(family: Family, builders: ReadonlyMap<IptablesTable, TableBuilder>): Ruleset {
  const tables = new Map<IptablesTable, Table>()
  for (const name of TABLE_ORDER) {
    const builder = builders.get(name)
    if (builder === undefined) continue
    const chains = new Map<string, Chain>()
    for (const [chain, { policy, lines, inserted }] of builder.chains)
      chains.set(
        chain,
        makeChain(family, { table: name, name: chain, policy }, { lines: [...inserted.toReversed(), ...lines] }),
      )
    const { registered, entries, blocks } = builder
    tables.set(name, { name, family, registered, chains, entries, blocks })
  }
  const ruleset: Ruleset = { family, tables, tracker: once(() => findTracker(ruleset)) }
  return ruleset
}

/** The chain that a rule of `from` means by `name`: one of its own block, of the table, or the entry of a block. */
export function resolveChain(table: Table, from: Chain, name: string): Chain | undefined {
  const near = from.block?.get(name) ?? table.chains.get(name)
  if (near !== undefined) return near
  const block = table.entries.get(name)
  return block === undefined ? undefined : blockChains(table.family, block, table.name).get(name)
}

export interface ListedTable {
  readonly name: IptablesTable
  readonly chains: readonly Chain[]
}

/**
 * Everything in the order of iptables-save: tables as the nf_tables backend has them, in each the built-in chains by
 * hook, then the user's chains by name. Makes every block's chains.
 */
export function listTables(ruleset: Ruleset): readonly ListedTable[] {
  return [...ruleset.tables.values()].map((table) => ({ name: table.name, chains: listChains(table) }))
}

function listChains(table: Table): readonly Chain[] {
  const builtIn = BUILT_IN[table.name].flatMap((hook) => table.chains.get(chainOf(hook)) ?? [])
  const byName = new Map<string, Chain>()
  for (const chain of table.chains.values()) if (chain.policy === undefined) byName.set(chain.name, chain)
  for (const block of table.blocks)
    for (const [name, chain] of blockChains(table.family, block, table.name)) byName.set(name, chain)
  const names = [...byName.keys()].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0))
  return [...builtIn, ...names.flatMap((name) => byName.get(name) ?? [])]
}

/** The words of a rule that need conntrack; what they stand in is parsed to be sure. */
const TRACKING_WORDS = /conntrack|state|DNAT|SNAT|MASQUERADE|REDIRECT/

/** Looks at the namespace's own chains first: blocks are made for this only where nothing else answers. */
function findTracker(ruleset: Ruleset): TrackedRule | undefined {
  for (const table of ruleset.tables.values())
    for (const chain of table.chains.values()) {
      const found = trackerIn(ruleset.family, chain)
      if (found !== undefined) return found
    }
  for (const table of ruleset.tables.values())
    for (const block of table.blocks)
      for (const chain of blockChains(ruleset.family, block, table.name).values()) {
        const found = trackerIn(ruleset.family, chain)
        if (found !== undefined) return found
      }
  return undefined
}

function trackerIn(family: Family, chain: Chain): TrackedRule | undefined {
  const at = chain.lines.findIndex((line) => TRACKING_WORDS.test(line.args) && needsTracking(ruleOf(family, line)))
  const line = chain.lines[at]
  return line === undefined ? undefined : { chain, index: at + 1, rule: ruleOf(family, line) }
}

function needsTracking(rule: Rule): boolean {
  if (rule.matches.some((match) => match.kind === 'state' || isTrackingText(match))) return true
  switch (rule.target?.kind) {
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return true
    case 'notModelled':
      return isTrackingText(rule.target)
    default:
      return false
  }
}

/** `-m conntrack` with an option that is not modelled still switches tracking on. */
const isTrackingText = (part: { readonly kind: string; readonly text?: string }): boolean =>
  part.kind === 'notModelled' && TRACKING_WORDS.test(part.text ?? '')
