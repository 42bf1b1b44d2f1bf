import { get16 } from './octets.ts'
import { type IpPacket, PROTOCOL, protocolOf } from './packet.ts'

export interface Ports {
  readonly src: number
  readonly dst: number
}

/**
 * The ports of a TCP, UDP or SCTP packet, also where the transport header is still octets: a first fragment, or a
 * packet cut off inside an ICMP error. Undefined for other protocols and for later fragments.
 */
export function portsOf(packet: IpPacket): Ports | undefined {
  const payload = packet.payload
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return { src: payload.srcPort, dst: payload.dstPort }
    case 'raw': {
      if ((packet.fragment?.offset ?? 0) > 0 || payload.bytes.length < 4 || !hasPorts(protocolOf(packet)))
        return undefined
      return { src: get16(payload.bytes, 0), dst: get16(payload.bytes, 2) }
    }
    case 'icmp':
    case 'ip':
      return undefined
  }
}

/** TCP, UDP and SCTP begin with their source and destination port. */
export const hasPorts = (protocol: number): boolean =>
  protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp
