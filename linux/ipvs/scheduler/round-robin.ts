import type { DestinationState } from '../destination.ts'
import { gcd, isUsable, type Scheduler, type SchedulerService } from './scheduler.ts'

/** `rr`: one after the other, weights other than 0 do not count (Linux net/netfilter/ipvs/ip_vs_rr.c). */
export function roundRobin({ destinations }: SchedulerService): Scheduler {
  /** The one that was taken last; undefined: the head of the list. */
  let last: DestinationState | undefined
  return {
    schedule() {
      const from = last === undefined ? -1 : destinations.indexOf(last)
      for (let i = 1; i <= destinations.length; i++) {
        const next = destinations[(from + i) % destinations.length]
        if (next === undefined || !isUsable(next)) continue
        last = next
        return next
      }
      return undefined
    },
    changed: () => undefined,
    removing(destination) {
      // sched_data steps back to the entry before, which may be the head.
      if (destination === last) last = destinations[destinations.indexOf(destination) - 1]
    },
    period: () => destinations.filter(isUsable).length,
  }
}

/**
 * `wrr`: rounds in which only weights of at least a threshold count, which falls from the greatest weight to 1 by the
 * greatest common divisor (Linux net/netfilter/ipvs/ip_vs_wrr.c).
 */
export function weightedRoundRobin({ destinations }: SchedulerService): Scheduler {
  const weights = () => destinations.map((destination) => Math.max(destination.weight, 0))
  const stepOf = () => weights().reduce(gcd, 0) || 1
  const mostOf = (step: number) => Math.max(0, ...weights()) - (step - 1)
  let step = stepOf()
  let most = mostOf(step)
  let threshold = most
  /** Index of the one taken last; -1: the head of the list. */
  let at = -1
  return {
    schedule() {
      if (most === 0) return undefined
      const first = at
      let stop = -2
      let lastPass = false
      let restarted = false
      for (;;) {
        for (at++; at < destinations.length; at++) {
          const next = destinations[at]
          if (next !== undefined && !next.overloaded && next.weight >= threshold) return next
          if (at === stop) return undefined
        }
        at = -1
        threshold -= step
        if (threshold <= 0) {
          threshold = most
          // Everybody was asked for a weight of 1 already.
          if (lastPass || first === -1) return undefined
          restarted = true
        }
        lastPass = threshold <= step
        if (lastPass && restarted && first !== -1) stop = first
      }
    },
    changed() {
      at = -1
      step = stepOf()
      most = mostOf(step)
      if (threshold > most || threshold === 0) threshold = most
      else if (step > 1) threshold = Math.floor(threshold / step) * step + 1
    },
    removing: () => undefined,
    period: () => weights().reduce((sum, weight) => sum + weight, 0) / step,
  }
}
