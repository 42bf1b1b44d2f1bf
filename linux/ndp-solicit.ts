import { type Ip, ipv6, isLinkLocal, isMulticast, sameIp } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import { ICMP6, type IcmpBody, type IpPacket } from '../packet/packet.ts'
import type { Neighbor } from './neighbor.ts'
import type { Link } from './netns.ts'
import { type IpSkb, newSkb } from './skb.ts'

/** ff02::1:ffXX:XXXX (RFC 4291 §2.7.1). */
export const solicitedNode = (ip: Ip): Ip => ipv6(0xff020000, 0, 1, (0xff000000 | (ip.d & 0xffffff)) >>> 0)

/** 33:33 and the last four octets (RFC 2464 §7). */
export const multicastMac = (ip: Ip): Mac => (0x333300000000 + ip.d) as Mac

/** ndisc_solicit: asks for `neighbor`; the source is the packet's own where it is ours, else the link-local one. */
export function solicitNdp(neighbor: Neighbor, skb: IpSkb | undefined): void {
  const { link, ip, mac } = neighbor
  const asked = skb?.packet.src
  const own = asked !== undefined && link.addresses.some((address) => sameIp(address.ip, asked)) ? asked : undefined
  const source = own ?? linkLocalAddress(link)
  if (source === undefined) return
  const unicast = neighbor.state === 'probe' && mac !== undefined
  const body: IcmpBody = { kind: 'neighborSolicitation', target: ip, sourceMac: link.mac }
  sendNdp(link, { src: source, dst: unicast ? ip : solicitedNode(ip), body }, skb?.id)
}

export const linkLocalAddress = (link: Link): Ip | undefined =>
  link.addresses.find((address) => isLinkLocal(address.ip) && address.ip.family === 6)?.ip

/** ndisc_send_skb: hop limit 255, by OUTPUT and POSTROUTING like any packet, and by the device it is about. */
export function sendNdp(
  link: Link,
  { src, dst, body }: { src: Ip; dst: Ip; body: IcmpBody },
  cause: number | undefined,
): void {
  const type = body.kind === 'neighborSolicitation' ? ICMP6.neighborSolicitation : ICMP6.neighborAdvertisement
  const packet: IpPacket = {
    kind: 'ip',
    src,
    dst,
    ttl: 255,
    tos: 0,
    id: 0,
    dontFragment: false,
    flowLabel: 0,
    payload: { kind: 'icmp', type, code: 0, body },
  }
  const { kernel, stack } = link.ns.host
  const skb = newSkb(link, packet, kernel.newPacket()) as IpSkb
  kernel.record(skb, {
    kind: 'arp.send',
    frame: { src: link.mac, dst: multicastMac(dst), payload: packet },
    link: link.name,
    ...(cause === undefined ? {} : { cause }),
  })
  skb.dst = {
    type: isMulticast(dst) ? 'multicast' : 'unicast',
    dev: link,
    via: undefined,
    entry: undefined,
    table: undefined,
  }
  stack.localOut(skb)
}
