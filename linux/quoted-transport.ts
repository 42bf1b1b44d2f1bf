import { readEcho } from '../packet/icmp.ts'
import { get16, get32 } from '../packet/octets.ts'
import { type IpPacket, PROTOCOL, protocolOf, type Transport } from '../packet/packet.ts'
import { hasPorts } from '../packet/ports.ts'
import { SCTP_HEADER } from '../packet/sctp.ts'

const NO_DATA = new Uint8Array(0)
/** The octets of the transport header that every ICMP error quotes (RFC 792). */
const QUOTED = 8

/**
 * The transport header of a packet quoted in an ICMP error: as much as its first octets tell, where the quote was cut
 * too short to be read as a whole. Only ports, sequence number, tag and echo identifier mean anything then.
 */
export function quotedTransport(packet: IpPacket): Transport {
  const { payload } = packet
  if (payload.kind !== 'raw' || payload.bytes.length < QUOTED || (packet.fragment?.offset ?? 0) > 0) return payload
  const { bytes } = payload
  const protocol = protocolOf(packet)
  if (protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmpv6)
    return { kind: 'icmp', type: bytes[0] ?? 0, code: bytes[1] ?? 0, body: readEcho(bytes, 0, bytes.length) }
  if (!hasPorts(protocol)) return payload
  const ports = { srcPort: get16(bytes, 0), dstPort: get16(bytes, 2) }
  if (protocol === PROTOCOL.udp)
    return { kind: 'udp', ...ports, noChecksum: false, payload: { kind: 'data', bytes: NO_DATA } }
  if (protocol === PROTOCOL.sctp) return quotedSctp(ports, bytes)
  if (protocol !== PROTOCOL.tcp) return payload
  const rest = { ack: 0, flags: 0, window: 0, urgent: 0, options: [], data: NO_DATA }
  return { kind: 'tcp', ...ports, seq: get32(bytes, 4), ...rest }
}

/** The tag, and the first chunk as far as it goes: the tag of an INIT is zero and its chunk says whose it is. */
function quotedSctp(ports: { readonly srcPort: number; readonly dstPort: number }, bytes: Uint8Array): Transport {
  const [type = NO_CHUNK, flags = 0] = bytes.subarray(SCTP_HEADER)
  const chunk = { kind: 'other', type, flags, body: bytes.subarray(SCTP_HEADER + 4) } as const
  return { kind: 'sctp', ...ports, verificationTag: get32(bytes, 4), chunk }
}

/** A type that no chunk has. */
const NO_CHUNK = -1
