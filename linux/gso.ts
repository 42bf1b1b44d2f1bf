import { TCP_FLAG } from '../packet/packet.ts'
import type { IpSkb, Skb } from './skb.ts'
import { isIp } from './skb.ts'

/**
 * tcp_gso_segment, inet_gso_segment: a stream goes through the IP path as one packet of many segments and is cut
 * where it leaves by its first device (validate_xmit_skb). Identifications count up, FIN and PSH stay with the last.
 */
export function gsoSegments(skb: Skb): readonly Skb[] {
  if (skb.gsoSize === 0 || !isIp(skb)) return [skb]
  const { payload } = skb.packet
  if (payload.kind !== 'tcp' || payload.data.length <= skb.gsoSize) return [skb]
  const segments: IpSkb[] = []
  for (let at = 0; at < payload.data.length; at += skb.gsoSize) {
    const data = payload.data.subarray(at, at + skb.gsoSize)
    const last = at + skb.gsoSize >= payload.data.length
    const flags = last ? payload.flags : payload.flags & ~(TCP_FLAG.fin | TCP_FLAG.psh)
    const id = skb.packet.src.family === 4 ? (skb.packet.id + segments.length) & 0xffff : skb.packet.id
    const packet = { ...skb.packet, id, payload: { ...payload, seq: (payload.seq + at) >>> 0, flags, data } }
    segments.push({ ...skb, packet, gsoSize: 0 })
  }
  return segments
}
