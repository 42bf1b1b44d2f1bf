import { etherTypeOf } from '../../packet/ethernet.ts'
import { formatIp } from '../../packet/ip.ts'
import { lengthOfIp, lengthOfTransport } from '../../packet/length.ts'
import { formatMac } from '../../packet/mac.ts'
import type { Frame, Icmp, IpPacket, Sctp, Tcp, TcpOption, Udp } from '../../packet/packet.ts'
import { protocolOf } from '../../packet/packet.ts'

/** What Wireshark should read from a frame that we emit, by its own field names, outermost header first. */

/** Those of the headers that packet/ types; fragment offsets are in units of 8 octets, as they stand. */
export const FIELDS = [
  'eth.dst',
  'eth.src',
  'eth.type',
  'arp.opcode',
  'arp.src.hw_mac',
  'arp.src.proto_ipv4',
  'arp.dst.hw_mac',
  'arp.dst.proto_ipv4',
  'ip.src',
  'ip.dst',
  'ip.ttl',
  'ip.dsfield',
  'ip.id',
  'ip.len',
  'ip.proto',
  'ip.flags.df',
  'ip.flags.mf',
  'ip.frag_offset',
  'ipv6.src',
  'ipv6.dst',
  'ipv6.hlim',
  'ipv6.tclass',
  'ipv6.flow',
  'ipv6.plen',
  'ipv6.fraghdr.offset',
  'ipv6.fraghdr.more',
  'ipv6.fraghdr.ident',
  'tcp.srcport',
  'tcp.dstport',
  'tcp.seq_raw',
  'tcp.ack_raw',
  'tcp.flags',
  'tcp.window_size_value',
  'tcp.urgent_pointer',
  'tcp.len',
  'tcp.options.mss_val',
  'tcp.options.wscale.shift',
  'tcp.options.timestamp.tsval',
  'tcp.options.timestamp.tsecr',
  'udp.srcport',
  'udp.dstport',
  'udp.length',
  'vxlan.vni',
  'icmp.type',
  'icmp.code',
  'icmp.ident',
  'icmp.seq',
  'icmp.mtu',
  'icmp.redir_gw',
  'icmpv6.type',
  'icmpv6.code',
  'icmpv6.echo.identifier',
  'icmpv6.echo.sequence_number',
  'icmpv6.mtu',
  'icmpv6.nd.ns.target_address',
  'icmpv6.nd.na.target_address',
  'icmpv6.nd.na.flag.r',
  'icmpv6.nd.na.flag.s',
  'icmpv6.nd.na.flag.o',
  'icmpv6.opt.linkaddr',
  'icmpv6.nd.rd.target_address',
  'icmpv6.rd.na.destination_address',
  'sctp.srcport',
  'sctp.dstport',
  'sctp.verification_tag',
  'sctp.chunk_type',
  'sctp.init_initiate_tag',
  'sctp.init_credit',
  'sctp.init_nr_out_streams',
  'sctp.init_nr_in_streams',
  'sctp.init_initial_tsn',
  'sctp.initack_initiate_tag',
  'sctp.initack_credit',
  'sctp.initack_nr_out_streams',
  'sctp.initack_nr_in_streams',
  'sctp.initack_initial_tsn',
] as const

export type Field = (typeof FIELDS)[number]
type Add = (field: Field, ...values: readonly (string | number | boolean)[]) => void

