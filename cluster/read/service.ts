import { type Ip, parseIp } from '../../packet/ip.ts'
import { member } from '../input/json-value.ts'
import type { IpFamily, Labels, LoadBalancerIngress, Meta, Service, ServicePortSpec } from '../objects.ts'
import { readMeta } from './meta.ts'
import {
  child,
  children,
  flag,
  has,
  integer,
  ipAt,
  ips,
  listPlace,
  note,
  oneOf,
  optionalText,
  type Place,
  plainNumbers,
  port,
  prefixes,
  refuse,
  text,
  textMap,
  texts,
} from './place.ts'

/**
 * A Service as it was written. What depends on the cluster (families, addresses, node ports) is still open; the
 * defaulting of complete/service.ts closes it.
 */
export interface ServiceDraft
  extends Omit<Service, 'kind' | 'at' | 'assumed' | 'ipFamilyPolicy' | 'clusterIPs' | 'externalTrafficPolicy'> {
  readonly meta: Meta
  readonly clusterIPs: readonly Ip[]
  /** `clusterIP` was given (`None` counts). */
  readonly clusterIPGiven: boolean
  /** How many `clusterIPs` were given. */
  readonly clusterIPsGiven: number
  readonly ipFamilyPolicy: Service['ipFamilyPolicy'] | undefined
  readonly externalTrafficPolicy: Service['externalTrafficPolicy'] | undefined
  readonly sessionAffinityTimeoutGiven: boolean
}

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'] as const
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'] as const
const POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'] as const
const HEADLESS = 'None'
/** DefaultClientIPServiceAffinitySeconds of k8s.io/api/core/v1. */
const AFFINITY_SECONDS = 10_800

/** Reads a Service, defaulted as far as the object alone tells (pkg/apis/core/v1/defaults.go). */
export function readService(root: Place): ServiceDraft {
  const spec = child(root, 'spec')
  const type = oneOf(spec, 'type', { values: TYPES, absent: 'ClusterIP' })
  const clusterIPs = clusterIPsOf(spec)
  const affinity = child(child(spec, 'sessionAffinityConfig'), 'clientIP')
  const policy = text(spec, 'ipFamilyPolicy')
  const external = text(spec, 'externalTrafficPolicy')
  const distribution = optionalText(spec, 'trafficDistribution')
  const balancer = optionalText(spec, 'loadBalancerClass')
  return {
    meta: readMeta(root, 'namespaced'),
    type,
    selector: selectorOf(spec),
    ports: children(spec, 'ports').map(servicePortOf),
    clusterIPs: clusterIPs.ips,
    clusterIPGiven: text(spec, 'clusterIP') !== '',
    clusterIPsGiven: texts(spec, 'clusterIPs').length,
    headless: clusterIPs.headless,
    ipFamilies: texts(spec, 'ipFamilies').flatMap((family, i) => familyOf(spec, family, i)),
    ipFamilyPolicy:
      policy === '' ? undefined : oneOf(spec, 'ipFamilyPolicy', { values: POLICIES, absent: 'SingleStack' }),
    externalIPs: ips(spec, 'externalIPs'),
    externalName: text(spec, 'externalName'),
    sessionAffinity: oneOf(spec, 'sessionAffinity', { values: ['ClientIP', 'None'], absent: 'None' }),
    sessionAffinityTimeout: integer(affinity, 'timeoutSeconds', AFFINITY_SECONDS),
    sessionAffinityTimeoutGiven: has(affinity, 'timeoutSeconds'),
    externalTrafficPolicy:
      external === ''
        ? undefined
        : oneOf(spec, 'externalTrafficPolicy', { values: ['Cluster', 'Local'], absent: 'Cluster' }),
    internalTrafficPolicy: oneOf(spec, 'internalTrafficPolicy', { values: ['Cluster', 'Local'], absent: 'Cluster' }),
    publishNotReadyAddresses: flag(spec, 'publishNotReadyAddresses'),
    loadBalancerSourceRanges: prefixes(spec, 'loadBalancerSourceRanges'),
    allocateLoadBalancerNodePorts: flag(spec, 'allocateLoadBalancerNodePorts', true),
    healthCheckNodePort: integer(spec, 'healthCheckNodePort', 0),
    loadBalancerIngress: children(child(child(root, 'status'), 'loadBalancer'), 'ingress').map(ingressOf),
    ...(balancer === undefined ? {} : { loadBalancerClass: balancer }),
    ...(distribution === undefined ? {} : { trafficDistribution: distribution }),
  }
}

/** An empty selector is stored as none at all. */
function selectorOf(spec: Place): Labels | undefined {
  const selector = textMap(spec, 'selector')
  return Object.keys(selector).length === 0 ? undefined : selector
}

function clusterIPsOf(spec: Place): { headless: boolean; ips: Ip[] } {
  const single = text(spec, 'clusterIP')
  const listed = texts(spec, 'clusterIPs')
  if (single === HEADLESS || listed[0] === HEADLESS) return { headless: true, ips: [] }
  const given = listed.length > 0 ? listed : single === '' ? [] : [single]
  const found = given.flatMap((address) => {
    const key = listed.length > 0 ? 'clusterIPs' : 'clusterIP'
    const result = parseIp(plainNumbers(spec, key, address))
    if (result.ok) return [result.value]
    note(spec, key, { code: 'ip-invalid', text: result.reason })
    return []
  })
  return { headless: false, ips: found }
}

function familyOf(spec: Place, family: string, i: number): IpFamily[] {
  if (family === 'IPv4' || family === 'IPv6') return [family]
  const text = `Unsupported value: "${family}": supported values: "IPv4", "IPv6"`
  refuse(listPlace(spec, 'ipFamilies'), i, { code: 'value-unknown', text })
  return []
}

function servicePortOf(entry: Place): ServicePortSpec {
  const number = port(entry, 'port')
  const target = member(entry.value, 'targetPort')
  const appProtocol = optionalText(entry, 'appProtocol')
  return {
    name: text(entry, 'name'),
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP' }),
    port: number,
    // 0 and "" mean "the same as port", as absence does.
    targetPort:
      (typeof target === 'number' || typeof target === 'string') && target !== 0 && target !== '' ? target : number,
    nodePort: has(entry, 'nodePort') ? integer(entry, 'nodePort', 0) : 0,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

function ingressOf(entry: Place): LoadBalancerIngress {
  const ip = ipAt(entry, 'ip')
  const hostname = optionalText(entry, 'hostname')
  return {
    ipMode: oneOf(entry, 'ipMode', { values: ['VIP', 'Proxy'], absent: 'VIP' }),
    ...(ip === undefined ? {} : { ip }),
    ...(hostname === undefined ? {} : { hostname }),
  }
}
