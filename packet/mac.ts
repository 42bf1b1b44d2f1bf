import { get16, get32, put16, put32 } from './octets.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

/** A 48-bit Ethernet address as an integer; the first octet on the wire is the most significant. */
export type Mac = number & { readonly mac: unique symbol }

export const BROADCAST_MAC = 0xffffffffffff as Mac
export const ZERO_MAC = 0 as Mac

/** The group bit (IEEE 802.3): multicast and broadcast. */
export const isGroupMac = (mac: Mac): boolean => Math.floor(mac / 0x10000000000) % 2 === 1

export function parseMac(text: string): Parsed<Mac> {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text))
    return refused(`"${text}" is not a MAC address: six octets of two hexadecimal digits, joined by colons`)
  return parsed(Number.parseInt(text.replaceAll(':', ''), 16) as Mac)
}

/** A MAC that our own code or a test writes down. Throws on a wrong text. */
export function mac(text: string): Mac {
  const result = parseMac(text)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

export function formatMac(mac: Mac): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?=.)/g, '$&:')
}

export function writeMac(bytes: Uint8Array, at: number, mac: Mac): void {
  put16(bytes, at, Math.floor(mac / 0x100000000))
  put32(bytes, at + 2, mac % 0x100000000)
}

export function readMac(bytes: Uint8Array, at: number): Mac {
  return (get16(bytes, at) * 0x100000000 + get32(bytes, at + 2)) as Mac
}
