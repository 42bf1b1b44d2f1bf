import { readArp } from './arp.ts'
import { ETHERNET_HEADER, readEthernetHeader } from './ethernet.ts'
import {
  ICMP_HEADER,
  ICMP_LONG_HEADER,
  icmpBodyKind,
  REDIRECT6_FIXED,
  REDIRECTED_HEADER,
  readEcho,
  readSecondWord,
} from './icmp.ts'
import { type Family, readIp, sameIp } from './ip.ts'
import { type IpHeader, isPart } from './ip-header.ts'
import { readIpv4Header } from './ipv4.ts'
import { readIpv6Header } from './ipv6.ts'
import { MAC_OPTION, NDP_OPTION, readMacOption, readNeighbor } from './ndp.ts'
import { get8, get32 } from './octets.ts'
import {
  ETHERTYPE,
  type Frame,
  type Icmp,
  type IcmpBody,
  type IpPacket,
  PROTOCOL,
  type Quote,
  type Transport,
  type Udp,
  type UdpData,
  type Vxlan,
} from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'
import { readSctp } from './sctp.ts'
import { readTcp } from './tcp.ts'
import { readUdpHeader, UDP_HEADER } from './udp.ts'
import { isVxlanPort, readVxlanHeader, VXLAN_HEADER } from './vxlan.ts'

/**
 * Bytes to typed headers. Nothing throws; a refusal names the header and what is wrong with it. Payloads are views
 * into the given bytes, which must not change afterwards. Checksums are not looked at: verifyChecksums does.
 */

/** Packets within packets deeper than this stay octets, so that no input can exhaust the stack. */
const DEEPEST = 8

/** Bytes `[at, end)` of `bytes`, `depth` packets inside the outermost. */
interface Span {
  readonly bytes: Uint8Array
  readonly at: number
  readonly end: number
  readonly depth: number
}

export function parseFrame(bytes: Uint8Array): Parsed<Frame> {
  return readFrame({ bytes, at: 0, end: bytes.length, depth: 0 })
}

/** An IPv4 or IPv6 packet, told apart by the version field. Octets beyond its length are padding and left out. */
export function parseIpPacket(bytes: Uint8Array): Parsed<IpPacket> {
  const version = bytes.length === 0 ? 0 : get8(bytes, 0) >>> 4
  if (version !== 4 && version !== 6)
    return refused(bytes.length === 0 ? 'IP: no octets' : `IP: the version field says ${version}`)
  return readIpPacket({ bytes, at: 0, end: bytes.length, depth: 0 }, version)
}

/** What follows an IP header that says `protocol`. A fragment's part must not be given. */
export function parseTransport(bytes: Uint8Array, protocol: number, family: Family): Parsed<Transport> {
  return readTransport({ bytes, at: 0, end: bytes.length, depth: 0 }, protocol, family)
}

function readFrame({ bytes, at, end, depth }: Span): Parsed<Frame> {
  if (end - at < ETHERNET_HEADER) return refused(`Ethernet: ${end - at} octets, the header needs ${ETHERNET_HEADER}`)
  const { dst, src, etherType } = readEthernetHeader(bytes, at)
  const payload = readEthernetPayload({ bytes, at: at + ETHERNET_HEADER, end, depth }, etherType)
  return payload.ok ? parsed({ dst, src, payload: payload.value }) : payload
}

function readEthernetPayload(span: Span, etherType: number): Parsed<Frame['payload']> {
  switch (etherType) {
    case ETHERTYPE.ipv4:
      return readIpPacket(span, 4)
    case ETHERTYPE.ipv6:
      return readIpPacket(span, 6)
    case ETHERTYPE.arp:
      return readArp(span.bytes, span.at, span.end)
    default:
      return parsed({ kind: 'other', etherType, bytes: span.bytes.subarray(span.at, span.end) })
  }
}

const readIpHeader = ({ bytes, at, end }: Span, family: Family): Parsed<IpHeader> =>
  family === 4 ? readIpv4Header(bytes, at, end) : readIpv6Header(bytes, at, end)

function readIpPacket(span: Span, family: Family): Parsed<IpPacket> {
  const result = readIpHeader(span, family)
  if (!result.ok) return result
  const header = result.value
  const { protocol, payloadAt, payloadEnd } = header
  if (payloadEnd > span.end)
    return refused(
      `IPv${family}: the length says ${payloadEnd - payloadAt} octets of payload, but ${span.end - payloadAt} are there`,
    )
  if (isPart(header))
    return parsed(packetOf(header, { kind: 'raw', protocol, bytes: span.bytes.subarray(payloadAt, payloadEnd) }))
  const inner = { bytes: span.bytes, at: payloadAt, end: payloadEnd, depth: span.depth }
  const payload = readTransport(inner, protocol, family)
  return payload.ok ? parsed(packetOf(header, payload.value)) : payload
}

function packetOf(header: IpHeader, payload: Transport): IpPacket {
  const { src, dst, ttl, tos, id, dontFragment, fragment, flowLabel, options } = header
  if (fragment === undefined && options === undefined)
    return { kind: 'ip', src, dst, ttl, tos, id, dontFragment, flowLabel, payload }
  return {
    kind: 'ip',
    src,
    dst,
    ttl,
    tos,
    id,
    dontFragment,
    ...(fragment !== undefined && { fragment }),
    flowLabel,
    ...(options !== undefined && { options }),
    payload,
  }
}

