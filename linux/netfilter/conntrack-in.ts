import { PROTOCOL } from '../../packet/packet.ts'
import type { Netns } from '../netns.ts'
import type { ConntrackInfo, IpSkb } from '../skb.ts'
import { type ConntrackEntry, type Direction, type FoundEntry, STATUS, type Tracked } from './conntrack.ts'
import { relatedError } from './conntrack-error.ts'
import { trackIcmp } from './conntrack-icmp.ts'
import { trackSctp } from './conntrack-sctp.ts'
import { findEntry, newEntry, refresh } from './conntrack-table.ts'
import { trackTcp } from './conntrack-tcp.ts'
import { flowSummary } from './conntrack-text.ts'
import { timeoutOf } from './conntrack-timeout.ts'
import { trackUdp } from './conntrack-udp.ts'
import { type Tuple, tupleOf } from './tuple.ts'

/**
 * nf_conntrack_in: finds or makes the entry of a packet and sets `skb.ct`. A packet that already has one (it came over
 * lo, or a raw rule said `notrack`) is left alone; one that is invalid goes on without an entry.
 */
export function conntrackIn(skb: IpSkb): void {
  if (skb.ct !== undefined) return
  skb.ct = track(skb)
  const { ct } = skb
  skb.ns.host.kernel.record(skb, {
    kind: 'conntrack',
    state: ct?.state ?? 'invalid',
    direction: ct?.direction ?? 'original',
    ...(ct?.entry === undefined ? {} : { entry: flowSummary(ct.entry) }),
  })
}

function track(skb: IpSkb): ConntrackInfo | undefined {
  const error = relatedError(skb)
  if (error !== 'notAnError') return error
  const tuple = tupleOf(skb.packet)
  if (tuple === undefined) return undefined
  for (;;) {
    const found = lookUp(skb.ns, tuple)
    const entry = found?.entry ?? newEntry(skb.ns, tuple)
    if (entry === undefined) return undefined
    const direction = found?.direction ?? 'original'
    const tracked = trackPacket(entry, skb, direction)
    if (tracked === 'repeat') continue
    if (tracked === 'invalid') return undefined
    const state = direction === 'reply' || (entry.status & STATUS.seenReply) !== 0 ? 'established' : 'new'
    if (direction === 'reply') entry.status |= STATUS.seenReply
    return { state, direction, entry }
  }
}

/** The entry of a tuple. Where packets race, one that was confirmed at this very moment has not been seen yet. */
function lookUp(ns: Netns, tuple: Tuple): FoundEntry | undefined {
  const found = findEntry(ns, tuple)
  if (found === undefined || ns.host.capabilities.conntrackRace === undefined) return found
  const { entry, direction } = found
  const isUnseen =
    direction === 'original' &&
    entry.original.protocol === PROTOCOL.udp &&
    (entry.status & STATUS.seenReply) === 0 &&
    entry.confirmedAt === ns.host.kernel.now()
  return isUnseen ? undefined : found
}

function trackPacket(entry: ConntrackEntry, skb: IpSkb, direction: Direction): Tracked {
  switch (entry.original.protocol) {
    case PROTOCOL.tcp:
      return trackTcp(entry, skb, direction)
    case PROTOCOL.udp:
      return trackUdp(entry, skb)
    case PROTOCOL.sctp:
      return trackSctp(entry, skb, direction)
    case PROTOCOL.icmp:
    case PROTOCOL.icmpv6:
      return trackIcmp(entry, skb)
    default:
      refresh(entry, skb.ns, timeoutOf(skb.ns, 'generic'))
      return 'valid'
  }
}
