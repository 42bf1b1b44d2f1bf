import { type Ip, ip, sameIp } from '../packet/ip.ts'
import { solicitedNode } from './ndp-solicit.ts'
import type { Link } from './netns.ts'

const ALL_NODES = [ip('ff01::1'), ip('ff02::1')]
const ALL_ROUTERS = [ip('ff01::2'), ip('ff02::2'), ip('ff05::2')]
const ALL_SYSTEMS = ip('224.0.0.1')

/**
 * Whether the device is in the group: ipv6_chk_mcast_addr, which ip6_mc_input asks before INPUT, and ip_check_mc_rcu,
 * which routing asks. Of groups that programs join nothing is modelled.
 */
export function isInGroup(dev: Link, group: Ip): boolean {
  if (group.family === 4) return sameIp(group, ALL_SYSTEMS)
  const known = dev.conf.forwarding6 ? [...ALL_NODES, ...ALL_ROUTERS] : ALL_NODES
  if (known.some((one) => sameIp(one, group))) return true
  return dev.addresses.some((address) => address.ip.family === 6 && sameIp(solicitedNode(address.ip), group))
}
