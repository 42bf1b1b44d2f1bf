import { get32, put32 } from './octets.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export type Family = 4 | 6

/**
 * An IPv4 or IPv6 address. Four unsigned 32-bit words, most significant first; an IPv4 address is `d` alone.
 * One shape for both families, so that comparisons are number comparisons whatever the family.
 */
export interface Ip {
  readonly family: Family
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

export const ipv4 = (d: number): Ip => ({ family: 4, a: 0, b: 0, c: 0, d: d >>> 0 })
export const ipv6 = (a: number, b: number, c: number, d: number): Ip => ({
  family: 6,
  a: a >>> 0,
  b: b >>> 0,
  c: c >>> 0,
  d: d >>> 0,
})

export const UNSPECIFIED_V4 = ipv4(0)
export const UNSPECIFIED_V6 = ipv6(0, 0, 0, 0)
export const LOOPBACK_V4 = ipv4(0x7f000001)
export const LOOPBACK_V6 = ipv6(0, 0, 0, 1)
export const BROADCAST_V4 = ipv4(0xffffffff)

export const unspecified = (family: Family): Ip => (family === 4 ? UNSPECIFIED_V4 : UNSPECIFIED_V6)

export function sameIp(x: Ip, y: Ip): boolean {
  return x.d === y.d && x.c === y.c && x.b === y.b && x.a === y.a && x.family === y.family
}

/** Order by family (IPv4 first), then by value: the order of `sort` on addresses everywhere. */
export function compareIp(x: Ip, y: Ip): number {
  return x.family - y.family || x.a - y.a || x.b - y.b || x.c - y.c || x.d - y.d
}

/** A key for Map and Set; unique over both families. Numbers are IPv4, strings IPv6. */
export function ipKey(ip: Ip): number | string {
  return ip.family === 4 ? ip.d : `${ip.a}.${ip.b}.${ip.c}.${ip.d}`
}

export const isUnspecified = (ip: Ip): boolean => (ip.a | ip.b | ip.c | ip.d) === 0
/** 127.0.0.0/8 and ::1. */
export const isLoopback = (ip: Ip): boolean => (ip.family === 4 ? ip.d >>> 24 === 127 : sameIp(ip, LOOPBACK_V6))
/** 224.0.0.0/4 and ff00::/8. */
export const isMulticast = (ip: Ip): boolean => (ip.family === 4 ? ip.d >>> 28 === 0xe : ip.a >>> 24 === 0xff)
/** 169.254.0.0/16 and fe80::/10. */
export const isLinkLocal = (ip: Ip): boolean =>
  ip.family === 4 ? ip.d >>> 16 === 0xa9fe : ip.a >>> 22 === 0xfe80 >>> 6
/** 240.0.0.0/4 without the limited broadcast address. */
export const isReserved = (ip: Ip): boolean => ip.family === 4 && ip.d >>> 28 === 0xf && ip.d !== 0xffffffff

/** The address `n` above `ip`; wraps within the low 32 bits as address allocators never cross them. */
export const ipPlus = (ip: Ip, n: number): Ip => ({ ...ip, d: (ip.d + n) >>> 0 })

/**
 * Reads an address as the Kubernetes API and iproute2 do today: four decimal octets without leading zeros, or an
 * IPv6 text of RFC 4291 §2.2. Zone identifiers (`%eth0`) are refused.
 */
export function parseIp(text: string): Parsed<Ip> {
  const plain = plainIpv4(text)
  if (plain !== undefined) return parsed(ipv4(plain))
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

const DOT = 46
const ZERO = 48

/** The value of a right IPv4 text, character by character; undefined: somebody must tell what is wrong with it. */
function plainIpv4(text: string): number | undefined {
  let value = 0
  let octet = 0
  let digits = 0
  let octets = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (digits === 0 || ++octets > 4) return undefined
      value = value * 256 + octet
      octet = 0
      digits = 0
    } else {
      const digit = code - ZERO
      if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return undefined
      octet = octet * 10 + digit
      if (octet > 255) return undefined
      digits++
    }
  }
  return octets === 4 && digits > 0 ? value * 256 + octet : undefined
}

