import type { Ip } from '../packet/ip.ts'
import type { Prefix } from '../packet/prefix.ts'
import type { SourceSpan } from './source.ts'

/**
 * The part of the Kubernetes API that podwalk reads, after defaulting. Field names are the API's; addresses are
 * values, absent lists are empty lists.
 */

export type Labels = Readonly<Record<string, string>>
export type Protocol = 'TCP' | 'UDP' | 'SCTP'
export type IpFamily = 'IPv4' | 'IPv6'

export interface Meta {
  /** `''` for cluster-scoped objects. */
  readonly namespace: string
  readonly name: string
  readonly uid?: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  /** `Kind/name` of the controlling owner. */
  readonly owner?: { readonly kind: string; readonly name: string }
}

interface ApiObject<Kind extends string> {
  readonly kind: Kind
  readonly meta: Meta
  /** Where it was read; absent on an object that podwalk made up (see `assumed`). */
  readonly at?: SourceSpan
  /** True where podwalk made the object or an address in it, as the controllers would have. */
  readonly assumed: boolean
}

export interface KubeNode extends ApiObject<'Node'> {
  readonly podCIDRs: readonly Prefix[]
  readonly internalIPs: readonly Ip[]
  readonly externalIPs: readonly Ip[]
  readonly hostname: string
  readonly taints: readonly Taint[]
  readonly unschedulable: boolean
  readonly ready: boolean
  /** `status.nodeInfo.kubeletVersion`: `v1.36.3`. */
  readonly kubeletVersion?: string
  /** `status.allocatable.cpu` in thousandths; topology hints weigh zones by it. */
  readonly allocatableMilliCpu?: number
  /** `status.allocatable` of memory, in octets, and of pods: what the scheduler may fill. */
  readonly allocatableMemory?: number
  readonly allocatablePods?: number
}

export interface Taint {
  readonly key: string
  readonly value: string
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
}

export interface Toleration {
  readonly key: string
  readonly operator: 'Exists' | 'Equal'
  readonly value: string
  readonly effect: string
}

export interface Namespace extends ApiObject<'Namespace'> {}

export interface PodTemplate {
  readonly labels: Labels
  readonly annotations: Labels
  readonly spec: PodSpec
}

export interface PodSpec {
  readonly nodeName: string
  readonly nodeSelector: Labels
  readonly tolerations: readonly Toleration[]
  readonly hostNetwork: boolean
  readonly containers: readonly Container[]
  readonly initContainers: readonly Container[]
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  readonly dnsPolicy: 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None'
  readonly dnsConfig: DnsConfig
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[]
  readonly hostname: string
  readonly subdomain: string
  readonly setHostnameAsFQDN: boolean
  readonly enableServiceLinks: boolean
  readonly serviceAccountName: string
  /** What the scheduler reserves on a node; absent where no container requests anything. */
  readonly requests?: ResourceRequests
  /** `spec.affinity` as it stands, read by the scheduler alone. */
  readonly affinity?: unknown
  readonly topologySpreadConstraints?: unknown
  /** It has scheduling gates: no node is looked for until they are taken away. */
  readonly gated?: true
}

export interface ResourceRequests {
  readonly milliCpu: number
  /** Octets. */
  readonly memory: number
}

