import { type DestinationState, overheadOf } from '../destination.ts'
import { isUsable, type Scheduler, type SchedulerService, stateless } from './scheduler.ts'

/**
 * The least of those that may be used: the first, unless a later one is less. `cost * other.weight` is compared with
 * `other cost * weight`, so that no division is needed; after the first also a weight of 0 is compared, and never wins.
 */
export function leastLoaded(
  destinations: Iterable<DestinationState>,
  costOf: (destination: DestinationState) => number,
): DestinationState | undefined {
  let least: DestinationState | undefined
  for (const next of destinations) {
    if (least === undefined) {
      if (isUsable(next)) least = next
      continue
    }
    if (!next.overloaded && costOf(least) * next.weight > costOf(next) * least.weight) least = next
  }
  return least
}

/** `lc`: the fewest connections, whatever the weights (ip_vs_lc.c). */
export const leastConnection = ({ destinations }: SchedulerService): Scheduler =>
  stateless(() => {
    let least: DestinationState | undefined
    for (const next of destinations)
      if (isUsable(next) && (least === undefined || overheadOf(next) < overheadOf(least))) least = next
    return least
  })

/** `wlc`: the fewest connections for the weight (ip_vs_wlc.c). */
export const weightedLeastConnection = ({ destinations }: SchedulerService): Scheduler =>
  stateless(() => leastLoaded(destinations, overheadOf))

/** What the delay would be with one connection more. */
const expectedDelay = ({ active }: DestinationState): number => active + 1

/** `sed`: the shortest expected delay (ip_vs_sed.c). */
export const shortestExpectedDelay = ({ destinations }: SchedulerService): Scheduler =>
  stateless(() => leastLoaded(destinations, expectedDelay))

/** `nq`: one that is idle, else the shortest expected delay (ip_vs_nq.c). */
export const neverQueue = ({ destinations }: SchedulerService): Scheduler =>
  stateless(() => {
    let least: DestinationState | undefined
    for (const next of destinations) {
      if (next.overloaded || next.weight === 0) continue
      if (next.active === 0) return next
      if (least === undefined || expectedDelay(least) * next.weight > expectedDelay(next) * least.weight) least = next
    }
    return least
  })
