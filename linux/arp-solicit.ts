import type { Ip } from '../packet/ip.ts'
import { BROADCAST_MAC, type Mac, ZERO_MAC } from '../packet/mac.ts'
import type { Arp } from '../packet/packet.ts'
import { addressType, isOnLink, selectSource } from './fib.ts'
import type { Neighbor } from './neighbor.ts'
import type { Link } from './netns.ts'
import { type IpSkb, newSkb } from './skb.ts'

/** arp_solicit: asks for `neighbor`; the sender address follows arp_announce. */
export function solicitArp(neighbor: Neighbor, skb: IpSkb | undefined): void {
  const { link, ip, mac } = neighbor
  const source = announcedSource(link, ip, skb?.packet.src)
  if (source === undefined) return
  const request: Arp = {
    kind: 'arp',
    operation: 1,
    senderMac: link.mac,
    senderIp: source,
    targetMac: ZERO_MAC,
    targetIp: ip,
  }
  sendArp(link, request, neighbor.state === 'probe' && mac !== undefined ? mac : BROADCAST_MAC, skb?.id)
}

function announcedSource(link: Link, target: Ip, packetSource: Ip | undefined): Ip | undefined {
  const { ns } = link
  const usable = packetSource !== undefined && addressType(ns, packetSource) === 'local' ? packetSource : undefined
  if (link.conf.arpAnnounce === 0 && usable !== undefined) return usable
  if (link.conf.arpAnnounce === 1 && usable !== undefined && isOnLink(link, target) && isOnLink(link, usable))
    return usable
  return selectSource(ns, link, target, 'link')
}

/** arp_send: a request or reply out of `link`. */
export function sendArp(link: Link, arp: Arp, to: Mac, cause: number | undefined): void {
  const { kernel } = link.ns.host
  const skb = newSkb(link, arp, kernel.newPacket())
  skb.mac = { src: link.mac, dst: to }
  kernel.record(skb, {
    kind: 'arp.send',
    frame: { src: link.mac, dst: to, payload: arp },
    link: link.name,
    ...(cause === undefined ? {} : { cause }),
  })
  link.ns.host.stack.xmit(skb)
}
