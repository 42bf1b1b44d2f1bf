import IpCidr from 'ip-cidr'
import { Netmask } from 'netmask'
import { formatIp, type Ip, parseIp } from './ip.ts'
import { must } from './parsed.ts'
import { formatPrefix, networkOf, type Prefix } from './prefix.ts'

/**
 * What is asked of a range seldom and in words: its addresses one by one, its hosts, its neighbours, its dotted mask.
 * The two libraries get only texts that were printed from a Prefix, so their own readings of odd texts never matter,
 * and their answers are read back strictly.
 */

/**
 * The addresses of `prefix` from the `from`-th on (0 is the network address), at most `limit`. Pages reach any place
 * of an IPv6 range, hence BigInt.
 */
export function listAddresses(prefix: Prefix, page: { readonly from?: bigint; readonly limit: number }): readonly Ip[] {
  const range = new IpCidr(`${groupsOf(prefix.address)}/${prefix.length}`)
  const from = page.from ?? 0n
  if (from >= sizeOf(prefix)) return []
  return range.toArray({ from, limit: page.limit }).map((text) => must(parseIp(text)))
}

/** How many addresses there are. */
export const sizeOf = (prefix: Prefix): bigint => 1n << BigInt((prefix.address.family === 4 ? 32 : 128) - prefix.length)

/**
 * The first and the last address that a host may have: without network and broadcast address in IPv4, except /31
 * (RFC 3021) and /32. IPv6 has neither; its subnet-router anycast address counts as a host's.
 */
export function hostRange(prefix: Prefix): { readonly first: Ip; readonly last: Ip } {
  const { first, last } = new Netmask(formatPrefix(prefix))
  return { first: must(parseIp(first)), last: must(parseIp(last)) }
}

/** The range of the same size `count` places on; undefined beyond the end of the address space. */
export function nextPrefix(prefix: Prefix, count = 1): Prefix | undefined {
  // netmask cannot step from a /0 at all: its own mask text 0.0.0.0 is refused.
  if (count === 0) return prefix
  const place = placeOf(prefix) + BigInt(count)
  const places = 1n << BigInt(prefix.length)
  if (place < 0n || place >= places) return undefined
  const next = new Netmask(formatPrefix(prefix)).next(count)
  return networkOf(must(parseIp(next.base)), prefix.length)
}

/** `255.255.255.0`, as ifconfig(8) and route(8) print it; IPv6 prefixes have none. */
export function dottedMask(prefix: Prefix): string | undefined {
  return prefix.address.family === 4 ? new Netmask(formatPrefix(prefix)).mask : undefined
}

const wordsOf = (ip: Ip): readonly number[] => (ip.family === 4 ? [ip.d] : [ip.a, ip.b, ip.c, ip.d])

/** Which range of its size it is, counted from the beginning of the address space. */
function placeOf({ address, length }: Prefix): bigint {
  const value = wordsOf(address).reduce((sum, word) => (sum << 32n) | BigInt(word), 0n)
  return value >> BigInt((address.family === 4 ? 32 : 128) - length)
}

/** All eight groups: ip-cidr takes `::ffff:1.2.3.4/120` for an IPv4 range, and these it cannot misread. */
const groupsOf = (ip: Ip): string =>
  ip.family === 4
    ? formatIp(ip)
    : wordsOf(ip)
        .flatMap((word) => [word >>> 16, word & 0xffff])
        .map((group) => group.toString(16))
        .join(':')
