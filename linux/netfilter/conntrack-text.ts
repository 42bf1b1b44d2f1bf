import { PROTOCOL } from '../../packet/packet.ts'
import { type ConntrackEntry, STATUS } from './conntrack.ts'
import { formatTuple } from './tuple.ts'

/** By number, as conntrack(8) names them. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.icmp, 'icmp'],
  [PROTOCOL.tcp, 'tcp'],
  [PROTOCOL.udp, 'udp'],
  [PROTOCOL.sctp, 'sctp'],
  [PROTOCOL.icmpv6, 'icmpv6'],
])

/**
 * A line of `conntrack -L` (conntrack-tools 1.4.7), without the reference count's meaning: it is always printed as 1.
 * Blanks as there: protocol name padded to eight, number to three.
 */
export function formatEntry(entry: ConntrackEntry, now: number): string {
  const { protocol } = entry.original
  const parts = [`${(NAMES.get(protocol) ?? 'unknown').padEnd(8)} ${protocol}`]
  parts.push(String(Math.max(0, Math.floor((entry.timeout - now) / 1e9))))
  if (entry.flow?.kind === 'tcp' || entry.flow?.kind === 'sctp') parts.push(entry.flow.state)
  parts.push(formatTuple(entry.original))
  if ((entry.status & STATUS.seenReply) === 0) parts.push('[UNREPLIED]')
  parts.push(formatTuple(entry.reply))
  if ((entry.status & STATUS.assured) !== 0) parts.push('[ASSURED]')
  parts.push(`mark=${entry.mark ?? 0}`, 'use=1')
  return parts.join(' ')
}

/** Both directions of a flow in one line: what does not change with time. */
export function flowSummary(entry: ConntrackEntry): string {
  const { protocol } = entry.original
  return `${NAMES.get(protocol) ?? protocol} ${formatTuple(entry.original)} ${formatTuple(entry.reply)}`
}
