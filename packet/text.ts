import { ARP_OPERATION } from './arp.ts'
import { icmpName } from './icmp-name.ts'
import { formatIp, type Ip } from './ip.ts'
import { formatMac } from './mac.ts'
import {
  type Arp,
  type Frame,
  type Icmp,
  type IpPacket,
  PROTOCOL,
  type RawPayload,
  type Sctp,
  type Tcp,
  type Udp,
} from './packet.ts'
import { portsOf } from './ports.ts'
import { CHUNK_TYPE, type Chunk, chunksOf } from './sctp-chunk.ts'

/** Packets in words, near to what tcpdump prints: one line for each header, or one line for all. */

const isFrame = (value: Frame | IpPacket): value is Frame => !('kind' in value)

/**
 * One line for each header, outermost first: `IPv4 10.244.1.5 > 10.244.2.7 ttl 63`, `TCP 40000 > 80 [SYN]`. A packet
 * quoted in an ICMP error is one line after it, `about 10.244.1.5:40000 > 10.244.2.7:80 TCP`.
 */
export function layersOf(value: Frame | IpPacket): readonly string[] {
  if (!isFrame(value)) return [ipLine(value), ...transportLayers(value)]
  const ethernet = `Ethernet ${formatMac(value.src)} > ${formatMac(value.dst)}`
  const payload = value.payload
  switch (payload.kind) {
    case 'ip':
      return [ethernet, ...layersOf(payload)]
    case 'arp':
      return [ethernet, arpLine(payload)]
    case 'other':
      return [`${ethernet} type ${hex16(payload.etherType)}, ${octets(payload.bytes.length)}`]
  }
}

/** Everything in one line: `10.244.1.5:40000 > 10.244.2.7:80 TCP [SYN]`; what a tunnel carries stands in braces. */
export function summaryOf(value: Frame | IpPacket): string {
  if (!isFrame(value)) return ipSummary(value)
  const payload = value.payload
  switch (payload.kind) {
    case 'ip':
      return ipSummary(payload)
    case 'arp':
      return arpLine(payload)
    case 'other':
      return `type ${hex16(payload.etherType)}, ${octets(payload.bytes.length)}`
  }
}

/** `TCP [SYN, ACK]`, `UDP 37 bytes`, `ICMP 3/1 host unreachable`: a summary without its addresses. */
function transportSummary(packet: IpPacket): string {
  const payload = packet.payload
  switch (payload.kind) {
    case 'tcp':
      return `TCP ${tcpWords(payload)}`
    case 'udp':
      return payload.payload.kind === 'vxlan'
        ? `UDP VXLAN vni ${payload.payload.vni} { ${summaryOf(payload.payload.frame)} }`
        : `UDP, ${octets(payload.payload.bytes.length)}`
    case 'icmp':
      return icmpLine(payload, packet)
    case 'sctp':
      return `SCTP [${chunkNames(payload)}]`
    case 'ip':
      return `IPIP { ${ipSummary(payload)} }`
    case 'raw':
      return `${protocolName(payload.protocol)}${rawWords(packet, payload)}`
  }
}

