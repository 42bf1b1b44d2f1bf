import { buildIndex } from '../../cluster/build-index.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Lab } from '../../cluster/lab.ts'
import type {
  ConfigMap,
  Endpoint,
  EndpointPort,
  EndpointSlice,
  KubeNode,
  Labels,
  Meta,
  Service,
  ServicePortSpec,
} from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { ip } from '../../packet/ip.ts'
import { ZERO_MAC } from '../../packet/mac.ts'
import { must } from '../../packet/parsed.ts'
import { type InterfaceAddress, parseInterfaceAddress, prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'

/** Test data: objects with everything that a test does not speak of filled in. */

const meta = (namespace: string, name: string, more: Partial<Meta> = {}): Meta => ({
  namespace,
  name,
  labels: {},
  annotations: {},
  ...more,
})

const at = (line: number) => ({ file: 'objects.yaml', line, offset: 0, length: 0 })

export type ServiceText = Partial<
  Omit<Service, 'clusterIPs' | 'externalIPs' | 'loadBalancerSourceRanges' | 'ports'>
> & {
  readonly clusterIPs?: readonly string[]
  readonly externalIPs?: readonly string[]
  readonly vips?: readonly string[]
  readonly sourceRanges?: readonly string[]
  readonly ports?: readonly Partial<ServicePortSpec>[]
  readonly labels?: Labels
  readonly annotations?: Labels
}

/** A Service `ns/name`; ClusterIP 10.96.0.1, TCP port 80 without a name, unless said. */
export function service(name: string, given: ServiceText = {}): Service {
  const [namespace = 'default', own = name] = name.includes('/') ? name.split('/') : ['default', name]
  const { clusterIPs, externalIPs, vips, sourceRanges, ports, labels = {}, annotations = {}, ...rest } = given
  return {
    kind: 'Service',
    meta: meta(namespace, own, { labels, annotations }),
    at: at(1),
    assumed: false,
    type: 'ClusterIP',
    selector: undefined,
    ports: (ports ?? [{}]).map((port) => ({
      name: '',
      protocol: 'TCP',
      port: 80,
      targetPort: 80,
      nodePort: 0,
      ...port,
    })),
    clusterIPs: (clusterIPs ?? ['10.96.0.1']).map(ip),
    headless: false,
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    externalIPs: (externalIPs ?? []).map(ip),
    externalName: '',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10_800,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    publishNotReadyAddresses: false,
    loadBalancerSourceRanges: (sourceRanges ?? []).map(prefix),
    allocateLoadBalancerNodePorts: true,
    healthCheckNodePort: 0,
    loadBalancerIngress: (vips ?? []).map((vip) => ({ ip: ip(vip), ipMode: 'VIP' })),
    ...rest,
  }
}

export type EndpointText = Partial<Omit<Endpoint, 'addresses'>> & {
  readonly ip: string
  /** Its other addresses. */
  readonly more?: readonly string[]
}

export const READY = { ready: true, serving: true, terminating: false } as const
export const NOT_READY = { ready: false, serving: false, terminating: false } as const
/** Still answers while it shuts down. */
export const DRAINING = { ready: false, serving: true, terminating: true } as const
export const GONE = { ready: false, serving: false, terminating: true } as const

export interface SliceText {
  readonly of: string
  readonly name?: string
  readonly ports?: readonly Partial<EndpointPort>[]
  readonly endpoints: readonly (string | EndpointText)[]
  readonly labels?: Labels
  readonly addressType?: EndpointSlice['addressType']
}

/** A slice of Service `ns/name`; port 8080 without a name, unless said. A bare address is a ready endpoint. */
export function slice({ of, name, ports, endpoints, labels = {}, addressType }: SliceText): EndpointSlice {
  const [namespace = 'default', own = of] = of.includes('/') ? of.split('/') : ['default', of]
  const entries = endpoints.map((endpoint) => (typeof endpoint === 'string' ? { ip: endpoint } : endpoint))
  return {
    kind: 'EndpointSlice',
    meta: meta(namespace, name ?? `${own}-1`, { labels }),
    at: at(2),
    assumed: false,
    serviceName: own,
    addressType: addressType ?? (entries.some((entry) => entry.ip.includes(':')) ? 'IPv6' : 'IPv4'),
    ports: (ports ?? [{}]).map((port) => ({ name: '', port: 8080, protocol: 'TCP', ...port })),
    endpoints: entries.map(({ ip: address, more = [], ...rest }) => ({
      addresses: [address, ...more].map(ip),
      ...READY,
      ...rest,
    })),
  }
}

export function node(name: string, given: Partial<Omit<KubeNode, 'podCIDRs'>> & NodeText = {}): KubeNode {
  const { zone, podCIDRs = [], ips = [], ...rest } = given
  return {
    kind: 'Node',
    meta: meta('', name, { labels: zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone } }),
    assumed: false,
    podCIDRs: podCIDRs.map(prefix),
    internalIPs: ips.map(ip),
    externalIPs: [],
    hostname: name,
    taints: [],
    unschedulable: false,
    ready: true,
    ...rest,
  }
}

