import { nameHash } from '../name-hash.ts'
import type { ServicePort } from '../service-port.ts'

/** The chains of kube-proxy's iptables mode (pkg/proxy/iptables/proxier.go). */
export const SERVICES = 'KUBE-SERVICES'
export const EXTERNAL_SERVICES = 'KUBE-EXTERNAL-SERVICES'
export const NODEPORTS = 'KUBE-NODEPORTS'
export const POSTROUTING = 'KUBE-POSTROUTING'
export const MARK_MASQ = 'KUBE-MARK-MASQ'
export const FORWARD = 'KUBE-FORWARD'
export const PROXY_FIREWALL = 'KUBE-PROXY-FIREWALL'
/** kubelet's chain; kube-proxy writes the same rule into it. */
export const FIREWALL = 'KUBE-FIREWALL'
/** kubelet's too, until 1.24: marks what its KUBE-FIREWALL drops. */
export const MARK_DROP = 'KUBE-MARK-DROP'
/** Empty; kube-proxy notices a flush of the tables by its absence. */
export const CANARY = 'KUBE-PROXY-CANARY'

const HASH_LENGTH = 16

/** The chains of one service port; `cluster` and `local` hold the endpoints of that traffic policy. */
export interface ServiceChainNames {
  readonly cluster: string
  readonly local: string
  readonly firewall: string
  readonly external: string
  /** Until 1.23, where policy Local is. */
  readonly balancer: string
}

export function serviceChainNames(port: ServicePort): ServiceChainNames {
  const hash = nameHash(hashedName(port), HASH_LENGTH)
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    firewall: `KUBE-FW-${hash}`,
    external: `KUBE-EXT-${hash}`,
    balancer: `KUBE-XLB-${hash}`,
  }
}

/** @param endpoint `10.244.1.2:80` or `[fd00::2]:80`. */
export const endpointChainName = (port: ServicePort, endpoint: string): string =>
  `KUBE-SEP-${nameHash(hashedName(port) + endpoint, HASH_LENGTH)}`

/** Name and protocol without anything between them: `ns1/svc1:p80tcp`. */
const hashedName = (port: ServicePort): string => port.name + port.protocol.toLowerCase()
