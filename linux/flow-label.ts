import { type Ip, ipKey } from '../packet/ip.ts'
import type { Netns } from './netns.ts'

/** What the label is a hash of: addresses, protocol, and ports (for ICMP the type and code). */
export interface LabelledFlow {
  readonly src: Ip
  readonly dst: Ip
  readonly protocol: number
  readonly srcPort: number
  readonly dstPort: number
}

/**
 * ip6_make_flowlabel with net.ipv6.auto_flowlabels 1: a keyed hash of the flow, so every packet of it carries the
 * same label, whichever socket sends it. 0 in IPv4, which has none.
 */
export function flowLabelOf(ns: Netns, { src, dst, protocol, srcPort, dstPort }: LabelledFlow): number {
  if (src.family === 4) return 0
  const entry = `${ipKey(src)}>${ipKey(dst)}/${protocol} ${srcPort}>${dstPort}`
  const known = ns.state.flowLabels.get(entry)
  if (known !== undefined) return known
  const site = { host: ns.host.name, netns: ns.name, purpose: 'flow-label', entry } as const
  const label = ns.host.kernel.draw(site, FLOW_LABELS)
  ns.state.flowLabels.set(entry, label)
  return label
}

/** 20 bits. */
const FLOW_LABELS = 0x100000
