import { type Ip, isLinkLocal, isLoopback, isMulticast, isUnspecified, sameIp } from '../packet/ip.ts'
import type { Netns } from './netns.ts'
import { type OutputRoute, routeOutput } from './route.ts'
import type { Socket } from './socket.ts'

/** Which addresses an SCTP endpoint tells its peer, after Linux net/sctp/bind_addr.c, protocol.c and ipv6.c. */

/** How far an address reaches, the widest first (enum sctp_scope). */
const SCOPE = { global: 0, private: 1, link: 2, loopback: 3, unusable: 4 } as const

/** sctp_v4_scope (RFC 1918 as one scope, net.sctp.addr_scope_policy 1), sctp_v6_scope. */
export function sctpScope(ip: Ip): number {
  if (ip.family === 4) return scope4(ip)
  if (isUnspecified(ip) || isMulticast(ip)) return SCOPE.unusable
  if (isLoopback(ip)) return SCOPE.loopback
  if (isLinkLocal(ip)) return SCOPE.link
  return ip.a >>> 22 === SITE_LOCAL ? SCOPE.private : SCOPE.global
}

/** fec0::/10; unique local addresses (fc00::/7) are global here. */
const SITE_LOCAL = 0xfec0 >>> 6

function scope4(ip: Ip): number {
  const first = ip.d >>> 24
  const isAnycast6to4 = ip.d >>> 8 === 0xc05863
  if (first === 0 || ip.d === 0xffffffff || isMulticast(ip) || isAnycast6to4) return SCOPE.unusable
  if (isLoopback(ip)) return SCOPE.loopback
  if (isLinkLocal(ip)) return SCOPE.link
  const isPrivate = first === 10 || ip.d >>> 20 === 0xac1 || ip.d >>> 16 === 0xc0a8
  return isPrivate ? SCOPE.private : SCOPE.global
}

/**
 * sctp_assoc_set_bind_addr_from_ep, sctp_copy_local_addr_list: a socket bound to the wildcard offers every address of
 * the machine that reaches as far as the peer's or farther, of all devices and, for an IPv6 socket, of both families.
 * Where that leaves none towards a global address there must be a NAT, and those of narrower scopes do.
 */
export function bindAddresses(ns: Netns, socket: Socket, peer: Ip): readonly Ip[] {
  if (socket.local.ip !== undefined) return [socket.local.ip]
  const scope = sctpScope(peer)
  const found = localAddresses(ns, socket, scope)
  return found.length === 0 && scope === SCOPE.global ? localAddresses(ns, socket, SCOPE.link) : found
}

function localAddresses(ns: Netns, { family, v6only }: Socket, scope: number): readonly Ip[] {
  const found: Ip[] = []
  for (const { addresses } of ns.links.values())
    for (const { ip } of addresses) {
      const allowed = ip.family === family || (family === 6 && !v6only)
      if (allowed && sctpScope(ip) <= scope && !found.some((known) => sameIp(known, ip))) found.push(ip)
    }
  return found
}

/**
 * sctp_v4_get_dst, sctp_v6_get_dst: the way to the peer, from the address that routing prefers if it is one of ours to
 * use; otherwise from one of ours on the same device, or any that has a way.
 */
export function routeFromBound(ns: Netns, bound: readonly Ip[], peer: Ip): OutputRoute {
  const preferred = routeOutput(ns, { dst: peer })
  if (preferred.kind === 'ok' && bound.some((own) => sameIp(own, preferred.source))) return preferred
  const others = bound.filter(({ family }) => family === peer.family)
  const onDevice = others.find(
    (own) => preferred.kind === 'ok' && preferred.route.dev.addresses.some(({ ip }) => sameIp(ip, own)),
  )
  for (const src of onDevice === undefined ? others : [onDevice, ...others]) {
    const route = routeOutput(ns, { dst: peer, src })
    if (route.kind === 'ok') return route
  }
  return preferred.kind === 'ok'
    ? { kind: 'error', errno: 'EADDRNOTAVAIL', detail: 'no bound address has a way to the peer' }
    : preferred
}
