/**
 * UDP (RFC 768).
 *
 *  0               1               2               3
 * +-------------------------------+-------------------------------+
 * |          source port          |       destination port        |
 * +-------------------------------+-------------------------------+
 * |            length             |           checksum            |
 * +-------------------------------+-------------------------------+
 */
import { get16, put16 } from './octets.ts'
import type { Udp } from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export const UDP_HEADER = 8
export const UDP_CHECKSUM_AT = 6

/** Writes the header with a checksum field of 0; `length` counts header and payload. */
export function writeUdpHeader(
  out: Uint8Array,
  at: number,
  { udp, length }: { readonly udp: Udp; readonly length: number },
): void {
  put16(out, at, udp.srcPort)
  put16(out, at + 2, udp.dstPort)
  put16(out, at + 4, length)
}

export interface UdpHeader {
  readonly srcPort: number
  readonly dstPort: number
  readonly noChecksum: boolean
}

export function readUdpHeader(bytes: Uint8Array, at: number, end: number): Parsed<UdpHeader> {
  if (end - at < UDP_HEADER) return refused(`UDP: ${end - at} octets, the header needs ${UDP_HEADER}`)
  const length = get16(bytes, at + 4)
  if (length !== end - at) return refused(`UDP: length ${length}, but ${end - at} octets are there`)
  return parsed({
    srcPort: get16(bytes, at),
    dstPort: get16(bytes, at + 2),
    noChecksum: get16(bytes, at + UDP_CHECKSUM_AT) === 0,
  })
}
