import { type FragmentUser, gather } from '../reassembly.ts'
import type { IpSkb } from '../skb.ts'
import { ACCEPT, type HookState, type NfVerdict, STOLEN } from './netfilter.ts'

/**
 * ipv4_conntrack_defrag, ipv6_defrag: conntrack sees whole packets. Fragments wait until the packet is complete, which
 * then goes on as one; those of PREROUTING, of a bridge and of OUTPUT do not mix.
 */
export function defragment(skb: IpSkb, state: HookState): NfVerdict {
  if (skb.packet.fragment === undefined || skb.ct !== undefined) return ACCEPT
  return gather(skb, userOf(skb, state)) ? ACCEPT : STOLEN
}

/** nf_ct_defrag_user. */
function userOf(skb: IpSkb, { hook }: HookState): FragmentUser {
  if (hook === 'output') return 'conntrack-out'
  return skb.bridge?.inPrerouting === true ? 'conntrack-bridge-in' : 'conntrack-in'
}
