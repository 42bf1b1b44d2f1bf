import type { Family } from '../../../packet/ip.ts'
import type { IpPacket } from '../../../packet/packet.ts'
import type { IptablesTable } from '../../op.ts'
import type { IptablesBlock, OwnChain, RuleLine } from '../block.ts'
import { type RuleList, ruleList } from '../rule-list.ts'
import { readRule } from './parse.ts'
import type { Rule, RuleSpec } from './rule.ts'
import { indexByReach, reachOf } from './rule-reach.ts'

/** One chain. Its rules are parsed when they are asked for. */
export interface Chain {
  readonly table: IptablesTable
  readonly name: string
  /** Of a built-in chain; undefined for a user's. */
  readonly policy: 'ACCEPT' | 'DROP' | undefined
  readonly lines: readonly RuleLine[]
  readonly rules: RuleList<Rule>
  /** The indexes of the rules that may match a packet, ascending; undefined: any may. */
  readonly candidates: (packet: IpPacket) => readonly number[] | undefined
  /** The block it belongs to, whose other chains it may jump to. */
  readonly block: BlockChains | undefined
}

/** The chains of a block of one family and table, by name. */
export type BlockChains = ReadonlyMap<string, Chain>

/** Shorter chains are faster without an index. */
const INDEXED_FROM = 16

export function makeChain(
  family: Family,
  head: Pick<Chain, 'table' | 'name' | 'policy'>,
  { lines, block }: { readonly lines: readonly RuleLine[]; readonly block?: BlockChains },
): Chain {
  const parse = (line: RuleLine) => ruleOf(family, line)
  const index =
    lines.length < INDEXED_FROM ? undefined : indexByReach(lines.map((line) => reachOf(family, line, parse)))
  return { lines, rules: ruleList(lines, parse), candidates: (packet) => index?.(packet), block, ...head }
}

const parsedRules: Readonly<Record<Family, WeakMap<RuleLine, Rule>>> = { 4: new WeakMap(), 6: new WeakMap() }

/** The parsed rule of a line: one object per line, however many machines share the line. */
export function ruleOf(family: Family, line: RuleLine): Rule {
  const known = parsedRules[family].get(line)
  if (known !== undefined) return known
  const spec = readRule(family, line.args)
  // The spread stands last: V8 gives every object whose spread is followed by a new field a shape of its own.
  const rule: Rule = { origin: line.origin, ...(spec.ok ? spec.value : unreadable(family, line, spec.reason)) }
  parsedRules[family].set(line, rule)
  return rule
}

/** A rule that iptables would have refused: nothing is known of whom it was meant for. */
function unreadable(family: Family, line: RuleLine, reason: string): RuleSpec {
  return {
    family,
    source: undefined,
    destination: undefined,
    in: undefined,
    out: undefined,
    protocol: undefined,
    fragments: undefined,
    matches: [],
    target: { kind: 'notModelled', text: `${line.args} (${reason})` },
  }
}

const madeBlocks: Readonly<Record<Family, WeakMap<IptablesBlock, readonly BlockTable[]>>> = {
  4: new WeakMap(),
  6: new WeakMap(),
}

interface BlockTable {
  readonly table: IptablesTable
  readonly chains: BlockChains
}

/** The chains of a block in one table; made once, whichever machine asks first. */
export function blockChains(family: Family, block: IptablesBlock, table: IptablesTable): BlockChains {
  let tables = madeBlocks[family].get(block)
  if (tables === undefined) {
    tables = makeBlock(family, block.chains())
    madeBlocks[family].set(block, tables)
  }
  return tables.find((each) => each.table === table)?.chains ?? NO_CHAINS
}

const NO_CHAINS: BlockChains = new Map()

function makeBlock(family: Family, owned: readonly OwnChain[]): readonly BlockTable[] {
  const tables = new Map<IptablesTable, Map<string, Chain>>()
  for (const { table, chain, rules } of owned) {
    const block = tables.get(table) ?? new Map<string, Chain>()
    tables.set(table, block)
    block.set(chain, makeChain(family, { table, name: chain, policy: undefined }, { lines: rules, block }))
  }
  return [...tables].map(([table, chains]) => ({ table, chains }))
}
