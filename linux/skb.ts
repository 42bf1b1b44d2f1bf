import type { Mac } from '../packet/mac.ts'
import type { Arp, Frame, IpPacket, OtherPayload } from '../packet/packet.ts'
import type { RouteResult } from './fib.ts'
import type { ConntrackEntry } from './netfilter/conntrack.ts'
import type { Link, Netns } from './netns.ts'

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
  /** The device that the IP packet came in by (IP6CB(skb)->iif); undefined for those of this machine. */
  input: Link | undefined
  /** Link-layer header; absent on devices that have none, and before a neighbour is known. */
  mac: { readonly src: Mac; readonly dst: Mac } | undefined
  packet: IpPacket | Arp | OtherPayload
  mark: number
  /** The flow it belongs to, once conntrack has looked. */
  ct: ConntrackInfo | undefined
  /** Where routing sends it (skb_dst). */
  dst: RouteResult | undefined
  /** Set where the packet came in by a port of a bridge with br_netfilter on, and until it has left the machine. */
  bridge: BridgeInfo | undefined
  /** Descriptor of the local socket that made it. */
  socket: number | undefined
  /** The connected socket whose hash it carries (skb->hash, l4_hash); undefined: whoever asks makes one of its headers. */
  flowHash: string | undefined
  /** The hash by ports that chose the outer port of its tunnel: a tunnel around that takes it too (skb_clear_hash_if_not_l4). */
  tunnelHash: string | undefined
  /** It may be cut although it has DF, or is an IPv6 packet on its way (ignore_df). */
  mayCut: boolean
  /** Size of the largest fragment this packet was put together from, 0 if none (IPCB(skb)->frag_max_size). */
  fragMaxSize: number
  /** Sizes of the IP packets it was put together from, in order: the kernel keeps them as a frag_list. */
  fragSizes: readonly number[]
  /** A virtual server has dealt with it already (ipvs_property). */
  ipvs: boolean
  /** Octets of data in each segment that the packet stands for (gso_size); 0: it is one segment. */
  gsoSize: number
}

/** An Skb whose packet is IP: what the hooks and the IP path work on. */
export type IpSkb = Skb & { packet: IpPacket }

/** For whom a frame is, by its destination MAC (skb->pkt_type). */
export type PacketType = 'host' | 'broadcast' | 'multicast' | 'otherhost'

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
  /** PREROUTING has not yet been run for the frame's second time, as a packet for the bridge itself. */
  inPrerouting: boolean
  /** The bridge has handed the packet to the machine, which routes it or takes it (sabotage_in_done). */
  passedUp: boolean
  /** The packet goes through the bridge device only to find its new destination's MAC; its own source MAC meanwhile. */
  bridgedDnat: Mac | undefined
}

export function newSkb(dev: Link, packet: Skb['packet'], id: number): Skb {
  return {
    id,
    ns: dev.ns,
    dev,
    input: undefined,
    mac: undefined,
    packet,
    mark: 0,
    ct: undefined,
    dst: undefined,
    bridge: undefined,
    socket: undefined,
    flowHash: undefined,
    tunnelHash: undefined,
    mayCut: false,
    fragMaxSize: 0,
    fragSizes: [],
    ipvs: false,
    gsoSize: 0,
  }
}

/** A copy that travels on its own (skb_clone). */
export const cloneSkb = (skb: Skb): Skb => ({
  ...skb,
  bridge: skb.bridge === undefined ? undefined : { ...skb.bridge },
})

export function isIp(skb: Skb): skb is IpSkb {
  return skb.packet.kind === 'ip'
}

/** Whether a bridge runs the hooks over the packet, not the machine's own IP path. */
export const isBridged = ({ bridge }: Skb): boolean => bridge !== undefined && !bridge.passedUp

/** What a capture on the device sees: a frame, or the bare packet where the device has no link header. */
export function seenOn(skb: Skb): Frame | IpPacket {
  if (skb.mac !== undefined) return { dst: skb.mac.dst, src: skb.mac.src, payload: skb.packet }
  if (skb.packet.kind === 'ip') return skb.packet
  throw new Error('a packet that is not IP left without a link header')
}
