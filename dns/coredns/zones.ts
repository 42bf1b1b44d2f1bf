import { type Ip, parseIp } from '../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { type InterfaceAddress, parseInterfaceAddress } from '../../packet/prefix.ts'
import { fqdn, isDomainName, isSubdomain, lowerName, MAX_NAME } from '../name.ts'

/** A key of a server block taken apart: `dns://example.org:1053` (plugin/normalize.go SplitHostPort). */
export interface ServerKey {
  readonly transport: string
  /** Absolute, lower case; several where a CIDR does not end on a label of its reverse name. */
  readonly zones: readonly string[]
  readonly port: number | undefined
}

const TRANSPORTS = ['dns', 'tls', 'quic', 'grpc', 'https', 'https3', 'unix'] as const

/** Reads a server block key. */
export function parseServerKey(key: string): Parsed<ServerKey> {
  const transport = TRANSPORTS.find((name) => key.startsWith(`${name}://`))
  const rest = transport === undefined ? key : key.slice(transport.length + 3)
  const colon = rest.lastIndexOf(':')
  if (colon === rest.length - 1) return refused(`expecting data after last colon: ${JSON.stringify(rest)}`)
  const digits = colon < 0 ? '' : rest.slice(colon + 1)
  const hasPort = /^[+-]?\d+$/.test(digits)
  const host = hasPort ? rest.slice(0, colon) : rest
  if (host.length > MAX_NAME) return refused(`specified zone is too long: ${host.length} > 255`)
  if (!isDomainName(host)) return refused(`zone is not a valid domain name: ${host}`)
  const port = hasPort ? Number(digits) : undefined
  return parsed({ transport: transport ?? 'dns', zones: reverseZones(host) ?? [lowerName(fqdn(host))], port })
}

/** The zones a plugin is given by its arguments; what is no zone is left out, as NormalizeExact does. */
export function zonesOf(args: readonly string[]): readonly string[] {
  return args.flatMap((arg) => {
    const key = parseServerKey(arg)
    return key.ok ? key.value.zones : []
  })
}

/** The reverse zones of a CIDR: one where it ends on an octet (IPv4) or a nibble (IPv6), else several. */
export function reverseZones(text: string): readonly string[] | undefined {
  const cidr = text.includes('/') ? parseInterfaceAddress(text) : undefined
  if (!cidr?.ok) return undefined
  const { ip, length } = cidr.value
  const step = ip.family === 4 ? 8 : 4
  const bits = Math.max(Math.ceil(length / step) * step, step)
  const count = 2 ** (bits - length)
  return Array.from({ length: count }, (_, i) => reverseZone(cidr.value, { bits, index: i }))
}

function reverseZone(
  { ip, length }: InterfaceAddress,
  { bits, index }: { readonly bits: number; readonly index: number },
): string {
  const step = ip.family === 4 ? 8 : 4
  const units = unitsOf(ip).slice(0, bits / step)
  const last = units.length - 1
  const mask = 2 ** (bits - length)
  if (last >= 0) units[last] = (units[last] ?? 0) - ((units[last] ?? 0) % mask) + index
  const labels = units.reverse().map((unit) => unit.toString(step === 8 ? 10 : 16))
  return `${[...labels, step === 8 ? 'in-addr' : 'ip6', 'arpa'].join('.')}.`
}

/** Octets of an IPv4 address, nibbles of an IPv6 one. */
function unitsOf(ip: Ip): number[] {
  if (ip.family === 4) return [24, 16, 8, 0].map((shift) => (ip.d >>> shift) & 0xff)
  return [ip.a, ip.b, ip.c, ip.d].flatMap((word) =>
    [28, 24, 20, 16, 12, 8, 4, 0].map((shift) => (word >>> shift) & 0xf),
  )
}

const REVERSE_V4 = 'in-addr.arpa.'
const REVERSE_V6 = 'ip6.arpa.'

export const isReverse = (name: string): boolean => isSubdomain(REVERSE_V4, name) || isSubdomain(REVERSE_V6, name)

/** The address a reverse name stands for; labels left of a whole IPv6 address do not count (dnsutil/reverse.go). */
export function addressOfReverse(name: string): Ip | undefined {
  if (name.endsWith(`.${REVERSE_V4}`)) {
    const labels = name.slice(0, -REVERSE_V4.length - 1).split('.')
    if (labels.length !== 4) return undefined
    const address = parseIp(labels.reverse().join('.'))
    return address.ok ? address.value : undefined
  }
  if (!name.endsWith(`.${REVERSE_V6}`)) return undefined
  const nibbles = name
    .slice(0, -REVERSE_V6.length - 1)
    .split('.')
    .reverse()
    .slice(0, 32)
  if (nibbles.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/i.test(nibble))) return undefined
  const address = parseIp((nibbles.join('').match(/.{4}/g) ?? []).join(':'))
  return address.ok ? address.value : undefined
}

/** Where `fallthrough` lets a name pass on: undefined is nowhere (plugin/pkg/fall). */
export type FallThrough = readonly string[] | undefined

export const fallsThrough = (fall: FallThrough, name: string): boolean =>
  fall?.some((zone) => isSubdomain(zone, name)) ?? false

/** `fallthrough` without zones is for all of them. */
export const fallThroughOf = (args: readonly string[]): FallThrough => (args.length === 0 ? ['.'] : zonesOf(args))
