import { lengthOfIp } from '../packet/length.ts'
import { mayRedirect } from './inet-peer.ts'
import { runHook } from './ip-hook.ts'
import { exceedsMtu, ipOutput } from './ip-output.ts'
import { forwardMtu } from './route.ts'
import type { IpSkb } from './skb.ts'

/** ip_forward and ip6_forward: TTL, size, FORWARD, and out (Linux net/ipv4/ip_forward.c, net/ipv6/ip6_output.c). */
export function ipForward(skb: IpSkb): void {
  const { dst: route, packet, ns } = skb
  if (route === undefined) return
  const { kernel, stack } = ns.host
  if (packet.ttl <= 1) {
    const word = packet.src.family === 4 ? 'TTL' : 'hop limit'
    kernel.record(skb, { kind: 'drop', reason: 'TTL_EXPIRED', detail: `${word} ${packet.ttl} would become 0` })
    return stack.icmpError(skb, { kind: 'ttlExceeded' })
  }
  const mtu = forwardMtu(route)
  if (lengthOfIp(packet) > mtu && exceedsMtu(skb, mtu)) {
    kernel.record(skb, {
      kind: 'drop',
      reason: 'PKT_TOO_BIG',
      detail: `${lengthOfIp(packet)} octets and ${packet.src.family === 4 ? 'DF set' : 'IPv6'}, but ${route.dev.name} takes ${mtu}`,
    })
    return stack.icmpError(skb, { kind: 'tooBig', mtu })
  }
  const inLink = skb.dev
  kernel.record(skb, {
    kind: 'forward',
    ttlBefore: packet.ttl,
    ttlAfter: packet.ttl - 1,
    in: inLink.name,
    out: route.dev.name,
  })
  skb.packet = { ...packet, ttl: packet.ttl - 1 }
  if (route.redirect === true && packet.src.family === 4 && mayRedirect(ns, packet.src))
    stack.icmpError(skb, { kind: 'redirect', gateway: route.via ?? packet.dst })
  if (!runHook(skb, 'forward', { in: inLink, out: route.dev })) return
  ipOutput(skb)
}
