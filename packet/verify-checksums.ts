import { addWords, checksumOf, pseudoHeaderSum } from './checksum.ts'
import { ETHERNET_HEADER, readEthernetHeader } from './ethernet.ts'
import { ICMP_CHECKSUM_AT, ICMP_LONG_HEADER, icmpBodyKind } from './icmp.ts'
import type { Family } from './ip.ts'
import { type IpHeader, isPart } from './ip-header.ts'
import { readIpv4Header } from './ipv4.ts'
import { readIpv6Header } from './ipv6.ts'
import { get8, get16, put16 } from './octets.ts'
import { ETHERTYPE, PROTOCOL } from './packet.ts'
import { sctpChecksumIsRight } from './sctp.ts'
import { TCP_CHECKSUM_AT } from './tcp.ts'
import { UDP_CHECKSUM_AT, UDP_HEADER } from './udp.ts'
import { isVxlanPort, readVxlanHeader, VXLAN_HEADER } from './vxlan.ts'

/**
 * The wrong checksums of a frame, those of tunnelled packets and of the IPv4 header in ICMP errors included; empty
 * where all are right. Works on the octets alone, so that it can judge what emit wrote. What cannot be read that far
 * is told as well. A checksum inside a part of a packet cannot be checked, and none is demanded of an IPv4 UDP
 * datagram that has none.
 */
export function verifyChecksums(frame: Uint8Array): readonly string[] {
  return ofFrame(frame, '')
}

/** The same for a packet without a link-layer header. */
export function verifyIpChecksums(packet: Uint8Array): readonly string[] {
  return ofIp(packet, '', packet.length > 0 && get8(packet, 0) >>> 4 === 6 ? 6 : 4)
}

type Bad = readonly string[]

function ofFrame(bytes: Uint8Array, where: string): Bad {
  if (bytes.length < ETHERNET_HEADER) return [`${where}Ethernet: ${bytes.length} octets`]
  const payload = bytes.subarray(ETHERNET_HEADER)
  const { etherType } = readEthernetHeader(bytes, 0)
  if (etherType === ETHERTYPE.ipv4) return ofIp(payload, where, 4)
  if (etherType === ETHERTYPE.ipv6) return ofIp(payload, where, 6)
  return []
}

function ofIp(bytes: Uint8Array, where: string, family: Family): Bad {
  const result = family === 4 ? readIpv4Header(bytes, 0, bytes.length) : readIpv6Header(bytes, 0, bytes.length)
  if (!result.ok) return [`${where}${result.reason}`]
  const header = result.value
  const ofHeader = family === 4 ? ofIpv4Header(bytes, where, header) : []
  if (header.payloadEnd > bytes.length) return [...ofHeader, `${where}IPv${family}: the packet is cut off`]
  if (isPart(header)) return ofHeader
  return [...ofHeader, ...ofTransport(bytes.subarray(header.payloadAt, header.payloadEnd), where, header)]
}

const ofIpv4Header = (bytes: Uint8Array, where: string, header: IpHeader): Bad =>
  compare(`${where}IPv4 header`, { bytes: bytes.subarray(0, header.payloadAt), at: 10, start: 0 })

/** Not a protocol number: each family has its own ICMP, and that of the other is nothing it knows. */
const NONE = -1

function ofTransport(bytes: Uint8Array, where: string, header: IpHeader): Bad {
  const { src, dst, protocol } = header
  const start = pseudoHeaderSum({ src, dst, protocol, length: bytes.length })
  switch (protocol) {
    case PROTOCOL.tcp:
      return compare(`${where}TCP`, { bytes, at: TCP_CHECKSUM_AT, start })
    case PROTOCOL.udp:
      return [...ofUdp(bytes, where, { family: src.family, start }), ...ofTunnel(bytes, where)]
    case PROTOCOL.sctp:
      return sctpChecksumIsRight(bytes) ? [] : [`${where}SCTP checksum is wrong`]
    case src.family === 4 ? PROTOCOL.icmp : NONE:
      return [...compare(`${where}ICMP`, { bytes, at: ICMP_CHECKSUM_AT, start: 0 }), ...ofQuote(bytes, where)]
    case src.family === 6 ? PROTOCOL.icmpv6 : NONE:
      return compare(`${where}ICMPv6`, { bytes, at: ICMP_CHECKSUM_AT, start })
    case PROTOCOL.ipip:
      return ofIp(bytes, `${where}in IPIP: `, 4)
    case PROTOCOL.ipv6:
      return ofIp(bytes, `${where}in IPIP: `, 6)
    default:
      return []
  }
}

/** Tunnels over IPv6 may leave the checksum out too (RFC 6935 §5). */
function ofUdp(bytes: Uint8Array, where: string, { family, start }: { family: Family; start: number }): Bad {
  if (bytes.length >= UDP_HEADER && get16(bytes, UDP_CHECKSUM_AT) === 0)
    return family === 4 || isVxlanPort(get16(bytes, 2)) ? [] : [`${where}UDP checksum is missing, IPv6 needs one`]
  return compare(`${where}UDP`, { bytes, at: UDP_CHECKSUM_AT, start })
}

function ofTunnel(bytes: Uint8Array, where: string): Bad {
  const frameAt = UDP_HEADER + VXLAN_HEADER
  if (bytes.length < frameAt + ETHERNET_HEADER || !isVxlanPort(get16(bytes, 2))) return []
  if (readVxlanHeader(bytes, UDP_HEADER) === undefined) return []
  return ofFrame(bytes.subarray(frameAt), `${where}in VXLAN: `)
}

function ofQuote(bytes: Uint8Array, where: string): Bad {
  const kind = icmpBodyKind(4, get8(bytes, 0))
  if (kind !== 'error' && kind !== 'redirect') return []
  const quoted = bytes.subarray(ICMP_LONG_HEADER)
  const header = readIpv4Header(quoted, 0, quoted.length)
  return header.ok ? ofIpv4Header(quoted, `${where}in ICMP: `, header.value) : []
}

/** `bytes` is all that is summed besides `start`; its checksum stands at `at`. */
function compare(what: string, { bytes, at, start }: { bytes: Uint8Array; at: number; start: number }): Bad {
  if (bytes.length < at + 2) return [`${what}: ${bytes.length} octets have no checksum`]
  const found = get16(bytes, at)
  if (checksumOf(addWords(start, bytes, { from: 0, to: bytes.length })) === 0) return []
  const copy = bytes.slice()
  put16(copy, at, 0)
  const right = checksumOf(addWords(start, copy, { from: 0, to: copy.length }))
  return [`${what} checksum is ${hex(found)}, should be ${hex(right)}`]
}

const hex = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`
