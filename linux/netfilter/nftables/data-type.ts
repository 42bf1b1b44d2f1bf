import { formatIp, type Ip, parseIp } from '../../../packet/ip.ts'
import { PROTOCOL_NAMES } from '../iptables/rule.ts'
import type { Data, DataType } from './expression.ts'

/** Names of values, as nft 1.0.6 spells them (src/ct.c, fib.c, meta.c, proto.c). */
const NAMES: Partial<Record<DataType, Readonly<Record<string, number>>>> = {
  ct_state: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  ct_status: { expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 },
  ct_dir: { original: 0, reply: 1 },
  fib_addrtype: {
    unspec: 0,
    unicast: 1,
    local: 2,
    broadcast: 3,
    anycast: 4,
    multicast: 5,
    blackhole: 6,
    unreachable: 7,
    prohibit: 8,
  },
  nf_proto: { ipv4: 2, ipv6: 10 },
  pkt_type: { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 },
  icmp_type: {
    'echo-reply': 0,
    'destination-unreachable': 3,
    'source-quench': 4,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
  },
  icmpv6_type: {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
  },
  tcp_flag: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
  inet_proto: Object.fromEntries([...PROTOCOL_NAMES].map(([number, name]) => [name, number])),
}

const DATA_TYPES: Readonly<Record<DataType, true>> = {
  ipv4_addr: true,
  ipv6_addr: true,
  inet_proto: true,
  inet_service: true,
  mark: true,
  ifname: true,
  integer: true,
  ct_state: true,
  ct_status: true,
  ct_dir: true,
  fib_addrtype: true,
  nf_proto: true,
  pkt_type: true,
  icmp_type: true,
  icmpv6_type: true,
  tcp_flag: true,
}

/** `ipv4_addr . inet_service` as its fields; undefined where one is not known. */
export function readTypes(text: string): readonly DataType[] | undefined {
  const names = text.split(' . ').map((name) => name.trim())
  return names.every((name): name is DataType => Object.hasOwn(DATA_TYPES, name)) ? names : undefined
}

/** Types whose values are bits: written without a comparison, any of them will do. */
export const isFlags = (type: DataType): boolean => type === 'ct_state' || type === 'ct_status' || type === 'tcp_flag'

/** Types kept in the byte order of the machine, not of the network; nft sorts them otherwise. */
export const isHostOrder = (type: DataType): boolean =>
  type !== 'ipv4_addr' && type !== 'ipv6_addr' && type !== 'inet_proto' && type !== 'inet_service'

const LARGEST: Partial<Record<DataType, number>> = { inet_proto: 255, inet_service: 65535 }

/** One value; undefined where the text is none of this type. */
export function readData(type: DataType, text: string): Data | undefined {
  if (type === 'ipv4_addr' || type === 'ipv6_addr') {
    const ip = parseIp(text)
    return ip.ok && ip.value.family === (type === 'ipv4_addr' ? 4 : 6) ? ip.value : undefined
  }
  if (type === 'ifname') return text
  const names = NAMES[type]
  if (names !== undefined && Object.hasOwn(names, text)) return names[text]
  if (!/^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(text)) return undefined
  const number = Number(text)
  return number <= (LARGEST[type] ?? 0xffffffff) ? number : undefined
}

/** A value as nft lists it. */
export function formatData(type: DataType, data: Data): string {
  if (typeof data === 'object') return formatIp(data)
  if (typeof data === 'string') return `"${data}"`
  if (type === 'mark') return formatMark(data)
  const names = NAMES[type]
  if (names === undefined) return String(data)
  if (isFlags(type)) return formatFlags(names, data)
  if (type === 'inet_proto') return PROTOCOL_NAMES.get(data) ?? String(data)
  for (const [name, value] of Object.entries(names)) if (value === data) return name
  return String(data)
}

export const formatMark = (mark: number): string => `0x${mark.toString(16).padStart(8, '0')}`

/** The lowest bit first. */
function formatFlags(names: Readonly<Record<string, number>>, bits: number): string {
  const named = Object.entries(names).filter(([, bit]) => (bits & bit) !== 0)
  return named
    .sort(([, x], [, y]) => x - y)
    .map(([name]) => name)
    .join(',')
}

/** The octets of a value, as its register holds them: in network order, filled up to a multiple of four. */
export function dataBytes(type: DataType, data: Data): readonly number[] {
  if (typeof data === 'object') return addressBytes(data)
  if (typeof data === 'string') return nameBytes(data)
  if (type === 'inet_service') return [data >>> 8, data & 255, 0, 0]
  if (type === 'inet_proto') return [data, 0, 0, 0]
  return [data & 255, (data >>> 8) & 255, (data >>> 16) & 255, data >>> 24]
}

function addressBytes({ family, a, b, c, d }: Ip): readonly number[] {
  const words = family === 4 ? [d] : [a, b, c, d]
  return words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255])
}

const LONGEST_NAME = 16

function nameBytes(name: string): readonly number[] {
  const bytes = new Array<number>(LONGEST_NAME).fill(0)
  for (let i = 0; i < name.length && i < LONGEST_NAME; i++) bytes[i] = name.charCodeAt(i)
  return bytes
}
