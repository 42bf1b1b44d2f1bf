import {
  type Family,
  type Ip,
  ipKey,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  sameIp,
} from '../packet/ip.ts'
import { contains, maskedKey, maskIp, samePrefix } from '../packet/prefix.ts'
import type { Link, LinkAddress, Netns } from './netns.ts'
import type { Route, RuleOp } from './op.ts'
import type { Origin } from './origin.ts'

/** The routing tables and policy rules of one namespace, both families. */
export interface Fib {
  readonly tables: ReadonlyMap<string, FibTable>
  /** Rules beside the three default ones, by priority. */
  readonly rules: readonly FibRule[]
}

export interface FibRule extends Omit<RuleOp, 'kind'> {
  readonly origin: Origin
}

/** One table; entries by prefix length and network, for the longest-prefix match. */
export interface FibTable {
  readonly name: string
  /** In the order they were added. */
  readonly entries: readonly FibEntry[]
  readonly byLength: Readonly<Record<Family, readonly LengthIndex[]>>
}

interface LengthIndex {
  readonly length: number
  /** Entries of one network, the lowest metric first. */
  readonly networks: ReadonlyMap<string | number, readonly FibEntry[]>
}

export interface FibEntry {
  readonly route: Route
  readonly origin: Origin
}

/** What a packet is looked up by (the kernel's flowi4/flowi6). */
export interface Flow {
  readonly dst: Ip
  readonly src?: Ip
  readonly mark?: number
  /** Only routes out of this device. */
  readonly oif?: string
  readonly iif?: string
}

export type FibResult =
  | { readonly kind: 'found'; readonly entry: FibEntry; readonly table: string }
  /** No route at all (ENETUNREACH), or one that says no. */
  | { readonly kind: 'none' }
  | { readonly kind: 'blackhole' | 'unreachable' | 'prohibit'; readonly entry: FibEntry; readonly table: string }

/** What routing decided for a packet (the kernel's rtable). */
export interface RouteResult {
  readonly type: 'unicast' | 'local' | 'broadcast' | 'multicast'
  readonly dev: Link
  readonly via: Ip | undefined
  readonly entry: FibEntry | undefined
  readonly table: string | undefined
  /** The packet goes out where it came in, and its sender could have gone there directly (IPSKB_DOREDIRECT). */
  readonly redirect?: boolean
}

/** Builds a table from its entries; a later entry for the same prefix and metric replaces the earlier one. */
export function fibTable(name: string, added: readonly FibEntry[]): FibTable {
  const entries: FibEntry[] = []
  const places = new Map<string, number[]>()
  for (const entry of added) {
    const { address, length } = entry.route.destination
    const key = `${ipKey(address)}/${length}`
    const known = places.get(key) ?? []
    places.set(key, known)
    const at = known.find((place) => entries[place] !== undefined && sameKey(entries[place].route, entry.route))
    if (at === undefined) known.push(entries.push(entry) - 1)
    else entries[at] = entry
  }
  return { name, entries, byLength: { 4: indexByLength(entries, 4), 6: indexByLength(entries, 6) } }
}

/** What `ip route replace` replaces: same prefix, same metric (and in IPv6, where routes are per device, same device). */
function sameKey(x: Route, y: Route): boolean {
  if (!samePrefix(x.destination, y.destination) || metricOf(x) !== metricOf(y)) return false
  if (x.destination.address.family === 4) return x.type === y.type || x.type === 'unicast'
  // fib6_add_rt2node: by hand one replaces another of its metric; what addresses bring stands beside.
  return y.protocol !== 'kernel' || x.dev === y.dev
}

/** IP6_RT_PRIO_USER where none is given (fib6_config). */
const metricOf = ({ metric, destination }: Route): number =>
  metric === undefined || metric === 0 ? (destination.address.family === 6 && metric === undefined ? 1024 : 0) : metric

