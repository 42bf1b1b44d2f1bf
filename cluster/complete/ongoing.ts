import type { Ip } from '../../packet/ip.ts'
import type { AddressBlock, ClusterFacts } from '../cluster.ts'

/** A cluster that has been there before: what was settled then, and what its controllers do now. */
export interface Ongoing {
  readonly facts: ClusterFacts
  readonly blocks: readonly AddressBlock[]
  /** Addresses that pods had: IPAM goes on behind them before it comes back to one. */
  readonly used: readonly Ip[]
  /** `namespace/name` of pods that were there: a new one gets another name. */
  readonly names: ReadonlySet<string>
  /** How many pods a workload's controller makes now, by `Kind namespace/name`. */
  readonly missing: ReadonlyMap<string, number>
  /** `namespace/name` of Services whose slices the controllers write anew. */
  readonly rewritten: ReadonlySet<string>
}
