import { type Ip, parseIp, withoutLeadingZeros } from '../../packet/ip.ts'
import type { Prefix } from '../../packet/prefix.ts'
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
  listPlace,
  oneOf,
  optionalText,
  type Place,
  port,
  specCidr,
  specIp,
  text,
  textMap,
  texts,
} from './place.ts'
import { refuseSpecialIp } from './special-ip.ts'

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
  /** The addresses as they were written. */
  readonly clusterIPTexts: readonly string[]
  readonly ipFamilyPolicy: Service['ipFamilyPolicy'] | undefined
  readonly externalTrafficPolicy: Service['externalTrafficPolicy'] | undefined
  readonly sessionAffinityTimeoutGiven: boolean
  /** Families or addresses do not fit each other: the API server looks no further, and gives it nothing. */
  readonly addressesRefused: boolean
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
    clusterIPTexts: clusterIPs.texts,
    headless: clusterIPs.headless,
    ipFamilies: texts(spec, 'ipFamilies').flatMap(familyOf),
    ipFamilyPolicy: POLICIES.find((one) => one.toLowerCase() === policy.toLowerCase()),
    externalIPs: externalIPsOf(spec),
    externalName: text(spec, 'externalName'),
    sessionAffinity: oneOf(spec, 'sessionAffinity', { values: ['ClientIP', 'None'], absent: 'None' }),
    sessionAffinityTimeout: integer(affinity, 'timeoutSeconds', AFFINITY_SECONDS),
    sessionAffinityTimeoutGiven: has(affinity, 'timeoutSeconds'),
    addressesRefused: false,
    externalTrafficPolicy: (['Cluster', 'Local'] as const).find((one) => one.toLowerCase() === external.toLowerCase()),
    internalTrafficPolicy: oneOf(spec, 'internalTrafficPolicy', {
      values: ['Cluster', 'Local'],
      absent: 'Cluster',
      optional: true,
    }),
    publishNotReadyAddresses: flag(spec, 'publishNotReadyAddresses'),
    loadBalancerSourceRanges: sourceRangesOf(spec),
    allocateLoadBalancerNodePorts: flag(spec, 'allocateLoadBalancerNodePorts', true),
    healthCheckNodePort: integer(spec, 'healthCheckNodePort', 0),
    loadBalancerIngress: children(child(child(root, 'status'), 'loadBalancer'), 'ingress').map(ingressOf),
    ...(balancer === undefined ? {} : { loadBalancerClass: balancer }),
    ...(distribution === undefined ? {} : { trafficDistribution: distribution }),
  }
}

/** Blanks around a range are part of the API, and the API server prints the list with a capital letter. */
function sourceRangesOf(spec: Place): Prefix[] {
  const list = listPlace(spec, 'loadBalancerSourceRanges')
  return texts(spec, 'loadBalancerSourceRanges').flatMap((range, i) => {
    const before = list.problems.length
    const found = specCidr(list, i, range.trim()) ?? []
    const told = list.problems.splice(before)
    list.problems.push(...told.map((one) => ({ ...one, shown: ['spec', 'LoadBalancerSourceRanges', i] })))
    return found
  })
}

/** Special addresses are refused in each that is otherwise right. */
function externalIPsOf(spec: Place): Ip[] {
  const list = listPlace(spec, 'externalIPs')
  return texts(spec, 'externalIPs').flatMap((written, i) => {
    const before = list.problems.length
    const ip = specIp(list, i, written)
    if (ip !== undefined && list.problems.length === before) refuseSpecialIp(list, i, { ip, written })
    return ip ?? []
  })
}

/** An empty selector is stored as none at all. */
function selectorOf(spec: Place): Labels | undefined {
  const selector = textMap(spec, 'selector')
  return Object.keys(selector).length === 0 ? undefined : selector
}

function clusterIPsOf(spec: Place): { headless: boolean; ips: Ip[]; texts: readonly string[] } {
  const single = text(spec, 'clusterIP')
  const listed = texts(spec, 'clusterIPs')
  if (single === HEADLESS || listed[0] === HEADLESS) return { headless: true, ips: [], texts: [] }
  const given = listed.length > 0 ? listed : single === '' ? [] : [single]
  // What is wrong with them is told by validate-service.ts.
  const found = given.flatMap((address) => {
    const result = parseIp(withoutLeadingZeros(address))
    return result.ok ? [result.value] : []
  })
  return { headless: false, ips: found, texts: given }
}

const familyOf = (family: string): IpFamily[] => (family === 'IPv4' || family === 'IPv6' ? [family] : [])

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
