/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861 for neighbors). What stands in the second word, and after it,
 * depends on the type.
 *
 *  0               1               2               3
 * +---------------+---------------+-------------------------------+
 * |     type      |     code      |           checksum            |
 * +---------------+---------------+-------------------------------+
 * |  echo: identifier, sequence | too big: MTU | redirect: gateway|
 * +---------------------------------------------------------------+
 * |  echo: data | errors: the packet it is about, as far as it fits
 */
import type { Family } from './ip.ts'
import { get8, get16, get32 } from './octets.ts'
import { ICMP4, ICMP6, type IcmpBody } from './packet.ts'

export const ICMP_HEADER = 4
/** Header and second word: where echo data and quotes begin. */
export const ICMP_LONG_HEADER = 8
export const ICMP_CHECKSUM_AT = 2

/** RFC 4861 §4.5: header, reserved word, target, destination; then options. */
export const REDIRECT6_FIXED = 40
export const REDIRECTED_HEADER = 8

const SOURCE_QUENCH = 4
const FRAGMENTATION_NEEDED = 4

/** Which of the typed bodies a message has. Parameter problems (4/12, 6/4) point into the packet: those stay octets. */
export function icmpBodyKind(family: Family, type: number): IcmpBody['kind'] {
  return family === 4 ? bodyKind4(type) : bodyKind6(type)
}

function bodyKind4(type: number): IcmpBody['kind'] {
  switch (type) {
    case ICMP4.echoRequest:
    case ICMP4.echoReply:
      return 'echo'
    case ICMP4.unreachable:
    case ICMP4.timeExceeded:
    case SOURCE_QUENCH:
      return 'error'
    case ICMP4.redirect:
      return 'redirect'
    default:
      return 'other'
  }
}

function bodyKind6(type: number): IcmpBody['kind'] {
  switch (type) {
    case ICMP6.echoRequest:
    case ICMP6.echoReply:
      return 'echo'
    case ICMP6.unreachable:
    case ICMP6.tooBig:
    case ICMP6.timeExceeded:
    case ICMP6.parameterProblem:
      return 'error'
    case ICMP6.neighborSolicitation:
      return 'neighborSolicitation'
    case ICMP6.neighborAdvertisement:
      return 'neighborAdvertisement'
    case ICMP6.redirect:
      return 'redirect'
    default:
      return 'other'
  }
}

/** The messages whose second word carries an MTU: RFC 1191 §4 and RFC 4443 §3.2. */
const isTooBig = (family: Family, type: number, code: number): boolean =>
  family === 4 ? type === ICMP4.unreachable && code === FRAGMENTATION_NEEDED : type === ICMP6.tooBig

const hasPointer = (family: Family, type: number): boolean => family === 6 && type === ICMP6.parameterProblem

type ErrorBody = Extract<IcmpBody, { kind: 'error' }>

/** What stands in the second word of an error: an MTU, a pointer, or 0. */
export function secondWordOf({ quote, mtu, pointer }: ErrorBody, type: number, code: number): number {
  const { family } = quote.packet.src
  if (hasPointer(family, type)) return pointer ?? 0
  return isTooBig(family, type, code) ? mtu : 0
}

/** The second word of an error; undefined where bits are set that the typed form has no place for (RFC 4884 lengths). */
export function readSecondWord(
  bytes: Uint8Array,
  at: number,
  family: Family,
): Pick<ErrorBody, 'mtu' | 'pointer'> | undefined {
  const [word, type] = [get32(bytes, at + 4), get8(bytes, at)]
  if (hasPointer(family, type)) return { mtu: 0, pointer: word }
  if (!isTooBig(family, type, get8(bytes, at + 1))) return word === 0 ? { mtu: 0 } : undefined
  return family === 6 || word <= 0xffff ? { mtu: word } : undefined
}

export function readEcho(bytes: Uint8Array, at: number, end: number): IcmpBody {
  return {
    kind: 'echo',
    id: get16(bytes, at + 4),
    seq: get16(bytes, at + 6),
    data: bytes.subarray(at + ICMP_LONG_HEADER, end),
  }
}
