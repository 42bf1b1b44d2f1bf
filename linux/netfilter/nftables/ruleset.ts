import type { Family } from '../../../packet/ip.ts'
import type { Origin } from '../../origin.ts'
import { once } from '../block.ts'
import { type RuleList, ruleList } from '../rule-list.ts'
import { readTypes } from './data-type.ts'
import type { NftRuleSpec, Statement } from './expression.ts'
import type {
  NftBase,
  NftBlock,
  NftChainLines,
  NftElementLine,
  NftFamily,
  NftObject,
  NftReference,
  NftRuleLine,
  NftSetLine,
} from './object.ts'
import { LONGEST_COMMENT } from './object.ts'
import { readNftRule } from './parse-rule.ts'
import { parseKey } from './parse-set.ts'
import { printKey } from './print-rule.ts'
import { elementName, makeSet, type NftSet } from './set.ts'

/** The nf_tables tables of one namespace, but for those that iptables keeps there; in the order they were made. */
export type NftTables = readonly NftTable[]

export interface NftTable {
  readonly family: NftFamily
  readonly name: string
  readonly comment: string | undefined
  /** Its own; those of blocks are found from the chains of the block. */
  readonly sets: ReadonlyMap<string, NftSet>
  readonly chains: ReadonlyMap<string, NftChain>
  /** Chains that blocks own and maps may lead to. */
  readonly entries: ReadonlyMap<string, NftBlock>
  readonly blocks: readonly NftBlock[]
}

export interface NftChain {
  readonly table: string
  readonly name: string
  readonly base: NftBase | undefined
  readonly comment: string | undefined
  /** When a base chain came to its hook; the latest of equal priority runs first (nf_hook_entries_grow). */
  readonly registered: number
  readonly lines: readonly NftRuleLine[]
  /** Parsed when asked for. */
  readonly rules: RuleList<NftRule>
  /** The block it belongs to, whose other chains and sets it may name. */
  readonly block: MadeBlock | undefined
}

/** A rule that stands in a chain, with who put it there. */
export interface NftRule extends NftRuleSpec {
  readonly kind: 'nft'
  readonly origin: Origin
}

/** What a block has, once made. */
export interface MadeBlock {
  readonly chains: ReadonlyMap<string, NftChain>
  readonly sets: ReadonlyMap<string, NftSet>
}

/** Whether the table sees packets of the family. */
export const sees = (table: Pick<NftTable, 'family'>, family: Family): boolean =>
  table.family === 'inet' || table.family === (family === 4 ? 'ip' : 'ip6')

/** Tables while ops come in. */
export interface NftBuilder {
  readonly tables: Map<string, TableBuilder>
  readonly registrations: Registrations
}

/** Counts what comes to hooks, over iptables and nft. */
export interface Registrations {
  next: number
}

interface TableBuilder {
  readonly family: NftFamily
  readonly name: string
  readonly comment: string | undefined
  readonly sets: Map<string, SetBuilder>
  readonly chains: Map<string, ChainBuilder>
  readonly blocks: NftBlock[]
}

interface SetBuilder {
  readonly line: NftSetLine
  readonly elements: Map<string, NftElementLine>
}

interface ChainBuilder {
  readonly base: NftBase | undefined
  readonly comment: string | undefined
  readonly registered: number
  readonly lines: NftRuleLine[]
}

export const newNftBuilder = (registrations: Registrations): NftBuilder => ({ tables: new Map(), registrations })

/** One change of a table, and who makes it. */
export type NftChange = { readonly family: NftFamily; readonly table: string; readonly origin: Origin } & (
  | { readonly kind: 'nft.add'; readonly object: NftObject }
  | { readonly kind: 'nft.flush' | 'nft.delete'; readonly object: NftReference }
  | { readonly kind: 'nft.block'; readonly block: NftBlock }
)

const NOT_THERE = 'Error: Could not process rule: No such file or directory'
const TOO_LONG = `Error: comment too long, ${LONGEST_COMMENT} characters maximum allowed`

