import { ARP_LENGTH } from './arp.ts'
import { ETHERNET_HEADER } from './ethernet.ts'
import { ICMP_HEADER, ICMP_LONG_HEADER, REDIRECT6_FIXED, REDIRECTED_HEADER } from './icmp.ts'
import { ipv4HeaderLength } from './ipv4.ts'
import { ipv6HeaderLength } from './ipv6.ts'
import { lengthOfNeighbor, MAC_OPTION } from './ndp.ts'
import type { Frame, IcmpBody, IpPacket, Quote, Transport } from './packet.ts'
import { lengthOfSctp } from './sctp.ts'
import { tcpHeaderLength } from './tcp.ts'
import { UDP_HEADER } from './udp.ts'
import { VXLAN_HEADER } from './vxlan.ts'

/** Lengths in octets as `emit` would give, found without making anything: MTU checks ask for every packet. */

export function lengthOfFrame(frame: Frame): number {
  const payload = frame.payload
  switch (payload.kind) {
    case 'ip':
      return ETHERNET_HEADER + lengthOfIp(payload)
    case 'arp':
      return ETHERNET_HEADER + ARP_LENGTH
    case 'other':
      return ETHERNET_HEADER + payload.bytes.length
  }
}

export function lengthOfIp(packet: IpPacket): number {
  return lengthOfIpHeader(packet) + lengthOfTransport(packet.payload)
}

/** IPv4 options and the IPv6 fragment header count. */
export function lengthOfIpHeader(packet: IpPacket): number {
  return packet.src.family === 4 ? ipv4HeaderLength(packet) : ipv6HeaderLength(packet)
}

/** Everything after the IP header: transport header and data. */
export function lengthOfTransport(payload: Transport): number {
  switch (payload.kind) {
    case 'tcp':
      return tcpHeaderLength(payload) + payload.data.length
    case 'udp':
      return payload.payload.kind === 'data'
        ? UDP_HEADER + payload.payload.bytes.length
        : UDP_HEADER + VXLAN_HEADER + lengthOfFrame(payload.payload.frame)
    case 'icmp':
      return lengthOfIcmp(payload.body)
    case 'sctp':
      return lengthOfSctp(payload)
    case 'ip':
      return lengthOfIp(payload)
    case 'raw':
      return payload.bytes.length
  }
}

function lengthOfIcmp(body: IcmpBody): number {
  switch (body.kind) {
    case 'echo':
      return ICMP_LONG_HEADER + body.data.length
    case 'error':
      return ICMP_LONG_HEADER + lengthOfQuote(body.quote)
    case 'redirect':
      if (body.gateway.family === 4) return ICMP_LONG_HEADER + lengthOfQuote(body.quote)
      return (
        REDIRECT6_FIXED +
        (body.targetMac === undefined ? 0 : MAC_OPTION) +
        REDIRECTED_HEADER +
        lengthOfRedirectedQuote(body.quote)
      )
    case 'neighborSolicitation':
    case 'neighborAdvertisement':
      return lengthOfNeighbor(body)
    case 'other':
      return ICMP_HEADER + body.bytes.length
  }
}

export const lengthOfQuote = (quote: Quote): number => Math.min(quote.length, lengthOfIp(quote.packet))

/** NDP options are whole units of 8 octets; Linux cuts the packet down to them (net/ipv6/ndisc.c, ndisc_send_redirect). */
export const lengthOfRedirectedQuote = (quote: Quote): number => lengthOfQuote(quote) & ~7
