import type { IpSkb } from '../skb.ts'
import { type ConntrackEntry, isConfirmed, STATUS, type Tracked } from './conntrack.ts'
import { refresh } from './conntrack-table.ts'
import { timeoutOf } from './conntrack-timeout.ts'

/** A flow that goes on after this is more than a question and an answer. */
const STREAM_AFTER = 2e9

/** nf_conntrack_udp_packet, Linux net/netfilter/nf_conntrack_proto_udp.c. */
export function trackUdp(entry: ConntrackEntry, skb: IpSkb): Tracked {
  const { ns } = skb
  const now = ns.host.kernel.now()
  if (!isConfirmed(entry)) entry.flow = { kind: 'udp', streamFrom: now + STREAM_AFTER }
  const streamFrom = entry.flow?.kind === 'udp' ? entry.flow.streamFrom : now
  const stream = (entry.status & STATUS.seenReply) !== 0 && now > streamFrom
  refresh(entry, ns, timeoutOf(ns, stream ? 'udp_stream' : 'udp'))
  if (stream && (entry.status & STATUS.natClash) === 0) entry.status |= STATUS.assured
  return 'valid'
}
