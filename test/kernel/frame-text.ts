import { formatIp } from '../../packet/ip.ts'
import { formatMac } from '../../packet/mac.ts'
import {
  type Frame,
  type Icmp,
  type IpPacket,
  TCP_FLAG,
  type Tcp,
  type TcpOption,
  type Transport,
} from '../../packet/packet.ts'

/** A frame on one line with every header field, for people and for reports of differences. */
export function frameText(frame: Frame | IpPacket): string {
  if ('kind' in frame) return ipText(frame)
  const head = `${formatMac(frame.src)} > ${formatMac(frame.dst)}`
  const { payload } = frame
  if (payload.kind === 'other') return `${head} ethertype 0x${payload.etherType.toString(16)} ${hex(payload.bytes)}`
  if (payload.kind === 'ip') return `${head} ${ipText(payload)}`
  const [sender, target] = [
    `${formatIp(payload.senderIp)} ${formatMac(payload.senderMac)}`,
    `${formatIp(payload.targetIp)} ${formatMac(payload.targetMac)}`,
  ]
  return `${head} ARP ${payload.operation === 1 ? 'request' : payload.operation === 2 ? 'reply' : payload.operation} sender ${sender} target ${target}`
}

export function ipText(packet: IpPacket): string {
  const v6 = packet.src.family === 6
  const parts = [
    `${formatIp(packet.src)} > ${formatIp(packet.dst)} ttl ${packet.ttl}`,
    packet.tos === 0 ? '' : `tos 0x${packet.tos.toString(16)}`,
    v6 && packet.fragment === undefined ? '' : `id ${packet.id}`,
    packet.dontFragment ? 'DF' : '',
    packet.fragment === undefined ? '' : `frag ${packet.fragment.offset}${packet.fragment.more ? '+' : ''}`,
    v6 ? `flow ${packet.flowLabel}` : '',
    packet.options === undefined ? '' : `options ${hex(packet.options)}`,
    transportText(packet.payload, v6),
  ]
  return parts.filter((part) => part !== '').join(' ')
}

function transportText(payload: Transport, v6: boolean): string {
  switch (payload.kind) {
    case 'tcp':
      return tcpText(payload)
    case 'udp': {
      const head = `UDP ${payload.srcPort} > ${payload.dstPort}${payload.noChecksum ? ' nocsum' : ''}`
      if (payload.payload.kind === 'vxlan')
        return `${head} VXLAN ${payload.payload.vni} | ${frameText(payload.payload.frame)}`
      return `${head} ${bytesText(payload.payload.bytes)}`
    }
    case 'icmp':
      return icmpText(payload, v6)
    case 'ip':
      return `IPIP | ${ipText(payload)}`
    case 'sctp':
      return `SCTP ${payload.srcPort} > ${payload.dstPort} tag ${payload.verificationTag} ${payload.chunk.kind}`
    case 'raw':
      return `protocol ${payload.protocol} ${bytesText(payload.bytes)}`
  }
}

function tcpText(tcp: Tcp): string {
  const flags = Object.entries(TCP_FLAG)
    .filter(([, bit]) => (tcp.flags & bit) !== 0)
    .map(([name]) => name.toUpperCase())
  const options = tcp.options.map(optionText)
  const data = tcp.data.length === 0 ? '' : ` ${bytesText(tcp.data)}`
  return `TCP ${tcp.srcPort} > ${tcp.dstPort} ${flags.join(',')} seq ${tcp.seq} ack ${tcp.ack} win ${tcp.window}${tcp.urgent === 0 ? '' : ` urg ${tcp.urgent}`} [${options.join(', ')}]${data}`
}

function optionText(option: TcpOption): string {
  switch (option.kind) {
    case 'mss':
      return `mss ${option.mss}`
    case 'windowScale':
      return `wscale ${option.shift}`
    case 'timestamps':
      return `ts ${option.value}/${option.echo}`
    case 'other':
      return `${option.type}:${hex(option.bytes)}`
    case 'nop':
    case 'sackPermitted':
      return option.kind
  }
}

function icmpText(icmp: Icmp, v6: boolean): string {
  const head = `ICMP${v6 ? 'v6' : ''} ${icmp.type}/${icmp.code}`
  const { body } = icmp
  switch (body.kind) {
    case 'echo':
      return `${head} echo id ${body.id} seq ${body.seq} ${bytesText(body.data)}`
    case 'error':
      return `${head} error mtu ${body.mtu} quoting ${body.quote.length} octets { ${ipText(body.quote.packet)} }`
    case 'redirect':
      return `${head} redirect to ${formatIp(body.gateway)} quoting ${body.quote.length} octets { ${ipText(body.quote.packet)} }`
    case 'neighborSolicitation':
      return `${head} NS ${formatIp(body.target)}${body.sourceMac === undefined ? '' : ` slla ${formatMac(body.sourceMac)}`}`
    case 'neighborAdvertisement': {
      const flags = `${body.router ? 'R' : ''}${body.solicited ? 'S' : ''}${body.override ? 'O' : ''}`
      return `${head} NA ${formatIp(body.target)} ${flags}${body.targetMac === undefined ? '' : ` tlla ${formatMac(body.targetMac)}`}`
    }
    default:
      return `${head} ${JSON.stringify(body)}`
  }
}

/** Length and contents: whole where short, else its beginning. */
function bytesText(bytes: Uint8Array): string {
  return `${bytes.length} octets ${bytes.length <= 32 ? hex(bytes) : `${hex(bytes.subarray(0, 8))}...`}`
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
