/**
 * Parameters of INIT and INIT ACK (RFC 9260 §3.3.2.1, §3.3.3.1), and error causes, which have the same form (§3.3.10).
 *
 *  0               1               2               3
 * +-------------------------------+-------------------------------+
 * |             type              |   length, with this header    |
 * +-------------------------------+-------------------------------+
 * |  value; zeros fill up to whole words, but not after the last  |
 * +---------------------------------------------------------------+
 */
import { type Ip, ipBytes, readIp } from './ip.ts'
import { get16, put16 } from './octets.ts'
import { paddedLength } from './sctp-chunk.ts'

export const PARAMETER = {
  heartbeatInfo: 1,
  ipv4: 5,
  ipv6: 6,
  stateCookie: 7,
  cookiePreservative: 9,
  supportedAddressTypes: 12,
  ecnCapable: 0x8000,
  /** RFC 3758. */
  forwardTsn: 0xc000,
} as const

/** Causes of an ERROR or ABORT. */
export const CAUSE = { staleCookie: 3, userAbort: 12, protocolViolation: 13 } as const

export interface Parameter {
  readonly type: number
  readonly value: Uint8Array
}

const HEADER = 4
const NO_OCTETS = new Uint8Array(0)

const parameterLength = ({ value }: Parameter): number => HEADER + value.length

/** Parameters one after the other; each but the last is padded, as sctp_addto_chunk does (Linux net/sctp/sm_make_chunk.c). */
export function writeParameters(parameters: readonly Parameter[]): Uint8Array {
  const last = parameters.at(-1)
  if (last === undefined) return NO_OCTETS
  const before = parameters.slice(0, -1).reduce((sum, one) => sum + paddedLength(parameterLength(one)), 0)
  const out = new Uint8Array(before + parameterLength(last))
  let at = 0
  for (const one of parameters) {
    put16(out, at, one.type)
    put16(out, at + 2, parameterLength(one))
    out.set(one.value, at + HEADER)
    at += paddedLength(parameterLength(one))
  }
  return out
}

/** Up to the first whose length cannot be. */
export function readParameters(bytes: Uint8Array): readonly Parameter[] {
  const found: Parameter[] = []
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = get16(bytes, at + 2)
    if (length < HEADER || at + length > bytes.length) break
    found.push({ type: get16(bytes, at), value: bytes.subarray(at + HEADER, at + length) })
    at += paddedLength(length)
  }
  return found
}

export const addressParameter = (ip: Ip): Parameter => ({
  type: ip.family === 4 ? PARAMETER.ipv4 : PARAMETER.ipv6,
  value: ipBytes(ip),
})

/** The address that a parameter tells; undefined: it is of another type. */
export function addressOf({ type, value }: Parameter): Ip | undefined {
  if (type === PARAMETER.ipv4 && value.length === 4) return readIp(value, 0, 4)
  return type === PARAMETER.ipv6 && value.length === 16 ? readIp(value, 0, 6) : undefined
}
