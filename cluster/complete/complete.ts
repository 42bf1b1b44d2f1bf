import { buildIndex } from '../build-index.ts'
import type { Cluster } from '../cluster.ts'
import { clusterFacts } from '../cluster-facts.ts'
import type { Lab } from '../lab.ts'
import type { IpFamily, Pod, Service } from '../objects.ts'
import { byName, byText } from '../order.ts'
import type { Snapshot } from '../read/snapshot.ts'
import type { Assumption, Diagnostic } from '../source.ts'
import { groupByKind } from './grouped.ts'
import { defaultService } from './service.ts'

export interface CompleteInput {
  readonly snapshot: Snapshot
  readonly lab: Lab
  readonly refused: 'use' | 'drop'
}

/** Fills what the input leaves open, as the API server, the controllers and the scheduler would have. */
export function completeCluster({ snapshot, lab }: CompleteInput): {
  cluster: Cluster
  diagnostics: readonly Diagnostic[]
} {
  const diagnostics: Diagnostic[] = []
  const assumptions: Assumption[] = []
  const groups = groupByKind(snapshot.found)
  const dns = groups.services.find(
    ({ draft }) => draft.meta.namespace === 'kube-system' && draft.meta.name === 'kube-dns',
  )
  const facts = clusterFacts({ ...groups, lab, dnsServiceIPs: dns?.draft.clusterIPs ?? [] }, (assumption) =>
    assumptions.push(assumption),
  )
  const families = [
    ...new Set(facts.serviceCIDRs.map(({ address }): IpFamily => (address.family === 4 ? 'IPv4' : 'IPv6'))),
  ]
  const services = groups.services.map(
    ({ draft, at }): Service => ({
      kind: 'Service',
      ...defaultService(draft, families),
      at,
      assumed: false,
    }),
  )
  const pods = groups.pods.map(
    ({ draft: { hasStatus: _, ...pod }, at }): Pod => ({ kind: 'Pod', ...pod, at, assumed: false }),
  )
  const lists = {
    nodes: [...groups.nodes].sort(byName),
    namespaces: [...groups.namespaces].sort(byName),
    pods: pods.sort(byName),
    services: services.sort(byName),
    endpointSlices: [...groups.endpointSlices].sort(byName),
    endpoints: [...groups.endpoints].sort(byName),
    configMaps: [...groups.configMaps].sort(byName),
    networkPolicies: [...groups.networkPolicies].sort(byName),
    workloads: [...groups.workloads].sort((x, y) => byName(x, y) || byText(x.kind, y.kind)),
    serviceCIDRs: [...groups.serviceCIDRs].sort(byName),
    others: [...groups.others].sort((x, y) => byText(x.objectKind, y.objectKind) || byName(x, y)),
  }
  const cluster: Cluster = {
    ...lists,
    lab,
    facts,
    index: buildIndex(lists),
    assumptions,
    inventory: { read: snapshot.read, skipped: snapshot.skipped },
  }
  return { cluster, diagnostics }
}
