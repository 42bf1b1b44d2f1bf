import { type Parsed, parsed, refused } from '../packet/parsed.ts'

/**
 * Domain names in presentation form (RFC 1035 §5.1): absolute, ending in a dot; the root is `.`. A dot inside a label
 * is `\.`, an octet that does not print is `\DDD`, as miekg/dns and BIND write them.
 */

/** Octets of a label, and of a whole name with its length octets and the root (RFC 1035 §2.3.4). */
export const MAX_LABEL = 63
export const MAX_NAME = 255

/** The name made absolute: `web` becomes `web.`. */
export const fqdn = (name: string): string => (name.endsWith('.') && !endsInEscape(name) ? name : `${name}.`)

/** Without its final dot; the root becomes `''`. */
export const withoutFinalDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name)

/** Whether its final dot belongs to a label. */
function endsInEscape(name: string): boolean {
  let backslashes = 0
  while (name[name.length - 2 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

/** ASCII lower case; DNS compares no other letters without case (RFC 4343). */
export function lowerName(name: string): string {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    if (code >= 0x41 && code <= 0x5a) return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
  }
  return name
}

/** The labels from left to right, escapes kept; the root has none. */
export function labelsOf(name: string): readonly string[] {
  const bare = withoutFinalDot(name)
  if (bare === '') return []
  if (!bare.includes('\\')) return bare.split('.')
  return bare.match(/(?:\\\d{3}|\\.|[^.\\])+/g) ?? []
}

/** Number of dots that part labels, as libc's count: a final dot counts too. */
export function countDots(name: string): number {
  let dots = 0
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) === 0x2e) dots++
  return dots
}

/** Whether `name` is `zone` or below it; both absolute, letter case does not count. */
export function isSubdomain(zone: string, name: string): boolean {
  if (zone === '.') return true
  const tail = name.slice(-zone.length)
  if (tail.length !== zone.length || lowerName(tail) !== lowerName(zone)) return false
  if (name.length === zone.length) return true
  const left = name.slice(0, name.length - zone.length)
  return left.endsWith('.') && !endsInEscape(left)
}

/** The longest of `zones` that holds `name`, or undefined. */
export function longestZone(zones: readonly string[], name: string): string | undefined {
  let best: string | undefined
  for (const zone of zones)
    if (isSubdomain(zone, name) && (best === undefined || zone.length > best.length)) best = zone
  return best
}

/** What stands left of `zone`: `a.b` of `a.b.cluster.local.`; `''` where the name is the zone. */
export function leftOf(name: string, zone: string): string {
  if (zone === '.') return withoutFinalDot(name)
  return name.length <= zone.length ? '' : name.slice(0, name.length - zone.length - 1)
}

/** Labels and zone put together; empty parts leave no dot behind. */
export const joinName = (...parts: readonly string[]): string =>
  fqdn(
    parts
      .map(withoutFinalDot)
      .filter((part) => part !== '')
      .join('.'),
  )

/** The octets of one label in presentation form. */
export function labelOctets(label: string): readonly number[] {
  const octets: number[] = []
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i)
    if (code !== 0x5c) {
      if (code < 0x80) octets.push(code)
      else octets.push(...new TextEncoder().encode(label[i]))
      continue
    }
    const digits = label.slice(i + 1, i + 4)
    if (/^\d{3}$/.test(digits)) {
      octets.push(Number(digits) & 0xff)
      i += 3
    } else if (i + 1 < label.length) octets.push(label.charCodeAt(++i) & 0xff)
  }
  return octets
}

/** Characters that miekg/dns writes with a backslash. */
const SPECIAL = new Set([...`. '@;()"\\`].map((character) => character.charCodeAt(0)))

/** Octets of one label as presentation text. */
export function labelText(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; i++) {
    const octet = bytes[i] ?? 0
    if (SPECIAL.has(octet)) text += `\\${String.fromCharCode(octet)}`
    else if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, '0')}`
    else text += String.fromCharCode(octet)
  }
  return text
}

const PLAIN_NAME = /^(?:[\x21-\x2d\x2f-\x5b\x5d-\x7e]{1,63}\.)+$/

/** Checks that an absolute name can stand in a message: no empty label, none over 63 octets, 255 in all. */
export function checkName(name: string): Parsed<string> {
  if (name === '.') return parsed(name)
  if (name.length < MAX_NAME && PLAIN_NAME.test(name)) return parsed(name)
  if (!name.endsWith('.')) return refused(`"${name}" is not an absolute name: the final dot is missing`)
  let total = 1
  const labels = labelsOf(name)
  if (name.replace(/\\./g, '').includes('..')) return refused(`"${name}" has an empty label`)
  if (name.startsWith('.')) return refused(`"${name}" has an empty label`)
  for (const label of labels) {
    const length = labelOctets(label).length
    if (length === 0) return refused(`"${name}" has an empty label`)
    if (length > MAX_LABEL) return refused(`label "${label}" is ${length} octets long: ${MAX_LABEL} are allowed`)
    total += length + 1
  }
  if (total > MAX_NAME) return refused(`"${name}" is ${total} octets long: ${MAX_NAME} are allowed`)
  return parsed(name)
}

/** miekg/dns IsDomainName: no empty label, none too long; a final dot may be missing. */
export function isDomainName(text: string): boolean {
  if (text === '.') return true
  if (text === '' || text.startsWith('.') || /[^\\]\.\./.test(text)) return false
  // A backslash at the end would take the final dot with it.
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(text)) return false
  return labelsOf(fqdn(text)).every((label) => {
    const length = labelOctets(label).length
    return length > 0 && length <= MAX_LABEL
  })
}

/** Canonical order (RFC 4034 §6.1): by labels from the right. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [[...labelsOf(a)].reverse(), [...labelsOf(b)].reverse()]
  for (const [i, label] of left.entries()) {
    const other = right[i]
    if (other === undefined) return 1
    if (label !== other) return label < other ? -1 : 1
  }
  return left.length - right.length
}
