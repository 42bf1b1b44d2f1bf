import { sameIp } from '../../packet/ip.ts'
import { ICMP4, ICMP6, type Icmp, type IpPacket } from '../../packet/packet.ts'
import type { ConntrackInfo, IpSkb } from '../skb.ts'
import { findEntry } from './conntrack-table.ts'
import { invertTuple, tupleOf } from './tuple.ts'

/** MLD, router and neighbour discovery (and MLDv2 reports) are never tracked: nf_conntrack_proto_icmpv6.c. */
const UNTRACKED6: ReadonlySet<number> = new Set([130, 131, 132, 133, 134, 135, 136, 143])

/** ICMP_SOURCE_QUENCH is 4, ICMP_PARAMETERPROB 12. */
const ERRORS4: ReadonlySet<number> = new Set([ICMP4.unreachable, 4, ICMP4.redirect, ICMP4.timeExceeded, 12])

const FIRST_INFORMATIONAL6 = 128

/**
 * nf_conntrack_icmpv4_error, nf_conntrack_icmpv6_error: an ICMP error belongs to the flow of the packet that it quotes;
 * one that quotes no known flow is invalid (undefined).
 */
export function relatedError(skb: IpSkb): ConntrackInfo | undefined | 'notAnError' {
  const { payload } = skb.packet
  if (payload.kind !== 'icmp') return 'notAnError'
  if (skb.packet.src.family === 4) return ERRORS4.has(payload.type) ? relatedFlow(skb, payload) : 'notAnError'
  if (UNTRACKED6.has(payload.type)) return { state: 'untracked', direction: 'original', entry: undefined }
  const isError = payload.type < FIRST_INFORMATIONAL6 || payload.type === ICMP6.redirect
  return isError ? relatedFlow(skb, payload) : 'notAnError'
}

/** nf_conntrack_inet_error. */
function relatedFlow(skb: IpSkb, icmp: Icmp): ConntrackInfo | undefined {
  const quoted = quotedPacket(icmp)
  const inner = quoted === undefined ? undefined : tupleOf(quoted)
  const answer = inner === undefined ? undefined : invertTuple(inner)
  const found = answer === undefined ? undefined : findEntry(skb.ns, answer)
  if (found === undefined) return undefined
  // The flow's packets in this direction go where the error goes; otherwise it is made up.
  const tuple = found.direction === 'original' ? found.entry.original : found.entry.reply
  if (!sameIp(tuple.dst, skb.packet.dst)) return undefined
  return { state: 'related', direction: found.direction, entry: found.entry }
}

/** The packet that an ICMP error or redirect is about. */
export function quotedPacket({ body }: Icmp): IpPacket | undefined {
  return body.kind === 'error' || body.kind === 'redirect' ? body.quote.packet : undefined
}
