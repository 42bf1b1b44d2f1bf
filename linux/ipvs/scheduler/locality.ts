import { type Ip, ipKey } from '../../../packet/ip.ts'
import { type DestinationState, overheadOf } from '../destination.ts'
import { leastLoaded } from './least-connection.ts'
import { isUsable, ONCE, type Scheduler, type SchedulerService } from './scheduler.ts'

/** It has more connections than its weight, while another has fewer than half of its own. */
const isCrowded = (destination: DestinationState, destinations: readonly DestinationState[]): boolean =>
  destination.active > destination.weight && destinations.some(({ active, weight }) => active * 2 < weight)

/** DEFAULT_EXPIRATION of both modules: a day without use or change. */
const EXPIRATION = 24 * 60 * 60 * 1e9

/**
 * `lblc`: the destination that served an address before, until it has too much to do; then the least loaded takes the
 * address over (Linux ip_vs_lblc.c). Entries that nobody used for a day are forgotten.
 */
export function localityLeastConnection({ destinations }: SchedulerService): Scheduler {
  const served = new Map<string | number, { readonly by: DestinationState; usedAt: number }>()
  return {
    schedule({ destination: asked, now }) {
      const key = ipKey(asked)
      const known = served.get(key)
      if (known !== undefined && now - known.usedAt < EXPIRATION) {
        known.usedAt = now
        const { by } = known
        if (by.available && by.weight > 0 && !isCrowded(by, destinations)) return by
      }
      const by = leastLoaded(destinations, overheadOf)
      if (by !== undefined) served.set(key, { by, usedAt: now })
      return by
    },
    changed: () => undefined,
    removing: () => undefined,
    period: ONCE,
  }
}

interface ServerSet {
  /** The newest first. */
  members: readonly DestinationState[]
  changedAt: number
  usedAt: number
}

/**
 * `lblcr`: like lblc with a set of destinations for each address, which grows when all in it have too much to do, and
 * loses its busiest a day after it last changed (Linux ip_vs_lblcr.c).
 */
export function localityReplicated({ destinations }: SchedulerService): Scheduler {
  const sets = new Map<string | number, ServerSet>()
  return {
    schedule({ destination: asked, now }) {
      const set = liveSet(sets, asked, now)
      if (set === undefined) {
        const first = leastLoaded(destinations, overheadOf)
        if (first !== undefined) sets.set(ipKey(asked), { members: [first], changedAt: now, usedAt: now })
        return first
      }
      set.usedAt = now
      const known = leastInSet(set.members)
      shrink(set, now)
      if (known !== undefined && !isCrowded(known, destinations)) return known
      const further = leastLoaded(destinations, overheadOf)
      if (further !== undefined && !set.members.includes(further)) {
        set.members = [further, ...set.members]
        set.changedAt = now
      }
      return further
    },
    changed: () => undefined,
    removing: () => undefined,
    period: ONCE,
  }
}

function liveSet(sets: ReadonlyMap<string | number, ServerSet>, asked: Ip, now: number): ServerSet | undefined {
  const set = sets.get(ipKey(asked))
  return set !== undefined && now - set.usedAt < EXPIRATION ? set : undefined
}

/** ip_vs_dest_set_min. */
function leastInSet(members: readonly DestinationState[]): DestinationState | undefined {
  let least: DestinationState | undefined
  for (const next of members) {
    if (least === undefined) {
      if (isUsable(next) && next.available) least = next
    } else if (!next.overloaded && next.available && overheadOf(least) * next.weight > overheadOf(next) * least.weight)
      least = next
  }
  return least
}

/** ip_vs_dest_set_max: the busiest for its weight leaves. */
function shrink(set: ServerSet, now: number): void {
  if (set.members.length < 2 || now - set.changedAt <= EXPIRATION) return
  let most: DestinationState | undefined
  for (const next of set.members) {
    if (next.weight <= 0) continue
    if (most === undefined || overheadOf(most) * next.weight < overheadOf(next) * most.weight) most = next
  }
  if (most === undefined) return
  set.members = set.members.filter((member) => member !== most)
  set.changedAt = now
}
