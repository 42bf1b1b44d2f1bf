import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import type { Family } from '../packet/ip.ts'
import { familyName } from './endpoint.ts'
import { slicesOf } from './service-map.ts'
import type { ServicePort } from './service-port.ts'

/** The service ports that a sync knew, and the cluster that it had them from. */
export interface KnownServices {
  readonly cluster: Cluster
  readonly family: Family
  readonly ports: readonly ServicePort[]
}

/**
 * Whether a port's Service is as it was in the sync before (ServiceChangeTracker, EndpointsChangeTracker). Any change
 * of a Service's record or of a slice has all ports of that Service written again.
 */
export function unchangedBetween(before: KnownServices, after: KnownServices): (port: ServicePort) => boolean {
  const now = recordsOf(after)
  const then = recordsOf(before)
  return ({ service }) => then.get(keyOf(service.meta)) === now.get(keyOf(service.meta))
}

/** Service by service, a text that differs where kube-proxy sees a change. */
function recordsOf({ cluster, family, ports }: KnownServices): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (const port of ports) {
    const key = keyOf(port.service.meta)
    const slices = records.has(key) ? '' : slicesText(cluster, port.service, family)
    records.set(key, `${records.get(key) ?? ''}${portText(port)}${slices}`)
  }
  return records
}

/** A list of source ranges that a `/0` has emptied is not the same to kube-proxy as one that was never there. */
function portText({ service, endpoints: _, spec: __, ...record }: ServicePort): string {
  const ranges = service.loadBalancerSourceRanges.some(({ address }) => address.family === record.family)
  return JSON.stringify({ ...record, ranges })
}

function slicesText(cluster: Cluster, service: Service, family: Family): string {
  const slices = slicesOf(cluster, service).filter((slice) => slice.addressType === familyName(family))
  return JSON.stringify(slices.map(({ at: _, ...slice }) => slice))
}
