import { type Ip, ipBytes } from '../../packet/ip.ts'

/** The name that PTR records of an address stand at (RFC 1035 §3.5, RFC 3596 §2.5). */
export function reverseName(ip: Ip): string {
  const octets = [...ipBytes(ip)].reverse()
  if (ip.family === 4) return `${octets.join('.')}.in-addr.arpa.`
  return `${octets.map((octet) => `${(octet & 0xf).toString(16)}.${(octet >> 4).toString(16)}`).join('.')}.ip6.arpa.`
}