function parseIpv4(text: string): Parsed<Ip> {
  const octets = text.split('.')
  if (octets.length !== 4) return refused(`"${text}" is not an IP address: IPv4 has four octets`)
  let value = 0
  for (const octet of octets) {
    if (!/^\d{1,3}$/.test(octet)) return refused(`"${text}" is not an IP address: octet "${octet}" is not a number`)
    if (octet.length > 1 && octet.startsWith('0'))
      return refused(`"${text}" is not an IP address: octet "${octet}" has a leading zero`)
    const number = Number(octet)
    if (number > 255) return refused(`"${text}" is not an IP address: octet ${number} is over 255`)
    value = value * 256 + number
  }
  return parsed(ipv4(value))
}

function parseIpv6(text: string): Parsed<Ip> {
  const bad = (why: string) => refused(`"${text}" is not an IPv6 address: ${why}`)
  if (text.includes('%')) return bad('a zone (%) is not allowed here')
  const halves = text.split('::')
  if (halves.length > 2) return bad('"::" may stand once')
  const compressed = halves.length === 2
  if (compressed && halves[0]?.includes('.')) return bad('a dotted IPv4 address may only stand at the end')
  const head = groupsOf(halves[0] ?? '')
  const tail = compressed ? groupsOf(halves[1] ?? '') : []
  if (head === undefined || tail === undefined) return bad('groups are one to four hexadecimal digits')
  const missing = 8 - head.length - tail.length
  if (compressed ? missing < 1 : missing !== 0) return bad('it has not eight groups')
  const groups = [...head, ...Array<number>(Math.max(missing, 0)).fill(0), ...tail]
  const word = (i: number) => ((groups[i] ?? 0) << 16) | (groups[i + 1] ?? 0)
  return parsed(ipv6(word(0), word(2), word(4), word(6)))
}

/** The 16-bit groups of one side of "::"; a dotted IPv4 tail counts as two. Undefined where one is not a group. */
function groupsOf(half: string): number[] | undefined {
  if (half === '') return []
  const groups: number[] = []
  const parts = half.split(':')
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && i === parts.length - 1) {
      const v4 = parseIpv4(part)
      if (!v4.ok) return undefined
      groups.push(v4.value.d >>> 16, v4.value.d & 0xffff)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/**
 * The text without leading zeros in its decimal octets, as Go's ParseIPSloppy reads it: objects that the API server
 * took before it was strict may hold `172.30.0.041`, and mean 172.30.0.41. Works on CIDRs too.
 */
export const withoutLeadingZeros = (text: string): string =>
  text.includes(':') ? text : text.replace(/\b0+(?=\d)/g, '')

/** An address that our own code or a test writes down. Throws on a wrong text. */
export function ip(text: string): Ip {
  const result = parseIp(text)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

/** The canonical text: dotted decimal, or RFC 5952 (lower case, the longest run of zero groups as "::"). */
export function formatIp(ip: Ip): string {
  const d = ip.d
  if (ip.family === 4) return `${d >>> 24}.${(d >>> 16) & 255}.${(d >>> 8) & 255}.${d & 255}`
  if (ip.a === 0 && ip.b === 0 && ip.c === 0xffff)
    return `::ffff:${d >>> 24}.${(d >>> 16) & 255}.${(d >>> 8) & 255}.${d & 255}`
  const groups = [ip.a, ip.b, ip.c, d].flatMap((word) => [word >>> 16, word & 0xffff])
  const run = longestZeroRun(groups)
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':')
  if (run.length < 2) return hex(groups)
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > best.length) best = { start: i, length: end - i }
  }
  return best
}

/** Network byte order: 4 or 16 octets. */
export function ipBytes(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(ip.family === 4 ? 4 : 16)
  writeIp(bytes, 0, ip)
  return bytes
}

export function writeIp(bytes: Uint8Array, at: number, ip: Ip): void {
  if (ip.family === 4) put32(bytes, at, ip.d)
  else {
    put32(bytes, at, ip.a)
    put32(bytes, at + 4, ip.b)
    put32(bytes, at + 8, ip.c)
    put32(bytes, at + 12, ip.d)
  }
}

export function readIp(bytes: Uint8Array, at: number, family: Family): Ip {
  if (family === 4) return ipv4(get32(bytes, at))
  return ipv6(get32(bytes, at), get32(bytes, at + 4), get32(bytes, at + 8), get32(bytes, at + 12))
}
