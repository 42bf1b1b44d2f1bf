import type {
  ConfigMap,
  EndpointSlice,
  Endpoints,
  KubeNode,
  Namespace,
  NetworkPolicy,
  OtherObject,
  ServiceCIDR,
  Workload,
} from '../objects.ts'
import type { Draft, Found } from '../read/object-kinds.ts'
import type { PodDraft } from '../read/pod.ts'
import type { ServiceDraft } from '../read/service.ts'

type FoundPod = { readonly kind: 'Pod' } & PodDraft
type FoundService = { readonly kind: 'Service' } & ServiceDraft

/** The objects of the input by kind, each with its place; not one of them is made up. */
export interface Grouped {
  readonly nodes: readonly KubeNode[]
  readonly namespaces: readonly Namespace[]
  readonly pods: readonly Found<FoundPod>[]
  readonly services: readonly Found<FoundService>[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly endpoints: readonly Endpoints[]
  readonly configMaps: readonly ConfigMap[]
  readonly networkPolicies: readonly NetworkPolicy[]
  readonly workloads: readonly Workload[]
  readonly serviceCIDRs: readonly ServiceCIDR[]
  readonly others: readonly OtherObject[]
}

export function groupByKind(found: readonly Found[]): Grouped {
  const groups = {
    nodes: [] as KubeNode[],
    namespaces: [] as Namespace[],
    pods: [] as Found<FoundPod>[],
    services: [] as Found<FoundService>[],
    endpointSlices: [] as EndpointSlice[],
    endpoints: [] as Endpoints[],
    configMaps: [] as ConfigMap[],
    networkPolicies: [] as NetworkPolicy[],
    workloads: [] as Workload[],
    serviceCIDRs: [] as ServiceCIDR[],
    others: [] as OtherObject[],
  }
  for (const one of found) put(groups, one)
  return groups
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : never }

function put(groups: Mutable<Grouped>, { draft, at, recorded, resourceVersion }: Found<Draft>): void {
  const rest = { at, assumed: false }
  switch (draft.kind) {
    case 'Node':
      return void groups.nodes.push({ ...draft, ...rest })
    case 'Namespace':
      return void groups.namespaces.push({ ...draft, ...rest })
    case 'Pod':
      return void groups.pods.push({ draft, at, recorded, resourceVersion })
    case 'Service':
      return void groups.services.push({ draft, at, recorded, resourceVersion })
    case 'EndpointSlice':
      return void groups.endpointSlices.push({ ...draft, ...rest })
    case 'Endpoints':
      return void groups.endpoints.push({ ...draft, ...rest })
    case 'ConfigMap':
      return void groups.configMaps.push({ ...draft, ...rest })
    case 'NetworkPolicy':
      return void groups.networkPolicies.push({ ...draft, ...rest })
    case 'ServiceCIDR':
      return void groups.serviceCIDRs.push({ ...draft, ...rest })
    case 'Other':
      return void groups.others.push({ ...draft, ...rest })
    default:
      return void groups.workloads.push({ ...draft, ...rest })
  }
}
