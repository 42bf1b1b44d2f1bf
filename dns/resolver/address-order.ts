import { type Ip, ipBytes, isLinkLocal, isLoopback, isMulticast } from '../../packet/ip.ts'
import { bitsOf, contains, networkOf } from '../../packet/prefix.ts'

/** What the sort asks of the machine it runs on. */
export interface Sources {
  /** Which source the kernel would take; undefined: the destination cannot be reached. */
  sourceFor(destination: Ip): Ip | undefined
  /** Of an own address; undefined: not known. */
  prefixLengthOf(own: Ip): number | undefined
}

/** Destination address order of RFC 6724 §6, as getaddrinfo sorts (glibc rfc3484_sort). */
export function sortedDestinations(destinations: readonly Ip[], sources: Sources, policy: Policy): readonly Ip[] {
  const rows = destinations.map((ip, index) => {
    const source = sources.sourceFor(ip)
    return { ip, index, source, common: source ? policy.nearness(ip, source, sources.prefixLengthOf(source)) : 0 }
  })
  rows.sort((x, y) => compare(x, y, policy) || x.index - y.index)
  return rows.map(({ ip }) => ip)
}

interface Row {
  readonly ip: Ip
  readonly source: Ip | undefined
  /** Bits that destination and source have in common, where that means nearness. */
  readonly common: number
}

function compare(x: Row, y: Row, policy: Policy): number {
  const labelOf = (ip: Ip) => policyOf(policy, ip).label
  const usable = Number(y.source !== undefined) - Number(x.source !== undefined)
  if (usable !== 0) return usable
  if (x.source === undefined && !policy.ranksUnreachable) return 0
  const scope = matches(y, scopeOf) - matches(x, scopeOf)
  if (scope !== 0) return scope
  const label = matches(y, labelOf) - matches(x, labelOf)
  if (label !== 0) return label
  const precedence = policyOf(policy, y.ip).precedence - policyOf(policy, x.ip).precedence
  if (precedence !== 0) return precedence
  const smaller = scopeOf(x.ip) - scopeOf(y.ip)
  if (smaller !== 0) return smaller
  return x.ip.family === y.ip.family && x.source ? y.common - x.common : 0
}

/** glibc: IPv4 addresses outside of the source's subnet are all as far. */
function nearnessInSubnet(destination: Ip, source: Ip, length: number | undefined): number {
  const near = destination.family === 6 || contains(networkOf(source, length ?? bitsOf(source.family)), destination)
  return near ? commonBits(destination, source) : 0
}

/** Go: only IPv6, and no further than the interface identifier (golang issues 13283 and 18518). */
const nearnessOfPrefix = (destination: Ip, source: Ip): number =>
  destination.family === 6 ? Math.min(commonBits(destination, source), 64) : 0

const matches = ({ ip, source }: Row, of: (ip: Ip) => number): number =>
  Number(source !== undefined && of(ip) === of(source))

/**
 * The source that is likely taken, from the addresses alone: one of the same family, of the destination's scope if
 * there is one. Where only link-local IPv6 addresses are, a global IPv6 destination is taken to have no route.
 */
export function likelySource(destination: Ip, own: readonly Ip[]): Ip | undefined {
  if (isLoopback(destination)) return destination
  const family = own.filter((ip) => ip.family === destination.family && !isLoopback(ip))
  const scope = scopeOf(destination)
  const same = family.find((ip) => scopeOf(ip) === scope)
  if (same) return same
  return destination.family === 4 ? family[0] : family.find((ip) => !isLinkLocal(ip))
}

/** Scopes of RFC 4007: 2 link-local, 5 site-local, 14 global; IPv4 per RFC 6724 §3.2. */
function scopeOf(ip: Ip): number {
  if (ip.family === 6 && isMulticast(ip)) return (ip.a >>> 16) & 0xf
  if (isLinkLocal(ip) || isLoopback(ip)) return 2
  return ip.family === 6 && isSiteLocal(ip) ? 5 : 14
}

