import { sameIp } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import { fragmentsOf } from './fragments.ts'
import { runHook } from './ip-hook.ts'
import { cachedMac, neighOutput } from './neighbor.ts'
import { type Link, type Netns, sysctl } from './netns.ts'
import { type InputRoute, routeInput } from './route.ts'
import { cloneSkb, type IpSkb, isIp, type Skb } from './skb.ts'

/**
 * Bridged IP packets pass the IP hooks while net.bridge.bridge-nf-call-ip(6)tables is 1 (its default where the module
 * is loaded), after Linux net/bridge/br_netfilter_hooks.c. The hooks see the bridge as incoming and outgoing device.
 */
function callsIptables(ns: Netns, family: 4 | 6): boolean {
  return sysctl(ns, `net.bridge.bridge-nf-call-ip${family === 4 ? '' : '6'}tables`, 1) !== 0
}

/** br_nf_pre_routing and its finish. False: the frame is not to be bridged any further here. */
export function bridgePreRouting(skb: Skb, bridge: Link): boolean {
  if (!isIp(skb) || !callsIptables(skb.ns, skb.packet.src.family)) return true
  const port = skb.dev
  const before = skb.packet.dst
  skb.bridge = { physIn: port, physOut: undefined, inPrerouting: true, passedUp: false, bridgedDnat: undefined }
  skb.dev = bridge
  const passed = runHook(skb, 'prerouting', { in: bridge })
  skb.dev = port
  if (!passed) return false
  skb.bridge.inPrerouting = false
  return sameIp(before, skb.packet.dst) || redirected(skb, bridge, port)
}

/**
 * DNAT gave the packet another destination. If that is behind this bridge the frame is bridged on to it with only its
 * destination MAC changed; otherwise it becomes a frame for the bridge itself, to be routed.
 */
function redirected(skb: IpSkb, bridge: Link, port: Link): boolean {
  skb.dev = bridge
  const routed = routeInput(skb, skb.packet.dst, skb.packet.src)
  skb.dev = port
  if (routed.kind !== 'ok' && (skb.packet.src.family === 6 || isMartian(routed))) {
    skb.ns.host.kernel.record(skb, { kind: 'drop', reason: routed.reason, detail: routed.detail })
    return false
  }
  // In IPv4 what has no route has one to ip_error: the packet goes up to the machine, which says so.
  if (routed.kind === 'ok') skb.dst = routed.route
  const behind = routed.kind === 'ok' && routed.route.dev === bridge && routed.route.type === 'unicast'
  if (!behind) {
    if (skb.mac !== undefined) skb.mac = { src: skb.mac.src, dst: bridge.mac }
    return true
  }
  return toNeighborBehind(skb, bridge)
}

/** ip_route_input fails as a whole for what cannot be routed; everything else has a route, if only to an error. */
const isMartian = (routed: Exclude<InputRoute, { kind: 'ok' }>): boolean =>
  routed.kind === 'drop' && routed.reason !== 'IP_INADDRERRORS' && routed.reason !== 'BLACKHOLE'

/** br_nf_pre_routing_finish_bridge. */
function toNeighborBehind(skb: IpSkb, bridge: Link): boolean {
  const nextHop = skb.dst?.via ?? skb.packet.dst
  const known = cachedMac(bridge, nextHop)
  if (skb.mac === undefined || skb.bridge === undefined) return false
  if (known !== undefined) {
    skb.mac = { src: skb.mac.src, dst: known }
    return true
  }
  skb.bridge.bridgedDnat = skb.mac.src
  skb.dev = bridge
  neighOutput(skb, nextHop)
  return false
}

/** br_nf_forward. */
export function bridgeForwardHook(skb: Skb, bridge: Link, out: Link): boolean {
  if (skb.bridge === undefined || !isIp(skb)) return true
  skb.bridge.physOut = out
  return runHook(skb, 'forward', { in: bridge, out: bridge })
}

/**
 * br_nf_post_routing and br_nf_dev_queue_xmit: what is larger than the port or than the parts that it was put together
 * from is cut for the bridge (ip_skb_dst_mtu of its fake route). What must not be cut is dropped without a word.
 */
export function bridgePostRouting(skb: Skb, bridge: Link, out: Link): readonly Skb[] {
  if (skb.bridge?.physOut === undefined || !isIp(skb)) return [skb]
  if (!runHook(skb, 'postrouting', { out: bridge })) return []
  const length = lengthOfIp(skb.packet)
  if (length <= Math.min(out.mtu, skb.fragMaxSize || out.mtu)) return [skb]
  const size = Math.min(bridge.mtu, skb.fragMaxSize || bridge.mtu)
  if (skb.fragMaxSize > bridge.mtu || (!skb.mayCut && (skb.packet.src.family === 6 || skb.packet.dontFragment))) {
    const detail = `${length} octets, but port ${out.name} takes ${out.mtu}; a bridge sends no ICMP`
    skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'PKT_TOO_BIG', detail })
    return []
  }
  // br_validate_ipv4 has cleared IPSKB_FRAG_PMTU: no part keeps DF.
  const parts = fragmentsOf({ ...skb, packet: { ...skb.packet, dontFragment: false } }, size)
  skb.ns.host.kernel.record(skb, { kind: 'fragment', mtu: size, parts: parts.length })
  return parts.map((packet) => ({ ...cloneSkb(skb), packet, fragMaxSize: 0, fragSizes: [] }))
}
