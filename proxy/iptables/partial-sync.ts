import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { Service } from '../../cluster/objects.ts'
import type { Family } from '../../packet/ip.ts'
import { familyName } from '../endpoint.ts'
import { slicesOf } from '../service-map.ts'
import type { ServicePort } from '../service-port.ts'
import type { IptablesSync } from './sync.ts'

/** What kube-proxy knows in a partial sync about the sync before. */
export interface SyncChanges {
  /** Neither the Service of the port nor one of its slices changed; its own chains need no writing. */
  readonly isUnchanged: (port: ServicePort) => boolean
  /** Chains that were there and are no longer used, by name. */
  readonly staleChains: readonly string[]
}

/** A sync, and the cluster it was made of. */
export interface Synced {
  readonly cluster: Cluster
  readonly sync: IptablesSync
}

/**
 * What changed from one sync to the next (ServiceChangeTracker, EndpointsChangeTracker). Any change of a Service's
 * record or of a slice has all ports of that Service written again. In large-cluster mode stale chains stay: they are
 * looked for at most once in a syncPeriod.
 */
export function changesBetween(before: Synced, after: Synced): SyncChanges {
  const { family } = after.sync.setup
  const now = recordsOf(after, family)
  const then = recordsOf(before, family)
  const active = new Set(chainsOf(after.sync))
  return {
    isUnchanged: ({ service }) => then.get(keyOf(service.meta)) === now.get(keyOf(service.meta)),
    staleChains: after.sync.terse
      ? []
      : chainsOf(before.sync)
          .filter((chain) => !active.has(chain))
          .sort(),
  }
}

const chainsOf = (sync: IptablesSync): readonly string[] => sync.services.flatMap((service) => service.own().chains)

/** Service by service, a text that differs where kube-proxy sees a change. */
function recordsOf({ cluster, sync }: Synced, family: Family): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (const { port } of sync.services) {
    const key = keyOf(port.service.meta)
    const slices = records.has(key) ? '' : slicesText(cluster, port.service, family)
    records.set(key, `${records.get(key) ?? ''}${portText(port)}${slices}`)
  }
  return records
}

function portText({ service: _, endpoints: __, spec: ___, ...record }: ServicePort): string {
  return JSON.stringify(record)
}

function slicesText(cluster: Cluster, service: Service, family: Family): string {
  const slices = slicesOf(cluster, service).filter((slice) => slice.addressType === familyName(family))
  return JSON.stringify(slices.map(({ at: _, ...slice }) => slice))
}
