/**
 * Neighbor solicitation and advertisement (RFC 4861 §4.3, §4.4), after the ICMPv6 type, code and checksum.
 *
 *  4               5               6               7
 * +-+-+-+---------------------------------------------------------+
 * |R|S|O|              reserved (all of it in a solicitation)     |
 * +-+-+-+---------------------------------------------------------+
 * |                   target address, 16 octets                   |
 * +---------------+---------------+-------------------------------+
 * | option: 1, 2  |  1 (8 octets) |      link-layer address       |
 * +---------------+---------------+-------------------------------+
 */
import { readIp, writeIp } from './ip.ts'
import { type Mac, readMac, writeMac } from './mac.ts'
import { get8, get32, put32 } from './octets.ts'
import type { IcmpBody } from './packet.ts'

type Neighbor = Extract<IcmpBody, { kind: 'neighborSolicitation' | 'neighborAdvertisement' }>

/** NDP option types (RFC 4861 §4.6). */
export const NDP_OPTION = { sourceMac: 1, targetMac: 2, redirectedHeader: 4 } as const
export const MAC_OPTION = 8

const FIXED = 24
const ROUTER = 0x80000000
const SOLICITED = 0x40000000
const OVERRIDE = 0x20000000

const macOf = (body: Neighbor): Mac | undefined =>
  body.kind === 'neighborSolicitation' ? body.sourceMac : body.targetMac

/** Counted from the ICMPv6 type. */
export const lengthOfNeighbor = (body: Neighbor): number =>
  FIXED + (macOf(body) === undefined ? 0 : MAC_OPTION) + (body.options?.length ?? 0)

/** `at` is where the ICMPv6 type stands. */
export function writeNeighbor(out: Uint8Array, at: number, body: Neighbor): void {
  if (body.kind === 'neighborAdvertisement')
    put32(out, at + 4, (body.router ? ROUTER : 0) | (body.solicited ? SOLICITED : 0) | (body.override ? OVERRIDE : 0))
  writeIp(out, at + 8, body.target)
  const mac = macOf(body)
  const type = body.kind === 'neighborSolicitation' ? NDP_OPTION.sourceMac : NDP_OPTION.targetMac
  const next = mac === undefined ? at + FIXED : writeMacOption(out, at + FIXED, { type, mac })
  if (body.options !== undefined) out.set(body.options, next)
}

/** Returns where the next option goes. */
export function writeMacOption(
  out: Uint8Array,
  at: number,
  { type, mac }: { readonly type: number; readonly mac: Mac },
): number {
  out[at] = type
  out[at + 1] = 1
  writeMac(out, at + 2, mac)
  return at + MAC_OPTION
}

/** The address of a link-layer option of `type` that stands at `at`. */
export function readMacOption(
  bytes: Uint8Array,
  at: number,
  { type, end }: { type: number; end: number },
): Mac | undefined {
  return end - at >= MAC_OPTION && get8(bytes, at) === type && get8(bytes, at + 1) === 1
    ? readMac(bytes, at + 2)
    : undefined
}

/** Undefined where it is not well formed. The link-layer option is taken apart where it stands first, as Linux sends it. */
export function readNeighbor(
  bytes: Uint8Array,
  at: number,
  { kind, end }: { readonly kind: Neighbor['kind']; readonly end: number },
): Neighbor | undefined {
  if (end - at < FIXED || !optionsAreWhole(bytes, at + FIXED, end)) return undefined
  const flags = get32(bytes, at + 4)
  const target = readIp(bytes, at + 8, 6)
  if (kind === 'neighborSolicitation') {
    if (flags !== 0) return undefined
    const sourceMac = readMacOption(bytes, at + FIXED, { type: NDP_OPTION.sourceMac, end })
    const optionsAt = at + FIXED + (sourceMac === undefined ? 0 : MAC_OPTION)
    return {
      kind,
      target,
      ...(sourceMac !== undefined && { sourceMac }),
      ...(optionsAt < end && { options: bytes.subarray(optionsAt, end) }),
    }
  }
  if ((flags & ~(ROUTER | SOLICITED | OVERRIDE)) !== 0) return undefined
  const targetMac = readMacOption(bytes, at + FIXED, { type: NDP_OPTION.targetMac, end })
  const optionsAt = at + FIXED + (targetMac === undefined ? 0 : MAC_OPTION)
  return {
    kind,
    target,
    ...(targetMac !== undefined && { targetMac }),
    router: (flags & ROUTER) !== 0,
    solicited: (flags & SOLICITED) !== 0,
    override: (flags & OVERRIDE) !== 0,
    ...(optionsAt < end && { options: bytes.subarray(optionsAt, end) }),
  }
}

/** Every option has a length that is not 0 and ends inside the message (RFC 4861 §7.1.1). */
function optionsAreWhole(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from
  while (at < end) {
    const length = at + 1 < end ? get8(bytes, at + 1) << 3 : 0
    if (length === 0) return false
    at += length
  }
  return at === end
}
