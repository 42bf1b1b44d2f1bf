import { type Ip, parseIp, withoutLeadingZeros } from '../../packet/ip.ts'
import { formatPrefix, type Prefix, parsePrefix } from '../../packet/prefix.ts'
import { type FieldPath, formatFieldPath } from '../input/field-path.ts'
import { isList, isObject, type Json, type JsonObject, member, typeName } from '../input/json-value.ts'
import type { Labels } from '../objects.ts'
import { byText } from '../order.ts'
import type { Diagnostic } from '../source.ts'

/** Something wrong with a field. Its line is looked up later, and only if there is a problem at all. */
export interface FieldProblem {
  readonly severity: Diagnostic['severity']
  readonly code: string
  /** Follows the field's path: `is not an IP`; for a refusal the API server's own words: `Required value`. */
  readonly text: string
  readonly path: FieldPath
  /** The path that the API server prints, where it prints another one. */
  readonly shown?: FieldPath | string
  /** The API server would refuse the whole object for it. */
  readonly refusal: boolean
  readonly suggestion?: string
}

/**
 * An object inside the object that is read: its value, and the way to it. Fields are taken from it by the functions
 * below, which answer a default and note a problem where the field is wrong, so that the rest can be used.
 */
export interface Place {
  readonly value: JsonObject
  readonly key: string | number
  readonly parent: Place | undefined
  readonly problems: FieldProblem[]
}

const NOTHING: JsonObject = {}

export const rootPlace = (value: JsonObject, problems: FieldProblem[]): Place => ({
  value,
  key: '',
  parent: undefined,
  problems,
})

export function pathTo(place: Place, key?: string | number): FieldPath {
  const path: (string | number)[] = key === undefined ? [] : [key]
  for (let at: Place | undefined = place; at?.parent !== undefined; at = at.parent) path.unshift(at.key)
  return path
}

export interface Problem {
  readonly code: string
  readonly text: string
  readonly severity?: Diagnostic['severity']
  readonly suggestion?: string
  readonly refusal?: boolean
  readonly shown?: FieldPath | string
}

/** Notes a problem with member `key` of a place; `undefined` means the place itself. */
export function note(place: Place, key: string | number | undefined, problem: Problem): void {
  place.problems.push({ severity: 'error', refusal: false, ...problem, path: pathTo(place, key) })
}

/** Notes a problem for which the API server refuses the object, in the API server's words. */
export function refuse(place: Place, key: string | number | undefined, problem: Problem): void {
  note(place, key, { ...problem, refusal: true })
}

export const problemText = (problem: FieldProblem): string =>
  `${shownPath(problem)}${problem.refusal ? ':' : ''} ${problem.text}`.trimStart()

const shownPath = ({ shown, path }: FieldProblem): string =>
  typeof shown === 'string' ? shown : formatFieldPath(shown ?? path)

function wrongType(place: Place, key: string, wanted: string): void {
  const value = member(place.value, key)
  note(place, key, { code: 'field-type', text: `is ${typeName(value)}, not ${wanted}`, ...quoting(value, wanted) })
}

/** YAML for kubectl has more booleans than people know. */
function quoting(value: Json | undefined, wanted: string): { suggestion?: string } {
  if (wanted !== 'text' || (typeof value !== 'boolean' && typeof value !== 'number')) return {}
  return { suggestion: 'quote it: kubectl reads y, n, yes, no, on and off as booleans, and digits as numbers' }
}

const isAbsent = (value: Json | undefined): value is null | undefined => value === undefined || value === null

/** Null counts as absent, as in the API server. */
export const has = (place: Place, key: string): boolean => !isAbsent(member(place.value, key))

/** A member object; an empty one where it is absent. */
export function child(place: Place, key: string): Place {
  const value = member(place.value, key)
  if (!isAbsent(value) && !isObject(value)) wrongType(place, key, 'an object')
  return { value: isObject(value) ? value : NOTHING, key, parent: place, problems: place.problems }
}

