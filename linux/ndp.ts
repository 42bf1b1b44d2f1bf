import { ip, isMulticast, isUnspecified, sameIp } from '../packet/ip.ts'
import type { IcmpBody } from '../packet/packet.ts'
import { sendNdp } from './ndp-solicit.ts'
import { findNeighbor, neighborAsked, updateNeighbor } from './neighbor.ts'
import type { IpSkb } from './skb.ts'

const ALL_NODES = ip('ff02::1')

/** ndisc_recv_ns (RFC 4861 §7.2.3): answers for the device's own addresses and learns the asker. */
export function solicitationReceive(skb: IpSkb, body: Extract<IcmpBody, { kind: 'neighborSolicitation' }>): void {
  const { dev, packet } = skb
  if (packet.ttl !== 255 || isMulticast(body.target)) return
  if (!dev.addresses.some((address) => sameIp(address.ip, body.target))) return
  const anonymous = isUnspecified(packet.src)
  if (!anonymous && body.sourceMac !== undefined) neighborAsked(dev, packet.src, body.sourceMac)
  const answer: IcmpBody = {
    kind: 'neighborAdvertisement',
    target: body.target,
    targetMac: dev.mac,
    router: dev.conf.forwarding6,
    solicited: !anonymous,
    override: true,
  }
  const dst = anonymous ? ALL_NODES : packet.src
  sendNdp(dev, { src: body.target, dst, body: answer }, skb.id)
}

/** ndisc_recv_na (RFC 4861 §7.2.5): only an entry that exists is updated. */
export function advertisementReceive(skb: IpSkb, body: Extract<IcmpBody, { kind: 'neighborAdvertisement' }>): void {
  if (skb.packet.ttl !== 255) return
  const known = findNeighbor(skb.dev, body.target)
  if (known === undefined) return
  updateNeighbor(known, body.targetMac, { state: body.solicited ? 'reachable' : 'stale', override: body.override })
}
