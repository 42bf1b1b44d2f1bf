import { formatIp, type Ip, ipKey, sameIp } from '../../packet/ip.ts'
import { get8, get16 } from '../../packet/octets.ts'
import { ICMP4, ICMP6, type IcmpBody, type IpPacket, PROTOCOL, protocolOf } from '../../packet/packet.ts'
import { portsOf } from '../../packet/ports.ts'

/**
 * One direction of a flow, by which its packets are found: Linux struct nf_conntrack_tuple. `srcKey` and `dstKey` are
 * the ports; for ICMP the echo id, and type and code (type * 256 + code); 0 for protocols without such.
 */
export interface Tuple {
  readonly protocol: number
  readonly src: Ip
  readonly dst: Ip
  readonly srcKey: number
  readonly dstKey: number
}

/** nf_ct_get_tuple. Undefined for what cannot be tracked: a later fragment, a header that is cut off. */
export function tupleOf(packet: IpPacket): Tuple | undefined {
  if ((packet.fragment?.offset ?? 0) > 0) return undefined
  const { src, dst } = packet
  const protocol = protocolOf(packet)
  switch (protocol) {
    case PROTOCOL.tcp:
    case PROTOCOL.udp:
    case PROTOCOL.sctp: {
      const ports = portsOf(packet)
      return ports === undefined ? undefined : { protocol, src, dst, srcKey: ports.src, dstKey: ports.dst }
    }
    case PROTOCOL.icmp:
    case PROTOCOL.icmpv6: {
      const icmp = icmpKeys(packet)
      return icmp === undefined ? undefined : { protocol, src, dst, ...icmp }
    }
    default:
      return { protocol, src, dst, srcKey: 0, dstKey: 0 }
  }
}

/** The id stands in the second word, whatever the type. */
function icmpKeys({ payload }: IpPacket): Pick<Tuple, 'srcKey' | 'dstKey'> | undefined {
  if (payload.kind === 'icmp') return { srcKey: icmpId(payload.body), dstKey: payload.type * 256 + payload.code }
  if (payload.kind !== 'raw' || payload.bytes.length < 8) return undefined
  const { bytes } = payload
  return { srcKey: get16(bytes, 4), dstKey: get8(bytes, 0) * 256 + get8(bytes, 1) }
}

function icmpId(body: IcmpBody): number {
  if (body.kind === 'echo') return body.id
  return body.kind === 'other' && body.bytes.length >= 2 ? get16(body.bytes, 0) : 0
}

/** Request and reply types: icmp invmap of nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c. */
const ICMP_INVERSE: Readonly<Record<4 | 6, ReadonlyMap<number, number>>> = {
  4: new Map([
    [ICMP4.echoRequest, ICMP4.echoReply],
    [ICMP4.echoReply, ICMP4.echoRequest],
    [13, 14],
    [14, 13],
    [15, 16],
    [16, 15],
    [17, 18],
    [18, 17],
  ]),
  6: new Map([
    [ICMP6.echoRequest, ICMP6.echoReply],
    [ICMP6.echoReply, ICMP6.echoRequest],
    [139, 140],
    [140, 139],
  ]),
}

/** Whether an ICMP type is a question or its answer, and so carries an id. */
export const hasIcmpId = (family: 4 | 6, type: number): boolean => ICMP_INVERSE[family].has(type)

/** nf_ct_invert_tuple: the tuple of the answer. Undefined for ICMP types that have none. */
export function invertTuple(tuple: Tuple): Tuple | undefined {
  const { protocol, src, dst, srcKey, dstKey } = tuple
  const family = src.family
  if (protocol !== (family === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6))
    return { protocol, src: dst, dst: src, srcKey: dstKey, dstKey: srcKey }
  const type = ICMP_INVERSE[family].get(dstKey >> 8)
  return type === undefined ? undefined : { protocol, src: dst, dst: src, srcKey, dstKey: type * 256 + (dstKey & 255) }
}

/** For a Map; unique over families and protocols. */
export function tupleKey({ protocol, src, dst, srcKey, dstKey }: Tuple): string {
  return `${protocol}|${ipKey(src)}|${srcKey}|${ipKey(dst)}|${dstKey}`
}

export function sameTuple(x: Tuple, y: Tuple): boolean {
  return (
    x.srcKey === y.srcKey &&
    x.dstKey === y.dstKey &&
    x.protocol === y.protocol &&
    sameIp(x.src, y.src) &&
    sameIp(x.dst, y.dst)
  )
}

/** `src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2`, as conntrack(8) prints it. */
export function formatTuple(tuple: Tuple): string {
  const addresses = `src=${formatIp(tuple.src)} dst=${formatIp(tuple.dst)}`
  switch (tuple.protocol) {
    case PROTOCOL.tcp:
    case PROTOCOL.udp:
    case PROTOCOL.sctp:
      return `${addresses} sport=${tuple.srcKey} dport=${tuple.dstKey}`
    case PROTOCOL.icmp:
    case PROTOCOL.icmpv6:
      return `${addresses} type=${tuple.dstKey >> 8} code=${tuple.dstKey & 255} id=${tuple.srcKey}`
    default:
      return addresses
  }
}
