import { lengthOfIp } from '../packet/length.ts'
import type { Link } from './netns.ts'
import { isIp, type Skb } from './skb.ts'

/** Octets of the network packet (without the Ethernet header); ARP is 28. */
export const sizeOf = (skb: Skb): number => (isIp(skb) ? lengthOfIp(skb.packet) : 28)

/** is_skb_forwardable: the device's MTU, with room for one VLAN tag (Linux net/core/dev.c). */
export const fitsDevice = (skb: Skb, dev: Link): boolean => sizeOf(skb) <= dev.mtu + 4
