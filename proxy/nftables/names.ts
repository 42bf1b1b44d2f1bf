import { formatIp } from '../../packet/ip.ts'
import type { Endpoint } from '../endpoint.ts'
import { nameHash } from '../name-hash.ts'
import type { ServicePort } from '../service-port.ts'

/** kube-proxy's table, one in the family ip and one in ip6, and what is in it (pkg/proxy/nftables/proxier.go). */
export const TABLE = 'kube-proxy'

export const SERVICES = 'services'
export const SERVICE_IPS = 'service-ips'
export const SERVICE_NODEPORTS = 'service-nodeports'
export const NODEPORT_IPS = 'nodeport-ips'
export const CLUSTER_IPS = 'cluster-ips'
export const SERVICE_ENDPOINTS_CHECK = 'service-endpoints-check'
export const NODEPORT_ENDPOINTS_CHECK = 'nodeport-endpoints-check'
export const NO_ENDPOINT_SERVICES = 'no-endpoint-services'
export const NO_ENDPOINT_NODEPORTS = 'no-endpoint-nodeports'
export const REJECT_CHAIN = 'reject-chain'
export const CLUSTER_IPS_CHECK = 'cluster-ips-check'
export const FIREWALL_IPS = 'firewall-ips'
export const FIREWALL_CHECK = 'firewall-check'
export const MASQUERADING = 'masquerading'
/** Until 1.35. */
export const MARK_FOR_MASQUERADE = 'mark-for-masquerade'
/** Since 1.36. */
export const HAIRPIN_CONNECTIONS = 'hairpin-connections'

/** The chains of one service port; `cluster` and `local` hold the endpoints of that traffic policy. */
export interface ServiceChainNames {
  readonly cluster: string
  readonly local: string
  readonly external: string
  readonly firewall: string
}

export function serviceChainNames(port: ServicePort): ServiceChainNames {
  const base = hashAndTruncate(baseName(port))
  return {
    cluster: `service-${base}`,
    local: `local-${base}`,
    external: `external-${base}`,
    firewall: `firewall-${base}`,
  }
}

/** The chain of one endpoint, and the set of the clients that it keeps. */
export interface EndpointNames {
  readonly chain: string
  readonly affinity: string
}

export function endpointNames(port: ServicePort, endpoint: Endpoint): EndpointNames {
  // A colon may not stand in the name of a chain.
  const ip = formatIp(endpoint.ip).replaceAll(':', '.')
  const base = hashAndTruncate(`${baseName(port)}__${ip}/${endpoint.port}`)
  return { chain: `endpoint-${base}`, affinity: `affinity-${base}` }
}

/** `ns1/svc1/tcp/p80`; it ends in a slash for an unnamed port. */
function baseName({ service, spec, protocol }: ServicePort): string {
  const { namespace, name } = service.meta
  return `${namespace}/${name}/${protocol.toLowerCase()}/${spec.name}`
}

const HASH_LENGTH = 8
/** knftables' NameLengthMax (256) less the longest prefix. */
const LONGEST_BASE = 240

function hashAndTruncate(name: string): string {
  const base = `${nameHash(name, HASH_LENGTH)}-${name}`
  return base.length > LONGEST_BASE ? `${base.slice(0, LONGEST_BASE - 3)}...` : base
}
