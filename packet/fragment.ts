import { emitTransport } from './emit.ts'
import { sameIp } from './ip.ts'
import { lengthOfIp, lengthOfIpHeader } from './length.ts'
import { get8 } from './octets.ts'
import { type IpPacket, protocolOf, type RawPayload } from './packet.ts'
import { parseTransport } from './parse.ts'

const LONGEST_PACKET = 65535

/**
 * Cuts a packet so that each part fits `mtu` (at least 8 octets of payload each, whatever the MTU): RFC 791 §3.2 and
 * RFC 8200 §4.5, at the same places as Linux (net/ipv4/ip_output.c, ip_do_fragment). A packet that fits is returned
 * as it is. DF is neither looked at nor changed. An IPv6 packet carries in `id` what its fragment headers shall say.
 */
export function fragmentIp(packet: IpPacket, mtu: number): IpPacket[] {
  if (lengthOfIp(packet) <= mtu) return [packet]
  const step = Math.max(roomIn(packet, mtu) & ~7, 8)
  return cutAt(packet, (left) => Math.min(step, left))
}

/**
 * Cuts a packet into parts of just these sizes (headers counted), as it came: Linux keeps a packet that it put together
 * as a list of its parts. Undefined where the sizes are not its own, or one is over `mtu`.
 */
export function fragmentIpAs(packet: IpPacket, sizes: readonly number[], mtu: number): IpPacket[] | undefined {
  const rooms = sizes.map((size) => roomIn(packet, size))
  const total = rooms.reduce((sum, room) => sum + room, 0)
  const whole = lengthOfIp(packet) - lengthOfIpHeader(packet)
  const misfit = rooms.some((room, i) => room <= 0 || (room % 8 !== 0 && i < rooms.length - 1))
  if (total !== whole || misfit || sizes.some((size) => size > mtu)) return undefined
  let part = 0
  return cutAt(packet, (left) => rooms[part++] ?? left)
}

const roomIn = (packet: IpPacket, size: number): number =>
  size - lengthOfIpHeader({ ...packet, fragment: { offset: 0, more: true } })

function cutAt(packet: IpPacket, next: (left: number) => number): IpPacket[] {
  const payload = emitTransport(packet)
  const protocol = protocolOf(packet)
  const firstOffset = packet.fragment?.offset ?? 0
  const moreAfter = packet.fragment?.more ?? false
  const parts: IpPacket[] = []
  for (let from = 0, to = 0; from < payload.length; from = to) {
    to = from + next(payload.length - from)
    parts.push({
      ...packet,
      fragment: { offset: firstOffset + from, more: to < payload.length || moreAfter },
      ...(packet.options !== undefined && from > 0 && { options: optionsOfLaterParts(packet.options) }),
      payload: { kind: 'raw', protocol, bytes: payload.subarray(from, to) },
    })
  }
  return parts
}

const END_OF_OPTIONS = 0
const NO_OPERATION = 1
const COPIED = 0x80

/** Options without the copied flag become no-operations after the first part (net/ipv4/ip_options.c, ip_options_fragment). */
function optionsOfLaterParts(options: Uint8Array): Uint8Array {
  const kept = options.slice()
  let at = 0
  while (at < options.length) {
    const type = get8(options, at)
    if (type === END_OF_OPTIONS) break
    const length = type === NO_OPERATION ? 1 : at + 1 < options.length ? get8(options, at + 1) : 0
    if (length === 0 || at + length > options.length) break
    if (type !== NO_OPERATION && (type & COPIED) === 0) kept.fill(NO_OPERATION, at, at + length)
    at += length
  }
  return kept
}

type Part = IpPacket & { readonly fragment: NonNullable<IpPacket['fragment']>; readonly payload: RawPayload }

const isFragmentPart = (packet: IpPacket): packet is Part =>
  packet.fragment !== undefined && packet.payload.kind === 'raw'

/**
 * The packet that `parts` (in any order, repetitions allowed) are all of. Undefined while some are missing, and for
 * parts that Linux would not join: of different packets, overlapping, over 65,535 octets, or with ECN marks that
 * contradict each other. A payload that is not well formed stays octets: joining does not look at it.
 */
export function reassemble(parts: readonly IpPacket[]): IpPacket | undefined {
  const sorted = inOrder(parts)
  const first = sorted?.[0]
  if (sorted === undefined || first === undefined) return undefined
  const last = sorted[sorted.length - 1] as Part
  const length = last.fragment.offset + last.payload.bytes.length
  if (lengthOfIpHeader(first) + length > LONGEST_PACKET) return undefined
  const ecn = joinedEcn(sorted)
  if (ecn === undefined) return undefined
  const bytes = new Uint8Array(length)
  for (const part of sorted) bytes.set(part.payload.bytes, part.fragment.offset)
  const family = first.src.family
  const protocol = first.payload.protocol
  const payload = parseTransport(bytes, protocol, family)
  const { fragment: _, ...head } = first
  return {
    ...head,
    tos: head.tos | ecn,
    id: family === 4 ? head.id : 0,
    dontFragment: largestHasDf(sorted),
    payload: payload.ok ? payload.value : { kind: 'raw', protocol, bytes },
  }
}

/** The parts by offset without repetitions, if they are all of one packet. */
function inOrder(parts: readonly IpPacket[]): readonly Part[] | undefined {
  const sorted = parts.filter(isFragmentPart).sort((x, y) => x.fragment.offset - y.fragment.offset)
  const first = sorted[0]
  if (first === undefined || sorted.length !== parts.length) return undefined
  const kept: Part[] = []
  let next = 0
  for (const part of sorted) {
    if (!sameDatagram(first, part)) return undefined
    const { offset, more } = part.fragment
    const length = part.payload.bytes.length
    const before = kept[kept.length - 1]
    if (before?.fragment.offset === offset && before.payload.bytes.length === length) continue
    if (offset !== next || before?.fragment.more === false || (more && length % 8 !== 0)) return undefined
    kept.push(part)
    next = offset + length
  }
  return kept[kept.length - 1]?.fragment.more === false ? kept : undefined
}

/** What a queue is found by: in IPv6 the protocol is not part of it (RFC 8200 §4.5), but joins only one. */
function sameDatagram(x: Part, y: Part): boolean {
  return (
    x.id === y.id &&
    sameIp(x.src, y.src) &&
    sameIp(x.dst, y.dst) &&
    (x.src.family === 6 || x.payload.protocol === y.payload.protocol)
  )
}

const NOT_ECT = 0
const CE = 3

/**
 * The bits to add to the first part's TOS: CE where some part met congestion, nothing where all agree or only ECT(0)
 * and ECT(1) mix; undefined where parts with and without ECN mix (net/ipv4/inet_fragment.c, ip_frag_ecn_table).
 */
function joinedEcn(parts: readonly Part[]): number | undefined {
  const seen = new Set(parts.map((part) => part.tos & 3))
  if (seen.size === 1) return 0
  if (seen.has(NOT_ECT)) return undefined
  return seen.has(CE) ? CE : 0
}

/** Linux keeps DF where the largest part had it, so that a router that joins and cuts again cuts no smaller. */
function largestHasDf(parts: readonly Part[]): boolean {
  const largest = Math.max(...parts.map(lengthOfIp))
  return parts.some((part) => part.dontFragment && lengthOfIp(part) === largest)
}
