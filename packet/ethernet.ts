/**
 * Ethernet II (RFC 894). The preamble and the frame check sequence never reach a capture.
 *
 *  0                   6                   12      14
 * +-------------------+-------------------+-------+---------
 * |    destination    |      source       | type  | payload
 * +-------------------+-------------------+-------+---------
 */
import { readMac, writeMac } from './mac.ts'
import { get16, put16 } from './octets.ts'
import { ETHERTYPE, type Frame } from './packet.ts'

export const ETHERNET_HEADER = 14

export function etherTypeOf(frame: Frame): number {
  const payload = frame.payload
  switch (payload.kind) {
    case 'ip':
      return payload.src.family === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6
    case 'arp':
      return ETHERTYPE.arp
    case 'other':
      return payload.etherType
  }
}

export function writeEthernetHeader(out: Uint8Array, at: number, frame: Frame): void {
  writeMac(out, at, frame.dst)
  writeMac(out, at + 6, frame.src)
  put16(out, at + 12, etherTypeOf(frame))
}

export const readEthernetHeader = (bytes: Uint8Array, at: number) => ({
  dst: readMac(bytes, at),
  src: readMac(bytes, at + 6),
  etherType: get16(bytes, at + 12),
})
