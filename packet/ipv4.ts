/**
 * IPv4 (RFC 791).
 *
 *  0               1               2               3
 * +-------+-------+---------------+-------------------------------+
 * |   4   |  IHL  |      TOS      |         total length          |
 * +-------+-------+---------------+-+-+-+-------------------------+
 * |        identification         |0|D|M|    fragment offset      |
 * +---------------+---------------+-+-+-+-------------------------+
 * |      TTL      |   protocol    |        header checksum        |
 * +---------------+---------------+-------------------------------+
 * |                        source address                         |
 * |                      destination address                      |
 * |                   options (0 to 40 octets)                    |
 * +---------------------------------------------------------------+
 */
import { addWords, checksumOf } from './checksum.ts'
import { readIp, writeIp } from './ip.ts'
import type { IpHeader } from './ip-header.ts'
import { get8, get16, put16 } from './octets.ts'
import { type IpPacket, protocolOf } from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export const IPV4_HEADER = 20

const DONT_FRAGMENT = 0x4000
const MORE_FRAGMENTS = 0x2000
const OFFSET_BITS = 0x1fff

export const ipv4HeaderLength = (packet: IpPacket): number => IPV4_HEADER + (packet.options?.length ?? 0)

/** `payloadLength` is what the length field shall say, also where fewer octets follow. Returns where they go. */
export function writeIpv4Header(
  out: Uint8Array,
  at: number,
  { packet, payloadLength }: { readonly packet: IpPacket; readonly payloadLength: number },
): number {
  const length = ipv4HeaderLength(packet)
  const fragment = packet.fragment
  out[at] = 0x40 | (length >>> 2)
  out[at + 1] = packet.tos
  put16(out, at + 2, length + payloadLength)
  put16(out, at + 4, packet.id)
  put16(
    out,
    at + 6,
    (packet.dontFragment ? DONT_FRAGMENT : 0) |
      (fragment === undefined ? 0 : (fragment.more ? MORE_FRAGMENTS : 0) | (fragment.offset >>> 3)),
  )
  out[at + 8] = packet.ttl
  out[at + 9] = protocolOf(packet)
  writeIp(out, at + 12, packet.src)
  writeIp(out, at + 16, packet.dst)
  if (packet.options !== undefined) out.set(packet.options, at + IPV4_HEADER)
  put16(out, at + 10, checksumOf(addWords(0, out, { from: at, to: at + length })))
  return at + length
}

/** The checksum is not looked at (see verifyChecksums), nor the bit that RFC 791 reserves: receivers ignore it. */
export function readIpv4Header(bytes: Uint8Array, at: number, end: number): Parsed<IpHeader> {
  if (end - at < IPV4_HEADER) return refused(`IPv4: ${end - at} octets, the header needs ${IPV4_HEADER}`)
  const first = get8(bytes, at)
  if (first >>> 4 !== 4) return refused(`IPv4: the version field says ${first >>> 4}`)
  const headerLength = (first & 15) << 2
  if (headerLength < IPV4_HEADER) return refused(`IPv4: header length ${headerLength} is under ${IPV4_HEADER}`)
  if (headerLength > end - at) return refused(`IPv4: header length ${headerLength}, but ${end - at} octets are there`)
  const totalLength = get16(bytes, at + 2)
  if (totalLength < headerLength)
    return refused(`IPv4: total length ${totalLength} is under the header's ${headerLength}`)
  const flagsAndOffset = get16(bytes, at + 6)
  const offset = (flagsAndOffset & OFFSET_BITS) << 3
  const more = (flagsAndOffset & MORE_FRAGMENTS) !== 0
  return parsed({
    src: readIp(bytes, at + 12, 4),
    dst: readIp(bytes, at + 16, 4),
    ttl: get8(bytes, at + 8),
    tos: get8(bytes, at + 1),
    id: get16(bytes, at + 4),
    dontFragment: (flagsAndOffset & DONT_FRAGMENT) !== 0,
    fragment: more || offset > 0 ? { offset, more } : undefined,
    flowLabel: 0,
    options: headerLength > IPV4_HEADER ? bytes.subarray(at + IPV4_HEADER, at + headerLength) : undefined,
    protocol: get8(bytes, at + 9),
    payloadAt: at + headerLength,
    payloadEnd: at + totalLength,
  })
}
