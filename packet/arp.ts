/**
 * ARP (RFC 826) for Ethernet (hardware type 1) and IPv4 (protocol type 0x0800).
 *
 *  0       2       4   5   6       8               14
 * +-------+-------+---+---+-------+---------------+----
 * | htype | ptype | 6 | 4 | oper  |  sender MAC   |
 * +-------+-------+---+---+-------+-------+-------+----
 *   14 sender IP   |  18 target MAC       | 24 target IP
 *  ----------------+----------------------+-------------+
 */
import { readIp, writeIp } from './ip.ts'
import { readMac, writeMac } from './mac.ts'
import { get16, get32, put16, put32 } from './octets.ts'
import type { Arp } from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export const ARP_LENGTH = 28
export const ARP_OPERATION = { request: 1, reply: 2 } as const

const ETHERNET_AND_IPV4 = 0x00010800
const SIX_AND_FOUR = 0x0604

export function writeArp(out: Uint8Array, at: number, arp: Arp): void {
  put32(out, at, ETHERNET_AND_IPV4)
  put16(out, at + 4, SIX_AND_FOUR)
  put16(out, at + 6, arp.operation)
  writeMac(out, at + 8, arp.senderMac)
  writeIp(out, at + 14, arp.senderIp)
  writeMac(out, at + 18, arp.targetMac)
  writeIp(out, at + 24, arp.targetIp)
}

/** Octets after the 28 are Ethernet's padding and are left out. */
export function readArp(bytes: Uint8Array, at: number, end: number): Parsed<Arp> {
  if (end - at < ARP_LENGTH) return refused(`ARP: ${end - at} octets, it needs ${ARP_LENGTH}`)
  if (get32(bytes, at) !== ETHERNET_AND_IPV4 || get16(bytes, at + 4) !== SIX_AND_FOUR)
    return refused('ARP: it is not for IPv4 over Ethernet')
  return parsed({
    kind: 'arp',
    operation: get16(bytes, at + 6),
    senderMac: readMac(bytes, at + 8),
    senderIp: readIp(bytes, at + 14, 4),
    targetMac: readMac(bytes, at + 18),
    targetIp: readIp(bytes, at + 24, 4),
  })
}