export function expectedFields(frame: Frame): Record<Field, string[]> {
  const fields = Object.fromEntries(FIELDS.map((field) => [field, []])) as unknown as Record<Field, string[]>
  ofFrame(frame, (field, ...values) => {
    fields[field].push(...values.map((value) => String(typeof value === 'boolean' ? Number(value) : value)))
  })
  return fields
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`

function ofFrame(frame: Frame, add: Add): void {
  add('eth.dst', formatMac(frame.dst))
  add('eth.src', formatMac(frame.src))
  add('eth.type', hex(etherTypeOf(frame), 4))
  const payload = frame.payload
  if (payload.kind === 'ip') ofIp(payload, add)
  if (payload.kind === 'arp') {
    add('arp.opcode', payload.operation)
    add('arp.src.hw_mac', formatMac(payload.senderMac))
    add('arp.src.proto_ipv4', formatIp(payload.senderIp))
    add('arp.dst.hw_mac', formatMac(payload.targetMac))
    add('arp.dst.proto_ipv4', formatIp(payload.targetIp))
  }
}

function ofIp(packet: IpPacket, add: Add): void {
  if (packet.src.family === 4) ofIpv4(packet, add)
  else ofIpv6(packet, add)
  const payload = packet.payload
  if (payload.kind === 'tcp') ofTcp(payload, add)
  if (payload.kind === 'udp') ofUdp(payload, add)
  if (payload.kind === 'sctp') ofSctp(payload, add)
  if (payload.kind === 'ip') ofIp(payload, add)
  if (payload.kind === 'icmp' && packet.src.family === 4) ofIcmp(payload, add)
  if (payload.kind === 'icmp' && packet.src.family === 6) ofIcmpv6(payload, add)
}

/** What the length field says, also of a packet that is cut off. */
function wholeLength(packet: IpPacket): number {
  const payload = packet.payload
  const missing = payload.kind === 'raw' ? (payload.wholeLength ?? payload.bytes.length) - payload.bytes.length : 0
  return lengthOfIp(packet) + missing
}

function ofIpv4(packet: IpPacket, add: Add): void {
  add('ip.src', formatIp(packet.src))
  add('ip.dst', formatIp(packet.dst))
  add('ip.ttl', packet.ttl)
  add('ip.dsfield', hex(packet.tos, 2))
  add('ip.id', hex(packet.id, 4))
  add('ip.len', wholeLength(packet))
  add('ip.proto', protocolOf(packet))
  add('ip.flags.df', packet.dontFragment)
  add('ip.flags.mf', packet.fragment?.more ?? false)
  add('ip.frag_offset', (packet.fragment?.offset ?? 0) / 8)
}

function ofIpv6(packet: IpPacket, add: Add): void {
  add('ipv6.src', formatIp(packet.src))
  add('ipv6.dst', formatIp(packet.dst))
  add('ipv6.hlim', packet.ttl)
  add('ipv6.tclass', hex(packet.tos, 8))
  add('ipv6.flow', hex(packet.flowLabel, 6))
  add('ipv6.plen', wholeLength(packet) - 40)
  if (packet.fragment === undefined) return
  add('ipv6.fraghdr.offset', packet.fragment.offset / 8)
  add('ipv6.fraghdr.more', packet.fragment.more)
  add('ipv6.fraghdr.ident', hex(packet.id, 8))
}

function ofTcp(tcp: Tcp, add: Add): void {
  add('tcp.srcport', tcp.srcPort)
  add('tcp.dstport', tcp.dstPort)
  add('tcp.seq_raw', tcp.seq)
  add('tcp.ack_raw', tcp.ack)
  add('tcp.flags', hex(tcp.flags, 4))
  add('tcp.window_size_value', tcp.window)
  add('tcp.urgent_pointer', tcp.urgent)
  add('tcp.len', tcp.data.length)
  for (const option of tcp.options) ofTcpOption(option, add)
}

function ofTcpOption(option: TcpOption, add: Add): void {
  if (option.kind === 'mss') add('tcp.options.mss_val', option.mss)
  if (option.kind === 'windowScale') add('tcp.options.wscale.shift', option.shift)
  if (option.kind === 'timestamps') {
    add('tcp.options.timestamp.tsval', option.value)
    add('tcp.options.timestamp.tsecr', option.echo)
  }
}

function ofUdp(udp: Udp, add: Add): void {
  add('udp.srcport', udp.srcPort)
  add('udp.dstport', udp.dstPort)
  add('udp.length', lengthOfTransport(udp))
  if (udp.payload.kind !== 'vxlan') return
  add('vxlan.vni', udp.payload.vni)
  ofFrame(udp.payload.frame, add)
}

function ofIcmp({ type, code, body }: Icmp, add: Add): void {
  add('icmp.type', type)
  add('icmp.code', code)
  if (body.kind === 'echo') {
    add('icmp.ident', body.id)
    add('icmp.seq', body.seq)
  }
  if (body.kind === 'error') {
    if (type === 3 && code === 4) add('icmp.mtu', body.mtu)
    ofIp(body.quote.packet, add)
  }
  if (body.kind === 'redirect') {
    add('icmp.redir_gw', formatIp(body.gateway))
    ofIp(body.quote.packet, add)
  }
}

function ofIcmpv6({ type, code, body }: Icmp, add: Add): void {
  add('icmpv6.type', type)
  add('icmpv6.code', code)
  switch (body.kind) {
    case 'echo':
      add('icmpv6.echo.identifier', hex(body.id, 4))
      add('icmpv6.echo.sequence_number', body.seq)
      return
    case 'error':
      if (type === 2) add('icmpv6.mtu', body.mtu)
      ofIp(body.quote.packet, add)
      return
    case 'redirect':
      add('icmpv6.nd.rd.target_address', formatIp(body.gateway))
      add('icmpv6.rd.na.destination_address', formatIp(body.quote.packet.dst))
      if (body.targetMac !== undefined) add('icmpv6.opt.linkaddr', formatMac(body.targetMac))
      ofIp(body.quote.packet, add)
      return
    case 'neighborSolicitation':
      add('icmpv6.nd.ns.target_address', formatIp(body.target))
      if (body.sourceMac !== undefined) add('icmpv6.opt.linkaddr', formatMac(body.sourceMac))
      return
    case 'neighborAdvertisement':
      add('icmpv6.nd.na.target_address', formatIp(body.target))
      add('icmpv6.nd.na.flag.r', body.router)
      add('icmpv6.nd.na.flag.s', body.solicited)
      add('icmpv6.nd.na.flag.o', body.override)
      if (body.targetMac !== undefined) add('icmpv6.opt.linkaddr', formatMac(body.targetMac))
      return
    case 'other':
      return
  }
}

function ofSctp(sctp: Sctp, add: Add): void {
  add('sctp.srcport', sctp.srcPort)
  add('sctp.dstport', sctp.dstPort)
  add('sctp.verification_tag', hex(sctp.verificationTag, 8))
  const chunk = sctp.chunk
  add('sctp.chunk_type', CHUNK_TYPE[chunk.kind] ?? (chunk.kind === 'other' ? chunk.type : 0))
  if (chunk.kind !== 'init' && chunk.kind !== 'initAck') return
  const prefix = chunk.kind === 'init' ? 'sctp.init' : 'sctp.initack'
  add(`${prefix}_initiate_tag`, hex(chunk.initiateTag, 8))
  add(`${prefix}_credit`, chunk.receiverWindow)
  add(`${prefix}_nr_out_streams`, chunk.outboundStreams)
  add(`${prefix}_nr_in_streams`, chunk.inboundStreams)
  add(`${prefix}_initial_tsn`, chunk.initialTsn)
}

const CHUNK_TYPE: Readonly<Record<string, number>> = { init: 1, initAck: 2, abort: 6 }
