import { ICMP4, type Icmp, type IpPacket, protocolOf } from '../../packet/packet.ts'
import { withTuple } from '../netfilter/nat-rewrite.ts'
import { ACCEPT, type NfVerdict, STOLEN } from '../netfilter/netfilter.ts'
import { type Tuple, tupleOf } from '../netfilter/tuple.ts'
import { recordOutput, routeOutput } from '../route.ts'
import type { IpSkb } from '../skb.ts'
import type { Hook } from '../step.ts'
import { clientKey, type IpvsConnection, serverKey } from './connection.ts'
import { countPacket } from './connection-table.ts'
import { alterReply, untrack } from './transmit.ts'

/** The packet that an ICMP error is about; undefined: it is no error, or not of a kind that a director looks into. */
export function quotedBy({ packet }: IpSkb): IpPacket | undefined {
  const { payload } = packet
  if (payload.kind !== 'icmp' || payload.body.kind !== 'error') return undefined
  const source = 4
  const known =
    packet.src.family === 6 ||
    payload.type === ICMP4.unreachable ||
    payload.type === source ||
    payload.type === ICMP4.timeExceeded
  return known ? payload.body.quote.packet : undefined
}

function withQuote(icmp: Icmp, packet: IpPacket): Icmp {
  const { body } = icmp
  return body.kind === 'error' ? { ...icmp, body: { ...body, quote: { ...body.quote, packet } } } : icmp
}

/**
 * ip_vs_out_icmp: an error from behind the director about a client's packet. The client must read it as coming from
 * the virtual server, about the packet that it sent there.
 */
export function errorToClient(skb: IpSkb, hook: Hook): NfVerdict | undefined {
  const quoted = quotedBy(skb)
  const tuple = quoted === undefined ? undefined : tupleOf(quoted)
  if (quoted === undefined || tuple === undefined) return undefined
  const { src, srcKey, dst, dstKey } = tuple
  const key = serverKey(protocolOf(quoted), { ip: dst, port: dstKey }, { ip: src, port: srcKey })
  const connection = skb.ns.netfilterState.ipvs.byServer.get(key)
  const { payload } = skb.packet
  if (connection === undefined || payload.kind !== 'icmp') return ACCEPT
  const { virtual } = connection
  replace(skb, hook, {
    which: 'src',
    to: {
      ...skb.packet,
      src: virtual.ip,
      payload: withQuote(payload, withTuple(quoted, { ...tuple, dst: virtual.ip, dstKey: virtual.port }, 'dst')),
    },
  })
  countPacket(skb, connection, 'out')
  skb.ipvs = true
  if (connection.usesConntrack) alterReply(skb, connection, 'fromServer')
  else untrack(skb)
  return ACCEPT
}

/** ip_vs_in_icmp, ip_vs_icmp_xmit: an error about an answer goes to the real server that sent it. */
export function errorToServer(skb: IpSkb, hook: Hook): NfVerdict | undefined {
  const quoted = quotedBy(skb)
  const tuple = quoted === undefined ? undefined : tupleOf(quoted)
  if (quoted === undefined || tuple === undefined) return undefined
  const connection = ofAnswer(skb, tuple)
  const { payload } = skb.packet
  if (connection === undefined || payload.kind !== 'icmp') return ACCEPT
  countPacket(skb, connection, 'in')
  if (connection.destination.forward !== 'masquerade') return ACCEPT
  const { real } = connection
  const route = routeOutput(skb.ns, { dst: real.ip })
  if (route.kind !== 'ok') return STOLEN
  replace(skb, hook, {
    which: 'dst',
    to: {
      ...skb.packet,
      dst: real.ip,
      payload: withQuote(payload, withTuple(quoted, { ...tuple, src: real.ip, srcKey: real.port }, 'src')),
    },
  })
  skb.ipvs = true
  if (!connection.usesConntrack) untrack(skb)
  if (route.route.type === 'local') return ACCEPT
  recordOutput(skb, real.ip, route.route, undefined)
  skb.dst = route.route
  skb.ns.host.stack.sendOn(skb)
  return STOLEN
}

function ofAnswer(skb: IpSkb, { protocol, src, srcKey, dst, dstKey }: Tuple): IpvsConnection | undefined {
  return skb.ns.netfilterState.ipvs.byClient.get(
    clientKey(protocol, { ip: dst, port: dstKey }, { ip: src, port: srcKey }),
  )
}

function replace(
  skb: IpSkb,
  hook: Hook,
  { which, to }: { readonly which: 'src' | 'dst'; readonly to: IpPacket },
): void {
  const before = skb.packet
  skb.packet = to
  skb.ns.host.kernel.record(skb, { kind: 'nat.rewrite', which, hook, undo: which === 'src', before, after: to })
}
