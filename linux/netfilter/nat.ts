import { compareIp, type Ip } from '../../packet/ip.ts'
import { PROTOCOL } from '../../packet/packet.ts'
import type { Netns } from '../netns.ts'
import { type ConntrackEntry, isConfirmed, STATUS } from './conntrack.ts'
import { findEntry, removeEntry, sourceKey } from './conntrack-table.ts'
import type { NatRange } from './iptables/rule.ts'
import { bestAddress } from './nat-address.ts'
import { after } from './tcp-window.ts'
import { formatTuple, invertTuple, sameTuple, type Tuple } from './tuple.ts'

/** Which end of a packet is rewritten: the source in POSTROUTING and INPUT, the destination in PREROUTING and OUTPUT. */
export type Manip = 'src' | 'dst'

const NAT_BIT = { src: STATUS.srcNat, dst: STATUS.dstNat } as const
const DONE_BIT = { src: STATUS.srcNatDone, dst: STATUS.dstNatDone } as const

/** nf_nat_initialized: this end has been decided on. */
export const isDecided = (entry: ConntrackEntry, manip: Manip): boolean => (entry.status & DONE_BIT[manip]) !== 0

export const isNatted = (entry: ConntrackEntry, manip: Manip): boolean => (entry.status & NAT_BIT[manip]) !== 0

/**
 * nf_nat_setup_info: decides, once for a flow, what its packets' source or destination becomes, and changes the reply
 * tuple accordingly; Linux net/netfilter/nf_nat_core.c (6.18).
 */
export function setUpNat(ns: Netns, entry: ConntrackEntry, { range, manip }: { range: NatRange; manip: Manip }): void {
  if (isConfirmed(entry) || isDecided(entry, manip)) return
  const current = invertTuple(entry.reply)
  if (current === undefined) return
  const wanted = uniqueTuple(current, { ns, entry, range, manip })
  const reply = sameTuple(wanted, current) ? undefined : invertTuple(wanted)
  if (reply !== undefined) {
    entry.reply = reply
    entry.status |= NAT_BIT[manip]
  }
  entry.status |= DONE_BIT[manip]
}

/** nf_nat_alloc_null_binding: the address stays; the port may not, where another flow has it. */
export function bindToItself(ns: Netns, entry: ConntrackEntry, manip: Manip): void {
  const ip = manip === 'src' ? entry.reply.dst : entry.reply.src
  setUpNat(ns, entry, { range: toAddress(ip), manip })
}

export const toAddress = (ip: Ip, options?: Partial<NatRange>): NatRange => ({
  ports: undefined,
  random: false,
  randomFully: false,
  persistent: false,
  ...options,
  addresses: { min: ip, max: ip },
})

interface Search {
  readonly ns: Netns
  readonly entry: ConntrackEntry
  readonly range: NatRange
  readonly manip: Manip
}

/** get_unique_tuple: a tuple in the range whose answers no other flow's are like. */
function uniqueTuple(original: Tuple, search: Search): Tuple {
  const { range, manip } = search
  const random = range.random || range.randomFully
  if (manip === 'src' && !random) {
    if (isInRange(original, range)) {
      if (!isUsedNew(original, search)) return original
    } else {
      const mapped = sameSourceAs(original, search)
      if (mapped !== undefined && !isUsed(mapped, search)) return mapped
    }
  }
  const moved = withAddress(original, manip, bestAddress(original, range, manip))
  if (!random) {
    const { ports } = range
    if (ports === undefined) {
      if (!isUsed(moved, search)) return moved
    } else if (isKeyInRange(moved, manip, ports) && (ports.min === ports.max || !isUsed(moved, search))) return moved
  }
  return searchKey(moved, search)
}

const withAddress = (tuple: Tuple, manip: Manip, ip: Ip | undefined): Tuple =>
  ip === undefined ? tuple : manip === 'src' ? { ...tuple, src: ip } : { ...tuple, dst: ip }

const isIcmp = ({ protocol }: Tuple): boolean => protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmpv6

const hasPorts = ({ protocol }: Tuple): boolean =>
  protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp

/** l4proto_in_range: the port, or the ICMP id, which is the same in both directions. */
function isKeyInRange(tuple: Tuple, manip: Manip, ports: NonNullable<NatRange['ports']>): boolean {
  const key = isIcmp(tuple) || manip === 'src' ? tuple.srcKey : tuple.dstKey
  return !(isIcmp(tuple) || hasPorts(tuple)) || (key >= ports.min && key <= ports.max)
}

/** nf_in_range, of a source. */
function isInRange(tuple: Tuple, { addresses, ports }: NatRange): boolean {
  if (addresses !== undefined && (compareIp(tuple.src, addresses.min) < 0 || compareIp(tuple.src, addresses.max) > 0))
    return false
  return ports === undefined || isKeyInRange(tuple, 'src', ports)
}

