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
  if (how === 'tcp-reset') return skb.ns.host.stack.tcpReset(skb)
  const error = REJECT_WITH[how]
  if (error !== undefined) skb.ns.host.stack.icmpError(skb, error)
}