/** How one library sorts. */
export interface Policy {
  /** The first row that holds an address counts. */
  readonly table: PolicyTable
  /** Rule 9: how near a destination is to the source that would be taken. */
  readonly nearness: (destination: Ip, source: Ip, prefixLength: number | undefined) => number
  /** Whether destinations without a route are put into an order among themselves. */
  readonly ranksUnreachable: boolean
}

type PolicyTable = readonly {
  readonly holds: (ip: Ip) => boolean
  readonly precedence: number
  readonly label: number
}[]

const isLoopbackV6 = (ip: Ip) => ip.family === 6 && isLoopback(ip)
const isV4 = (ip: Ip) => ip.family === 4
const isCompatible = (ip: Ip) => ip.a === 0 && ip.b === 0 && ip.c === 0
const isTeredo = (ip: Ip) => ip.a === 0x20010000
const is6to4 = (ip: Ip) => ip.a >>> 16 === 0x2002
const isSiteLocal = (ip: Ip) => ip.a >>> 22 === 0xfec0 >>> 6
const isUniqueLocal = (ip: Ip) => ip.a >>> 25 === 0xfc >>> 1
const is6bone = (ip: Ip) => ip.a >>> 16 === 0x3ffe
const isAny = () => true

/** RFC 6724 §2.1 as Go has it (src/net/addrselect.go): unique local addresses come after IPv4. */
export const GO_POLICY: Policy = {
  nearness: nearnessOfPrefix,
  ranksUnreachable: false,
  table: [
    { holds: isLoopbackV6, precedence: 50, label: 0 },
    { holds: isV4, precedence: 35, label: 4 },
    { holds: isCompatible, precedence: 1, label: 3 },
    { holds: isTeredo, precedence: 5, label: 5 },
    { holds: is6to4, precedence: 30, label: 2 },
    { holds: is6bone, precedence: 1, label: 12 },
    { holds: isSiteLocal, precedence: 1, label: 11 },
    { holds: isUniqueLocal, precedence: 3, label: 13 },
    { holds: isAny, precedence: 40, label: 1 },
  ],
}

/** c-ares (ares_sortaddrinfo.c): the same table. */
export const CARES_POLICY: Policy = {
  table: GO_POLICY.table,
  nearness: (destination, source) => (destination.family === 6 ? commonBits(destination, source) : 0),
  ranksUnreachable: true,
}

/** defpolicy of musl (src/network/lookup_name.c): RFC 6724 without the ranges that were given back. */
export const MUSL_POLICY: Policy = {
  nearness: commonBits,
  ranksUnreachable: true,
  table: [
    { holds: isLoopbackV6, precedence: 50, label: 0 },
    { holds: isV4, precedence: 35, label: 4 },
    { holds: is6to4, precedence: 30, label: 2 },
    { holds: isTeredo, precedence: 5, label: 5 },
    { holds: isUniqueLocal, precedence: 3, label: 13 },
    { holds: isAny, precedence: 40, label: 1 },
  ],
}

/** glibc's built-in gai.conf (default_precedence, default_labels): RFC 3484, unique local before IPv4. */
export const GLIBC_POLICY: Policy = {
  nearness: nearnessInSubnet,
  ranksUnreachable: true,
  table: [
    { holds: isLoopbackV6, precedence: 50, label: 0 },
    { holds: isV4, precedence: 10, label: 4 },
    { holds: isCompatible, precedence: 20, label: 3 },
    { holds: isTeredo, precedence: 40, label: 7 },
    { holds: is6to4, precedence: 30, label: 2 },
    { holds: isSiteLocal, precedence: 40, label: 5 },
    { holds: isUniqueLocal, precedence: 40, label: 6 },
    { holds: isAny, precedence: 40, label: 1 },
  ],
}

const policyOf = (policy: Policy, ip: Ip): { readonly precedence: number; readonly label: number } =>
  policy.table.find(({ holds }) => holds(ip)) ?? { precedence: 0, label: 0 }

function commonBits(x: Ip, y: Ip): number {
  const [a, b] = [ipBytes(x), ipBytes(y)]
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0)
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24
  }
  return a.length * 8
}