export interface DnsConfig {
  readonly nameservers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly { readonly name: string; readonly value?: string }[]
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly ports: readonly ContainerPort[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly hasReadinessProbe: boolean
  /** An init container with restartPolicy Always: a sidecar, whose ports count. */
  readonly sidecar: boolean
}

export interface ContainerPort {
  readonly name: string
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostPort: number
  readonly hostIP: string
}

export interface Pod extends ApiObject<'Pod'> {
  readonly spec: PodSpec
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly ready: boolean
  /** `status.podIPs`, first the primary; empty while it has none. */
  readonly ips: readonly Ip[]
  readonly hostIPs: readonly Ip[]
  /** What else its status tells; absent on a manifest and on a pod that podwalk made up. */
  readonly condition?: PodCondition
}

/** Why a pod is not as it should be, in the words of the kubelet, the scheduler and the controllers. */
export interface PodCondition {
  /** `status.reason`: `Evicted`, `NodeLost`. */
  readonly reason?: string
  /** The message of condition PodScheduled while it is False. */
  readonly unschedulable?: string
  /** The reason of condition DisruptionTarget: `EvictionByEvictionAPI`, `DeletionByTaintManager`. */
  readonly disruption?: string
  /** Containers that are not ready, in the order of the status. */
  readonly waiting: readonly WaitingContainer[]
}

export interface WaitingContainer {
  readonly name: string
  /** `CrashLoopBackOff`, `ImagePullBackOff`, `Error`; `''` for one that runs and fails its probe. */
  readonly reason: string
  readonly restarts: number
  readonly exitCode?: number
}

export interface Service extends ApiObject<'Service'> {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** Undefined: no selector. The API server stores an empty one as none. */
  readonly selector: Labels | undefined
  readonly ports: readonly ServicePortSpec[]
  /** Empty for headless ("None"), ExternalName and a Service that has none yet. */
  readonly clusterIPs: readonly Ip[]
  readonly headless: boolean
  readonly ipFamilies: readonly IpFamily[]
  readonly ipFamilyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack'
  readonly externalIPs: readonly Ip[]
  readonly externalName: string
  readonly sessionAffinity: 'None' | 'ClientIP'
  /** Seconds; 10800 unless said. */
  readonly sessionAffinityTimeout: number
  readonly externalTrafficPolicy: 'Cluster' | 'Local'
  readonly internalTrafficPolicy: 'Cluster' | 'Local'
  readonly publishNotReadyAddresses: boolean
  readonly loadBalancerSourceRanges: readonly Prefix[]
  readonly loadBalancerClass?: string
  readonly allocateLoadBalancerNodePorts: boolean
  readonly healthCheckNodePort: number
  readonly trafficDistribution?: string
  readonly loadBalancerIngress: readonly LoadBalancerIngress[]
}

export interface LoadBalancerIngress {
  readonly ip?: Ip
  readonly hostname?: string
  readonly ipMode: 'VIP' | 'Proxy'
}

export interface ServicePortSpec {
  /** `''` for an unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  readonly targetPort: number | string
  /** 0: none. */
  readonly nodePort: number
  readonly appProtocol?: string
}

export interface EndpointSlice extends ApiObject<'EndpointSlice'> {
  /** The value of label kubernetes.io/service-name, or `''`. */
  readonly serviceName: string
  readonly addressType: IpFamily | 'FQDN'
  readonly ports: readonly EndpointPort[]
  readonly endpoints: readonly Endpoint[]
}

export interface EndpointPort {
  /** Undefined: kube-proxy ignores the port; `''` is a name. */
  readonly name: string | undefined
  /** Undefined means "all ports"; kube-proxy ignores it. */
  readonly port: number | undefined
  readonly protocol: Protocol
  readonly appProtocol?: string
}

export interface Endpoint {
  /** As written; kube-proxy uses the first. */
  readonly addresses: readonly Ip[]
  /**
   * Undefined conditions are as kube-proxy takes them (pkg/proxy/endpointslicecache.go): ready true, serving true,
   * terminating false. The API's own words, that an absent serving is as ready, are not what it does.
   */
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName?: string
  readonly hostname?: string
  readonly zone?: string
  readonly targetRef?: { readonly kind: string; readonly namespace: string; readonly name: string }
  /** Zones and nodes of `hints`; undefined: no hints of that kind. */
  readonly hintZones?: readonly string[]
  readonly hintNodes?: readonly string[]
}

export interface Endpoints extends ApiObject<'Endpoints'> {
  readonly subsets: readonly EndpointSubset[]
}

export interface EndpointSubset {
  readonly addresses: readonly EndpointAddress[]
  readonly notReadyAddresses: readonly EndpointAddress[]
  readonly ports: readonly EndpointsPort[]
}

export interface EndpointsPort {
  readonly name: string
  readonly port: number
  readonly protocol: Protocol
  readonly appProtocol?: string
}

export interface EndpointAddress {
  readonly ip: Ip
  readonly hostname?: string
  readonly nodeName?: string
  /** Without a uid, as by hand, addresses are told apart by nothing else than themselves. */
  readonly targetRef?: {
    readonly kind: string
    readonly namespace: string
    readonly name: string
    readonly uid?: string
  }
}

export interface ConfigMap extends ApiObject<'ConfigMap'> {
  readonly data: Labels
}

export interface ServiceCIDR extends ApiObject<'ServiceCIDR'> {
  readonly cidrs: readonly Prefix[]
}

export interface Workload
  extends ApiObject<'Deployment' | 'ReplicaSet' | 'StatefulSet' | 'DaemonSet' | 'Job' | 'CronJob'> {
  readonly replicas: number
  readonly selector: LabelSelector
  readonly template: PodTemplate
  /** Deployment only: it makes no new ReplicaSet. */
  readonly paused?: true
  /** StatefulSet only. */
  readonly serviceName: string
  readonly ordinalsStart: number
  /** StatefulSet only: whether pod 1 waits for pod 0. */
  readonly podManagementPolicy?: 'OrderedReady' | 'Parallel'
  /** Job only: its pods are numbered. */
  readonly indexed?: boolean
  /** Job only: `Complete` or `Failed`, as recorded. */
  readonly finished?: 'Complete' | 'Failed'
  /** CronJob only. */
  readonly schedule?: string
}

export interface LabelSelector {
  readonly matchLabels: Labels
  readonly matchExpressions: readonly LabelExpression[]
}

export interface LabelExpression {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

export interface NetworkPolicy extends ApiObject<'NetworkPolicy'> {
  readonly podSelector: LabelSelector
  readonly policyTypes: readonly ('Ingress' | 'Egress')[]
  readonly ingress: readonly PolicyRule[]
  readonly egress: readonly PolicyRule[]
}

/** `peers` is `from` or `to`; an empty list allows everyone, as an empty `ports` allows everything. */
export interface PolicyRule {
  readonly peers: readonly PolicyPeer[]
  readonly ports: readonly PolicyPort[]
}

export interface PolicyPeer {
  readonly podSelector?: LabelSelector
  readonly namespaceSelector?: LabelSelector
  readonly ipBlock?: { readonly cidr: Prefix; readonly except: readonly Prefix[] }
}

export interface PolicyPort {
  readonly protocol: Protocol
  /** Undefined: every port of the protocol. */
  readonly port: number | string | undefined
  readonly endPort: number | undefined
}

/** An object of a kind whose spec podwalk reads where it is used (calico's resources, Ingress). */
export interface OtherObject extends ApiObject<'Other'> {
  readonly apiVersion: string
  readonly objectKind: string
  readonly spec: unknown
}
