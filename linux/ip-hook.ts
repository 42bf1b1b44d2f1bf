import { type IpPacket, PROTOCOL, protocolOf } from '../packet/packet.ts'
import { nfHook } from './netfilter/hooks.ts'
import type { IcmpError, Link } from './netns.ts'
import type { IpSkb } from './skb.ts'
import type { Hook } from './step.ts'

/**
 * NF_HOOK: runs the packet through a hook. True: go on with it. A packet that a rule rejects has its sender told
 * here, at the rule, as the REJECT target does.
 */
export function runHook(skb: IpSkb, hook: Hook, devices: { in?: Link; out?: Link }): boolean {
  const verdict = nfHook(skb, hook, devices)
  switch (verdict.kind) {
    case 'accept':
      return true
    case 'drop':
    case 'stolen':
      return false
    case 'notModelled':
      skb.ns.host.kernel.record(skb, {
        kind: 'notModelled',
        text: `${verdict.text} (${verdict.table} ${verdict.chain})`,
      })
      return false
    case 'reject':
      reject(skb, verdict.with)
      return false
  }
}

/** The ICMP messages of the REJECT targets (net/ipv4/netfilter/ipt_REJECT.c, net/ipv6/netfilter/ip6t_REJECT.c). */
const REJECT_WITH: Readonly<Record<string, IcmpError>> = {
  'icmp-net-unreachable': { kind: 'code', type: 3, code: 0 },
  'icmp-host-unreachable': { kind: 'code', type: 3, code: 1 },
  'icmp-proto-unreachable': { kind: 'code', type: 3, code: 2 },
  'icmp-port-unreachable': { kind: 'code', type: 3, code: 3 },
  'icmp-net-prohibited': { kind: 'code', type: 3, code: 9 },
  'icmp-host-prohibited': { kind: 'code', type: 3, code: 10 },
  'icmp-admin-prohibited': { kind: 'code', type: 3, code: 13 },
  'icmp6-no-route': { kind: 'code', type: 1, code: 0 },
  'icmp6-adm-prohibited': { kind: 'code', type: 1, code: 1 },
  'icmp6-addr-unreachable': { kind: 'code', type: 1, code: 3 },
  'icmp6-port-unreachable': { kind: 'code', type: 1, code: 4 },
  'icmp6-policy-fail': { kind: 'code', type: 1, code: 5 },
  'icmp6-reject-route': { kind: 'code', type: 1, code: 6 },
}

function reject(skb: IpSkb, how: string): void {
  if (!hasWholeChecksum(skb.packet)) return
  if (how === 'tcp-reset') return skb.ns.host.stack.tcpReset(skb)
  const error = REJECT_WITH[how]
  if (error !== undefined) skb.ns.host.stack.icmpError(skb, error)
}

/**
 * nf_send_unreach, reject6_csum_ok: nobody is told of a packet whose checksum is wrong, and that of a fragment is over
 * more than is here. Some protocols have none of this kind (nf_reject_verify_csum).
 */
function hasWholeChecksum(packet: IpPacket): boolean {
  const { fragment, payload } = packet
  if (fragment === undefined) return true
  if (fragment.offset > 0) return false
  const protocol = protocolOf(packet)
  if (protocol !== PROTOCOL.udp) return WITHOUT_SUM.has(protocol)
  return payload.kind === 'raw' && payload.bytes[UDP_CHECK] === 0 && payload.bytes[UDP_CHECK + 1] === 0
}

/** DCCP, GRE, ESP, AH, SCTP, UDP-Lite. */
const WITHOUT_SUM: ReadonlySet<number> = new Set([33, 47, 50, 51, 132, 136])
/** Where a UDP header has its checksum; 0: it has none. */
const UDP_CHECK = 6
