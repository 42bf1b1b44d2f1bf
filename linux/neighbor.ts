import { type Ip, ipKey, isMulticast } from '../packet/ip.ts'
import { BROADCAST_MAC, type Mac, ZERO_MAC } from '../packet/mac.ts'
import { solicitArp } from './arp-solicit.ts'
import { addressType } from './fib.ts'
import { solicitNdp } from './ndp-solicit.ts'
import { type Link, type Netns, sysctl } from './netns.ts'
import type { Origin } from './origin.ts'
import type { IpSkb } from './skb.ts'
import type { NeighborState } from './step.ts'

/** An entry of the ARP or NDP cache (struct neighbour), Linux net/core/neighbour.c. */
export interface Neighbor {
  readonly link: Link
  readonly ip: Ip
  state: NeighborState
  mac: Mac | undefined
  /** The link header is cached (neigh->hh): a packet has left by this entry while it was valid. */
  headerCached: boolean
  /** Packets that wait for the address. */
  waiting: IpSkb[]
  probes: number
  /** Counts up when a timer is set anew, so that older ones do nothing. */
  turn: number
  confirmedAt: number
  readonly origin: Origin | undefined
}

const SECOND = 1_000_000_000
/** Requests before an entry fails: mcast_solicit and ucast_solicit, both 3. */
const PROBES = 3
/** delay_first_probe_time. */
const DELAY_PROBE = 5 * SECOND
/** base_reachable_time; the kernel draws 0.5 to 1.5 times that. */
const REACHABLE = 30 * SECOND
/** unres_qlen in packets as the default unres_qlen_bytes (212,992) allows small ones; the oldest is dropped. */
const QUEUE = 101

const neighborKey = (link: Link, ip: Ip): string => `${link.name}|${ipKey(ip)}`

export function findNeighbor(link: Link, ip: Ip): Neighbor | undefined {
  return link.ns.state.neighbors.get(neighborKey(link, ip))
}

function neighborOf(link: Link, ip: Ip): Neighbor {
  const known = findNeighbor(link, ip)
  if (known !== undefined) return known
  const made: Neighbor = {
    link,
    ip,
    state: 'none',
    mac: undefined,
    headerCached: false,
    waiting: [],
    probes: 0,
    turn: 0,
    confirmedAt: 0,
    origin: undefined,
  }
  link.ns.state.neighbors.set(neighborKey(link, ip), made)
  return made
}

/** The link address that needs no question: broadcast, multicast, and devices without addresses. */
function knownMac(link: Link, ip: Ip): Mac | undefined {
  if (link.type.kind === 'loopback') return ZERO_MAC
  if (isMulticast(ip)) return (ip.family === 4 ? 0x01005e000000 + (ip.d & 0x7fffff) : 0x333300000000 + ip.d) as Mac
  if (ip.family === 4 && addressType(link.ns, ip) === 'broadcast') return BROADCAST_MAC
  return undefined
}

/** neigh_output: sends `skb` out of `skb.dev` to `nextHop`, or keeps it until the address is known. */
export function neighOutput(skb: IpSkb, nextHop: Ip): void {
  const link = skb.dev
  // A tun device has no link header (ARPHRD_NONE, IFF_NOARP).
  if (link.type.kind === 'tun') {
    skb.mac = undefined
    return skb.ns.host.stack.xmit(skb)
  }
  const fixed = knownMac(link, nextHop)
  if (fixed !== undefined) {
    skb.mac = { src: link.mac, dst: fixed }
    return skb.ns.host.stack.xmit(skb)
  }
  const neighbor = neighborOf(link, nextHop)
  age(neighbor)
  skb.ns.host.kernel.record(skb, {
    kind: 'neigh.lookup',
    link: link.name,
    ip: nextHop,
    state: neighbor.state,
    ...(neighbor.mac === undefined ? {} : { mac: neighbor.mac }),
    ...(neighbor.origin === undefined ? {} : { origin: neighbor.origin }),
  })
  if (eventSend(neighbor, skb)) transmit(neighbor, skb)
}

