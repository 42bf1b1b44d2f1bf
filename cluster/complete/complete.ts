import { buildIndex } from '../build-index.ts'
import { type Cluster, keyOf } from '../cluster.ts'
import { clusterFacts } from '../cluster-facts.ts'
import type { Lab } from '../lab.ts'
import type { IpFamily, KubeNode, Meta, Service } from '../objects.ts'
import { byName, byText } from '../order.ts'
import { type Found, kindOf, objectName } from '../read/object-kinds.ts'
import type { ServiceDraft } from '../read/service.ts'
import type { Snapshot } from '../read/snapshot.ts'
import type { Assumption, Diagnostic } from '../source.ts'
import { type Before, completeEndpoints } from './complete-endpoints.ts'
import type { Filling } from './filling.ts'
import { type Grouped, groupByKind } from './grouped.ts'
import { kubernetesService } from './kubernetes-service.ts'
import { completeNamespaces } from './namespaces.ts'
import { completeNodes } from './nodes.ts'
import type { Ongoing } from './ongoing.ts'
import { completeAddresses } from './pod-addresses.ts'
import { refusedServices } from './refused-services.ts'
import { defaultService } from './service.ts'
import { completeServiceAddresses, familyOfIp } from './service-addresses.ts'
import { completePods } from './workload-pods.ts'

export interface CompleteInput {
  readonly snapshot: Snapshot
  readonly lab: Lab
  /** Whether an object that the API server would refuse is used all the same. */
  readonly refused: 'use' | 'drop'
  /** The cluster before the change that the snapshot is: what its controllers leave behind stays. */
  readonly before?: Before | undefined
  /** Set where the snapshot is the cluster as it was, with a change made to it. */
  readonly ongoing?: Ongoing | undefined
}

/** Fills what the input leaves open, as the API server, the controllers and the scheduler would have. */
export function completeCluster({ snapshot, lab, refused, before, ongoing }: CompleteInput): {
  cluster: Cluster
  diagnostics: readonly Diagnostic[]
} {
  const diagnostics: Diagnostic[] = []
  const assumptions: Assumption[] = []
  const filling: Filling = {
    assume: (assumption) => void assumptions.push(assumption),
    diagnose: (diagnostic) => void diagnostics.push(diagnostic),
  }
  const read = groupByKind(refused === 'drop' ? without(snapshot.found, snapshot.diagnostics) : snapshot.found)
  const facts =
    ongoing?.facts ??
    clusterFacts(
      {
        ...read,
        lab,
        serverVersion: snapshot.serverVersion,
        dnsServiceIPs: serviceIPs(read, DNS_SERVICE),
        apiServiceIPs: serviceIPs(read, 'default/kubernetes'),
        clusterIPs: read.services.flatMap(({ draft }) => draft.clusterIPs),
        dualStack: read.services.find(({ draft, recorded }) => !recorded && asksForTwoFamilies(draft))?.draft.meta,
        pods: read.pods.map(({ draft }) => draft),
      },
      filling.assume,
    )
  const refusals = refusedServices(groupByKind(snapshot.found).services, {
    ranges: facts.serviceCIDRs,
    sources: snapshot.sources,
    keeps: new Set(read.services.map(({ draft }) => objectName('Service', draft.meta))),
  })
  diagnostics.push(...refusals)
  const groups = refused === 'drop' ? { ...read, services: without(read.services, refusals) } : read
  const nodes = completeNodes(
    {
      given: groups.nodes,
      pods: groups.pods,
      workloads: groups.workloads,
      lab,
      podCIDRs: facts.podCIDRs,
      needed: groups.pods.length + groups.workloads.length > 0,
    },
    filling,
  )
  const made = completePods(
    {
      ...groups,
      nodes,
      namespaces: completeNamespaces(
        groups.namespaces,
        snapshot.found.map(({ draft }) => draft),
      ),
      kubernetesVersion: facts.kubernetesVersion,
      ongoing,
    },
    filling,
  )
  const { pods, blocks } = completeAddresses(
    { pods: made.pods, nodes, others: groups.others, lab, cni: facts.cni, podCIDRs: facts.podCIDRs, ongoing },
    filling,
  )
  const services = completeServices({ groups, nodes, ranges: facts.serviceCIDRs }, filling)
  const { endpointSlices, endpoints } = completeEndpoints({ groups, nodes, pods, services, before, ongoing }, filling)
  const lists = {
    nodes: [...nodes].sort(byName),
    namespaces: completeNamespaces(groups.namespaces, [
      ...snapshot.found.map(({ draft }) => draft),
      ...pods,
      ...services,
    ]),
    pods: [...pods].sort(byName),
    services,
    endpointSlices: [...endpointSlices].sort(byName),
    endpoints: [...endpoints].sort(byName),
    configMaps: [...groups.configMaps].sort(byName),
    networkPolicies: [...groups.networkPolicies].sort(byName),
    workloads: [...groups.workloads, ...made.replicaSets].sort((x, y) => byName(x, y) || byText(x.kind, y.kind)),
    serviceCIDRs: [...groups.serviceCIDRs].sort(byName),
    others: [...groups.others].sort((x, y) => byText(x.objectKind, y.objectKind) || byName(x, y)),
  }
  const dns = lists.services.find(({ meta }) => keyOf(meta) === DNS_SERVICE)
  const cluster: Cluster = {
    ...lists,
    lab,
    facts: facts.clusterDNS.length > 0 || dns === undefined ? facts : { ...facts, clusterDNS: dns.clusterIPs },
    ...(blocks.length === 0 ? {} : { addressBlocks: blocks }),
    index: buildIndex(lists),
    assumptions,
    inventory: { read: snapshot.read, skipped: snapshot.skipped },
  }
  return { cluster, diagnostics }
}

