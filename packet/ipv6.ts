/**
 * IPv6 (RFC 8200) and its fragment header (§4.5). Other extension headers stay octets: they are a raw payload whose
 * protocol is the extension header's number.
 *
 *  0               1               2               3
 * +-------+---------------+---------------------------------------+
 * |   6   | traffic class |              flow label               |
 * +-------+---------------+-------+---------------+---------------+
 * |        payload length         |  next header  |   hop limit   |
 * +-------------------------------+---------------+---------------+
 * |                   source address, 16 octets                   |
 * |                destination address, 16 octets                 |
 * +---------------------------------------------------------------+
 *
 * +---------------+---------------+-------------------------+---+-+
 * |  next header  |       0       |     fragment offset     | 0 |M|
 * +---------------+---------------+-------------------------+---+-+
 * |                        identification                         |
 * +---------------------------------------------------------------+
 */
import { readIp, writeIp } from './ip.ts'
import type { IpHeader } from './ip-header.ts'
import { get8, get16, get32, put16, put32 } from './octets.ts'
import { type IpPacket, protocolOf } from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export const IPV6_HEADER = 40
export const FRAGMENT_HEADER = 8

const FRAGMENT = 44

export const ipv6HeaderLength = (packet: IpPacket): number =>
  packet.fragment === undefined ? IPV6_HEADER : IPV6_HEADER + FRAGMENT_HEADER

/** `payloadLength` is that of what follows all headers written here. Returns where it goes. */
export function writeIpv6Header(
  out: Uint8Array,
  at: number,
  { packet, payloadLength }: { readonly packet: IpPacket; readonly payloadLength: number },
): number {
  const fragment = packet.fragment
  put32(out, at, (6 << 28) | ((packet.tos & 0xff) << 20) | (packet.flowLabel & 0xfffff))
  put16(out, at + 4, fragment === undefined ? payloadLength : payloadLength + FRAGMENT_HEADER)
  out[at + 6] = fragment === undefined ? protocolOf(packet) : FRAGMENT
  out[at + 7] = packet.ttl
  writeIp(out, at + 8, packet.src)
  writeIp(out, at + 24, packet.dst)
  if (fragment === undefined) return at + IPV6_HEADER
  out[at + 40] = protocolOf(packet)
  put16(out, at + 42, fragment.offset | (fragment.more ? 1 : 0))
  put32(out, at + 44, packet.id)
  return at + IPV6_HEADER + FRAGMENT_HEADER
}

/** The fragment header's reserved bits are ignored, as RFC 8200 §4.5 asks. */
export function readIpv6Header(bytes: Uint8Array, at: number, end: number): Parsed<IpHeader> {
  if (end - at < IPV6_HEADER) return refused(`IPv6: ${end - at} octets, the header needs ${IPV6_HEADER}`)
  const first = get32(bytes, at)
  if (first >>> 28 !== 6) return refused(`IPv6: the version field says ${first >>> 28}`)
  const payloadEnd = at + IPV6_HEADER + get16(bytes, at + 4)
  const nextHeader = get8(bytes, at + 6)
  const isFragment = nextHeader === FRAGMENT
  const payloadAt = isFragment ? at + IPV6_HEADER + FRAGMENT_HEADER : at + IPV6_HEADER
  if (isFragment && (payloadAt > end || payloadAt > payloadEnd)) return refused('IPv6: the fragment header is cut off')
  const offsetAndMore = isFragment ? get16(bytes, at + 42) : 0
  return parsed({
    src: readIp(bytes, at + 8, 6),
    dst: readIp(bytes, at + 24, 6),
    ttl: get8(bytes, at + 7),
    tos: (first >>> 20) & 0xff,
    id: isFragment ? get32(bytes, at + 44) : 0,
    dontFragment: false,
    fragment: isFragment ? { offset: offsetAndMore & 0xfff8, more: (offsetAndMore & 1) === 1 } : undefined,
    flowLabel: first & 0xfffff,
    options: undefined,
    protocol: isFragment ? get8(bytes, at + 40) : nextHeader,
    payloadAt,
    payloadEnd,
  })
}