/** neigh_event_send: true where the packet may go now; otherwise it has been queued and the address asked for. */
function eventSend(neighbor: Neighbor, skb: IpSkb): boolean {
  switch (neighbor.state) {
    case 'permanent':
    case 'reachable':
    case 'noarp':
    case 'delay':
    case 'probe':
      return true
    case 'stale':
      neighbor.state = 'delay'
      setTimer(neighbor, DELAY_PROBE)
      return true
    case 'none':
    case 'failed':
      neighbor.state = 'incomplete'
      neighbor.probes = 0
      neighbor.waiting = [skb]
      probe(neighbor, skb)
      return false
    case 'incomplete':
      enqueue(neighbor, skb)
      return false
  }
}

/** neigh_event_send without a packet: asks for the address if it is not known. */
export function resolveNeighbor(link: Link, ip: Ip): void {
  const neighbor = neighborOf(link, ip)
  if (neighbor.state === 'stale') {
    neighbor.state = 'delay'
    setTimer(neighbor, DELAY_PROBE)
  }
  if (neighbor.state !== 'none' && neighbor.state !== 'failed') return
  neighbor.state = 'incomplete'
  neighbor.probes = 0
  neighbor.waiting = []
  probe(neighbor, undefined)
}

/** NUD_VALID: the entry has an address that may be used. */
export function isNeighborValid(link: Link, ip: Ip): boolean {
  return findNeighbor(link, ip)?.mac !== undefined
}

function enqueue(neighbor: Neighbor, skb: IpSkb): void {
  if (neighbor.waiting.length >= QUEUE) {
    const oldest = neighbor.waiting.shift()
    if (oldest !== undefined)
      oldest.ns.host.kernel.record(oldest, {
        kind: 'drop',
        reason: 'NEIGH_QUEUEFULL',
        detail: `${QUEUE} packets already wait for the neighbour on ${neighbor.link.name}`,
      })
  }
  neighbor.waiting.push(skb)
}

function transmit(neighbor: Neighbor, skb: IpSkb): void {
  neighbor.headerCached = true
  skb.mac = { src: neighbor.link.mac, dst: neighbor.mac ?? ZERO_MAC }
  skb.ns.host.stack.xmit(skb)
}

/** One request, by broadcast while incomplete, to the old address while probing. */
function probe(neighbor: Neighbor, skb: IpSkb | undefined): void {
  neighbor.probes++
  setTimer(neighbor, retransTime(neighbor))
  if (neighbor.ip.family === 4) solicitArp(neighbor, skb)
  else solicitNdp(neighbor, skb)
}

function retransTime({ link, ip }: Neighbor): number {
  return sysctl(link.ns, `net.ipv${ip.family}.neigh.${link.name}.retrans_time_ms`, 1000) * 1_000_000
}

function setTimer(neighbor: Neighbor, afterNs: number): void {
  const { kernel } = neighbor.link.ns.host
  neighbor.turn++
  kernel.emit({
    kind: 'timer',
    at: kernel.now() + afterNs,
    ns: neighbor.link.ns,
    timer: { kind: 'neighbor', link: neighbor.link.name, ip: neighbor.ip, turn: neighbor.turn },
  })
}

/** neigh_timer_handler. */
export function neighborTimer(ns: Netns, linkName: string, ip: Ip, turn: number): void {
  const link = ns.links.get(linkName)
  const neighbor = link === undefined ? undefined : findNeighbor(link, ip)
  if (neighbor === undefined || neighbor.turn !== turn) return
  if (neighbor.state === 'delay') {
    neighbor.state = 'probe'
    neighbor.probes = 0
    return probe(neighbor, undefined)
  }
  if (neighbor.state !== 'incomplete' && neighbor.state !== 'probe') return
  if (neighbor.probes < PROBES) return probe(neighbor, neighbor.waiting[0])
  neighbor.state = 'failed'
  neighbor.mac = undefined
  neighbor.headerCached = false
  const waiting = neighbor.waiting
  neighbor.waiting = []
  for (const skb of waiting) failed(neighbor, skb)
}

