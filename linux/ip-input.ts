import { formatIp } from '../packet/ip.ts'
import { icmpReceive } from './icmp.ts'
import { mayTellNoRoute } from './inet-peer.ts'
import { ipForward } from './ip-forward.ts'
import { runHook } from './ip-hook.ts'
import { isInGroup } from './multicast.ts'
import { gather } from './reassembly.ts'
import { routeInput } from './route.ts'
import { sctpReceive } from './sctp.ts'
import type { IpSkb, PacketType } from './skb.ts'
import { tcpReceive } from './tcp-receive.ts'
import { udpReceive } from './udp.ts'
import { vxlanReceive } from './vxlan.ts'

/** ip_rcv and ipv6_rcv: an IP packet came in by `skb.dev` (Linux net/ipv4/ip_input.c, net/ipv6/ip6_input.c). */
export function ipReceive(skb: IpSkb, type: PacketType): void {
  if (type === 'otherhost') {
    const detail = `the frame is for another MAC than that of ${skb.dev.name}`
    return skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'OTHERHOST', detail })
  }
  // ip_rcv_core clears what the bridge below noted of the fragments it put together.
  skb.fragMaxSize = 0
  skb.input = skb.dev
  if (!preRouting(skb)) return
  if (skb.dst === undefined) {
    const decided = routeInput(skb, skb.packet.dst, skb.packet.src)
    if (decided.kind !== 'ok') {
      skb.ns.host.kernel.record(skb, { kind: 'drop', reason: decided.reason, detail: decided.detail })
      if (decided.kind === 'error') tellNoRoute(skb, decided.error)
      return
    }
    skb.dst = decided.route
  }
  // A frame for all hosts is never forwarded (RFC 1122 §3.3.6).
  if (skb.dst.type === 'unicast') {
    if (type === 'host') ipForward(skb)
    return
  }
  // ip6_mc_input: nobody here listens; nothing is said, as for an ARP request for another.
  if (skb.dst.type === 'multicast' && !isInGroup(skb.dev, skb.packet.dst)) return
  localDeliver(skb)
}

/**
 * A packet that already passed PREROUTING on a bridge does not pass it again (ip_sabotage_in, Linux
 * net/bridge/br_netfilter_hooks.c). It still knows the port that it came in by.
 */
function preRouting(skb: IpSkb): boolean {
  if (skb.bridge !== undefined && !skb.bridge.inPrerouting) {
    skb.bridge.passedUp = true
    return true
  }
  return runHook(skb, 'prerouting', { in: skb.dev })
}

/** ip_error. */
function tellNoRoute(skb: IpSkb, error: 'ENETUNREACH' | 'EHOSTUNREACH' | 'EACCES'): void {
  if (skb.packet.src.family === 4 && !mayTellNoRoute(skb.ns, skb.packet.src)) return
  // ip6_pkt_discard knows no host that is unreachable: it says that there is no route.
  const noRoute = error === 'ENETUNREACH' || (error === 'EHOSTUNREACH' && skb.packet.src.family === 6)
  const kind = noRoute ? 'netUnreachable' : error === 'EHOSTUNREACH' ? 'hostUnreachable' : 'prohibited'
  skb.ns.host.stack.icmpError(skb, { kind })
}

/** ip_local_deliver: put fragments together, pass INPUT, hand to the protocol. */
function localDeliver(skb: IpSkb): void {
  // ip6_protocol_deliver_rcu: in IPv6 the fragment header is read after INPUT, so each part passes it by itself.
  const late = skb.packet.src.family === 6
  if (!late && skb.packet.fragment !== undefined && !gather(skb, 'local')) return
  if (!runHook(skb, 'input', { in: skb.dev })) return
  if (late && skb.packet.fragment !== undefined && !gather(skb, 'local')) return
  const { payload } = skb.packet
  const { capabilities } = skb.ns.host
  switch (payload.kind) {
    case 'tcp':
      return tcpReceive(skb, payload)
    case 'udp':
      return vxlanReceive(skb, payload) ? undefined : udpReceive(skb, payload)
    case 'icmp':
      return icmpReceive(skb, payload)
    case 'sctp':
      return capabilities.sctp === false ? unknownProtocol(skb) : sctpReceive(skb, payload)
    default:
      return unknownProtocol(skb)
  }
}

/** ip_protocol_deliver_rcu: nobody has registered for it. */
function unknownProtocol(skb: IpSkb): void {
  const { dst, payload } = skb.packet
  const detail = `nobody at ${formatIp(dst)} takes IP protocol ${payload.kind === 'raw' ? payload.protocol : payload.kind}`
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'NO_SOCKET', detail })
  skb.ns.host.stack.icmpError(skb, { kind: 'protocolUnreachable' })
}
