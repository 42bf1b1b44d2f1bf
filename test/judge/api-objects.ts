import type {
  EndpointSlice,
  LoadBalancerIngress,
  Meta,
  Namespace,
  OtherObject,
  Pod,
  PodSpec,
  Service,
} from '../../cluster/objects.ts'
import type { DnsObjects } from '../../dns/coredns/api-view.ts'
import { type Ip, parseIp } from '../../packet/ip.ts'

/**
 * Objects as the API server prints them, made into ours without any check: recorded cases hold things that a real API
 * server would refuse (protocols in lower case), and what CoreDNS made of them is known.
 */
export function dnsObjects(list: readonly unknown[]): DnsObjects {
  const objects = list as readonly Json[]
  const of = (kind: string) => objects.filter((object) => object.kind === kind)
  return {
    namespaces: of('Namespace').map((json): Namespace => ({ kind: 'Namespace', meta: metaOf(json), assumed: false })),
    services: of('Service').map(serviceOf),
    endpointSlices: of('EndpointSlice').map(sliceOf),
    pods: of('Pod').map(podOf),
    others: of('ServiceImport').map(
      (json): OtherObject => ({
        kind: 'Other',
        objectKind: json.kind,
        apiVersion: json.apiVersion ?? '',
        meta: metaOf(json),
        assumed: false,
        spec: json.spec,
      }),
    ),
  }
}

// biome-ignore lint/suspicious/noExplicitAny: API objects as they stand in the recorded files.
type Json = any

const metaOf = ({ metadata = {} }: Json): Meta => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {},
  ...(metadata.uid && { uid: metadata.uid }),
  ...(metadata.creationTimestamp && { creationTimestamp: metadata.creationTimestamp }),
  ...(metadata.deletionTimestamp && { deletionTimestamp: metadata.deletionTimestamp }),
})

const addressesOf = (texts: readonly string[] = []): readonly Ip[] =>
  texts.flatMap((text) => {
    const ip = parseIp(text)
    return ip.ok ? [ip.value] : []
  })

function serviceOf(json: Json): Service {
  const spec = json.spec ?? {}
  const clusterIPs: readonly string[] = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])
  return {
    kind: 'Service',
    meta: metaOf(json),
    assumed: false,
    type: spec.type ?? 'ClusterIP',
    selector: spec.selector,
    ports: (spec.ports ?? []).map((port: Json) => ({
      name: port.name ?? '',
      protocol: port.protocol ?? 'TCP',
      port: port.port,
      targetPort: port.targetPort ?? port.port,
      nodePort: port.nodePort ?? 0,
    })),
    clusterIPs: addressesOf(clusterIPs),
    headless: clusterIPs.includes('None'),
    ipFamilies: spec.ipFamilies ?? [],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack',
    externalIPs: addressesOf(spec.externalIPs),
    externalName: spec.externalName ?? '',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
    loadBalancerSourceRanges: [],
    allocateLoadBalancerNodePorts: true,
    healthCheckNodePort: 0,
    loadBalancerIngress: (json.status?.loadBalancer?.ingress ?? []).map(ingressOf),
  }
}

function ingressOf({ ip, hostname }: Json): LoadBalancerIngress {
  const [address] = addressesOf(ip ? [ip] : [])
  return { ...(address && { ip: address }), ...(hostname && { hostname }), ipMode: 'VIP' }
}

function sliceOf(json: Json): EndpointSlice {
  const meta = metaOf(json)
  return {
    kind: 'EndpointSlice',
    meta,
    assumed: false,
    serviceName: meta.labels['kubernetes.io/service-name'] ?? '',
    addressType: json.addressType ?? 'IPv4',
    ports: (json.ports ?? []).map((port: Json) => ({
      name: port.name,
      port: port.port,
      protocol: port.protocol ?? 'TCP',
    })),
    endpoints: (json.endpoints ?? []).map((endpoint: Json) => ({
      addresses: addressesOf(endpoint.addresses),
      ready: endpoint.conditions?.ready ?? true,
      serving: endpoint.conditions?.serving ?? true,
      terminating: endpoint.conditions?.terminating ?? false,
      ...(endpoint.hostname && { hostname: endpoint.hostname }),
      ...(endpoint.zone && { zone: endpoint.zone }),
      ...(endpoint.nodeName && { nodeName: endpoint.nodeName }),
      ...(endpoint.targetRef && {
        targetRef: {
          kind: endpoint.targetRef.kind ?? '',
          namespace: endpoint.targetRef.namespace ?? '',
          name: endpoint.targetRef.name ?? '',
        },
      }),
    })),
  }
}

function podOf(json: Json): Pod {
  const status = json.status ?? {}
  const texts = status.podIPs?.map((entry: Json) => entry.ip) ?? (status.podIP ? [status.podIP] : [])
  const spec = { hostNetwork: json.spec?.hostNetwork ?? false, nodeName: json.spec?.nodeName ?? '' } as PodSpec
  return {
    kind: 'Pod',
    meta: metaOf(json),
    assumed: false,
    spec,
    phase: status.phase ?? 'Running',
    ready: true,
    ips: addressesOf(texts),
    hostIPs: [],
  }
}