function readTransport(span: Span, protocol: number, family: Family): Parsed<Transport> {
  const { bytes, at, end, depth } = span
  switch (protocol) {
    case PROTOCOL.tcp:
      return readTcp(bytes, at, end)
    case PROTOCOL.udp:
      return readUdp(span)
    case PROTOCOL.sctp:
      return readSctp(bytes, at, end)
    case family === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6:
      return readIcmp(span, family)
    case PROTOCOL.ipip:
      if (depth < DEEPEST) return readIpPacket({ bytes, at, end, depth: depth + 1 }, 4)
      break
    case PROTOCOL.ipv6:
      if (depth < DEEPEST) return readIpPacket({ bytes, at, end, depth: depth + 1 }, 6)
      break
  }
  return parsed({ kind: 'raw', protocol, bytes: bytes.subarray(at, end) })
}

function readUdp(span: Span): Parsed<Udp> {
  const header = readUdpHeader(span.bytes, span.at, span.end)
  if (!header.ok) return header
  const { srcPort, dstPort, noChecksum } = header.value
  const data = { ...span, at: span.at + UDP_HEADER }
  const payload = (isVxlanPort(dstPort) ? readVxlan(data) : undefined) ?? dataOf(data)
  return parsed({ kind: 'udp', srcPort, dstPort, noChecksum, payload })
}

const dataOf = ({ bytes, at, end }: Span): UdpData => ({ kind: 'data', bytes: bytes.subarray(at, end) })

/** Undefined where it is not VXLAN with a frame that can be taken apart: anyone may send anything to that port. */
function readVxlan({ bytes, at, end, depth }: Span): Vxlan | undefined {
  if (end - at < VXLAN_HEADER + ETHERNET_HEADER || depth >= DEEPEST) return undefined
  const vni = readVxlanHeader(bytes, at)
  if (vni === undefined) return undefined
  const frame = readFrame({ bytes, at: at + VXLAN_HEADER, end, depth: depth + 1 })
  return frame.ok ? { kind: 'vxlan', vni, frame: frame.value } : undefined
}

function readIcmp(span: Span, family: Family): Parsed<Icmp> {
  const { bytes, at, end } = span
  if (end - at < ICMP_HEADER) return refused(`ICMP: ${end - at} octets, the header needs ${ICMP_HEADER}`)
  const body = readIcmpBody(span, family) ?? { kind: 'other', bytes: bytes.subarray(at + ICMP_HEADER, end) }
  return parsed({ kind: 'icmp', type: get8(bytes, at), code: get8(bytes, at + 1), body })
}

/** Undefined where the octets are not the typed form of that message. */
function readIcmpBody(span: Span, family: Family): IcmpBody | undefined {
  const { bytes, at, end } = span
  if (end - at < ICMP_LONG_HEADER) return undefined
  const kind = icmpBodyKind(family, get8(bytes, at))
  switch (kind) {
    case 'echo':
      return readEcho(bytes, at, end)
    case 'error':
      return readError(span, family)
    case 'redirect':
      return family === 4 ? readRedirect4(span) : readRedirect6(span)
    case 'neighborSolicitation':
    case 'neighborAdvertisement':
      return readNeighbor(bytes, at, { kind, end })
    case 'other':
      return undefined
  }
}

function readError(span: Span, family: Family): IcmpBody | undefined {
  const second = readSecondWord(span.bytes, span.at, family)
  const quote = readQuote({ ...span, at: span.at + ICMP_LONG_HEADER }, family)
  return second === undefined || quote === undefined ? undefined : { kind: 'error', quote, ...second }
}

function readRedirect4(span: Span): IcmpBody | undefined {
  const quote = readQuote({ ...span, at: span.at + ICMP_LONG_HEADER }, 4)
  return quote && { kind: 'redirect', gateway: readIp(span.bytes, span.at + 4, 4), quote }
}

/** As Linux sends it: the link-layer address where it is known, then the redirected header, and nothing more. */
function readRedirect6(span: Span): IcmpBody | undefined {
  const { bytes, at, end } = span
  if (end - at < REDIRECT6_FIXED || get32(bytes, at + 4) !== 0) return undefined
  const targetMac = readMacOption(bytes, at + REDIRECT6_FIXED, { type: NDP_OPTION.targetMac, end })
  const optionAt = at + REDIRECT6_FIXED + (targetMac === undefined ? 0 : MAC_OPTION)
  if (end - optionAt < REDIRECTED_HEADER || get8(bytes, optionAt) !== NDP_OPTION.redirectedHeader) return undefined
  if (get8(bytes, optionAt + 1) << 3 !== end - optionAt) return undefined
  const quote = readQuote({ ...span, at: optionAt + REDIRECTED_HEADER }, 6)
  if (quote === undefined || !sameIp(quote.packet.dst, readIp(bytes, at + 24, 6))) return undefined
  return { kind: 'redirect', gateway: readIp(bytes, at + 8, 6), ...(targetMac !== undefined && { targetMac }), quote }
}

/**
 * The packet quoted in the rest of an ICMP message. Cut off, its payload is raw and knows its whole length.
 * Undefined where not even the header is whole, or where octets follow that are not the packet's (RFC 4884).
 */
function readQuote(span: Span, family: Family): Quote | undefined {
  const { bytes, at, end, depth } = span
  const result = readIpHeader(span, family)
  if (!result.ok) return undefined
  const header = result.value
  const { protocol, payloadAt, payloadEnd } = header
  if (payloadEnd < end || depth >= DEEPEST) return undefined
  const whole = payloadEnd === end
  const payload =
    whole && !isPart(header)
      ? readTransport({ bytes, at: payloadAt, end, depth: depth + 1 }, protocol, family)
      : undefined
  if (payload?.ok) return { packet: packetOf(header, payload.value), length: end - at }
  const raw = {
    kind: 'raw',
    protocol,
    bytes: bytes.subarray(payloadAt, end),
    ...(!whole && { wholeLength: payloadEnd - payloadAt }),
  } as const
  return { packet: packetOf(header, raw), length: end - at }
}
