import { get8 } from './octets.ts'

/** CRC-32C (Castagnoli) as RFC 9260 Appendix A defines it for SCTP: reflected, initial value and final XOR all ones. */
const POLYNOMIAL = 0x82f63b78

const TABLE = Int32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})

export function crc32c(bytes: Uint8Array): number {
  let crc = -1
  for (let at = 0; at < bytes.length; at++) crc = (TABLE[(crc ^ get8(bytes, at)) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}