/** The objects of a member list; elements that are no objects are noted and left out. */
export function children(place: Place, key: string): Place[] {
  const value = member(place.value, key)
  if (isAbsent(value)) return []
  if (!isList(value)) {
    wrongType(place, key, 'a list')
    return []
  }
  const list = listPlace(place, key)
  const found: Place[] = []
  for (const [i, element] of value.entries()) {
    // Go reads null as an object without members.
    if (isObject(element) || element === null)
      found.push({ value: element ?? NOTHING, key: i, parent: list, problems: place.problems })
    else note(list, i, { code: 'field-type', text: `is ${typeName(element)}, not an object` })
  }
  return found
}

export function text(place: Place, key: string, absent = ''): string {
  const value = member(place.value, key)
  if (isAbsent(value)) return absent
  if (typeof value === 'string') return value
  wrongType(place, key, 'text')
  return typeof value === 'object' ? absent : String(value)
}

export function optionalText(place: Place, key: string): string | undefined {
  return has(place, key) ? text(place, key) : undefined
}

/**
 * One of a closed list of texts; the absent one where it is another, for which the API server refuses the object. Where
 * the field is optional in Go, an empty text is not an absent one.
 */
export function oneOf<const T extends string>(
  place: Place,
  key: string,
  of: { values: readonly T[]; absent: T; shown?: FieldPath; optional?: boolean },
): T {
  const found = text(place, key)
  if (found === '' && (of.optional !== true || !has(place, key))) return of.absent
  const known = of.values.find((value) => value === found)
  if (known !== undefined) return known
  const meant = of.values.find((value) => value.toLowerCase() === found.toLowerCase())
  const supported = of.values.map((value) => `"${value}"`).join(', ')
  refuse(place, key, {
    code: 'value-unknown',
    text: `Unsupported value: "${found}": supported values: ${supported}`,
    ...(meant === undefined ? {} : { suggestion: `write ${meant}` }),
    ...(of.shown === undefined ? {} : { shown: of.shown }),
  })
  return meant ?? of.absent
}

export function flag(place: Place, key: string, absent = false): boolean {
  const value = member(place.value, key)
  if (isAbsent(value)) return absent
  if (typeof value === 'boolean') return value
  wrongType(place, key, 'true or false')
  return absent
}

export function integer(place: Place, key: string, absent: number): number {
  const value = member(place.value, key)
  if (isAbsent(value)) return absent
  if (typeof value === 'number' && Number.isInteger(value)) return value
  wrongType(place, key, 'a whole number')
  return absent
}

/** Texts of a member list; others are noted and left out. */
export function texts(place: Place, key: string): string[] {
  const value = member(place.value, key)
  if (isAbsent(value)) return []
  if (!isList(value)) {
    wrongType(place, key, 'a list')
    return []
  }
  const list = listPlace(place, key)
  return value.flatMap((element, i) => {
    if (typeof element === 'string') return [element]
    note(list, i, { code: 'field-type', text: `is ${typeName(element)}, not text` })
    return isAbsent(element) || typeof element === 'object' ? [] : [String(element)]
  })
}

/** A map of texts: labels, annotations, a selector. The API refuses numbers and booleans here; their text is used. */
export function textMap(place: Place, key: string): Labels {
  const value = member(place.value, key)
  if (isAbsent(value)) return {}
  if (!isObject(value)) {
    wrongType(place, key, 'a map of texts')
    return {}
  }
  const entries: [string, string][] = []
  const map: Place = { value, key, parent: place, problems: place.problems }
  for (const [name, entry] of Object.entries(value)) {
    if (typeof entry === 'string') entries.push([name, entry])
    else if (isAbsent(entry)) entries.push([name, ''])
    else if (typeof entry === 'object') wrongType(map, name, 'text')
    else {
      wrongType(map, name, 'text')
      entries.push([name, String(entry)])
    }
  }
  return Object.fromEntries(entries.sort(([x], [y]) => byText(x, y)))
}

/** A member as it stands, with its keys in order, so that two ways to write one value are equal. */
export function raw(place: Place, key: string): Json | undefined {
  const value = member(place.value, key)
  return value === undefined ? undefined : inOrder(value)
}

function inOrder(value: Json): Json {
  if (isList(value)) return value.map(inOrder)
  if (!isObject(value)) return value
  const entries = Object.entries(value).sort(([x], [y]) => byText(x, y))
  return Object.fromEntries(entries.map(([key, entry]) => [key, inOrder(entry ?? null)]))
}