/** find_appropriate_src: the source that another flow from the same place was given, if it may be ours too. */
function sameSourceAs(original: Tuple, { ns, range }: Search): Tuple | undefined {
  const now = ns.host.kernel.now()
  for (const other of ns.netfilterState.conntrack.bySource.get(sourceKey(original)) ?? []) {
    const seen = other.timeout > now ? invertTuple(other.reply) : undefined
    if (seen === undefined) continue
    const candidate = { ...seen, dst: original.dst, dstKey: original.dstKey }
    if (isInRange(candidate, range)) return candidate
  }
  return undefined
}

/** nf_nat_used_tuple: another flow waits for the same answers. The same flow over again does not count. */
function isUsed(tuple: Tuple, { ns, entry }: Search): boolean {
  const answer = invertTuple(tuple)
  const found = answer === undefined ? undefined : findEntry(ns, answer)
  return found !== undefined && found.entry !== entry && !sameTuple(found.entry.original, entry.original)
}

/**
 * nf_nat_used_tuple_new: the same for a tuple that nothing was done to. Two hosts that send UDP to each other at the
 * same time make two entries, each the other's answer; these are not a clash.
 */
function isUsedNew(tuple: Tuple, search: Search): boolean {
  if (!isUsed(tuple, search)) return false
  const { ns, entry } = search
  if (entry.original.protocol !== PROTOCOL.udp || isNatted(entry, 'src') || isNatted(entry, 'dst')) return true
  const answer = invertTuple(tuple)
  const found = findEntry(ns, tuple) ?? (answer === undefined ? undefined : findEntry(ns, answer))
  if (found === undefined) return false
  if (isNatted(found.entry, 'src') || isNatted(found.entry, 'dst')) return true
  return !sameTuple(found.entry.original, entry.reply)
}

/** NF_NAT_MAX_ATTEMPTS, and from how many attempts left on (NF_NAT_HARDER_THRESH) closed flows are thrown out. */
const MOST_ATTEMPTS = 128
const HARDER_FROM = MOST_ATTEMPTS / 4

/**
 * nf_nat_l4proto_unique_tuple: tries ports (or ICMP ids) upwards from a random one. The draw `nat-port` is made among
 * as many choices as the range has ports; its outcome is the port minus the range's lowest: feed `port - 1024` to
 * have an unprivileged port chosen.
 */
function searchKey(tuple: Tuple, search: Search): Tuple {
  const span = keySpan(tuple, search)
  if (span === undefined) return tuple
  const { min, size } = span
  const { range, manip } = search
  let offset = range.random || range.randomFully || manip === 'src' ? drawOffset(search, size) : 0
  let attempts = Math.min(size, MOST_ATTEMPTS)
  let candidate = tuple
  for (;;) {
    for (let i = 0; i < attempts; i++, offset++) {
      candidate = withKey(tuple, manip, min + (offset % size))
      if (!isUsedHarder(candidate, search, attempts - i)) return candidate
    }
    if (attempts >= size || attempts < 16) return candidate
    attempts = Math.floor(attempts / 2)
    offset = drawOffset(search, size)
  }
}

function keySpan(tuple: Tuple, { range, manip }: Search): { readonly min: number; readonly size: number } | undefined {
  const { ports } = range
  if (!isIcmp(tuple) && !hasPorts(tuple)) return undefined
  if (ports !== undefined) return { min: ports.min, size: ports.max - ports.min + 1 }
  if (isIcmp(tuple)) return { min: 0, size: 65536 }
  if (manip === 'dst') return undefined
  if (tuple.srcKey < 512) return { min: 1, size: 511 }
  return tuple.srcKey < 1024 ? { min: 600, size: 424 } : { min: 1024, size: 64512 }
}

function drawOffset({ ns, entry }: Search, size: number): number {
  const site = { host: ns.host.name, netns: ns.name, purpose: 'nat-port', entry: formatTuple(entry.original) } as const
  return ns.host.kernel.draw(site, size)
}

const withKey = (tuple: Tuple, manip: Manip, key: number): Tuple =>
  manip === 'src' || isIcmp(tuple) ? { ...tuple, srcKey: key } : { ...tuple, dstKey: key }

/** nf_nat_used_tuple_harder: near the end of the attempts a TCP flow that is over gives its port away. */
function isUsedHarder(tuple: Tuple, search: Search, attemptsLeft: number): boolean {
  const { ns, entry } = search
  const { flow } = entry
  if (attemptsLeft > HARDER_FROM || flow?.kind !== 'tcp' || flow.state !== 'SYN_SENT') return isUsed(tuple, search)
  const answer = invertTuple(tuple)
  const found = answer === undefined ? undefined : findEntry(ns, answer)
  if (found === undefined) return false
  const other = found.entry.flow
  if (found.direction === 'original' || other?.kind !== 'tcp' || !isNatted(found.entry, 'src')) return true
  const over = other.state === 'TIME_WAIT' || other.state === 'CLOSE' || other.state === 'SYN_SENT2'
  if (!over || !after(flow.seen.original.end, other.seen.original.end)) return true
  removeEntry(ns, found.entry)
  return false
}