/** The objects that no diagnostic refuses. */
function without<D extends { readonly kind: string; readonly meta: Meta }>(
  found: readonly Found<D>[],
  diagnostics: readonly Diagnostic[],
): Found<D>[] {
  const refused = new Set(diagnostics.flatMap(({ refused, object }) => (refused ? (object ?? []) : [])))
  return found.filter(({ draft }) => !refused.has(objectName(kindOf(draft), draft.meta)))
}

const DNS_SERVICE = 'kube-system/kube-dns'

/** Only a cluster of both families takes such a Service. */
const asksForTwoFamilies = ({ ipFamilyPolicy, ipFamilies, clusterIPs }: ServiceDraft): boolean =>
  ipFamilyPolicy === 'RequireDualStack' || ipFamilies.includes('IPv6') || clusterIPs.some(({ family }) => family === 6)

const serviceIPs = ({ services }: Grouped, key: string) =>
  services.find(({ draft }) => keyOf(draft.meta) === key)?.draft.clusterIPs ?? []

interface ServicesInput {
  readonly groups: Grouped
  readonly nodes: readonly KubeNode[]
  readonly ranges: Cluster['facts']['serviceCIDRs']
}

/** The Services of the input, and default/kubernetes where no API server printed them. */
function completeServices({ groups, nodes, ranges }: ServicesInput, filling: Filling): Service[] {
  const families: IpFamily[] = [...new Set(ranges.map(({ address }) => familyOfIp(address)))]
  const given = groups.services.map(({ draft, at }): Service => {
    return { kind: 'Service', ...defaultService(draft, families), at, assumed: false }
  })
  const hasApi = given.some(({ meta }) => keyOf(meta) === 'default/kubernetes')
  const recorded = given.some(({ meta }) => meta.uid !== undefined)
  const nothing = nodes.length + given.length === 0
  const api = hasApi || recorded || nothing ? undefined : kubernetesService(ranges, filling)
  return completeServiceAddresses(api === undefined ? given : [...given, api], ranges, filling)
}
