import { isLoopback, isMulticast, sameIp, UNSPECIFIED_V4 } from '../packet/ip.ts'
import type { Arp } from '../packet/packet.ts'
import { sendArp } from './arp-solicit.ts'
import { addressType, isOnLink } from './fib.ts'
import { findNeighbor, neighborAsked, updateNeighbor } from './neighbor.ts'
import type { Link } from './netns.ts'
import { routeInput } from './route.ts'
import type { PacketType, Skb } from './skb.ts'

type ArpSkb = Skb & { packet: Arp }

/** arp_rcv and arp_process (RFC 826, Linux net/ipv4/arp.c). */
export function arpReceive(skb: ArpSkb, packetType: PacketType): void {
  const { packet: arp, dev } = skb
  if (packetType === 'otherhost' || dev.type.kind === 'loopback') return
  if (isMulticast(arp.targetIp) || (isLoopback(arp.targetIp) && !dev.conf.routeLocalnet)) return
  if (arp.operation === 1 && answers(skb)) return
  const known = findNeighbor(dev, arp.senderIp)
  if (known === undefined) return
  const reachable = arp.operation === 2 && packetType === 'host'
  updateNeighbor(known, arp.senderMac, { state: reachable ? 'reachable' : 'stale', override: true })
}

/** True where the request was for an address of ours, or one we stand in for; then the sender has been learned. */
function answers(skb: ArpSkb): boolean {
  const { packet: arp, dev, ns } = skb
  const duplicateDetection = sameIp(arp.senderIp, UNSPECIFIED_V4)
  if (duplicateDetection) {
    if (addressType(ns, arp.targetIp) === 'local' && !ignored(dev, arp)) reply(skb)
    return true
  }
  const route = routeInput(skb, arp.targetIp, arp.senderIp)
  if (route.kind !== 'ok') return false
  if (route.route.type === 'local') {
    if (ignored(dev, arp)) return true
    neighborAsked(dev, arp.senderIp, arp.senderMac)
    reply(skb)
    return true
  }
  if (!dev.conf.forwarding || route.route.type !== 'unicast') return false
  const proxied = dev.conf.proxyArp && route.route.dev !== dev
  if (!proxied) return false
  neighborAsked(dev, arp.senderIp, arp.senderMac)
  reply(skb)
  return true
}

/** arp_ignore 0: any local address is answered; 1: only one of the incoming device; 2: and the sender in its subnet. */
function ignored(dev: Link, arp: Arp): boolean {
  if (dev.conf.arpIgnore === 0) return false
  const own = dev.addresses.some((address) => sameIp(address.ip, arp.targetIp))
  if (dev.conf.arpIgnore === 1) return !own
  return !own || !isOnLink(dev, arp.senderIp)
}

function reply(skb: ArpSkb): void {
  const { packet: arp, dev } = skb
  const answer: Arp = {
    kind: 'arp',
    operation: 2,
    senderMac: dev.mac,
    senderIp: arp.targetIp,
    targetMac: arp.senderMac,
    targetIp: arp.senderIp,
  }
  sendArp(dev, answer, arp.senderMac, skb.id)
}
