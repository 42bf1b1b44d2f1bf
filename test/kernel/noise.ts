import type { KernelConntrack, KernelFrame, KernelRuleHit } from './agent.ts'

/**
 * What a machine says by itself: IGMP and MLD reports of the groups it is in, and router solicitations. Our model
 * does not speak them, and no answer to a probe depends on them: a bridge that snoops floods all the same where
 * nobody is a querier. Filtered out by this one rule, in frames, rule hits and conntrack alike.
 */
export function isNoise(frame: KernelFrame): boolean {
  if (frame.kind === 'ip') return isNoisePacket(frame.bytes)
  const etherType = frame.bytes.slice(24, 28)
  return (etherType === '0800' || etherType === '86dd') && isNoisePacket(frame.bytes.slice(28))
}

/** Of what nf_tables tells of one walk through a chain only the first event has the packet. */
export function withoutNoise(hits: readonly KernelRuleHit[]): readonly KernelRuleHit[] {
  const walks = new Set(hits.filter(({ packet }) => isNoisePacket(packet)).map(({ walk }) => walk))
  return hits.filter(({ packet, walk }) => !isNoisePacket(packet) && (packet !== '' || !walks.has(walk)))
}

export const isNoiseEntry = (entry: KernelConntrack): boolean =>
  entry.original.protocol === IGMP ||
  (entry.original.protocol === ICMPV6 && [RS, MLD2].includes(entry.original.icmpType ?? 0))

const IGMP = 2
const ICMPV6 = 58
const RS = 133
const MLD2 = 143

function isNoisePacket(hex: string): boolean {
  const octet = (at: number) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16)
  if (hex.startsWith('4')) return octet(9) === IGMP
  if (!hex.startsWith('6')) return false
  const next = octet(6)
  // A report stands behind a hop-by-hop header with the router alert option, which a trace of nf_tables leaves out.
  if (next === 0) return (octet(40) === ICMPV6 && octet(48) === MLD2) || octet(40) === MLD2
  return next === ICMPV6 && octet(40) === RS
}
