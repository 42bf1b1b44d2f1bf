import type { Ip } from './ip.ts'
import { get8, get16 } from './octets.ts'

/**
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words. A sum is
 * carried as a plain number and folded once at the end.
 */

/** `sum` plus the words of `bytes[from, to)`; a last odd octet is the high half of a word. */
export function addWords(
  sum: number,
  bytes: Uint8Array,
  range: { readonly from: number; readonly to: number },
): number {
  const last = range.to - 1
  let at = range.from
  let total = sum
  for (; at < last; at += 2) total += get16(bytes, at)
  return at === last ? total + (get8(bytes, at) << 8) : total
}

/** The words of an address, of either family. */
function addressSum(ip: Ip): number {
  return (
    (ip.a >>> 16) +
    (ip.a & 0xffff) +
    (ip.b >>> 16) +
    (ip.b & 0xffff) +
    (ip.c >>> 16) +
    (ip.c & 0xffff) +
    (ip.d >>> 16) +
    (ip.d & 0xffff)
  )
}

/** What is summed before a transport header: RFC 9293 §3.1 (IPv4) and RFC 8200 §8.1 (IPv6) come to the same sum. */
export interface PseudoHeader {
  readonly src: Ip
  readonly dst: Ip
  readonly protocol: number
  /** Octets of the transport header and what follows. */
  readonly length: number
}

export function pseudoHeaderSum({ src, dst, protocol, length }: PseudoHeader): number {
  return addressSum(src) + addressSum(dst) + protocol + (length >>> 16) + (length & 0xffff)
}

/** The 16 bits that go into the checksum field; over data that already holds a right checksum it is 0. */
export function checksumOf(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return ~folded & 0xffff
}
