import { compareIp, formatIp, type Ip, ipKey, parseIp, sameIp } from './ip.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

/** A network: an address whose host bits are zero, and the number of network bits (0..32 or 0..128). */
export interface Prefix {
  readonly address: Ip
  readonly length: number
}

/** An address on a link, as `ip addr add` takes it: host bits kept. */
export interface InterfaceAddress {
  readonly ip: Ip
  readonly length: number
}

export const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128)

/** The mask word for `bits` network bits, clamped to 0..32. */
export function maskWord(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0
}

export function networkOf(ip: Ip, length: number): Prefix {
  return { address: maskIp(ip, length), length }
}

export function maskIp(ip: Ip, length: number): Ip {
  if (ip.family === 4) return { ...ip, d: (ip.d & maskWord(length)) >>> 0 }
  return {
    family: 6,
    a: (ip.a & maskWord(length)) >>> 0,
    b: (ip.b & maskWord(length - 32)) >>> 0,
    c: (ip.c & maskWord(length - 64)) >>> 0,
    d: (ip.d & maskWord(length - 96)) >>> 0,
  }
}

/** `ipKey(maskIp(ip, length))`, without making the address: routing asks this for every length of a table. */
export function maskedKey(ip: Ip, length: number): number | string {
  return ip.family === 4 ? (ip.d & maskWord(length)) >>> 0 : ipKey(maskIp(ip, length))
}

/** Whether `ip` lies in `prefix`; an address of the other family never does. */
export function contains(prefix: Prefix, ip: Ip): boolean {
  const p = prefix.address
  if (p.family !== ip.family) return false
  const length = prefix.length
  if (p.family === 4) return ((p.d ^ ip.d) & maskWord(length)) === 0
  return (
    ((p.a ^ ip.a) & maskWord(length)) === 0 &&
    ((p.b ^ ip.b) & maskWord(length - 32)) === 0 &&
    ((p.c ^ ip.c) & maskWord(length - 64)) === 0 &&
    ((p.d ^ ip.d) & maskWord(length - 96)) === 0
  )
}

export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return inner.length >= outer.length && contains(outer, inner.address)
}

export const hostPrefix = (ip: Ip): Prefix => ({ address: ip, length: bitsOf(ip.family) })
export const samePrefix = (x: Prefix, y: Prefix): boolean => x.length === y.length && sameIp(x.address, y.address)
export const comparePrefix = (x: Prefix, y: Prefix): number => compareIp(x.address, y.address) || x.length - y.length
export const formatPrefix = (prefix: Prefix): string => `${formatIp(prefix.address)}/${prefix.length}`

/** The all-ones host address; what IPv4 calls broadcast (for /31 and /32 it is the last address of the range). */
export function lastIp(prefix: Prefix): Ip {
  const p = prefix.address
  const fill = (word: number, bits: number) => (word | ~maskWord(bits)) >>> 0
  if (p.family === 4) return { ...p, d: fill(p.d, prefix.length) }
  return {
    family: 6,
    a: fill(p.a, prefix.length),
    b: fill(p.b, prefix.length - 32),
    c: fill(p.c, prefix.length - 64),
    d: fill(p.d, prefix.length - 96),
  }
}

/** Reads `10.244.0.0/16`. Host bits must be zero unless `hostBits` is 'allow' (the API allows them in ipBlock). */
export function parsePrefix(text: string, hostBits: 'refuse' | 'allow' | 'mask' = 'refuse'): Parsed<Prefix> {
  const result = parseInterfaceAddress(text)
  if (!result.ok) return result
  const { ip, length } = result.value
  const network = networkOf(ip, length)
  if (hostBits === 'refuse' && !sameIp(network.address, ip))
    return refused(`"${text}" has host bits set: did you mean ${formatPrefix(network)}?`)
  return parsed(network)
}

/** Reads `10.244.1.1/24` with its host bits. */
export function parseInterfaceAddress(text: string): Parsed<InterfaceAddress> {
  const slash = text.indexOf('/')
  if (slash < 0) return refused(`"${text}" is not a CIDR: the prefix length is missing`)
  const address = parseIp(text.slice(0, slash))
  if (!address.ok) return address
  const digits = text.slice(slash + 1)
  const length = Number(digits)
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || length > bitsOf(address.value.family))
    return refused(`"${text}" is not a CIDR: prefix length "${digits}" is not 0 to ${bitsOf(address.value.family)}`)
  return parsed({ ip: address.value, length })
}

/** A prefix that our own code or a test writes down. Throws on a wrong text. */
export function prefix(text: string): Prefix {
  const result = parsePrefix(text)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}
