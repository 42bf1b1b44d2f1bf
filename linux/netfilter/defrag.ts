import { gather } from '../reassembly.ts'
import type { IpSkb } from '../skb.ts'
import { ACCEPT, type HookState, type NfVerdict, STOLEN } from './netfilter.ts'

/**
 * ipv4_conntrack_defrag, ipv6_defrag: conntrack sees whole packets. Fragments wait until the packet is complete, which
 * then goes on as one; those of PREROUTING, of a bridge and of OUTPUT do not mix. An incomplete packet is forgotten
 * after 30 s (net.ipv4.ipfrag_time; 60 s in IPv6), without a word: here it waits for ever, which nobody can tell.
 */
export function defragment(skb: IpSkb, state: HookState): NfVerdict {
  if (skb.packet.fragment === undefined || skb.ct !== undefined) return ACCEPT
  return gather(skb, skb.ns.netfilterState.fragments, userOf(skb, state)) ? ACCEPT : STOLEN
}

/** nf_ct_defrag_user. */
function userOf(skb: IpSkb, { hook }: HookState): string {
  if (hook === 'output') return 'conntrack-out'
  return skb.bridge?.inPrerouting === true ? 'conntrack-bridge-in' : 'conntrack-in'
}
