import type { Ip } from '../packet/ip.ts'
import type { Prefix } from '../packet/prefix.ts'
import type { InputInventory } from './input/inventory.ts'
import type { Lab } from './lab.ts'
import type {
  ConfigMap,
  EndpointSlice,
  Endpoints,
  KubeNode,
  Namespace,
  NetworkPolicy,
  OtherObject,
  Pod,
  Service,
  ServiceCIDR,
  Workload,
} from './objects.ts'
import type { Assumption, Diagnostic, SourceSpan } from './source.ts'
import type { SourceTexts } from './source-texts.ts'

/**
 * The cluster as the API server and its controllers would hold it. Frozen data and indexes, no behaviour. Lists are
 * sorted by namespace, then name, by code unit.
 */
export interface Cluster {
  readonly nodes: readonly KubeNode[]
  readonly namespaces: readonly Namespace[]
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly endpoints: readonly Endpoints[]
  readonly configMaps: readonly ConfigMap[]
  readonly networkPolicies: readonly NetworkPolicy[]
  readonly workloads: readonly Workload[]
  readonly serviceCIDRs: readonly ServiceCIDR[]
  /** Resources read where they are used: IPPool, BGPConfiguration, GlobalNetworkPolicy, Ingress ... */
  readonly others: readonly OtherObject[]
  /** The Lab documents of the input, merged; every field optional. */
  readonly lab: Lab
  /** What was found out about the cluster as a whole. */
  readonly facts: ClusterFacts
  /** Which node has which block of pod addresses, where the CNI's IPAM gives out blocks (calico). */
  readonly addressBlocks?: readonly AddressBlock[]
  readonly index: ClusterIndex
  readonly assumptions: readonly Assumption[]
  /** Kinds read with their number, kinds skipped with theirs. */
  readonly inventory: Inventory
}

export interface ClusterFacts {
  readonly kubernetesVersion: string
  readonly dnsDomain: string
  readonly podCIDRs: readonly Prefix[]
  readonly serviceCIDRs: readonly Prefix[]
  /** ClusterIPs that pods get as nameserver (kubelet's clusterDNS). */
  readonly clusterDNS: readonly Ip[]
  /** kubelet's resolvConf, a path on the node; `''`: it reads none. Absent: /etc/resolv.conf. */
  readonly kubeletResolvConf?: string
  readonly cni: DetectedCni
}

/** A block of pod addresses that belongs to a node. */
export interface AddressBlock {
  readonly node: string
  readonly block: Prefix
  /** True where no object says so and it was computed. */
  readonly assumed: boolean
}

/** What the CNI detection concluded, with the object that shows it. */
export interface DetectedCni {
  /** flannel, calico, canal, kindnet, aws-vpc-cni, ... or `unknown`. */
  readonly name: string
  readonly evidence: string
  readonly confidence: 'given' | 'certain' | 'likely' | 'guess'
  /** Where the evidence stands. */
  readonly at?: SourceSpan
}

export interface ClusterIndex {
  readonly node: ReadonlyMap<string, KubeNode>
  readonly namespace: ReadonlyMap<string, Namespace>
  /** Keys are `namespace/name`. */
  readonly pod: ReadonlyMap<string, Pod>
  readonly service: ReadonlyMap<string, Service>
  readonly configMap: ReadonlyMap<string, ConfigMap>
  /** Pods that are on a node, by node name. */
  readonly podsOnNode: ReadonlyMap<string, readonly Pod[]>
  /** Pods by address (ipKey); hostNetwork and finished pods are not in it. */
  readonly podByIp: ReadonlyMap<number | string, Pod>
  /** Slices by `namespace/serviceName`. */
  readonly slicesOfService: ReadonlyMap<string, readonly EndpointSlice[]>
  readonly policiesOfNamespace: ReadonlyMap<string, readonly NetworkPolicy[]>
}

export interface Inventory {
  readonly read: Readonly<Record<string, number>>
  readonly skipped: Readonly<Record<string, number>>
}

/** What loading answers: a Cluster of all that could be read, and what to say about the rest. */
export interface Loaded {
  readonly cluster: Cluster
  readonly diagnostics: readonly Diagnostic[]
  /** Finds the line of a field of an object of the cluster. */
  readonly sources: SourceTexts
  /** What the files were found to be, and what was left out of them. */
  readonly input: InputInventory
}

/** `namespace/name`, or the bare name of a cluster-scoped object. */
export const keyOf = (meta: { readonly namespace: string; readonly name: string }): string =>
  meta.namespace === '' ? meta.name : `${meta.namespace}/${meta.name}`