interface NodeText {
  readonly zone?: string
  readonly podCIDRs?: readonly string[]
  readonly ips?: readonly string[]
}

export const configMap = (name: string, data: Labels): ConfigMap => ({
  kind: 'ConfigMap',
  meta: meta('kube-system', name),
  at: at(3),
  assumed: false,
  data,
})

export interface ClusterText {
  readonly services?: readonly Service[]
  readonly slices?: readonly EndpointSlice[]
  readonly nodes?: readonly KubeNode[]
  readonly configMaps?: readonly ConfigMap[]
  readonly lab?: Lab
  readonly podCIDRs?: readonly string[]
  readonly version?: string
}

export function smallCluster(given: ClusterText): Cluster {
  const lists = {
    nodes: given.nodes ?? [],
    namespaces: [],
    pods: [],
    services: given.services ?? [],
    endpointSlices: given.slices ?? [],
    endpoints: [],
    configMaps: given.configMaps ?? [],
    networkPolicies: [],
    workloads: [],
    serviceCIDRs: [],
    others: [],
  }
  return {
    ...lists,
    lab: given.lab ?? {},
    facts: {
      kubernetesVersion: given.version ?? 'v1.36.3',
      dnsDomain: 'cluster.local',
      podCIDRs: (given.podCIDRs ?? []).map(prefix),
      serviceCIDRs: [],
      clusterDNS: [],
      cni: { name: 'unknown', evidence: 'test', confidence: 'given' },
    },
    index: buildIndex(lists),
    assumptions: [],
    inventory: { read: {}, skipped: {} },
  }
}

export const DEFAULT_CONFIG: KubeProxyConfig = {
  mode: 'iptables',
  version: 'v1.36.3',
  bindAddress: undefined,
  detectLocal: { kind: 'clusterCIDR', cidrs: [prefix('10.244.0.0/16'), prefix('fd00:10:244::/48')] },
  masqueradeAll: false,
  masqueradeBit: 14,
  localhostNodePorts: true,
  nodePortAddresses: 'all',
  conntrack: {
    tcpEstablishedTimeout: 0,
    tcpCloseWaitTimeout: 0,
    udpTimeout: 0,
    udpStreamTimeout: 0,
    tcpBeLiberal: false,
  },
  ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: [], tcpTimeout: 0, tcpFinTimeout: 0, udpTimeout: 0 },
  featureGates: {},
  source: 'kube-proxy.yaml:1',
}

/** A machine with these addresses on eth0. */
export const machine = (
  addresses: readonly string[],
  capabilities: Partial<HostFacts['capabilities']> = {},
): HostFacts => ({
  hostname: 'node1',
  interfaces: [{ name: 'eth0', mac: ZERO_MAC, mtu: 1500, addresses: addresses.map(interfaceAddress) }],
  defaultInterface: 'eth0',
  capabilities: { ...USUAL_CAPABILITIES, ...capabilities },
  files: new Map(),
})

const interfaceAddress = (text: string): InterfaceAddress => must(parseInterfaceAddress(text))
