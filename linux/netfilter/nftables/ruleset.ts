import type { Family } from '../../../packet/ip.ts'
import type { Origin } from '../../origin.ts'
import { type RuleList, ruleList } from '../rule-list.ts'
import { readTypes } from './data-type.ts'
import type { Expression, NftRuleSpec, Statement } from './expression.ts'
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
  const elements = groupBySet(builder)
  const sets = new Map<string, NftSet>()
  for (const { line } of builder.sets.values())
    sets.set(line.name, makeSet(setId(family, name, line.name), line, elements.get(line.name) ?? NO_ELEMENTS))
  const chains = new Map<string, NftChain>()
  for (const [chain, head] of builder.chains)
    chains.set(chain, makeChain(family, { table: name, name: chain, ...head }))
  return { family, name, comment, sets, chains, entries, blocks }
}

const setId = (family: NftFamily, table: string, set: string): string => `${family} ${table} ${set}`

const NO_ELEMENTS: ReadonlyMap<string, NftElementLine> = new Map()

/**
 * Elements by set and key, the table's own before those of blocks. Of two blocks that give a key another value the
 * later one has it: each puts its own in the other's place.
 */
function groupBySet({ sets, blocks }: TableBuilder): ReadonlyMap<string, ReadonlyMap<string, NftElementLine>> {
  const bySet = new Map([...sets].map(([name, { elements }]) => [name, new Map(elements)]))
  for (const block of blocks)
    for (const element of block.elements) {
      const elements = bySet.get(element.set)
      const known = elements?.get(element.key)
      if (known === undefined || known.value !== element.value) elements?.set(element.key, element)
    }
  return bySet
}

function makeChain(family: NftFamily, head: Omit<NftChain, 'rules' | 'block'>, block?: MadeBlock): NftChain {
  return { ...head, rules: ruleList(head.lines, (line) => ruleOf(family, line)), block }
}

function ruleOf(family: NftFamily, { rule, origin }: NftRuleLine): NftRule {
  const { statements, comment } = readNftRule(family, rule)
  return { kind: 'nft', origin, statements, comment }
}

const madeBlocks = new WeakMap<NftBlock, MadeBlock>()

/** The chains and sets of a block; made once, whichever machine asks first. A block is always in one table. */
export function madeBlock(table: Pick<NftTable, 'family' | 'name'>, block: NftBlock): MadeBlock {
  const known = madeBlocks.get(block)
  if (known !== undefined) return known
  const made = makeBlock(table, block)
  madeBlocks.set(block, made)
  return made
}

function makeBlock(table: Pick<NftTable, 'family' | 'name'>, block: NftBlock): MadeBlock {
  const own = block.own()
  const chains = new Map<string, NftChain>()
  const sets = new Map(own.sets.map((set) => [set.name, ownSet(table, set)]))
  const made: MadeBlock = { chains, sets }
  for (const chain of own.chains) chains.set(chain.name, ownChain(table, chain, made))
  return made
}

const ownChain = (table: Pick<NftTable, 'family' | 'name'>, own: NftChainLines, made: MadeBlock): NftChain =>
  makeChain(table.family, { table: table.name, registered: 0, ...ownHead(own) }, made)

/** The chain that a rule or map seen from `from` means by `name`. */
export function resolveNftChain(table: NftTable, from: NftChain, name: string): NftChain | undefined {
  const near = from.block?.chains.get(name) ?? table.chains.get(name)
  if (near !== undefined) return near
  const block = table.entries.get(name)
  return block === undefined ? undefined : madeBlock(table, block).chains.get(name)
}

export const resolveNftSet = (table: NftTable, from: NftChain, name: string): NftSet | undefined =>
  from.block?.sets.get(name) ?? table.sets.get(name)

/** What a listing shows of a table. */
export interface NftTablePart {
  readonly sets: readonly NftSet[]
  readonly chains: readonly Pick<NftChain, 'name' | 'base' | 'comment' | 'lines'>[]
}

/**
 * Everything of a table in the order it was made: its own, then block by block. Nothing is kept of a block that no
 * packet has come to: there may be ten thousand.
 */
export function* nftTableParts(table: NftTable): Generator<NftTablePart> {
  yield { sets: [...table.sets.values()], chains: [...table.chains.values()] }
  for (const block of table.blocks) {
    const { sets, chains } = block.own()
    yield { sets: sets.map((set) => ownSet(table, set)), chains: chains.map(ownHead) }
  }
}

const ownSet = (table: Pick<NftTable, 'family' | 'name'>, set: NftSetLine): NftSet =>
  makeSet(setId(table.family, table.name, set.name), set, NO_ELEMENTS)

/** What is a chain that no hook runs. */
const ownHead = ({ name, rules }: NftChainLines) => ({ name, base: undefined, comment: undefined, lines: rules })

/** Everything of a table as two lists, as it is walked. */
export function listNftTable(table: NftTable): {
  readonly sets: readonly NftSet[]
  readonly chains: readonly NftChain[]
} {
  const parts = [table, ...table.blocks.map((block) => madeBlock(table, block))]
  return {
    sets: parts.flatMap(({ sets }) => [...sets.values()]),
    chains: parts.flatMap(({ chains }) => [...chains.values()]),
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
    seeing.some((table) => [...table.chains.values()].some((chain) => tracksIn(chain))) ||
    seeing.some((table) =>
      table.blocks.some((block) => [...madeBlock(table, block).chains.values()].some((chain) => tracksIn(chain))),
    )
  )
}

const tracksIn = (chain: NftChain): boolean =>
  chain.lines.some(
    (line, i) => TRACKING_WORDS.test(line.rule) && chain.rules.at(i)?.statements.some(needsTracking) === true,
  )

function needsTracking(statement: Statement): boolean {
  switch (statement.kind) {
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
    case 'ctMark':
      return true
    case 'match':
    case 'lookup':
      return asksConntrack(statement.left)
    case 'mark':
      return asksConntrack(statement.value)
    case 'vmap':
    case 'update':
      return asksConntrack(statement.key)
    case 'notModelled':
      return TRACKING_WORDS.test(statement.text)
    default:
      return false
  }
}

function asksConntrack(expression: Expression): boolean {
  switch (expression.kind) {
    case 'ct':
      return true
    case 'binary':
      return asksConntrack(expression.left)
    case 'concat':
      return expression.parts.some(asksConntrack)
    case 'map':
    case 'jhash':
      return asksConntrack(expression.key)
    default:
      return false
  }
}
