import { compareIp, ipKey } from '../../../packet/ip.ts'
import { contains } from '../../../packet/prefix.ts'
import { once } from '../block.ts'
import { formatData, readTypes } from './data-type.ts'
import type { Data, DataType, ElementValue, Operand, SetElement } from './expression.ts'
import type { NftElementLine, NftSetLine } from './object.ts'
import { parseElementValue, parseKey, sortElements } from './parse-set.ts'
import { printKey } from './print-rule.ts'

/** A named set or map of a table. */
export interface NftSet {
  /** Tells it from every other of the namespace: what traffic adds is kept under it. */
  readonly id: string
  readonly line: NftSetLine
  /** Of the key's fields; undefined: a type that is not emulated. */
  readonly types: readonly DataType[] | undefined
  /** In the order of a listing. */
  readonly elements: () => readonly ListedElement[]
  readonly find: (key: readonly Data[]) => ListedElement | undefined
}

/** An element, and the line that made it. */
export interface ListedElement extends SetElement {
  readonly line: NftElementLine
}

/** A found element of a set; anonymous ones have no line. */
export type FoundElement = SetElement & { readonly line?: NftElementLine }

/** `lines`: its elements by the text of their keys. */
export function makeSet(id: string, line: NftSetLine, lines: ReadonlyMap<string, NftElementLine>): NftSet {
  const types = readTypes(line.type)
  const elements = once(() => [...lines.values()].flatMap((element) => elementOf(line, element) ?? []))
  return {
    id,
    line,
    types,
    elements: once(() => (types === undefined ? elements() : sortElements(types, [...elements()]))),
    find: types === undefined ? () => undefined : finder(line, types, lines),
  }
}

/**
 * Finds elements by the text of their key, and reads those alone that are found: a map may have ten thousand. Elements
 * that are spelled otherwise than nft lists them, prefixes and ranges are read at once.
 */
function finder(
  set: NftSetLine,
  types: readonly DataType[],
  lines: ReadonlyMap<string, NftElementLine>,
): NftSet['find'] {
  const plain = plainKeys(types)
  const odd: ListedElement[] = []
  for (const [text, line] of lines) {
    if (plain?.test(text) === true) continue
    const element = elementOf(set, line)
    if (element !== undefined && !(isExact(element) && printKey(types, element.key) === text)) odd.push(element)
  }
  const index = odd.length === 0 ? undefined : indexElements(odd)
  return (key) => {
    const line = lines.get(keyText(types, key))
    const found = line === undefined ? undefined : elementOf(set, line)
    return found ?? (index?.(key) as ListedElement | undefined)
  }
}

const keyText = (types: readonly DataType[], key: readonly Data[]): string =>
  key.map((data, i) => formatData(types[i] ?? 'integer', data)).join(' . ')

const isExact = ({ key }: SetElement): boolean => key.every(({ kind }) => kind === 'value')

/** Texts of single values that are listed as they are written. */
const PLAIN: Partial<Record<DataType, string>> = {
  ipv4_addr: '(?:0|[1-9]\\d{0,2})(?:\\.(?:0|[1-9]\\d{0,2})){3}',
  inet_proto: '(?:tcp|udp|sctp)',
  inet_service: '(?:0|[1-9]\\d{0,4})',
}

/** Undefined where a type has no such texts. */
function plainKeys(types: readonly DataType[]): RegExp | undefined {
  const texts = types.map((type) => PLAIN[type])
  return texts.includes(undefined) ? undefined : new RegExp(`^${texts.join(' \\. ')}$`)
}

const parsedElements = new WeakMap<NftElementLine, ListedElement>()

/** The parsed element of a line: one object, however many machines share the line; undefined: it cannot be read. */
function elementOf(set: NftSetLine, line: NftElementLine): ListedElement | undefined {
  const known = parsedElements.get(line)
  if (known !== undefined) return known
  const types = readTypes(set.type)
  const key = types === undefined ? undefined : parseKey(line.key, types)
  if (key === undefined) return undefined
  const element: ListedElement = { key, value: elementValue(set, line), line }
  parsedElements.set(line, element)
  return element
}

function elementValue(set: NftSetLine, line: NftElementLine): ElementValue | undefined {
  if (line.value === undefined || set.value === undefined) return undefined
  const types = set.value === 'verdict' ? ('verdict' as const) : readTypes(set.value)
  return types === undefined ? undefined : parseElementValue(line.value, types)
}

/** What an element of the set is known by, however its key is spelled; undefined: it is no element of this set. */
export function elementName(set: NftSetLine, line: NftElementLine): string | undefined {
  const element = elementOf(set, line)
  if (element === undefined || (set.value === undefined) !== (element.value === undefined)) return undefined
  return printKey(readTypes(set.type) ?? [], element.key)
}

/** Finds the element that a key lies in: exact ones by their hash, then those with a range or prefix. */
export function indexElements(elements: readonly FoundElement[]): (key: readonly Data[]) => FoundElement | undefined {
  const exact = new Map<number | string, FoundElement>()
  const ranges: FoundElement[] = []
  for (const element of elements) {
    const key = exactKey(element.key)
    if (key === undefined) ranges.push(element)
    else exact.set(key, element)
  }
  return (key) =>
    exact.get(dataKey(key)) ??
    ranges.find((element) => element.key.every((operand, i) => matchesOperand(operand, key[i] ?? 0)))
}

function exactKey(operands: readonly Operand[]): number | string | undefined {
  const data: Data[] = []
  for (const operand of operands) {
    if (operand.kind !== 'value') return undefined
    data.push(operand.data)
  }
  return dataKey(data)
}

/** The same for equal keys of one set, and for no others. */
export function dataKey(data: readonly Data[]): number | string {
  const [only] = data
  if (data.length === 1 && only !== undefined) return typeof only === 'object' ? ipKey(only) : only
  let text = ''
  for (const one of data) text += `${typeof one === 'object' ? ipKey(one) : one}|`
  return text
}

export function matchesOperand(operand: Operand, data: Data): boolean {
  switch (operand.kind) {
    case 'value':
      return sameData(operand.data, data)
    case 'prefix':
      return typeof data === 'object' && contains(operand.prefix, data)
    case 'range':
      return orderOf(operand.min, data) <= 0 && orderOf(data, operand.max) <= 0
    case 'begins':
      return typeof data === 'string' && data.startsWith(operand.text)
    default:
      return operand satisfies never
  }
}

export const sameData = (x: Data, y: Data): boolean =>
  typeof x === 'object' ? typeof y === 'object' && x.family === y.family && compareIp(x, y) === 0 : x === y

/** Below zero: x comes first. Values of different kinds are in no order, and never within a range. */
export function orderOf(x: Data, y: Data): number {
  if (typeof x === 'number' && typeof y === 'number') return x - y
  return typeof x === 'object' && typeof y === 'object' && x.family === y.family ? compareIp(x, y) : Number.NaN
}
