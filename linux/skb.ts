import type { Mac } from '../packet/mac.ts'
import type { Arp, IpPacket, OtherPayload } from '../packet/packet.ts'
import type { ConntrackEntry } from './netfilter/conntrack.ts'
import type { Link, Netns } from './netns.ts'
import type { RouteResult } from './fib.ts'

/**
 * The traveller: the kernel's sk_buff. The headers are immutable values, the traveller itself changes as it goes.
 * Functions that take an Skb are the kernel's functions of like name.
 */
export interface Skb {
  /** Kept over links, rewrites and tunnels; copies of a flood share it. */
  readonly id: number
  ns: Netns
  /** The device it came in by, or is being sent by (skb->dev). */
  dev: Link
  /** Link-layer header; absent on devices that have none, and before a neighbour is known. */
  mac: { src: Mac; dst: Mac } | undefined
  packet: IpPacket | Arp | OtherPayload
  mark: number
  /** The flow it belongs to, once conntrack has looked. */
  ct: ConntrackInfo | undefined
  /** Where routing sends it (skb_dst). */
  dst: RouteResult | undefined
  /** Set while the packet crosses a bridge with br_netfilter on. */
  bridge: BridgeInfo | undefined
  /** The local socket that made it. */
  socket: number | undefined
  /** Size of the largest fragment this packet was put together from (IPCB(skb)->frag_max_size). */
  fragMaxSize: number
  /** Lies before the hooks: the packet was already seen by conntrack on this machine (loopback). */
  readonly local: boolean
}

/** An Skb whose packet is IP: what the hooks and the IP path work on. */
export type IpSkb = Skb & { packet: IpPacket }

export interface ConntrackInfo {
  readonly state: 'new' | 'established' | 'related' | 'untracked'
  readonly direction: 'original' | 'reply'
  /** Undefined for untracked. */
  readonly entry: ConntrackEntry | undefined
}

/** The kernel's nf_bridge_info. */
export interface BridgeInfo {
  readonly physIn: Link
  physOut: Link | undefined
  inPrerouting: boolean
  /** The packet was for another MAC when it came in, and DNAT made it ours. */
  routed: boolean
}
