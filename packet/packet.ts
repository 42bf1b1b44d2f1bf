import type { Ip } from './ip.ts'
import type { Mac } from './mac.ts'

/**
 * The typed header stack. Every value is immutable: a rewrite makes a new header that shares what did not change.
 * Lengths and checksums are not stored; `emit` computes them, so a packet cannot carry a wrong one.
 */

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const
export const PROTOCOL = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, icmpv6: 58, sctp: 132 } as const

/** An Ethernet II frame. */
export interface Frame {
  readonly dst: Mac
  readonly src: Mac
  readonly payload: Arp | IpPacket | OtherPayload
}

/** An ethertype we do not take apart. */
export interface OtherPayload {
  readonly kind: 'other'
  readonly etherType: number
  readonly bytes: Uint8Array
}

/** RFC 826, for Ethernet and IPv4. */
export interface Arp {
  readonly kind: 'arp'
  /** 1 request, 2 reply. */
  readonly operation: number
  readonly senderMac: Mac
  readonly senderIp: Ip
  readonly targetMac: Mac
  readonly targetIp: Ip
}

/** An IPv4 (RFC 791) or IPv6 (RFC 8200) packet; the family is that of `src`. */
export interface IpPacket {
  readonly kind: 'ip'
  readonly src: Ip
  readonly dst: Ip
  /** TTL, or hop limit. */
  readonly ttl: number
  /** Type of service (DSCP and ECN), or traffic class. */
  readonly tos: number
  /** IPv4 identification (16 bits); in IPv6 that of the fragment header (32 bits), 0 where there is none. */
  readonly id: number
  /** IPv4 DF; always false in IPv6, which never fragments on the way. */
  readonly dontFragment: boolean
  /** Present on a fragment: offset in octets (a multiple of 8), and MF. In IPv6: the fragment header. */
  readonly fragment?: { readonly offset: number; readonly more: boolean }
  /** IPv6 flow label (20 bits); 0 in IPv4. */
  readonly flowLabel: number
  /** IPv4 options as they stand, padded to a multiple of 4; absent where there are none. */
  readonly options?: Uint8Array
  readonly payload: Transport
}

export type Transport = Tcp | Udp | Icmp | Sctp | IpPacket | RawPayload

/** What is not taken apart: an unknown protocol, a fragment's part, the truncated packet inside an ICMP error. */
export interface RawPayload {
  readonly kind: 'raw'
  readonly protocol: number
  readonly bytes: Uint8Array
  /** Octets the payload had before it was cut (a packet quoted in an ICMP error); absent: `bytes` is all of it. */
  readonly wholeLength?: number
}

export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

/** RFC 9293. */
export interface Tcp {
  readonly kind: 'tcp'
  readonly srcPort: number
  readonly dstPort: number
  readonly seq: number
  readonly ack: number
  /** The bits of TCP_FLAG; above them the four reserved bits of the header, as they stand. */
  readonly flags: number
  /** As on the wire, not scaled. */
  readonly window: number
  readonly urgent: number
  readonly options: readonly TcpOption[]
  readonly data: Uint8Array
}

export type TcpOption =
  | { readonly kind: 'nop' }
  | { readonly kind: 'mss'; readonly mss: number }
  | { readonly kind: 'windowScale'; readonly shift: number }
  | { readonly kind: 'sackPermitted' }
  | { readonly kind: 'timestamps'; readonly value: number; readonly echo: number }
  | { readonly kind: 'other'; readonly type: number; readonly bytes: Uint8Array }

/** RFC 768. */
export interface Udp {
  readonly kind: 'udp'
  readonly srcPort: number
  readonly dstPort: number
  /** True where the sender leaves the checksum out (zero, IPv4 only). */
  readonly noChecksum: boolean
  readonly payload: Vxlan | UdpData
}

export interface UdpData {
  readonly kind: 'data'
  readonly bytes: Uint8Array
}

/** RFC 7348. */
export interface Vxlan {
  readonly kind: 'vxlan'
  readonly vni: number
  readonly frame: Frame
}

/** SCTP common header and first chunk (RFC 9260); further bytes stay as they are. */
export interface Sctp {
  readonly kind: 'sctp'
  readonly srcPort: number
  readonly dstPort: number
  readonly verificationTag: number
  readonly chunk: SctpChunk
  /** The chunks after the first, as they stand; absent where there are none. */
  readonly further?: Uint8Array
}

export type SctpChunk =
  | {
      readonly kind: 'init' | 'initAck'
      readonly initiateTag: number
      readonly receiverWindow: number
      readonly outboundStreams: number
      readonly inboundStreams: number
      readonly initialTsn: number
      readonly parameters: Uint8Array
    }
  | { readonly kind: 'abort'; readonly flags: number }
  | { readonly kind: 'other'; readonly type: number; readonly flags: number; readonly body: Uint8Array }

/** ICMP (RFC 792) or ICMPv6 (RFC 4443), by the family of the packet around it. */
export interface Icmp {
  readonly kind: 'icmp'
  readonly type: number
  readonly code: number
  readonly body: IcmpBody
}

export type IcmpBody =
  | { readonly kind: 'echo'; readonly id: number; readonly seq: number; readonly data: Uint8Array }
  | {
      readonly kind: 'error'
      readonly quote: Quote
      /** Next-hop MTU of "too big", else 0. */
      readonly mtu: number
      /** Where the octet is that an ICMPv6 parameter problem is about (RFC 4443 §3.4). */
      readonly pointer?: number
    }
  /** `targetMac` is ICMPv6's link-layer option: the address of the gateway. */
  | { readonly kind: 'redirect'; readonly gateway: Ip; readonly targetMac?: Mac; readonly quote: Quote }
  | {
      readonly kind: 'neighborSolicitation'
      readonly target: Ip
      readonly sourceMac?: Mac
      /** NDP options after that one, as they stand (the nonce of duplicate address detection, RFC 7527). */
      readonly options?: Uint8Array
    }
  | {
      readonly kind: 'neighborAdvertisement'
      readonly target: Ip
      readonly targetMac?: Mac
      readonly router: boolean
      readonly solicited: boolean
      readonly override: boolean
      readonly options?: Uint8Array
    }
  | { readonly kind: 'other'; readonly bytes: Uint8Array }

/** The packet an ICMP error is about, of which `length` octets are quoted. */
export interface Quote {
  readonly packet: IpPacket
  readonly length: number
}

export const ICMP4 = { echoReply: 0, unreachable: 3, redirect: 5, echoRequest: 8, timeExceeded: 11 } as const
export const ICMP6 = {
  unreachable: 1,
  tooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  routerSolicitation: 133,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
} as const

/** The IP protocol number that goes into the header before `payload`. */
export function protocolOf(packet: IpPacket): number {
  const payload = packet.payload
  switch (payload.kind) {
    case 'tcp':
      return PROTOCOL.tcp
    case 'udp':
      return PROTOCOL.udp
    case 'sctp':
      return PROTOCOL.sctp
    case 'icmp':
      return packet.src.family === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6
    case 'ip':
      return payload.src.family === 4 ? PROTOCOL.ipip : PROTOCOL.ipv6
    case 'raw':
      return payload.protocol
  }
}
