import { type Ip, ipv4, parseIp } from '../../packet/ip.ts'

/**
 * The address a text stands for without any lookup: as inet_aton(3) for IPv4 (one to four parts, decimal, octal with a
 * leading 0, hexadecimal with 0x; the last part fills what is left), as inet_pton(3) for IPv6.
 */
export function numericHost(text: string): Ip | undefined {
  if (text.includes(':')) {
    const address = parseIp(text)
    return address.ok ? address.value : undefined
  }
  const parts = text.split('.')
  const values = parts.map(partValue)
  const last = values.pop()
  if (last === undefined || values.length > 3 || values.some((value) => value === undefined || value > 0xff))
    return undefined
  if (last >= 256 ** (4 - values.length)) return undefined
  const head = values.reduce<number>((sum, value, i) => sum + (value ?? 0) * 256 ** (3 - i), 0)
  return ipv4(head + last)
}

function partValue(part: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(part)) return Number.parseInt(part.slice(2), 16)
  if (/^0[0-7]+$/.test(part)) return Number.parseInt(part, 8)
  return /^(0|[1-9]\d*)$/.test(part) ? Number(part) : undefined
}
