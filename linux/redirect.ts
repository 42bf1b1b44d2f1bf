import { type Ip, ipKey, isMulticast, sameIp } from '../packet/ip.ts'
import type { IcmpBody } from '../packet/packet.ts'
import { addressType } from './fib.ts'
import { isNeighborValid, resolveNeighbor } from './neighbor.ts'
import type { Netns } from './netns.ts'
import { routeOutput } from './route.ts'
import type { IpSkb } from './skb.ts'

/**
 * __ip_do_redirect, Linux net/ipv4/route.c: the gateway in use says that another is nearer. It is asked for its
 * address first; packets go to it only once it has answered and says so again.
 */
export function redirectReceive(skb: IpSkb, { gateway, quote }: Extract<IcmpBody, { kind: 'redirect' }>): void {
  const { ns, dev, packet } = skb
  const refused = refusal(skb, gateway)
  const { dst, src } = quote.packet
  const route = routeOutput(ns, { dst, src })
  if (refused !== undefined || route.kind !== 'ok' || route.route.dev !== dev) return ignore(skb, refused)
  const current = nextHopOf(ns, dst, route.route.via)
  if (current === undefined || !sameIp(current, packet.src))
    return ignore(skb, 'it does not come from the gateway in use')
  if (isNeighborValid(dev, gateway)) ns.state.redirects.set(ipKey(dst), gateway)
  else resolveNeighbor(dev, gateway)
}

function refusal({ dev, ns, packet }: IpSkb, gateway: Ip): string | undefined {
  if (!dev.conf.acceptRedirects) return 'accept_redirects is off'
  if (sameIp(gateway, packet.src) || isMulticast(gateway) || addressType(ns, gateway) !== 'unicast')
    return 'its gateway cannot be one'
  return undefined
}

function ignore(skb: IpSkb, why = 'no route goes that way'): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'NO_SOCKET', detail: `ICMP redirect ignored: ${why}` })
}

/** Where packets for `dst` go on the link: as a redirect said, or by the route. */
export const nextHopOf = (ns: Netns, dst: Ip, via: Ip | undefined): Ip | undefined =>
  ns.state.redirects.get(ipKey(dst)) ?? via
