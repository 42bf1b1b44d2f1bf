import { type IpPacket, PROTOCOL } from './packet.ts'

export interface IcmpType {
  readonly type: number
  readonly code: number
}

/**
 * Type and code of an ICMP packet of either family, also where the message is still octets: a first fragment. Undefined
 * for other protocols and for later fragments.
 */
export function icmpTypeOf({ payload, fragment }: IpPacket): IcmpType | undefined {
  if (payload.kind === 'icmp') return { type: payload.type, code: payload.code }
  if (payload.kind !== 'raw' || (fragment?.offset ?? 0) > 0 || payload.bytes.length < 2) return undefined
  if (payload.protocol !== PROTOCOL.icmp && payload.protocol !== PROTOCOL.icmpv6) return undefined
  return { type: payload.bytes[0] ?? 0, code: payload.bytes[1] ?? 0 }
}
