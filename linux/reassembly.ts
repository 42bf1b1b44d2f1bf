import { reassemble } from '../packet/fragment.ts'
import { ipKey } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import { ICMP4, ICMP6, type IpPacket, protocolOf } from '../packet/packet.ts'
import { type Netns, sysctl } from './netns.ts'
import { routeInput } from './route.ts'
import type { IpSkb } from './skb.ts'

/** Putting fragments together, after Linux net/ipv4/ip_fragment.c, net/ipv6/reassembly.c and nf_conntrack_reasm.c. */

const SECOND = 1e9

/** Fragments that wait for the rest of their packet, by who put them together and what they belong to. */
export type FragmentQueues = Map<string, FragmentQueue>

interface FragmentQueue {
  readonly parts: readonly IpPacket[]
  /** The part that came with the transport header, or the last that came without. */
  readonly skb: IpSkb
  readonly began: number
}

/** ip_defrag_users: each has queues of its own. */
export type FragmentUser = 'local' | 'conntrack-in' | 'conntrack-bridge-in' | 'conntrack-out'

/**
 * ip_defrag: adds the fragment in `skb` to its queue. True: the packet is whole and `skb` carries it now, with the sizes
 * it came in. False: it waits.
 */
export function gather(skb: IpSkb, user: FragmentUser): boolean {
  const { ns, packet } = skb
  const queues = queuesOf(ns, user)
  const key = `${user}|${ipKey(packet.src)}|${ipKey(packet.dst)}|${packet.id}|${protocolOf(packet)}`
  const known = queues.get(key)
  const parts = [...(known?.parts ?? []), packet]
  const whole = reassemble(parts)
  ns.host.kernel.record(skb, { kind: 'reassemble', parts: parts.length, done: whole !== undefined })
  if (whole === undefined) {
    const began = known?.began ?? ns.host.kernel.now()
    const first = known !== undefined && isFirst(known.skb) ? known.skb : { ...skb }
    queues.set(key, { parts, skb: first, began })
    if (known === undefined) startTimer(ns, { user, key, began, family: packet.src.family })
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

const queuesOf = (ns: Netns, user: FragmentUser): FragmentQueues =>
  user === 'local' ? ns.state.fragments : ns.netfilterState.fragments

const isFirst = ({ packet }: IpSkb): boolean => packet.fragment?.offset === 0

interface Waiting {
  readonly user: FragmentUser
  readonly key: string
  readonly began: number
}

function startTimer(ns: Netns, { user, key, began, family }: Waiting & { readonly family: 4 | 6 }): void {
  const at = began + patienceOf(ns, user, family) * SECOND
  ns.host.kernel.emit({ kind: 'timer', at, ns, timer: { kind: 'fragments', user, key, began } })
}

/** Seconds that an incomplete packet is kept from its first part on. */
function patienceOf(ns: Netns, user: FragmentUser, family: 4 | 6): number {
  if (family === 4) return sysctl(ns, 'net.ipv4.ipfrag_time', 30)
  return user === 'local'
    ? sysctl(ns, 'net.ipv6.ip6frag_time', 60)
    : sysctl(ns, 'net.netfilter.nf_conntrack_frag6_timeout', 60)
}

/**
 * ip_expire, ip6frag_expire_frag_queue: the rest has not come. Who sent the packet is told where its first part is here;
 * in IPv4 not by a router that only looked into it (RFC 792).
 */
export function fragmentTimer(ns: Netns, { user, key, began }: Waiting): void {
  const queues = queuesOf(ns, user)
  const queue = queues.get(key)
  if (queue?.began !== began) return
  queues.delete(key)
  const { skb } = queue
  const { packet } = skb
  const { family } = packet.src
  const detail = `the rest of the packet has not come within ${patienceOf(ns, user, family)} s`
  ns.host.kernel.record(skb, { kind: 'drop', reason: 'FRAG_REASM_TIMEOUT', detail })
  if (!isFirst(skb)) return
  if (family === 4) {
    const found = routeInput(skb, packet.dst, packet.src)
    const looksInto = user === 'conntrack-in' || user === 'conntrack-bridge-in'
    if (found.kind !== 'ok' || (looksInto && found.route.type !== 'local')) return
    skb.dst = found.route
  }
  ns.host.stack.icmpError(skb, { kind: 'code', type: family === 4 ? ICMP4.timeExceeded : ICMP6.timeExceeded, code: 1 })
}
