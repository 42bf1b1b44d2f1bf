import type { DataType } from '../linux/netfilter/nftables/expression.ts'
import type { NftBase } from '../linux/netfilter/nftables/object.ts'
import { formatDuration, readNftRule } from '../linux/netfilter/nftables/parse-rule.ts'
import { sortElements } from '../linux/netfilter/nftables/parse-set.ts'
import { printKey, printNftRule, printValue } from '../linux/netfilter/nftables/print-rule.ts'
import { type NftTable, type NftTablePart, type NftTables, nftTableParts } from '../linux/netfilter/nftables/ruleset.ts'
import type { ListedElement, NftSet } from '../linux/netfilter/nftables/set.ts'
import { rememberedIn } from '../linux/netfilter/nftables/set-state.ts'
import type { Netns } from '../linux/netns.ts'
import { type Lens, WHOLE } from './lens.ts'

/** `nft list ruleset` of nft 1.0.6; with `live`, the elements too that rules have added there. */
export const renderNftRuleset = (tables: NftTables, lens: Lens = WHOLE, live?: Netns): string =>
  tables.map((table) => renderNftTable(table, lens, live)).join('')

function renderNftTable(table: NftTable, lens: Lens, live: Netns | undefined): string {
  const sets: string[] = []
  const chains: string[] = []
  for (const made of nftTableParts(table)) {
    for (const set of made.sets)
      if (lens.keeps(set.line.origin) || keptElements(set, lens).length > 0) sets.push(setText(set, lens, live))
    for (const chain of made.chains)
      if (lens.whole || chain.lines.some(({ origin }) => lens.keeps(origin)))
        chains.push(chainText(table.family, chain, lens))
  }
  const parts = [...sets, ...chains]
  if (parts.length === 0 && !lens.whole) return ''
  const comment = table.comment === undefined ? '' : `\tcomment "${table.comment}"\n`
  return `table ${table.family} ${table.name} {\n${comment}${parts.join('\n')}}\n`
}

const keptElements = ({ elements }: NftSet, lens: Lens): readonly ListedElement[] =>
  lens.whole ? elements() : elements().filter(({ line }) => lens.keeps(line.origin))

function setText(set: NftSet, lens: Lens, live: Netns | undefined): string {
  const { line, types } = set
  const elements = keptElements(set, lens)
  const { kind, flags, comment, timeout } = line
  // What rules may add to, nft bounds.
  const size = line.size ?? (flags?.includes('dynamic') === true ? 65_535 : undefined)
  const lines = [
    `type ${line.type}${line.value === undefined ? '' : ` : ${line.value}`}`,
    ...(size === undefined ? [] : [`size ${size}`]),
    ...(flags === undefined ? [] : [`flags ${flags.join(',')}`]),
    ...(timeout === undefined ? [] : [`timeout ${formatDuration(timeout)}`]),
    ...(comment === undefined ? [] : [`comment "${comment}"`]),
    ...(types === undefined ? [] : elementsText(types, [...elements, ...dynamicElements(set, types, live)], lens)),
  ]
  return `\t${kind} ${line.name} {\n${lines.map((text) => `\t\t${text}\n`).join('')}\t}\n`
}

const NEXT_LINE = ',\n\t\t\t     '

/** nft's calculate_delim: how many elements stand in a line depends on their type. */
function elementsText(types: readonly DataType[], elements: readonly ShownElement[], lens: Lens): readonly string[] {
  if (elements.length === 0) return []
  if (lens.tells) return elementsWithOrigins(types, elements, lens)
  const inLine = perLine(types)
  let text = ''
  for (const [i, element] of elements.entries()) {
    if (i > 0) text += i % inLine === 0 ? NEXT_LINE : ', '
    text += elementText(types, element)
  }
  return [`elements = { ${text} }`]
}

