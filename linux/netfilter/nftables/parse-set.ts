import { compareIp, type Ip, ipPlus, sameIp } from '../../../packet/ip.ts'
import { bitsOf, lastIp, maskIp, networkOf, parsePrefix } from '../../../packet/prefix.ts'
import { dataBytes, isHostOrder, readData } from './data-type.ts'
import type { Data, DataType, ElementValue, NftVerdict, Operand, SetElement, SetRef } from './expression.ts'
import { atEnd, type Cursor, next, openCursor, peek, take } from './tokens.ts'

/** What a set's keys and values are made of; `values` undefined: it is no map. */
export interface SetShape {
  readonly types: readonly DataType[]
  readonly values: readonly DataType[] | 'verdict' | undefined
}

/** `@NAME`, or `{ ... }` with keys and values of these types. */
export function readSetRef(cursor: Cursor, shape: SetShape): SetRef | undefined {
  const word = peek(cursor)
  if (word.startsWith('@') && word.length > 1) {
    cursor.at++
    return { kind: 'named', name: word.slice(1) }
  }
  if (!take(cursor, '{')) return undefined
  const elements: SetElement[] = []
  do {
    const element = readElement(cursor, shape)
    if (element === undefined) return undefined
    elements.push(element)
  } while (take(cursor, ','))
  if (!take(cursor, '}')) return undefined
  const ordered = sortElements(shape.types, elements)
  return { kind: 'anonymous', types: shape.types, elements: shape.values === undefined ? joinRanges(ordered) : ordered }
}

function readElement(cursor: Cursor, shape: SetShape): SetElement | undefined {
  const key = readKey(cursor, shape.types)
  if (key === undefined) return undefined
  if (shape.values === undefined) return { key, value: undefined }
  if (!take(cursor, ':')) return undefined
  const value = readElementValue(cursor, shape.values)
  return value === undefined ? undefined : { key, value }
}

/** The key of an element given by itself: `10.96.0.1 . tcp . 443`. */
export function parseKey(text: string, types: readonly DataType[]): readonly Operand[] | undefined {
  const cursor = openCursor(text)
  const key = cursor === undefined ? undefined : readKey(cursor, types)
  return cursor !== undefined && atEnd(cursor) ? key : undefined
}

export function parseElementValue(text: string, values: readonly DataType[] | 'verdict'): ElementValue | undefined {
  const cursor = openCursor(text)
  const value = cursor === undefined ? undefined : readElementValue(cursor, values)
  return cursor !== undefined && atEnd(cursor) ? value : undefined
}

function readKey(cursor: Cursor, types: readonly DataType[]): readonly Operand[] | undefined {
  const key: Operand[] = []
  for (const [i, type] of types.entries()) {
    if (i > 0 && !take(cursor, '.')) return undefined
    const operand = readOperand(cursor, type)
    if (operand === undefined) return undefined
    key.push(operand)
  }
  return key
}

function readElementValue(cursor: Cursor, values: readonly DataType[] | 'verdict'): ElementValue | undefined {
  if (values === 'verdict') {
    const verdict = readVerdict(cursor)
    return verdict === undefined ? undefined : { kind: 'verdict', verdict }
  }
  const data: Data[] = []
  for (const [i, type] of values.entries()) {
    if (i > 0 && !take(cursor, '.')) return undefined
    const one = readData(type, next(cursor))
    if (one === undefined) return undefined
    data.push(one)
  }
  return { kind: 'data', data, types: values }
}

export function readVerdict(cursor: Cursor): NftVerdict | undefined {
  const word = next(cursor)
  switch (word) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
      return { kind: word }
    case 'jump':
    case 'goto': {
      const chain = next(cursor)
      return chain === '' ? undefined : { kind: word, chain }
    }
    default:
      return undefined
  }
}

/** One value, prefix or range; a prefix of full length is a value. */
export function readOperand(cursor: Cursor, type: DataType): Operand | undefined {
  if (atEnd(cursor)) return undefined
  const text = next(cursor)
  if (type === 'ifname')
    return text.endsWith('*') ? { kind: 'begins', text: text.slice(0, -1) } : { kind: 'value', data: text }
  const data = readData(type, text)
  if (data !== undefined) return { kind: 'value', data }
  return readPrefix(type, text) ?? readRange(type, text)
}

function readPrefix(type: DataType, text: string): Operand | undefined {
  if ((type !== 'ipv4_addr' && type !== 'ipv6_addr') || !text.includes('/')) return undefined
  const read = parsePrefix(text, 'mask')
  if (!read.ok || read.value.address.family !== (type === 'ipv4_addr' ? 4 : 6)) return undefined
  const { address, length } = read.value
  return length === bitsOf(address.family) ? { kind: 'value', data: address } : { kind: 'prefix', prefix: read.value }
}