function ipSummary(packet: IpPacket): string {
  const ports = portsOf(packet)
  const src = ports === undefined ? formatIp(packet.src) : formatSocket(packet.src, ports.src)
  const dst = ports === undefined ? formatIp(packet.dst) : formatSocket(packet.dst, ports.dst)
  return `${src} > ${dst} ${transportSummary(packet)}`
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export const formatSocket = (ip: Ip, port: number): string =>
  ip.family === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`

function ipLine(packet: IpPacket): string {
  const { src, dst, ttl, fragment } = packet
  const line =
    src.family === 4
      ? `IPv4 ${formatIp(src)} > ${formatIp(dst)} ttl ${ttl}`
      : `IPv6 ${formatIp(src)} > ${formatIp(dst)} hlim ${ttl}`
  if (fragment === undefined) return line
  return `${line} fragment id ${packet.id} offset ${fragment.offset}${fragment.more ? ' more' : ''}`
}

function transportLayers(packet: IpPacket): readonly string[] {
  const payload = packet.payload
  switch (payload.kind) {
    case 'tcp':
      return [`TCP ${payload.srcPort} > ${payload.dstPort} ${tcpWords(payload)}`]
    case 'udp':
      return udpLayers(payload)
    case 'icmp':
      return [icmpLine(payload, packet), ...aboutLine(payload)]
    case 'sctp':
      return [sctpLine(payload)]
    case 'ip':
      return layersOf(payload)
    case 'raw':
      return [rawLine(packet, payload)]
  }
}

function udpLayers(udp: Udp): readonly string[] {
  const line = `UDP ${udp.srcPort} > ${udp.dstPort}`
  return udp.payload.kind === 'vxlan'
    ? [line, `VXLAN vni ${udp.payload.vni}`, ...layersOf(udp.payload.frame)]
    : [`${line}, ${octets(udp.payload.bytes.length)}`]
}

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR']

/** `[SYN, ACK]`, with the octets of data where there are any. */
function tcpWords(tcp: Tcp): string {
  const flags = FLAG_NAMES.filter((_, bit) => (tcp.flags >>> bit) & 1).join(', ')
  return tcp.data.length === 0 ? `[${flags}]` : `[${flags}] ${octets(tcp.data.length)}`
}

/** `ICMP 3/1 host unreachable`. */
function icmpLine(icmp: Icmp, around: IpPacket): string {
  const family = around.src.family
  return `${family === 4 ? 'ICMP' : 'ICMPv6'} ${icmp.type}/${icmp.code} ${icmpName(family, icmp)}${bodyWords(icmp)}`
}

function bodyWords({ body }: Icmp): string {
  switch (body.kind) {
    case 'echo':
      return ` id ${body.id} seq ${body.seq}`
    case 'error':
      return body.mtu === 0 ? '' : `, mtu ${body.mtu}`
    case 'redirect':
      return ` to ${formatIp(body.gateway)}`
    case 'neighborSolicitation':
      return `, who has ${formatIp(body.target)}`
    case 'neighborAdvertisement':
      return `, ${formatIp(body.target)}${body.targetMac === undefined ? '' : ` is at ${formatMac(body.targetMac)}`}`
    case 'other':
      return `, ${octets(body.bytes.length)}`
  }
}

const aboutLine = ({ body }: Icmp): readonly string[] =>
  body.kind === 'error' || body.kind === 'redirect' ? [`about ${ipSummary(body.quote.packet)}`] : []

const sctpLine = (sctp: Sctp): string => `SCTP ${sctp.srcPort} > ${sctp.dstPort} [${chunkNames(sctp)}]`

/** RFC 9260 §3.2. */
const CHUNK_NAMES: Readonly<Record<number, string>> = {
  0: 'DATA',
  1: 'INIT',
  2: 'INIT ACK',
  3: 'SACK',
  4: 'HEARTBEAT',
  5: 'HEARTBEAT ACK',
  6: 'ABORT',
  7: 'SHUTDOWN',
  8: 'SHUTDOWN ACK',
  9: 'ERROR',
  10: 'COOKIE ECHO',
  11: 'COOKIE ACK',
  14: 'SHUTDOWN COMPLETE',
}

/** `COOKIE ACK, SACK`: every chunk, in order. */
const chunkNames = (sctp: Sctp): string => chunksOf(sctp).map(chunkName).join(', ')

const chunkName = (chunk: Chunk): string => {
  const type = chunk.kind === 'unknown' ? chunk.type : CHUNK_TYPE[chunk.kind]
  return CHUNK_NAMES[type] ?? `chunk ${type}`
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [PROTOCOL.icmp]: 'ICMP',
  [PROTOCOL.ipip]: 'IPIP',
  [PROTOCOL.tcp]: 'TCP',
  [PROTOCOL.udp]: 'UDP',
  [PROTOCOL.ipv6]: 'IPv6',
  [PROTOCOL.icmpv6]: 'ICMPv6',
  [PROTOCOL.sctp]: 'SCTP',
}

/** `TCP`, or `protocol 47`. */
export const protocolName = (protocol: number): string => PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`

/** `TCP 40000 > 80, 528 of 1480 bytes`: what could not be taken apart, and why. */
function rawLine(packet: IpPacket, raw: RawPayload): string {
  const ports = portsOf(packet)
  return `${protocolName(raw.protocol)}${ports === undefined ? '' : ` ${ports.src} > ${ports.dst}`}${rawWords(packet, raw)}`
}

function rawWords({ fragment }: IpPacket, raw: RawPayload): string {
  if (raw.wholeLength !== undefined) return `, ${raw.bytes.length} of ${octets(raw.wholeLength)}`
  return `, ${octets(raw.bytes.length)}${fragment === undefined ? '' : ' of a fragment'}`
}

function arpLine(arp: Arp): string {
  const target = formatIp(arp.targetIp)
  const sender = formatIp(arp.senderIp)
  switch (arp.operation) {
    case ARP_OPERATION.request:
      return `ARP who-has ${target} tell ${sender}`
    case ARP_OPERATION.reply:
      return `ARP ${sender} is-at ${formatMac(arp.senderMac)}`
    default:
      return `ARP operation ${arp.operation} from ${sender} for ${target}`
  }
}

const octets = (n: number): string => (n === 1 ? '1 byte' : `${n} bytes`)
const hex16 = (n: number): string => `0x${n.toString(16).padStart(4, '0')}`
