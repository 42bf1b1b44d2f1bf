import { put16 } from '../../packet/octets.ts'
import type { Icmp, IpPacket, Quote, Transport } from '../../packet/packet.ts'
import { protocolOf } from '../../packet/packet.ts'
import { hasPorts } from '../../packet/ports.ts'
import type { ConntrackEntry, Direction } from './conntrack.ts'
import type { Manip } from './nat.ts'
import { invertTuple, type Tuple } from './tuple.ts'

/** Puts addresses, ports and ids of a tuple into a packet, after Linux net/netfilter/nf_nat_proto.c. */

/** What a flow's packets of one direction look like once rewritten: the inverse of the other direction's tuple. */
const targetOf = (entry: ConntrackEntry, direction: Direction): Tuple | undefined =>
  invertTuple(direction === 'original' ? entry.reply : entry.original)

/** nf_nat_manip_pkt. */
export function rewrite(
  packet: IpPacket,
  entry: ConntrackEntry,
  place: { direction: Direction; manip: Manip },
): IpPacket {
  const target = targetOf(entry, place.direction)
  return target === undefined ? packet : withTuple(packet, target, place.manip)
}

function withTuple(packet: IpPacket, tuple: Tuple, manip: Manip): IpPacket {
  const payload = withKeys(packet, tuple, manip)
  return manip === 'src' ? { ...packet, src: tuple.src, payload } : { ...packet, dst: tuple.dst, payload }
}

function withKeys(packet: IpPacket, { srcKey, dstKey }: Tuple, manip: Manip): Transport {
  const { payload } = packet
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return manip === 'src' ? { ...payload, srcPort: srcKey } : { ...payload, dstPort: dstKey }
    case 'icmp':
      return payload.body.kind === 'echo' ? { ...payload, body: { ...payload.body, id: srcKey } } : payload
    case 'raw': {
      if (!hasPorts(protocolOf(packet)) || payload.bytes.length < 4 || (packet.fragment?.offset ?? 0) > 0)
        return payload
      const bytes = payload.bytes.slice()
      put16(bytes, manip === 'src' ? 0 : 2, manip === 'src' ? srcKey : dstKey)
      return { ...payload, bytes }
    }
    case 'ip':
      return payload
  }
}

/**
 * nf_nat_icmp_reply_translation: an error goes to whoever sent the quoted packet, and quotes it as that one sent it. So
 * the quoted packet is rewritten at its other end, and the error as any packet of its direction, ports left out.
 */
export function rewriteError(
  packet: IpPacket,
  entry: ConntrackEntry,
  place: { direction: Direction; manip: Manip },
): IpPacket {
  const { direction, manip } = place
  const { payload } = packet
  const quoted = direction === 'original' ? entry.reply : entry.original
  const target = targetOf(entry, direction)
  if (payload.kind !== 'icmp' || target === undefined) return packet
  const icmp = withQuote(payload, (quote) => ({
    ...quote,
    packet: withTuple(quote.packet, quoted, manip === 'src' ? 'dst' : 'src'),
  }))
  return manip === 'src' ? { ...packet, src: target.src, payload: icmp } : { ...packet, dst: target.dst, payload: icmp }
}

function withQuote(icmp: Icmp, change: (quote: Quote) => Quote): Icmp {
  const { body } = icmp
  if (body.kind !== 'error' && body.kind !== 'redirect') return icmp
  return { ...icmp, body: { ...body, quote: change(body.quote) } }
}
