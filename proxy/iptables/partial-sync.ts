import type { Cluster } from '../../cluster/cluster.ts'
import { type KnownServices, unchangedBetween } from '../service-changes.ts'
import type { ServicePort } from '../service-port.ts'
import { isSeenOtherwise } from '../viewpoint.ts'
import type { IptablesSync } from './sync.ts'

/** What kube-proxy knows in a partial sync about the sync before. */
export interface SyncChanges {
  /** Neither the Service of the port nor one of its slices changed; its own chains need no writing. */
  readonly isUnchanged: (port: ServicePort) => boolean
  /** Chains that were there and are no longer used, by name. */
  readonly staleChains: readonly string[]
  /** Chains that are no longer used and stay for now. */
  readonly leftChains: readonly string[]
}

/** A sync, and the cluster it was made of. */
export interface Synced {
  readonly cluster: Cluster
  readonly sync: IptablesSync
  /** Chains that the syncs before have left, used by nobody. */
  readonly leftChains?: readonly string[]
}

/**
 * What changed from one sync to the next; a node in another zone makes it a full one. In large-cluster mode stale chains stay,
 * as they are looked for at most once in a syncPeriod; once the cluster is small again they all go.
 */
export function changesBetween(before: Synced, after: Synced): SyncChanges {
  const active = new Set(chainsOf(after.sync))
  const { node, features } = after.sync.setup
  const there = new Set([...(before.leftChains ?? []), ...chainsOf(before.sync)])
  const unused = [...there].filter((chain) => !active.has(chain)).sort()
  return {
    isUnchanged: isSeenOtherwise(before.sync.setup.node, node, features)
      ? () => false
      : unchangedBetween(known(before), known(after)),
    staleChains: after.sync.terse ? [] : unused,
    leftChains: after.sync.terse ? unused : [],
  }
}

const chainsOf = (sync: IptablesSync): readonly string[] => sync.services.flatMap((service) => service.own().chains)

const known = ({ cluster, sync }: Synced): KnownServices => ({
  cluster,
  family: sync.setup.family,
  ports: sync.services.map(({ port }) => port),
})