/** One in a line, so that each can say who put it there. */
function elementsWithOrigins(
  types: readonly DataType[],
  elements: readonly ShownElement[],
  lens: Lens,
): readonly string[] {
  const last = elements.length - 1
  const lines = elements.map((element, i) => {
    const text = `${i === 0 ? 'elements = { ' : ''}${elementText(types, element)}${i === last ? ' }' : ','}`
    return element.line === undefined ? text : lens.line(text, element.line.origin)
  })
  return [lines.join(`\n${NEXT_LINE.slice(2)}`)]
}

type ShownElement = Pick<ListedElement, 'key' | 'value'> & {
  readonly line?: ListedElement['line']
  /** ` expires 2h59m59s964ms`. */
  readonly life?: string
}

/** What rules have added, in the order of a listing. */
function dynamicElements(set: NftSet, types: readonly DataType[], live: Netns | undefined): readonly ShownElement[] {
  if (live === undefined) return []
  const now = live.host.kernel.now()
  const elements = rememberedIn(live.netfilterState.nftSets, set, now).map(({ key, expires, timeout }) => ({
    key: key.map((data) => ({ kind: 'value', data }) as const),
    value: undefined,
    life: `${timeout === undefined ? '' : ` timeout ${formatDuration(timeout)}`}${expires === undefined ? '' : ` expires ${lifeText(expires - now)}`}`,
  }))
  return sortElements(types, elements)
}

/** Milliseconds too, as nft tells how long an element has left. */
function lifeText(nanoseconds: number): string {
  const milliseconds = Math.floor(nanoseconds / 1_000_000)
  const seconds = Math.floor(milliseconds / 1000)
  const rest = milliseconds % 1000
  return `${seconds === 0 ? '' : formatDuration(seconds)}${rest === 0 ? '' : `${rest}ms`}` || '0s'
}

function perLine(types: readonly DataType[]): number {
  const [type] = types
  if (types.length > 1 || type === 'ipv6_addr' || type === 'ifname') return 1
  return type === 'ipv4_addr' ? 2 : 5
}

function elementText(types: readonly DataType[], { key, value, line, life = '' }: ShownElement): string {
  const comment = line?.comment === undefined ? '' : ` comment "${line.comment}"`
  return `${printKey(types, key)}${life}${comment}${value === undefined ? '' : ` : ${printValue(value)}`}`
}

/** Rules are read for their listing alone: a walk meets few of them. */
function chainText(
  family: NftTable['family'],
  { name, base, comment, lines }: NftTablePart['chains'][number],
  lens: Lens,
): string {
  let text = `\tchain ${name} {\n`
  if (comment !== undefined) text += `\t\tcomment "${comment}"\n`
  if (base !== undefined) text += `\t\t${baseText(base)}\n`
  for (const { rule, origin } of lines)
    if (lens.keeps(origin)) text += `\t\t${lens.line(printNftRule(readNftRule(family, rule)), origin)}\n`
  return `${text}\t}\n`
}

const baseText = ({ type, hook, priority, policy }: NftBase): string =>
  `type ${type} hook ${hook} priority ${priorityText(hook, priority)}; policy ${policy ?? 'accept'};`

const PRIORITIES: readonly { readonly name: string; readonly value: number; readonly hook?: NftBase['hook'] }[] = [
  { name: 'raw', value: -300 },
  { name: 'mangle', value: -150 },
  { name: 'dstnat', value: -100, hook: 'prerouting' },
  { name: 'filter', value: 0 },
  { name: 'security', value: 50 },
  { name: 'srcnat', value: 100, hook: 'postrouting' },
]

/** A priority by the standard one that it lies at most 10 from, where that one belongs to the hook (nft, src/rule.c). */
function priorityText(hook: NftBase['hook'], priority: number): string {
  for (const { name, value, hook: only } of PRIORITIES) {
    const off = priority - value
    if (Math.abs(off) > 10 || (only !== undefined && only !== hook)) continue
    return off === 0 ? name : `${name} ${off > 0 ? '+' : '-'} ${Math.abs(off)}`
  }
  return String(priority)
}
