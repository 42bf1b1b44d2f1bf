import { fragmentIp, fragmentIpAs } from '../packet/fragment.ts'
import { type Ip, ipKey } from '../packet/ip.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Netns } from './netns.ts'
import type { IpSkb } from './skb.ts'

/**
 * ip_do_fragment and ip6_fragment: a packet that was put together on this machine is cut where it was joined, if those
 * parts fit `size`; any other into parts of that size. DF is cleared, except where the largest part had come with it
 * (IPSKB_FRAG_PMTU) and the packet is cut anew (ip_frag_next; ip_fraglist_prepare does not set it).
 */
export function fragmentsOf(
  { packet, fragMaxSize, fragSizes: parts, ns, dev }: IpSkb,
  size: number,
): readonly IpPacket[] {
  // In front of a part that came by a cable there is no room for the headers of a tunnel: it is cut anew.
  const fragSizes = dev.type.kind === 'vxlan' ? [] : parts
  if (packet.src.family === 6) {
    const marked = { ...packet, id: fragmentId(ns, packet) }
    return fragmentIpAs(marked, fragSizes, size) ?? fragmentIp(marked, size)
  }
  const cleared = { ...packet, dontFragment: false }
  // ip_frag_reasm leaves DF on what it joins only where it sets IPSKB_FRAG_PMTU.
  const kept = fragMaxSize > 0 ? packet : cleared
  return fragmentIpAs(cleared, fragSizes, size) ?? fragmentIp(kept, size)
}

/** ipv6_select_ident: a random one for each packet. */
function fragmentId(ns: Netns, packet: IpPacket): number {
  const site = {
    host: ns.host.name,
    netns: ns.name,
    purpose: 'fragment-id',
    entry: pairOf(packet.src, packet.dst, 0),
  } as const
  return ns.host.kernel.draw(site, 0x100000000)
}

export const pairOf = (src: Ip, dst: Ip, protocol: number): string => `${ipKey(src)}>${ipKey(dst)}/${protocol}`
