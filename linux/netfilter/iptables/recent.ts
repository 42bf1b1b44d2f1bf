import { type Ip, ipKey } from '../../../packet/ip.ts'
import { isForwardedOut, type MatchPlace } from './place.ts'
import type { RecentMatch } from './rule.ts'

/**
 * The address lists of `-m recent`, after Linux net/netfilter/xt_recent.c. Lists are found by name alone; the mask is
 * that of the rule that named the list first.
 */
export type RecentLists = Map<string, RecentList>

export interface RecentList {
  readonly mask: Ip
  /** By ipKey; the least recently used first. */
  readonly entries: Map<number | string, RecentEntry>
}

export interface RecentEntry {
  readonly address: Ip
  ttl: number
  /** When packets came, in nanoseconds, the newest last. */
  readonly stamps: number[]
}

export const newRecentLists = (): RecentLists => new Map()

/** ip_list_tot: a list that is full forgets its least recently used address. */
const LONGEST_LIST = 100

/** XT_RECENT_MAX_NSTAMPS: no rule can count more hits, so no more need be kept. */
const MOST_STAMPS = 256

/** recent_mt: whether the rule matches; the list is changed as a side effect. */
export function matchRecent(match: RecentMatch, place: MatchPlace): boolean {
  const { skb } = place
  const list = listOf(skb.ns.netfilterState.recent, match)
  const side = match.side === 'source' ? skb.packet.src : skb.packet.dst
  const address = andMask(side, list.mask)
  // The TTL as it was before forwarding took one off.
  const ttl = skb.packet.ttl + (isForwardedOut(place) ? 1 : 0)
  const now = skb.ns.host.kernel.now()
  const entry = lookUp(list, address, match.rttl ? ttl : undefined)
  if (entry === undefined) {
    if (match.action !== 'set') return match.not
    addEntry(list, { address, ttl, stamps: [now] })
    return !match.not
  }
  switch (match.action) {
    case 'set':
      touch(list, entry, { ttl, now })
      return !match.not
    case 'remove':
      list.entries.delete(ipKey(address))
      return !match.not
    case 'rcheck':
    case 'update': {
      const result = seenOften(match, entry, now) !== match.not
      const update = match.action === 'update' && result
      if (match.reap) reap(list, { match, now, keep: update ? entry : undefined })
      if (update) touch(list, entry, { ttl, now })
      return result
    }
  }
}

function listOf(lists: RecentLists, match: RecentMatch): RecentList {
  const known = lists.get(match.name)
  if (known !== undefined) return known
  const list: RecentList = { mask: match.mask, entries: new Map() }
  lists.set(match.name, list)
  return list
}

function andMask(ip: Ip, mask: Ip): Ip {
  return {
    family: ip.family,
    a: (ip.a & mask.a) >>> 0,
    b: (ip.b & mask.b) >>> 0,
    c: (ip.c & mask.c) >>> 0,
    d: (ip.d & mask.d) >>> 0,
  }
}

function lookUp(list: RecentList, address: Ip, ttl: number | undefined): RecentEntry | undefined {
  const entry = list.entries.get(ipKey(address))
  return entry !== undefined && (ttl === undefined || entry.ttl === 0 || entry.ttl === ttl) ? entry : undefined
}

function addEntry(list: RecentList, entry: RecentEntry): void {
  if (list.entries.size >= LONGEST_LIST) {
    const oldest = list.entries.keys().next()
    if (!oldest.done) list.entries.delete(oldest.value)
  }
  list.entries.set(ipKey(entry.address), entry)
}

function touch(
  list: RecentList,
  entry: RecentEntry,
  { ttl, now }: { readonly ttl: number; readonly now: number },
): void {
  entry.stamps.push(now)
  if (entry.stamps.length > MOST_STAMPS) entry.stamps.shift()
  entry.ttl = ttl
  const key = ipKey(entry.address)
  list.entries.delete(key)
  list.entries.set(key, entry)
}

const NANOSECONDS = 1e9

function seenOften({ seconds, hitcount }: RecentMatch, entry: RecentEntry, now: number): boolean {
  const since = now - seconds * NANOSECONDS
  let hits = 0
  for (const stamp of entry.stamps) if (seconds === 0 || stamp >= since) hits++
  return hits >= Math.max(hitcount, 1)
}

/** recent_entry_reap: drops the least recently used address of the list if it is too old. */
function reap(
  list: RecentList,
  { match, now, keep }: { readonly match: RecentMatch; readonly now: number; readonly keep: RecentEntry | undefined },
): void {
  for (const [key, oldest] of list.entries) {
    const last = oldest.stamps.at(-1) ?? 0
    if (oldest !== keep && last < now - match.seconds * NANOSECONDS) list.entries.delete(key)
    return
  }
}
