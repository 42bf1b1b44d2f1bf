import type { Ip } from '../../../packet/ip.ts'
import type { DestinationState } from '../destination.ts'

/** How a virtual server chooses: struct ip_vs_scheduler with the data it keeps for one service. */
export interface Scheduler {
  /** The destination of a new connection; undefined: there is none to be had. */
  schedule(request: ScheduleRequest): DestinationState | undefined
  /** A destination was added, deleted or given another weight. */
  changed(): void
  /** Called while the destination is still in the list. */
  removing(destination: DestinationState): void
  /** After how many connections it is where it was; 1 for those that do not take turns. */
  readonly period: () => number
}

/** The first packet of a connection, and when it came. */
export interface ScheduleRequest {
  readonly source: Ip
  readonly sourcePort: number
  readonly destination: Ip
  /** Nanoseconds. */
  readonly now: number
}

/** What a scheduler is told of its service. */
export interface SchedulerService {
  /** The kernel's list, which changes: the one added last comes first. */
  readonly destinations: readonly DestinationState[]
  /** `sh-port`, `sh-fallback`, `mh-port`, `mh-fallback`. */
  readonly flags: readonly string[]
}

/** A scheduler that keeps nothing but what `schedule` needs. */
export const stateless = (schedule: Scheduler['schedule']): Scheduler => ({
  schedule,
  changed: () => undefined,
  removing: () => undefined,
  period: ONCE,
})

export const ONCE = (): number => 1

/** It would take a new connection. */
export const isUsable = ({ weight, overloaded }: DestinationState): boolean => weight > 0 && !overloaded

/** The four words folded into one, as the hashing schedulers do before they hash (addr_fold). */
export const foldIp = ({ a, b, c, d }: Ip): number => (a ^ b ^ c ^ d) >>> 0

const GOLDEN_RATIO = 0x61c88647

/** hash_32 of Linux include/linux/hash.h: the upper `bits` of the product with the golden ratio. */
export const hash32 = (value: number, bits: number): number => (Math.imul(value, GOLDEN_RATIO) >>> 0) >>> (32 - bits)

export function gcd(x: number, y: number): number {
  return y === 0 ? x : gcd(y, x % y)
}
