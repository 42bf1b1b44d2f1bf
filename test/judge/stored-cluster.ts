import { buildIndex } from '../../cluster/build-index.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { defaultService } from '../../cluster/complete/service.ts'
import type { Service } from '../../cluster/objects.ts'
import type { Draft, Found } from '../../cluster/read/object-kinds.ts'
import { readSnapshot } from '../../cluster/read/snapshot.ts'

/**
 * A Cluster of exactly these objects, as an API server stores them: nothing is allocated and no controller runs, so
 * that a component can be judged on its own input.
 */
export function storedCluster(objects: readonly unknown[], facts: { readonly kubernetesVersion: string }): Cluster {
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, undefined, 1)
  const { found } = readSnapshot([{ name: 'objects.json', bytes: new TextEncoder().encode(text) }], {})
  const of = <K extends Draft['kind']>(kind: K) =>
    found.flatMap(({ draft, at }: Found) =>
      draft.kind === kind ? [{ ...(draft as Extract<Draft, { kind: K }>), at, assumed: false }] : [],
    )
  const services: Service[] = of('Service').map((draft) => ({
    ...draft,
    ...defaultService(draft, ['IPv4', 'IPv6']),
  }))
  const lists = {
    nodes: of('Node'),
    namespaces: of('Namespace'),
    pods: [],
    services,
    endpointSlices: of('EndpointSlice'),
    endpoints: of('Endpoints'),
    configMaps: of('ConfigMap'),
    networkPolicies: of('NetworkPolicy'),
    workloads: [],
    serviceCIDRs: of('ServiceCIDR'),
    others: [],
  }
  return {
    ...lists,
    lab: {},
    facts: {
      kubernetesVersion: facts.kubernetesVersion,
      dnsDomain: 'cluster.local',
      podCIDRs: [],
      serviceCIDRs: lists.serviceCIDRs.flatMap((range) => range.cidrs),
      clusterDNS: [],
      cni: { name: 'unknown', evidence: 'only stored objects', confidence: 'given' },
    },
    index: buildIndex(lists),
    assumptions: [],
    inventory: { read: {}, skipped: {} },
  }
}