function indexByLength(entries: readonly FibEntry[], family: Family): readonly LengthIndex[] {
  const lengths = new Map<number, Map<string | number, FibEntry[]>>()
  for (const entry of entries) {
    const { address, length } = entry.route.destination
    if (address.family !== family) continue
    const networks = lengths.get(length) ?? new Map<string | number, FibEntry[]>()
    lengths.set(length, networks)
    const key = ipKey(address)
    const list = networks.get(key)
    if (list === undefined) networks.set(key, [entry])
    else {
      list.push(entry)
      list.sort((x, y) => metricOf(x.route) - metricOf(y.route))
    }
  }
  return [...lengths].map(([length, networks]) => ({ length, networks })).sort((x, y) => y.length - x.length)
}

/** Longest prefix whose device fits `flow.oif` (fib_table_lookup). */
function lookupTable(table: FibTable, flow: Flow): FibEntry | undefined {
  for (const { length, networks } of table.byLength[flow.dst.family]) {
    const candidates = networks.get(maskedKey(flow.dst, length))
    if (candidates === undefined) continue
    for (const entry of candidates) if (flow.oif === undefined || entry.route.dev === flow.oif) return entry
  }
  return undefined
}

/**
 * fib_lookup. Without rules of its own a namespace keeps `local` and `main` in one trie, so the longest prefix of
 * both wins and `local` wins a tie; with rules the tables are asked one after the other (fib_unmerge).
 */
export function fibLookup(fib: Fib, flow: Flow): FibResult {
  if (fib.rules.length === 0) return lookupMerged(fib, flow)
  const rules = [...fib.rules, ...DEFAULT_RULES].sort((x, y) => x.priority - y.priority)
  for (const rule of rules) {
    if (!ruleApplies(rule, flow)) continue
    const table = fib.tables.get(rule.table)
    const entry = table === undefined ? undefined : lookupTable(table, flow)
    if (entry !== undefined) return resultOf(entry, rule.table)
  }
  return { kind: 'none' }
}

const DEFAULT_RULES: readonly Pick<FibRule, 'priority' | 'table' | 'from' | 'to' | 'fwmark' | 'iif'>[] = [
  { priority: 0, table: 'local' },
  { priority: 32766, table: 'main' },
  { priority: 32767, table: 'default' },
]

function ruleApplies(rule: Partial<FibRule>, flow: Flow): boolean {
  if (rule.family !== undefined && rule.family !== flow.dst.family) return false
  if (rule.to !== undefined && !contains(rule.to, flow.dst)) return false
  if (rule.from !== undefined && (flow.src === undefined || !contains(rule.from, flow.src))) return false
  if (rule.fwmark !== undefined && ((flow.mark ?? 0) & rule.fwmark.mask) >>> 0 !== rule.fwmark.value) return false
  return rule.iif === undefined || rule.iif === flow.iif
}

function lookupMerged(fib: Fib, flow: Flow): FibResult {
  const local = lookupIn(fib, 'local', flow)
  const main = lookupIn(fib, 'main', flow)
  if (local !== undefined && (main === undefined || local.route.destination.length >= main.route.destination.length))
    return resultOf(local, 'local')
  return main === undefined ? { kind: 'none' } : resultOf(main, 'main')
}

function lookupIn(fib: Fib, name: string, flow: Flow): FibEntry | undefined {
  const table = fib.tables.get(name)
  return table === undefined ? undefined : lookupTable(table, flow)
}

function resultOf(entry: FibEntry, table: string): FibResult {
  const type = entry.route.type
  if (type === 'blackhole' || type === 'unreachable' || type === 'prohibit') return { kind: type, entry, table }
  return { kind: 'found', entry, table }
}

export type AddressType = 'local' | 'unicast' | 'broadcast' | 'multicast'

/**
 * inet_addr_type: what kind of address this is here, by the local table (`-m addrtype`). With `dev`, an address of
 * another device is not local.
 */
