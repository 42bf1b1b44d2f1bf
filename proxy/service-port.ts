import type { Protocol, Service, ServicePortSpec } from '../cluster/objects.ts'
import type { Family, Ip } from '../packet/ip.ts'
import type { Prefix } from '../packet/prefix.ts'
import type { Endpoint } from './endpoint.ts'
import type { ProxyFeatures } from './versions.ts'

/**
 * One port of a Service in one address family, as every proxy mode uses it: the record that
 * pkg/proxy/serviceport.go makes, with its endpoints.
 */
export interface ServicePort {
  readonly family: Family
  readonly service: Service
  readonly spec: ServicePortSpec
  /** `ns/name:port`, or `ns/name` for an unnamed port: the name in comments and hashes, and the order of writing. */
  readonly name: string
  readonly protocol: Protocol
  readonly clusterIP: Ip
  readonly port: number
  /** 0: none. */
  readonly nodePort: number
  readonly externalIPs: readonly Ip[]
  /** Load balancer addresses that nodes answer themselves; ipMode Proxy and host names are not among them. */
  readonly loadBalancerVIPs: readonly Ip[]
  /** Empty: no firewall. */
  readonly sourceRanges: readonly Prefix[]
  /** Seconds of ClientIP affinity; undefined: none. */
  readonly affinity: number | undefined
  /** 0: none. Only a LoadBalancer with externalTrafficPolicy Local has one. */
  readonly healthCheckNodePort: number
  readonly externalPolicyLocal: boolean
  readonly internalPolicyLocal: boolean
  /** What the Service says about topology hints; `''` where nothing, or where it is not read. */
  readonly hintsAnnotation: string
  /** Of all conditions, sorted by `text`. */
  readonly endpoints: readonly Endpoint[]
}

/** Another proxy than kube-proxy serves a Service that carries this label. */
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name'

/** Whether kube-proxy looks at the Service at all (pkg/proxy/util ShouldSkipService and the informers' selectors). */
export const isProxied = (service: Service): boolean =>
  service.type !== 'ExternalName' && !service.headless && service.meta.labels[PROXY_NAME_LABEL] === undefined

/** What the Service says about one of its ports in one family; undefined where it has no ClusterIP of the family. */
export function servicePort(
  service: Service,
  spec: ServicePortSpec,
  given: { readonly family: Family; readonly endpoints: readonly Endpoint[]; readonly features: ProxyFeatures },
): ServicePort | undefined {
  const { family, endpoints, features } = given
  const ofFamily = (ip: Ip) => ip.family === family
  const clusterIP = service.clusterIPs.find(ofFamily)
  if (clusterIP === undefined) return undefined
  const externalPolicyLocal = isReachedFromOutside(service, features) && service.externalTrafficPolicy === 'Local'
  return {
    family,
    service,
    spec,
    name: servicePortName(service, spec.name),
    protocol: spec.protocol,
    clusterIP,
    port: spec.port,
    nodePort: spec.nodePort,
    externalIPs: service.externalIPs.filter(ofFamily),
    loadBalancerVIPs: service.loadBalancerIngress.flatMap(({ ip, ipMode }) =>
      ip !== undefined && (ipMode === 'VIP' || !features.ipModes) && ofFamily(ip) ? [ip] : [],
    ),
    sourceRanges: sourceRangesOf(service, family, features),
    affinity: service.sessionAffinity === 'ClientIP' ? service.sessionAffinityTimeout : undefined,
    healthCheckNodePort: service.type === 'LoadBalancer' && externalPolicyLocal ? service.healthCheckNodePort : 0,
    externalPolicyLocal,
    internalPolicyLocal: features.internalPolicy && service.internalTrafficPolicy === 'Local',
    hintsAnnotation: features.readsHintsAnnotation ? hintsAnnotationOf(service, features) : '',
    endpoints,
  }
}

const TOPOLOGY_ANNOTATIONS = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode']

/** The older annotation wins over the newer. */
function hintsAnnotationOf({ meta }: Service, { readsTopologyMode }: ProxyFeatures): string {
  const names = readsTopologyMode ? TOPOLOGY_ANNOTATIONS : TOPOLOGY_ANNOTATIONS.slice(0, 1)
  return names.map((name) => meta.annotations[name]).find((text) => text !== undefined) ?? ''
}

/** Go's ServicePortName.String(). */
export function servicePortName(service: Service, port: string): string {
  const { namespace, name } = service.meta
  return port === '' ? `${namespace}/${name}` : `${namespace}/${name}:${port}`
}

/** Reached by something other than its ClusterIP. */
export const isExternallyAccessible = (port: ServicePort): boolean =>
  port.nodePort !== 0 || port.loadBalancerVIPs.length > 0 || port.externalIPs.length > 0

/** Even with externalTrafficPolicy Local: pods and the node itself are sent to any endpoint. */
export const usesClusterEndpoints = (port: ServicePort): boolean =>
  !port.internalPolicyLocal || isExternallyAccessible(port)

export const usesLocalEndpoints = (port: ServicePort): boolean =>
  port.internalPolicyLocal || (port.externalPolicyLocal && isExternallyAccessible(port))

/** The condition under which the API lets externalTrafficPolicy matter (pkg/api/v1/service ExternallyAccessible). */
const isReachedFromOutside = (service: Service, { externalIPPolicy }: ProxyFeatures): boolean =>
  service.type === 'LoadBalancer' ||
  service.type === 'NodePort' ||
  (service.type === 'ClusterIP' && service.externalIPs.length > 0 && externalIPPolicy)

function sourceRangesOf(service: Service, family: Family, features: ProxyFeatures): readonly Prefix[] {
  const ranges = service.loadBalancerSourceRanges.filter((range) => range.address.family === family)
  return features.anySourceRangeDisablesFirewall && ranges.some((range) => range.length === 0) ? [] : ranges
}
