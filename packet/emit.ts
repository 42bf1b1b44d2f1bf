import { writeArp } from './arp.ts'
import { addWords, checksumOf, pseudoHeaderSum } from './checksum.ts'
import { ETHERNET_HEADER, writeEthernetHeader } from './ethernet.ts'
import {
  ICMP_CHECKSUM_AT,
  ICMP_HEADER,
  ICMP_LONG_HEADER,
  REDIRECT6_FIXED,
  REDIRECTED_HEADER,
  secondWordOf,
} from './icmp.ts'
import { writeIp } from './ip.ts'
import { writeIpv4Header } from './ipv4.ts'
import { writeIpv6Header } from './ipv6.ts'
import { lengthOfFrame, lengthOfIp, lengthOfIpHeader, lengthOfQuote } from './length.ts'
import { NDP_OPTION, writeMacOption, writeNeighbor } from './ndp.ts'
import { put16, put32 } from './octets.ts'
import {
  type Frame,
  type Icmp,
  type IcmpBody,
  type IpPacket,
  PROTOCOL,
  type Quote,
  type Tcp,
  type Udp,
} from './packet.ts'
import { writeSctp } from './sctp.ts'
import { TCP_CHECKSUM_AT, writeTcp } from './tcp.ts'
import { UDP_CHECKSUM_AT, UDP_HEADER, writeUdpHeader } from './udp.ts'
import { VXLAN_HEADER, writeVxlanHeader } from './vxlan.ts'

/**
 * Typed headers to bytes. One buffer of the final length is made first; every header is written into it at its
 * place, and as nothing has a trailer, whatever begins at `at` ends where the buffer ends.
 */

/** The octets on a link, without padding to Ethernet's minimum (a veth or a tunnel adds none). */
export function emitFrame(frame: Frame): Uint8Array {
  const out = new Uint8Array(lengthOfFrame(frame))
  writeFrame(out, 0, frame)
  return out
}

/** The octets of an IP packet, with lengths and checksums right. */
export function emitIp(packet: IpPacket): Uint8Array {
  const out = new Uint8Array(lengthOfIp(packet))
  writeIpPacket(out, 0, packet)
  return out
}

/** The octets after the IP header: what fragments are cut from. */
export function emitTransport(packet: IpPacket): Uint8Array {
  return emitIp(packet).subarray(lengthOfIpHeader(packet))
}

function writeFrame(out: Uint8Array, at: number, frame: Frame): void {
  writeEthernetHeader(out, at, frame)
  const payload = frame.payload
  switch (payload.kind) {
    case 'ip':
      writeIpPacket(out, at + ETHERNET_HEADER, payload)
      break
    case 'arp':
      writeArp(out, at + ETHERNET_HEADER, payload)
      break
    case 'other':
      out.set(payload.bytes, at + ETHERNET_HEADER)
  }
}

function writeIpPacket(out: Uint8Array, at: number, packet: IpPacket): void {
  const payload = packet.payload
  const present = out.length - at - lengthOfIpHeader(packet)
  const payloadLength = payload.kind === 'raw' ? (payload.wholeLength ?? present) : present
  const payloadAt =
    packet.src.family === 4
      ? writeIpv4Header(out, at, { packet, payloadLength })
      : writeIpv6Header(out, at, { packet, payloadLength })
  switch (payload.kind) {
    case 'tcp':
      writeTcpWithChecksum(out, payloadAt, { packet, tcp: payload })
      break
    case 'udp':
      writeUdp(out, payloadAt, { packet, udp: payload })
      break
    case 'icmp':
      writeIcmp(out, payloadAt, { packet, icmp: payload })
      break
    case 'sctp':
      writeSctp(out, payloadAt, payload)
      break
    case 'ip':
      writeIpPacket(out, payloadAt, payload)
      break
    case 'raw':
      out.set(payload.bytes, payloadAt)
  }
}