export function addressType(ns: Netns, ip: Ip, dev?: Link): AddressType {
  if (ip.family === 4 && (isUnspecified(ip) || ip.d === 0xffffffff)) return 'broadcast'
  if (isMulticast(ip)) return 'multicast'
  const entry = lookupIn(ns.fib, 'local', { dst: ip })
  if (entry === undefined || (dev !== undefined && entry.route.dev !== dev.name)) return 'unicast'
  return entry.route.type === 'local' ? 'local' : entry.route.type === 'broadcast' ? 'broadcast' : 'unicast'
}

/** Whether the address is one of this namespace's own. */
export const isLocalAddress = (ns: Netns, ip: Ip): boolean => addressType(ns, ip) === 'local'

const SCOPE = { global: 0, link: 253, host: 254 } as const

/**
 * inet_select_addr / ipv6_dev_get_saddr (in short): the source address for packets sent out by `dev` to `dst`.
 * IPv4 takes the first primary address of the device whose subnet holds `dst`, else its first, else one of another
 * device; IPv6 the one that shares the longest prefix with `dst`, link-local only for link-local.
 */
export function selectSource(ns: Netns, dev: Link, dst: Ip, scope: keyof typeof SCOPE = 'global'): Ip | undefined {
  const here = candidateSources(dev, dst, scope)
  if (dst.family === 6) return bestSource6(here, dst) ?? bestSource6(elsewhere(ns, dev, dst, scope), dst)
  const onSubnet = here.find((address) =>
    contains({ address: maskIp(address.ip, address.length), length: address.length }, dst),
  )
  return (onSubnet ?? here[0] ?? elsewhere(ns, dev, dst, scope).find((address) => address.scope !== 'link'))?.ip
}

function candidateSources(dev: Link, dst: Ip, scope: keyof typeof SCOPE): readonly LinkAddress[] {
  return dev.addresses.filter(
    (address) =>
      address.ip.family === dst.family &&
      !address.secondary &&
      (dst.family === 6 || SCOPE[address.scope] <= SCOPE[scope]),
  )
}

/** Other devices' addresses, which in IPv4 outlive their device being down (inet_select_addr, net/ipv4/devinet.c). */
function elsewhere(ns: Netns, dev: Link, dst: Ip, scope: keyof typeof SCOPE): readonly LinkAddress[] {
  const others: LinkAddress[] = []
  for (const link of ns.links.values())
    if (link !== dev && (link.up || dst.family === 4)) others.push(...candidateSources(link, dst, scope))
  return others
}

function bestSource6(addresses: readonly LinkAddress[], dst: Ip): Ip | undefined {
  const wantLinkLocal = isLinkLocal(dst) || isMulticast(dst)
  let best: { ip: Ip; score: number } | undefined
  for (const address of addresses) {
    if (isLoopback(address.ip) && !isLoopback(dst)) continue
    const linkLocal = isLinkLocal(address.ip)
    if (linkLocal && !wantLinkLocal) continue
    const score =
      (sameIp(address.ip, dst) ? 1000 : 0) +
      (linkLocal === wantLinkLocal ? 200 : 0) +
      Math.min(address.length, commonBits(address.ip, dst))
    if (best === undefined || score > best.score) best = { ip: address.ip, score }
  }
  return best?.ip
}

function commonBits(x: Ip, y: Ip): number {
  for (const [i, word] of [x.a ^ y.a, x.b ^ y.b, x.c ^ y.c, x.d ^ y.d].entries())
    if (word !== 0) return i * 32 + Math.clz32(word)
  return 128
}

/** Whether `ip` is in the subnet of one of the device's addresses (inet_addr_onlink, ip_fib_check_default). */
export function isOnLink(dev: Link, ip: Ip): boolean {
  return dev.addresses.some((address) =>
    contains({ address: maskIp(address.ip, address.length), length: address.length }, ip),
  )
}
