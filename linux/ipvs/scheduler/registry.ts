import { destinationHash, sourceHash } from './address-hash.ts'
import { leastConnection, neverQueue, shortestExpectedDelay, weightedLeastConnection } from './least-connection.ts'
import { localityLeastConnection, localityReplicated } from './locality.ts'
import { maglev } from './maglev.ts'
import { roundRobin, weightedRoundRobin } from './round-robin.ts'
import type { Scheduler, SchedulerService } from './scheduler.ts'

/** Every scheduler by the name that `ipvsadm -s` takes. */
export const SCHEDULERS = {
  rr: roundRobin,
  wrr: weightedRoundRobin,
  lc: leastConnection,
  wlc: weightedLeastConnection,
  lblc: localityLeastConnection,
  lblcr: localityReplicated,
  sh: sourceHash,
  dh: destinationHash,
  sed: shortestExpectedDelay,
  nq: neverQueue,
  mh: maglev,
} as const satisfies Record<string, (service: SchedulerService) => Scheduler>

export type SchedulerName = keyof typeof SCHEDULERS

export const isSchedulerName = (name: string): name is SchedulerName => Object.hasOwn(SCHEDULERS, name)

export const newScheduler = (name: SchedulerName, service: SchedulerService): Scheduler => SCHEDULERS[name](service)