/** `iif` stands for one device by its index, never for all whose names begin alike. */
const ANY_INDEX = /\biif (?:!= )?[^ "]+\*(?: |$)/
const NO_INTERFACE = 'Error: Interface does not exist'

/** Does what nft would do; returns what it would complain about. */
export function applyNftOp(builder: NftBuilder, op: NftChange): string | undefined {
  const key = `${op.family} ${op.table}`
  const table = builder.tables.get(key)
  if (op.kind === 'nft.add' && op.object.kind === 'table') {
    const { comment } = op.object
    if (table === undefined) builder.tables.set(key, newTable(op.family, op.table, comment))
    return undefined
  }
  if (table === undefined) return NOT_THERE
  switch (op.kind) {
    case 'nft.add':
      return add(builder, table, op)
    case 'nft.flush':
      return flush(table, op.object)
    case 'nft.delete':
      if (op.object.kind !== 'table') return remove(table, op.object)
      builder.tables.delete(key)
      return undefined
    case 'nft.block':
      table.blocks.push(op.block)
      return undefined
    default:
      return op satisfies never
  }
}

const newTable = (family: NftFamily, name: string, comment: string | undefined): TableBuilder => ({
  family,
  name,
  comment,
  sets: new Map(),
  chains: new Map(),
  blocks: [],
})

function add(
  { registrations }: NftBuilder,
  table: TableBuilder,
  { object, origin }: Extract<NftChange, { kind: 'nft.add' }>,
): string | undefined {
  if ('comment' in object && (object.comment ?? '').length > LONGEST_COMMENT) return TOO_LONG
  switch (object.kind) {
    case 'table':
      return undefined
    case 'chain': {
      const { name, base, comment } = object
      if (!table.chains.has(name))
        table.chains.set(name, { base, comment, registered: registrations.next++, lines: [] })
      return undefined
    }
    case 'set':
    case 'map':
      if (!table.sets.has(object.name))
        table.sets.set(object.name, { line: { ...object, origin }, elements: new Map() })
      return undefined
    case 'rule': {
      if (ANY_INDEX.test(object.rule)) return NO_INTERFACE
      const chain = table.chains.get(object.chain)
      chain?.lines.push({ rule: object.rule, origin })
      return chain === undefined ? NOT_THERE : undefined
    }
    case 'element':
      return addElement(table, { ...object, origin })
    default:
      return object satisfies never
  }
}

function addElement(table: TableBuilder, line: NftElementLine): string | undefined {
  const set = table.sets.get(line.set)
  if (set === undefined) return NOT_THERE
  const name = elementName(set.line, line)
  if (name === undefined) return `Error: ${line.key} is no element of ${line.set}`
  const known = set.elements.get(name)
  if (known === undefined) set.elements.set(name, line)
  return known === undefined || known.value === line.value ? undefined : 'Error: Could not process rule: File exists'
}

function flush(table: TableBuilder, object: NftReference): string | undefined {
  switch (object.kind) {
    case 'table':
      for (const chain of table.chains.values()) chain.lines.length = 0
      return undefined
    case 'chain': {
      const chain = table.chains.get(object.name)
      if (chain !== undefined) chain.lines.length = 0
      return chain === undefined ? NOT_THERE : undefined
    }
    case 'set':
    case 'map': {
      const set = table.sets.get(object.name)
      set?.elements.clear()
      return set === undefined ? NOT_THERE : undefined
    }
    case 'element':
      return NOT_THERE
    default:
      return object satisfies never
  }
}

function remove(table: TableBuilder, object: Exclude<NftReference, { kind: 'table' }>): string | undefined {
  const gone =
    object.kind === 'chain'
      ? table.chains.delete(object.name)
      : object.kind === 'element'
        ? removeElement(table.sets.get(object.set), object.key)
        : table.sets.delete(object.name)
  return gone ? undefined : NOT_THERE
}

function removeElement(set: SetBuilder | undefined, key: string): boolean {
  const types = readTypes(set?.line.type ?? '')
  const operands = types === undefined ? undefined : parseKey(key, types)
  return operands !== undefined && set?.elements.delete(printKey(types ?? [], operands)) === true
}

/** The frozen result. */
export function finishNftTables(builder: NftBuilder): NftTables {
  return [...builder.tables.values()].map(finishTable)
}

function finishTable(builder: TableBuilder): NftTable {
  const { family, name, comment, blocks } = builder
  const entries = new Map<string, NftBlock>()
  for (const block of blocks) for (const entry of block.entries) entries.set(entry, block)
  const inBlocks = once(() => groupBySet(blocks))
  const sets = new Map<string, NftSet>()
  for (const { line, elements } of builder.sets.values())
    sets.set(
      line.name,
      makeSet(setId(family, name, line.name), line, () => [...elements.values(), ...(inBlocks().get(line.name) ?? [])]),
    )
  const chains = new Map<string, NftChain>()
  for (const [chain, head] of builder.chains)
    chains.set(chain, makeChain(family, { table: name, name: chain, ...head }))
  return { family, name, comment, sets, chains, entries, blocks }
}

const setId = (family: NftFamily, table: string, set: string): string => `${family} ${table} ${set}`

/** Of two blocks that give a key another value the later one has it: each puts its own in the other's place. */
function groupBySet(blocks: readonly NftBlock[]): ReadonlyMap<string, readonly NftElementLine[]> {
  const bySet = new Map<string, Map<string, NftElementLine>>()
  for (const block of blocks)
    for (const element of block.elements) {
      const elements = bySet.get(element.set) ?? new Map<string, NftElementLine>()
      bySet.set(element.set, elements)
      const known = elements.get(element.key)
      if (known === undefined || known.value !== element.value) elements.set(element.key, element)
    }
  return new Map([...bySet].map(([set, elements]) => [set, [...elements.values()]]))
}

function makeChain(family: NftFamily, head: Omit<NftChain, 'rules' | 'block'>, block?: MadeBlock): NftChain {
  return { ...head, rules: ruleList(head.lines, (line) => ruleOf(family, line)), block }
}

const parsedRules: Readonly<Record<NftFamily, WeakMap<NftRuleLine, NftRule>>> = {
  ip: new WeakMap(),
  ip6: new WeakMap(),
  inet: new WeakMap(),
}

/** The parsed rule of a line: one object per line, however many machines share the line. */
function ruleOf(family: NftFamily, line: NftRuleLine): NftRule {
  const known = parsedRules[family].get(line)
  if (known !== undefined) return known
  const { statements, comment } = readNftRule(family, line.rule)
  const rule: NftRule = { kind: 'nft', origin: line.origin, statements, comment }
  parsedRules[family].set(line, rule)
  return rule
}

const madeBlocks = new WeakMap<NftBlock, MadeBlock>()

/** The chains and sets of a block; made once, whichever machine asks first. A block is always in one table. */
export function madeBlock(table: Pick<NftTable, 'family' | 'name'>, block: NftBlock): MadeBlock {
  const known = madeBlocks.get(block)
  if (known !== undefined) return known
  const own = block.own()
  const chains = new Map<string, NftChain>()
  const sets = new Map<string, NftSet>()
  const made: MadeBlock = { chains, sets }
  for (const set of own.sets)
    sets.set(
      set.name,
      makeSet(setId(table.family, table.name, set.name), set, () => []),
    )
  for (const chain of own.chains) chains.set(chain.name, ownChain(table, chain, made))
  madeBlocks.set(block, made)
  return made
}

const ownChain = (
  table: Pick<NftTable, 'family' | 'name'>,
  { name, rules }: NftChainLines,
  made: MadeBlock,
): NftChain =>
  makeChain(
    table.family,
    { table: table.name, name, base: undefined, comment: undefined, registered: 0, lines: rules },
    made,
  )

/** The chain that a rule or map seen from `from` means by `name`. */
export function resolveNftChain(table: NftTable, from: NftChain, name: string): NftChain | undefined {
  const near = from.block?.chains.get(name) ?? table.chains.get(name)
  if (near !== undefined) return near
  const block = table.entries.get(name)
  return block === undefined ? undefined : madeBlock(table, block).chains.get(name)
}

export const resolveNftSet = (table: NftTable, from: NftChain, name: string): NftSet | undefined =>
  from.block?.sets.get(name) ?? table.sets.get(name)

/** Everything of a table in the order it was made, blocks last. */
export function listNftTable(table: NftTable): {
  readonly sets: readonly NftSet[]
  readonly chains: readonly NftChain[]
} {
  const made = table.blocks.map((block) => madeBlock(table, block))
  return {
    sets: [...table.sets.values(), ...made.flatMap(({ sets }) => [...sets.values()])],
    chains: [...table.chains.values(), ...made.flatMap(({ chains }) => [...chains.values()])],
  }
}

/** The words of a rule that may need conntrack; what they stand in is parsed to be sure. */
const TRACKING_WORDS = /\b(ct|dnat|snat|masquerade|redirect)\b/

/**
 * Whether some rule needs connection tracking of the family (nf_ct_netns_get, called by the init of these
 * expressions). Blocks are made for this only where no other rule tells.
 */
export function nftTracks(tables: NftTables, family: Family): boolean {
  const seeing = tables.filter((table) => sees(table, family))
  return (
    seeing.some((table) => [...table.chains.values()].some((chain) => tracksIn(table.family, chain))) ||
    seeing.some((table) =>
      table.blocks.some((block) =>
        [...madeBlock(table, block).chains.values()].some((chain) => tracksIn(table.family, chain)),
      ),
    )
  )
}

const tracksIn = (family: NftFamily, chain: NftChain): boolean =>
  chain.lines.some((line) => TRACKING_WORDS.test(line.rule) && ruleOf(family, line).statements.some(needsTracking))

function needsTracking(statement: Statement): boolean {
  switch (statement.kind) {
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return true
    case 'match':
    case 'lookup':
      return statement.left.kind === 'ct'
    case 'notModelled':
      return TRACKING_WORDS.test(statement.text)
    default:
      return false
  }
}
