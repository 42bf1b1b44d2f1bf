import { PROTOCOL } from '../../packet/packet.ts'
import type { Netns } from '../netns.ts'
import type { IpSkb, Skb } from '../skb.ts'
import { type ConntrackEntry, type FoundEntry, isConfirmed, opposite, STATUS } from './conntrack.ts'
import { flowSummary, formatEntry } from './conntrack-text.ts'
import { invertTuple, sameTuple, type Tuple, tupleKey } from './tuple.ts'

/** nf_conntrack_find_get: the confirmed entry one of whose directions is `tuple`; one that has run out is removed. */
export function findEntry(ns: Netns, tuple: Tuple): FoundEntry | undefined {
  const found = ns.netfilterState.conntrack.byTuple.get(tupleKey(tuple))
  if (found === undefined || found.entry.timeout > ns.host.kernel.now()) return found
  removeEntry(ns, found.entry)
  return undefined
}

/** init_conntrack: a new entry, in no table yet. Undefined for a packet that cannot be answered. */
export function newEntry(ns: Netns, original: Tuple): ConntrackEntry | undefined {
  const reply = invertTuple(original)
  if (reply === undefined) return undefined
  const id = ns.netfilterState.conntrack.nextId++
  return { id, original, reply, status: 0, timeout: 0, flow: undefined, masqueradeLink: undefined }
}

/** nf_ct_delete. */
export function removeEntry(ns: Netns, entry: ConntrackEntry): void {
  const table = ns.netfilterState.conntrack
  for (const tuple of [entry.original, entry.reply]) {
    const key = tupleKey(tuple)
    if (table.byTuple.get(key)?.entry === entry) table.byTuple.delete(key)
  }
  const key = sourceKey(entry.original)
  const others = table.bySource.get(key)?.filter((other) => other !== entry) ?? []
  if (others.length > 0) table.bySource.set(key, others)
  else table.bySource.delete(key)
}

/** By protocol and source: hash_by_src. */
export const sourceKey = ({ protocol, src, srcKey }: Tuple): string =>
  tupleKey({ protocol, src, srcKey, dst: src, dstKey: 0 })

/** nf_ct_refresh: the entry lives `nanoseconds` from now on, or from when it is confirmed. */
export function refresh(entry: ConntrackEntry, ns: Netns, nanoseconds: number): void {
  if ((entry.status & STATUS.fixedTimeout) !== 0) return
  entry.timeout = isConfirmed(entry) ? ns.host.kernel.now() + nanoseconds : nanoseconds
}

/**
 * __nf_conntrack_confirm, the last thing in POSTROUTING and INPUT: the packet got through, so its new entry goes into
 * the table. False: another entry has taken one of its tuples meanwhile, and the packet is to be dropped.
 */
export function confirm(skb: IpSkb): boolean {
  const { ct, ns } = skb
  if (ct?.entry === undefined || ct.direction === 'reply' || isConfirmed(ct.entry)) return true
  const { entry } = ct
  const clash = findEntry(ns, entry.original) ?? findEntry(ns, entry.reply)
  if (clash !== undefined) return resolveClash(skb, entry, clash.entry)
  entry.timeout += ns.host.kernel.now()
  insert(skb, entry)
  ns.netfilterState.conntrack.byTuple.set(tupleKey(entry.original), { entry, direction: 'original' })
  return true
}

function insert(skb: IpSkb, entry: ConntrackEntry): void {
  const table = skb.ns.netfilterState.conntrack
  entry.status |= STATUS.confirmed
  entry.confirmedAt = skb.ns.host.kernel.now()
  table.byTuple.set(tupleKey(entry.reply), { entry, direction: 'reply' })
  if ((entry.status & STATUS.srcNatDone) !== 0) {
    const key = sourceKey(entry.original)
    table.bySource.set(key, [entry, ...(table.bySource.get(key) ?? [])])
  }
  skb.ns.host.kernel.record(skb, { kind: 'conntrack.confirm', entry: flowSummary(entry) })
}

/** How long an entry lives of which only the answers are known. */
const CLASH_LIFE = 1e9

/**
 * nf_ct_resolve_clash: two packets of one UDP flow were under way at once (of one socket, or one from each side), and
 * the first one's entry is there. Where both mean the same flow the second joins it; where NAT chose otherwise for the
 * second, its entry is found by its answers only (nf_ct_resolve_clash_harsh; older kernels drop the packet). Other
 * protocols' packets are dropped.
 */
function resolveClash(skb: IpSkb, loser: ConntrackEntry, winner: ConntrackEntry): boolean {
  const { ct, ns } = skb
  if (ct === undefined || loser.original.protocol !== PROTOCOL.udp) return false
  const same = sameTuple(winner.original, loser.original) && sameTuple(winner.reply, loser.reply)
  const reversed = sameTuple(winner.original, loser.reply) && sameTuple(winner.reply, loser.original)
  if (same || reversed) {
    skb.ct = { ...ct, entry: winner }
    return true
  }
  if (findEntry(ns, loser.reply) !== undefined || ns.host.capabilities.conntrackRace === 'dropped') return false
  loser.timeout = ns.host.kernel.now() + CLASH_LIFE
  loser.status |= STATUS.fixedTimeout | STATUS.natClash
  insert(skb, loser)
  return true
}

/**
 * nf_conntrack_attach: a packet that the kernel makes in answer to `cause` (the TCP reset of a REJECT rule) belongs to
 * the same flow and is not looked up again.
 */
export function attachConntrack(skb: Skb, cause: Skb): void {
  const { ct } = cause
  if (ct?.entry !== undefined) skb.ct = { state: 'related', direction: opposite(ct.direction), entry: ct.entry }
}

/** The live entries, the oldest first. */
export function entriesOf(ns: Netns): readonly ConntrackEntry[] {
  const now = ns.host.kernel.now()
  const live = new Set<ConntrackEntry>()
  for (const { entry, direction } of ns.netfilterState.conntrack.byTuple.values())
    if (direction === 'original' && entry.timeout > now) live.add(entry)
  return [...live].sort((x, y) => x.id - y.id)
}

/** `conntrack -L` of one family, the oldest entry first. */
export function listConntrack(ns: Netns, family: 4 | 6): readonly string[] {
  const now = ns.host.kernel.now()
  return entriesOf(ns)
    .filter((entry) => entry.original.src.family === family)
    .map((entry) => formatEntry(entry, now))
}
