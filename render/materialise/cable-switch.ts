import type { LinkOp, Op } from '../../linux/op.ts'
import { formatMac, type Mac } from '../../packet/mac.ts'
import type { NetnsBatches } from '../batches.ts'
import { vethLine } from '../commands.ts'
import { NO_IPV6 } from './stillness.ts'

/** A network card of a machine, and the real namespace it stands in. */
export type Card = Extract<LinkOp, { kind: 'link.add' }> & { readonly netns: string; readonly host: string }

export const isCard = (op: Op): op is Op & Extract<LinkOp, { kind: 'link.add' }> =>
  op.kind === 'link.add' && op.type.kind === 'physical'

export const segmentOf = (card: Card): string => (card.type.kind === 'physical' ? card.type.segment : '')

/** The far end of a switch port takes whatever a card can send. */
const SWITCH_MTU = 65535

/** The switch's own MACs are never seen: it says nothing. */
const SWITCH_MAC = 0x1e0000000000

/** The pair that is the cable from a card to its port (from 0). */
export function cableLine(card: Card, netns: string, at: { readonly port: number; readonly netns: string }): string {
  const mac = (SWITCH_MAC + at.port + 1) as Mac
  const peer = { netns: '', name: `port${at.port + 1}`, mac, mtu: SWITCH_MTU }
  return vethLine({ ...card, type: { kind: 'veth', peer } }, netns, at.netns)
}

/**
 * A switch that knows every card from the start, as the model's fabric does, and sends nothing to a card that is for
 * another; it looks into nothing and says nothing. (A cable alone would carry frames for other MACs to a card that a
 * real one filters out.)
 */
export function switchBatches(plugged: readonly Card[]): NetnsBatches {
  const numbers = plugged.map((_, i) => i + 1)
  return {
    sysctl: [
      ...NO_IPV6,
      'net.bridge.bridge-nf-call-iptables=0',
      'net.bridge.bridge-nf-call-ip6tables=0',
      'net.bridge.bridge-nf-call-arptables=0',
    ],
    ip: [
      `link add switch address ${formatMac(SWITCH_MAC as Mac)} mtu ${SWITCH_MTU} type bridge mcast_snooping 0`,
      'link set dev switch up',
      ...numbers.flatMap((port) => [`link set dev port${port} master switch`, `link set dev port${port} up`]),
    ],
    linkSysctl: [],
    bridge: plugged.flatMap(({ mac }, i) => [
      `link set dev port${i + 1} flood off`,
      `fdb append ${formatMac(mac)} dev port${i + 1} master static`,
    ]),
    ipset: [],
    nft: '',
    iptables: '',
    ip6tables: '',
    files: [],
  }
}

/** What a segment that drops UDP ports is given for `nft -f`. */
export function blockedText(ports: readonly number[]): string {
  if (ports.length === 0) return ''
  return [
    'table bridge cable {',
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    ...ports.map((port) => `    udp dport ${port} drop`),
    '  }',
    '}',
    '',
  ].join('\n')
}