function writeTcpWithChecksum(out: Uint8Array, at: number, { packet, tcp }: { packet: IpPacket; tcp: Tcp }): void {
  writeTcp(out, at, tcp)
  put16(out, at + TCP_CHECKSUM_AT, transportChecksum(out, at, { packet, protocol: PROTOCOL.tcp }))
}

function writeUdp(out: Uint8Array, at: number, { packet, udp }: { packet: IpPacket; udp: Udp }): void {
  writeUdpHeader(out, at, { udp, length: out.length - at })
  if (udp.payload.kind === 'data') out.set(udp.payload.bytes, at + UDP_HEADER)
  else {
    writeVxlanHeader(out, at + UDP_HEADER, udp.payload.vni)
    writeFrame(out, at + UDP_HEADER + VXLAN_HEADER, udp.payload.frame)
  }
  if (udp.noChecksum) return
  // A sum that comes to 0 is sent as all ones, for 0 means "none" (RFC 768).
  put16(out, at + UDP_CHECKSUM_AT, transportChecksum(out, at, { packet, protocol: PROTOCOL.udp }) || 0xffff)
}

function writeIcmp(out: Uint8Array, at: number, { packet, icmp }: { packet: IpPacket; icmp: Icmp }): void {
  out[at] = icmp.type
  out[at + 1] = icmp.code
  writeIcmpBody(out, at, icmp)
  const checksum =
    packet.src.family === 4
      ? checksumOf(addWords(0, out, { from: at, to: out.length }))
      : transportChecksum(out, at, { packet, protocol: PROTOCOL.icmpv6 })
  put16(out, at + ICMP_CHECKSUM_AT, checksum)
}

function writeIcmpBody(out: Uint8Array, at: number, icmp: Icmp): void {
  const body = icmp.body
  switch (body.kind) {
    case 'echo':
      put16(out, at + 4, body.id)
      put16(out, at + 6, body.seq)
      out.set(body.data, at + ICMP_LONG_HEADER)
      break
    case 'error':
      put32(out, at + 4, secondWordOf(body, icmp.type, icmp.code))
      writeQuote(out, at + ICMP_LONG_HEADER, body.quote)
      break
    case 'redirect':
      writeRedirect(out, at, body)
      break
    case 'neighborSolicitation':
    case 'neighborAdvertisement':
      writeNeighbor(out, at, body)
      break
    case 'other':
      out.set(body.bytes, at + ICMP_HEADER)
  }
}

function writeRedirect(out: Uint8Array, at: number, redirect: Extract<IcmpBody, { kind: 'redirect' }>): void {
  const { gateway, quote, targetMac } = redirect
  if (gateway.family === 4) {
    writeIp(out, at + 4, gateway)
    writeQuote(out, at + ICMP_LONG_HEADER, quote)
    return
  }
  writeIp(out, at + 8, gateway)
  writeIp(out, at + 24, quote.packet.dst)
  let optionAt = at + REDIRECT6_FIXED
  if (targetMac !== undefined) optionAt = writeMacOption(out, optionAt, { type: NDP_OPTION.targetMac, mac: targetMac })
  out[optionAt] = NDP_OPTION.redirectedHeader
  out[optionAt + 1] = (out.length - optionAt) >>> 3
  writeQuote(out, optionAt + REDIRECTED_HEADER, quote)
}

/** As much of the quoted packet as `out` has room for. */
function writeQuote(out: Uint8Array, at: number, quote: Quote): void {
  const room = out.length - at
  if (room === lengthOfQuote({ packet: quote.packet, length: Number.POSITIVE_INFINITY }))
    writeIpPacket(out, at, quote.packet)
  else out.set(emitIp(quote.packet).subarray(0, room), at)
}

function transportChecksum(
  out: Uint8Array,
  at: number,
  { packet, protocol }: { readonly packet: IpPacket; readonly protocol: number },
): number {
  const pseudo = pseudoHeaderSum({ src: packet.src, dst: packet.dst, protocol, length: out.length - at })
  return checksumOf(addWords(pseudo, out, { from: at, to: out.length }))
}