/** A member list itself as a place, for problems with its elements. */
export const listPlace = (place: Place, key: string): Place => ({
  value: NOTHING,
  key,
  parent: place,
  problems: place.problems,
})

/** An address that a status holds; undefined where it is absent, empty or wrong. `code` names the problem. */
export function ipAt(place: Place, key: string, code = 'ip-invalid'): Ip | undefined {
  const found = text(place, key)
  if (found === '') return undefined
  const result = parseIp(withoutLeadingZeros(found))
  if (result.ok) return result.value
  note(place, key, { code, text: result.reason })
  return undefined
}

/**
 * An address that somebody wrote into a spec: where it is wrong, the API server refuses the object
 * (k8s.io/apimachinery pkg/util/validation IsValidIPForLegacyField).
 */
export function specIp(place: Place, key: string | number, written: string): Ip | undefined {
  const plain = withoutLeadingZeros(written)
  const result = parseIp(plain)
  if (!result.ok) {
    const why = `Invalid value: "${written}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`
    refuse(place, key, { code: 'ip-invalid', text: why, suggestion: result.reason })
    return undefined
  }
  // Leading zeros were once accepted and read as decimal; objects that are that old still work in their cluster.
  if (plain !== written)
    refuse(place, key, {
      code: 'ip-leading-zeros',
      text: `Invalid value: "${written}": must not have leading 0s`,
      suggestion: `write ${plain}, which is how an old object is read`,
    })
  if (isMapped(result.value))
    refuse(place, key, {
      code: 'ip-mapped',
      text: `Invalid value: "${written}": must not be an IPv4-mapped IPv6 address`,
    })
  return result.value
}

const isMapped = (ip: Ip): boolean => ip.family === 6 && ip.a === 0 && ip.b === 0 && ip.c === 0xffff

/** The right addresses of a member list of texts. */
export function ips(place: Place, key: string): Ip[] {
  const list = listPlace(place, key)
  return texts(place, key).flatMap((address, i) => specIp(list, i, address) ?? [])
}

/**
 * A prefix that somebody wrote into a spec (IsValidCIDRForLegacyField of the same package): without leading zeros and
 * without host bits. Older API servers took both; the host bits are then cut off.
 */
export function specCidr(place: Place, key: string | number, written: string): Prefix | undefined {
  const plain = withoutLeadingZeros(written).replace(/\/0+(?=\d)/, '/')
  const result = parsePrefix(plain, 'mask')
  const wrong = (code: string, why: string, suggestion?: string) =>
    refuse(place, key, {
      code,
      text: `Invalid value: "${written}": ${why}`,
      ...(suggestion === undefined ? {} : { suggestion }),
    })
  if (!result.ok) {
    wrong('cidr-invalid', 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)', result.reason)
    return undefined
  }
  const meant = formatPrefix(result.value)
  if (plain !== written) wrong('ip-leading-zeros', 'must not have leading 0s in IP or prefix length', `write ${plain}`)
  else if (isMapped(result.value.address)) wrong('ip-mapped', 'must not have an IPv4-mapped IPv6 address')
  else if (!parsePrefix(plain, 'refuse').ok)
    wrong('cidr-host-bits', 'must not have bits set beyond the prefix length', `write ${meant}`)
  return result.value
}

/** The right prefixes of a member list of texts. */
export function prefixes(place: Place, key: string): Prefix[] {
  const list = listPlace(place, key)
  return texts(place, key).flatMap((cidr, i) => specCidr(list, i, cidr) ?? [])
}

const MAX_PORT = 65535

export const isPort = (number: number): boolean => number >= 1 && number <= MAX_PORT

/** A port number, 0 where it is absent or wrong. */
export function port(place: Place, key: string): number {
  const number = integer(place, key, 0)
  if (isPort(number)) return number
  if (typeof member(place.value, key) === 'number') refusePort(place, key, number)
  return 0
}

/** Refuses a number that is no port. */
export function refusePort(place: Place, key: string, number: number): void {
  if (isPort(number)) return
  const why = `Invalid value: ${number}: must be between 1 and ${MAX_PORT}, inclusive`
  refuse(place, key, { code: 'port-invalid', text: why })
}
