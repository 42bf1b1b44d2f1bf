import { type Ip, ipBytes } from '../../packet/ip.ts'
import { get16, put16 } from '../../packet/octets.ts'
import { type Icmp, type IpPacket, PROTOCOL, type Quote, type RawPayload, type Transport } from '../../packet/packet.ts'
import { hasPorts } from '../../packet/ports.ts'
import type { ConntrackEntry, Direction } from './conntrack.ts'
import type { Manip } from './nat.ts'
import { hasIcmpId, invertTuple, type Tuple } from './tuple.ts'

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

/** The addresses and keys of one end of a tuple put into a packet (nf_nat_manip_pkt of the protocols). */
export function withTuple(packet: IpPacket, tuple: Tuple, manip: Manip): IpPacket {
  const payload = withKeys(packet, tuple, manip)
  return manip === 'src' ? { ...packet, src: tuple.src, payload } : { ...packet, dst: tuple.dst, payload }
}

function withKeys(packet: IpPacket, tuple: Tuple, manip: Manip): Transport {
  const { srcKey, dstKey } = tuple
  const { payload } = packet
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return manip === 'src' ? { ...payload, srcPort: srcKey } : { ...payload, dstPort: dstKey }
    case 'icmp':
      return hasIcmpId(packet.src.family, payload.type) ? withIcmpId(payload, srcKey) : payload
    case 'raw':
      return (packet.fragment?.offset ?? 0) > 0 ? payload : withRawKeys(packet, payload, { tuple, manip })
    case 'ip':
      return payload
  }
}

function withIcmpId(icmp: Icmp, id: number): Icmp {
  const { body } = icmp
  if (body.kind === 'echo') return { ...icmp, body: { ...body, id } }
  if (body.kind !== 'other' || body.bytes.length < 2) return icmp
  const bytes = body.bytes.slice()
  put16(bytes, 0, id)
  return { ...icmp, body: { ...body, bytes } }
}

/** Where a cut-off transport header has its checksum, and how much of it must be there for it to be updated. */
const CHECKSUM_AT: ReadonlyMap<number, { readonly at: number; readonly header: number }> = new Map([
  [PROTOCOL.tcp, { at: 16, header: 20 }],
  [PROTOCOL.udp, { at: 6, header: 8 }],
  [PROTOCOL.icmp, { at: 2, header: 8 }],
  [PROTOCOL.icmpv6, { at: 2, header: 8 }],
])

/** A header that is still octets (a quoted packet is often cut off): its checksum cannot be made anew, only changed. */
function withRawKeys(packet: IpPacket, raw: RawPayload, { tuple, manip }: { tuple: Tuple; manip: Manip }): RawPayload {
  const { protocol } = tuple
  const isIcmp = protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmpv6
  if ((!hasPorts(protocol) && !isIcmp) || raw.bytes.length < (isIcmp ? 8 : 4)) return raw
  const bytes = raw.bytes.slice()
  const keyAt = isIcmp ? 4 : manip === 'src' ? 0 : 2
  const key = manip === 'src' || isIcmp ? tuple.srcKey : tuple.dstKey
  const sum = CHECKSUM_AT.get(protocol)
  if (sum !== undefined && bytes.length >= sum.header && !(protocol === PROTOCOL.udp && get16(bytes, sum.at) === 0)) {
    const [before, after] = manip === 'src' ? [packet.src, tuple.src] : [packet.dst, tuple.dst]
    const addresses = protocol === PROTOCOL.icmp ? [] : wordPairs(before, after)
    const checksum = changeChecksum(get16(bytes, sum.at), [...addresses, [get16(bytes, keyAt), key]])
    put16(bytes, sum.at, checksum === 0 && protocol === PROTOCOL.udp ? 0xffff : checksum)
  }
  put16(bytes, keyAt, key)
  return { ...raw, bytes }
}

type WordChange = readonly [before: number, after: number]

function wordPairs(before: Ip, after: Ip): readonly WordChange[] {
  const [x, y] = [ipBytes(before), ipBytes(after)]
  const pairs: WordChange[] = []
  for (let at = 0; at < x.length; at += 2) pairs.push([get16(x, at), get16(y, at)])
  return pairs
}

/** RFC 1624: HC' = ~(~HC + ~m + m'). */
function changeChecksum(checksum: number, changes: readonly WordChange[]): number {
  let sum = ~checksum & 0xffff
  for (const [before, after] of changes) sum += (~before & 0xffff) + after
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
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