function readRange(type: DataType, text: string): Operand | undefined {
  const dash = text.indexOf('-')
  if (dash < 1) return undefined
  const min = readData(type, text.slice(0, dash))
  const max = readData(type, text.slice(dash + 1))
  return min === undefined || max === undefined ? undefined : { kind: 'range', min, max }
}

/**
 * As the kernel's listing is sorted: values of network order by their octets, those of the machine's order and
 * concatenations by their octets from the last to the first.
 */
export function sortElements<T extends Pick<SetElement, 'key'>>(types: readonly DataType[], elements: T[]): T[] {
  const [type] = types
  if (types.length === 1 && type !== undefined && !isHostOrder(type))
    return elements.sort((x, y) => compareData(firstOf(x.key[0]), firstOf(y.key[0])))
  const keyed = elements.map((element) => ({ element, bytes: keyBytes(types, element.key) }))
  keyed.sort((x, y) => compareFromEnd(x.bytes, y.bytes))
  return keyed.map(({ element }) => element)
}

const keyBytes = (types: readonly DataType[], key: readonly Operand[]): readonly number[] =>
  types.flatMap((type, i) => dataBytes(type, firstOf(key[i])))

function firstOf(operand: Operand | undefined): Data {
  switch (operand?.kind) {
    case 'value':
      return operand.data
    case 'prefix':
      return operand.prefix.address
    case 'range':
      return operand.min
    case 'begins':
      return operand.text
    case undefined:
      return 0
    default:
      return operand satisfies never
  }
}

function lastOf(operand: Operand): Data {
  if (operand.kind === 'prefix') return lastIp(operand.prefix)
  return operand.kind === 'range' ? operand.max : firstOf(operand)
}

function compareFromEnd(x: readonly number[], y: readonly number[]): number {
  for (let i = Math.max(x.length, y.length) - 1; i >= 0; i--) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

export function compareData(x: Data, y: Data): number {
  if (typeof x === 'object' && typeof y === 'object') return compareIp(x, y)
  if (typeof x === 'number' && typeof y === 'number') return x - y
  return String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0
}

/** Ranges of one field that overlap or touch become one, if there is a range at all; single values stay. */
function joinRanges(elements: readonly SetElement[]): readonly SetElement[] {
  const single = elements.every(({ key }) => key.length === 1)
  if (!single) return elements
  const joins = elements.some(({ key: [only] }) => only?.kind === 'prefix' || only?.kind === 'range')
  const joined: SetElement[] = []
  for (const element of elements) {
    const before = joined.at(-1)?.key[0]
    const [now] = element.key
    if (before === undefined || now === undefined) joined.push(element)
    else if (joins && touches(lastOf(before), firstOf(now)))
      joined[joined.length - 1] = { key: [span(before, now)], value: undefined }
    else if (compareData(firstOf(before), firstOf(now)) !== 0) joined.push(element)
  }
  return joined
}

const touches = (end: Data, begin: Data): boolean => compareData(begin, end) <= 0 || isNext(end, begin)

function isNext(end: Data, begin: Data): boolean {
  if (typeof end === 'number' && typeof begin === 'number') return begin === end + 1
  return typeof end === 'object' && typeof begin === 'object' && sameIp(nextIp(end), begin)
}

function nextIp(ip: Ip): Ip {
  if (ip.d !== 0xffffffff || ip.family === 4) return ipPlus(ip, 1)
  if (ip.c !== 0xffffffff) return { ...ip, d: 0, c: ip.c + 1 }
  return ip.b !== 0xffffffff ? { ...ip, d: 0, c: 0, b: ip.b + 1 } : { ...ip, d: 0, c: 0, b: 0, a: (ip.a + 1) >>> 0 }
}

/** From the beginning of one to the end of the other; a prefix where it is one. */
function span(x: Operand, y: Operand): Operand {
  const min = firstOf(x)
  const max = compareData(lastOf(x), lastOf(y)) < 0 ? lastOf(y) : lastOf(x)
  if (compareData(min, max) === 0) return { kind: 'value', data: min }
  if (typeof min !== 'object' || typeof max !== 'object') return { kind: 'range', min, max }
  for (let length = bitsOf(min.family); length >= 0; length--) {
    const prefix = networkOf(min, length)
    if (!sameIp(maskIp(min, length), min)) break
    if (sameIp(lastIp(prefix), max)) return { kind: 'prefix', prefix }
  }
  return { kind: 'range', min, max }
}
