import type { IptablesTable } from '../../linux/op.ts'
import type { ProxyFeatures } from '../versions.ts'
import {
  EXTERNAL_SERVICES,
  FIREWALL,
  FORWARD,
  NODEPORTS,
  POSTROUTING,
  PROXY_FIREWALL,
  SERVICES,
} from './chain-names.ts'

/** A rule that leads from a built-in chain into one of kube-proxy's. */
export interface Jump {
  readonly table: IptablesTable
  readonly from: string
  readonly to: string
  /** What stands after `-I FROM`. */
  readonly args: string
}

const NEW = '-m conntrack --ctstate NEW '

function jump(table: IptablesTable, from: string, to: string, match: { new?: boolean; comment?: string }): Jump {
  const comment = match.comment === undefined ? '' : `-m comment --comment "${match.comment}" `
  return { table, from, to, args: `${match.new ? NEW : ''}${comment}-j ${to}` }
}

const EXTERNAL = { new: true, comment: 'kubernetes externally-visible service portals' }
const HEALTH = { comment: 'kubernetes health check service ports' }
const PORTALS = { new: true, comment: 'kubernetes service portals' }
const FORWARDING = { comment: 'kubernetes forwarding rules' }
const LB_FIREWALL = { new: true, comment: 'kubernetes load balancer firewall' }
const NAT_PORTALS = { comment: 'kubernetes service portals' }
const NAT_POSTROUTING = { comment: 'kubernetes postrouting rules' }

/**
 * In the order they are made (iptablesJumpChains, iptablesKubeletJumpChains). Each is put at the top of its chain, so
 * a chain shows them in the opposite order.
 */
export const jumpsOf = (features: ProxyFeatures): readonly Jump[] => [
  jump('filter', 'INPUT', EXTERNAL_SERVICES, EXTERNAL),
  jump('filter', 'FORWARD', EXTERNAL_SERVICES, EXTERNAL),
  ...(features.healthCheckRule ? [jump('filter', 'INPUT', NODEPORTS, HEALTH)] : []),
  jump('filter', 'FORWARD', SERVICES, PORTALS),
  jump('filter', 'OUTPUT', SERVICES, PORTALS),
  jump('filter', 'FORWARD', FORWARD, FORWARDING),
  ...(features.marksDrops
    ? []
    : [
        jump('filter', 'INPUT', PROXY_FIREWALL, LB_FIREWALL),
        jump('filter', 'OUTPUT', PROXY_FIREWALL, LB_FIREWALL),
        jump('filter', 'FORWARD', PROXY_FIREWALL, LB_FIREWALL),
      ]),
  jump('nat', 'OUTPUT', SERVICES, NAT_PORTALS),
  jump('nat', 'PREROUTING', SERVICES, NAT_PORTALS),
  jump('nat', 'POSTROUTING', POSTROUTING, NAT_POSTROUTING),
  ...(features.writesLocalnetGuard
    ? [jump('filter', 'INPUT', FIREWALL, {}), jump('filter', 'OUTPUT', FIREWALL, {})]
    : []),
]
