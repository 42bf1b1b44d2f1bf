import type { HostFacts, InterfaceFacts } from '../../linux/host-facts.ts'
import { type Family, type Ip, isLinkLocal, parseIp, sameIp } from '../../packet/ip.ts'
import { contains, networkOf } from '../../packet/prefix.ts'
import type { FlanneldArgs } from './flanneld-args.ts'

/** The interface flanneld sends between nodes with (pkg/ipmatch/match.go). */
export interface ExtIface {
  readonly name: string
  readonly mtu: number
  readonly link: InterfaceFacts
}

/**
 * --iface in order (a name or an address), then --iface-regex (on names, then addresses), else the interface of the
 * default route. Undefined where none fits: flanneld does not start.
 */
export function extIfaceOf(args: FlanneldArgs, facts: HostFacts): ExtIface | undefined {
  const link = chosen(args, facts)
  return link === undefined ? undefined : { name: link.name, mtu: link.mtu, link }
}

function chosen(args: FlanneldArgs, facts: HostFacts): InterfaceFacts | undefined {
  const { interfaces } = facts
  if (args.ifaces.length > 0) {
    for (const choice of args.ifaces) {
      const found = choice.kind === 'name' ? byNameOrIp(choice.text, interfaces) : byRegex(choice.text, interfaces)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (args.canReach !== undefined) {
    const to = parseIp(args.canReach)
    const onLink = to.ok ? interfaces.find((link) => isOnLink(link, to.value)) : undefined
    if (onLink !== undefined) return onLink
  }
  return interfaces.find((link) => link.name === facts.defaultInterface)
}

function byNameOrIp(text: string, interfaces: readonly InterfaceFacts[]): InterfaceFacts | undefined {
  const ip = parseIp(text)
  if (!ip.ok) return interfaces.find((link) => link.name === text)
  return interfaces.find((link) => link.addresses.some((address) => sameIp(address.ip, ip.value)))
}

function byRegex(text: string, interfaces: readonly InterfaceFacts[]): InterfaceFacts | undefined {
  let regex: RegExp
  try {
    regex = new RegExp(text)
  } catch {
    return undefined
  }
  return interfaces.find((link) => regex.test(link.name))
}

/** The first global address of a family: what flannel binds its tunnels to. */
export const addressOf = ({ link }: ExtIface, family: Family): Ip | undefined =>
  link.addresses.find(({ ip }) => ip.family === family && !isLinkLocal(ip))?.ip

/**
 * Whether the kernel takes `gateway` as a next hop on this link: it lies in a prefix of one of the link's addresses.
 * Otherwise `ip route add` answers "Nexthop has invalid gateway." (fib_check_nh_v4_gw, ip6_route_check_nh).
 */
export const isOnLink = (link: InterfaceFacts, gateway: Ip): boolean =>
  link.addresses.some(({ ip, length }) => contains(networkOf(ip, length), gateway))