/** arp_error_report, ndisc_error_report: the sender is told that the host is unreachable. */
function failed(neighbor: Neighbor, skb: IpSkb): void {
  const asked = neighbor.ip.family === 4 ? 'ARP requests' : 'neighbour solicitations'
  skb.ns.host.kernel.record(skb, {
    kind: 'drop',
    reason: 'NEIGH_FAILED',
    detail: `${PROBES} ${asked} on ${neighbor.link.name} were not answered`,
  })
  skb.ns.host.stack.icmpError(skb, { kind: 'hostUnreachable' })
}

/** REACHABLE ends when nothing has confirmed the address for the reachable time. */
function age(neighbor: Neighbor): void {
  const now = neighbor.link.ns.host.kernel.now()
  if (neighbor.state === 'reachable' && now - neighbor.confirmedAt > REACHABLE) neighbor.state = 'stale'
}

/** neigh_event_ns: a request came from `ip`; it is remembered as stale if it is new or has moved. */
export function neighborAsked(link: Link, ip: Ip, mac: Mac): void {
  updateNeighbor(neighborOf(link, ip), mac, { state: 'stale', override: true })
}

/** neigh_update with what a request, reply or advertisement said. An entry that nobody set up by hand may move. */
export function updateNeighbor(
  neighbor: Neighbor,
  mac: Mac | undefined,
  { state, override }: { state: 'reachable' | 'stale'; override: boolean },
): void {
  if (neighbor.state === 'permanent' || neighbor.state === 'noarp') return
  const { kernel } = neighbor.link.ns.host
  const valid = neighbor.state !== 'none' && neighbor.state !== 'incomplete' && neighbor.state !== 'failed'
  const lladdr = mac ?? neighbor.mac
  if (lladdr === undefined) return
  if (valid && lladdr !== neighbor.mac && !override) {
    if (neighbor.state === 'reachable') neighbor.state = 'stale'
    return
  }
  if (valid && lladdr === neighbor.mac && state === 'stale') return
  if (lladdr !== neighbor.mac) neighbor.headerCached = false
  neighbor.mac = lladdr
  neighbor.state = state
  neighbor.turn++
  if (state === 'reachable') neighbor.confirmedAt = kernel.now()
  kernel.record(
    { id: neighbor.waiting[0]?.id ?? 0, ns: neighbor.link.ns },
    { kind: 'neigh.update', link: neighbor.link.name, ip: neighbor.ip, state, mac: lladdr },
  )
  flush(neighbor)
}

/** The packets that waited leave in their order. */
function flush(neighbor: Neighbor): void {
  const waiting = neighbor.waiting
  neighbor.waiting = []
  for (const skb of waiting) if (eventSend(neighbor, skb)) transmit(neighbor, skb)
}

/** Whether br_netfilter may use the entry's cached header (NUD_CONNECTED and neigh->hh). */
export function cachedMac(link: Link, ip: Ip): Mac | undefined {
  const neighbor = findNeighbor(link, ip)
  if (neighbor === undefined || !neighbor.headerCached) return undefined
  age(neighbor)
  const connected = neighbor.state === 'reachable' || neighbor.state === 'permanent' || neighbor.state === 'noarp'
  return connected ? neighbor.mac : undefined
}

/** Upper layers saw progress by this neighbour (dst_confirm): a doubtful entry becomes reachable. */
export function confirmNeighbor(link: Link, ip: Ip): void {
  const neighbor = findNeighbor(link, ip)
  if (neighbor === undefined || neighbor.mac === undefined) return
  if (neighbor.state === 'delay' || neighbor.state === 'probe' || neighbor.state === 'stale') {
    neighbor.state = 'reachable'
    neighbor.turn++
  }
  if (neighbor.state === 'reachable') neighbor.confirmedAt = link.ns.host.kernel.now()
}
