import type { IpFamily, Service } from '../objects.ts'
import type { ServiceDraft } from '../read/service.ts'

/**
 * What the API server fills in where a Service leaves it open and the cluster's families decide
 * (pkg/registry/core/service/storage/alloc.go, pkg/apis/core/v1/defaults.go). Addresses and ports are allocated later.
 * `families` are the cluster's, the primary first.
 */
export function defaultService(
  draft: ServiceDraft,
  families: readonly IpFamily[],
): Omit<Service, 'kind' | 'at' | 'assumed'> {
  const { clusterIPGiven: _, clusterIPsGiven: __, sessionAffinityTimeoutGiven: ___, ...open } = draft
  const { addressesRefused: ____, clusterIPTexts: _____, ...service } = open
  const { ipFamilies, ipFamilyPolicy } = familiesOf(draft, families)
  return {
    ...service,
    ipFamilies,
    ipFamilyPolicy,
    externalTrafficPolicy: draft.externalTrafficPolicy ?? 'Cluster',
    allocateLoadBalancerNodePorts: draft.type === 'LoadBalancer' && draft.allocateLoadBalancerNodePorts,
  }
}

function familiesOf(draft: ServiceDraft, cluster: readonly IpFamily[]): Pick<Service, 'ipFamilies' | 'ipFamilyPolicy'> {
  if (draft.type === 'ExternalName') return { ipFamilies: [], ipFamilyPolicy: draft.ipFamilyPolicy ?? 'SingleStack' }
  const given = [...draft.ipFamilies, ...draft.clusterIPs.slice(draft.ipFamilies.length).map(familyOf)]
  // Headless without a selector: its endpoints are made by hand, and the API server promises both families.
  const open = draft.headless && draft.selector === undefined
  const policy = draft.ipFamilyPolicy ?? (open ? 'RequireDualStack' : 'SingleStack')
  if (given.length > 1) return { ipFamilies: given, ipFamilyPolicy: policy }
  const first = given[0] ?? cluster[0] ?? 'IPv4'
  const second: IpFamily = first === 'IPv4' ? 'IPv6' : 'IPv4'
  const both = policy !== 'SingleStack' && (open || cluster.includes(second))
  return { ipFamilies: both ? [first, second] : [first], ipFamilyPolicy: policy }
}

const familyOf = (ip: { readonly family: 4 | 6 }): IpFamily => (ip.family === 4 ? 'IPv4' : 'IPv6')
