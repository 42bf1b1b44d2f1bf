import { reassemble } from '../packet/fragment.ts'
import { ipKey } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import type { IpPacket } from '../packet/packet.ts'
import { protocolOf } from '../packet/packet.ts'
import type { IpSkb } from './skb.ts'

/** Fragments that wait for the rest of their packet; ip_defrag, Linux net/ipv4/ip_fragment.c. */
export type FragmentQueues = Map<string, IpPacket[]>

/**
 * Adds the fragment in `skb` to its queue. True: the packet is whole and `skb` carries it now, with the sizes it came
 * in. False: it waits.
 */
export function gather(skb: IpSkb, queues: FragmentQueues, user: string): boolean {
  const { packet } = skb
  const key = `${user}|${ipKey(packet.src)}|${ipKey(packet.dst)}|${packet.id}|${protocolOf(packet)}`
  const parts = [...(queues.get(key) ?? []), packet]
  const whole = reassemble(parts)
  skb.ns.host.kernel.record(skb, { kind: 'reassemble', parts: parts.length, done: whole !== undefined })
  if (whole === undefined) {
    queues.set(key, parts)
    return false
  }
  queues.delete(key)
  const sizes = parts.toSorted((x, y) => (x.fragment?.offset ?? 0) - (y.fragment?.offset ?? 0)).map(lengthOfIp)
  skb.packet = whole
  skb.fragSizes = sizes
  skb.fragMaxSize = Math.max(...sizes)
  skb.mayCut = true
  return true
}

export function reassembleLocal(skb: IpSkb): boolean {
  return gather(skb, skb.ns.state.fragments, 'local')
}
