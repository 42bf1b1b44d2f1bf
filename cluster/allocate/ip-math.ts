import { type Ip, ipv4, ipv6 } from '../../packet/ip.ts'

const WORD = 0xffffffffn

/** The address as one number. */
export const ipNumber = (ip: Ip): bigint =>
  (BigInt(ip.a) << 96n) | (BigInt(ip.b) << 64n) | (BigInt(ip.c) << 32n) | BigInt(ip.d)

/** The address `n` above `ip`, over all of its bits. */
export function ipAbove(ip: Ip, n: bigint | number): Ip {
  const value = ipNumber(ip) + BigInt(n)
  const word = (shift: bigint): number => Number((value >> shift) & WORD)
  return ip.family === 4 ? ipv4(word(0n)) : ipv6(word(96n), word(64n), word(32n), word(0n))
}

/** How far `ip` is above `from`. */
export const ipDistance = (from: Ip, ip: Ip): bigint => ipNumber(ip) - ipNumber(from)
