import { icmpTypeOf } from '../../../packet/icmp-type.ts'
import { lengthOfIp } from '../../../packet/length.ts'
import { type IpPacket, protocolOf, type Tcp } from '../../../packet/packet.ts'
import { type Ports, portsOf } from '../../../packet/ports.ts'
import { contains } from '../../../packet/prefix.ts'
import { serverKey } from '../../ipvs/connection.ts'
import type { IpSkb } from '../../skb.ts'
import { STATUS } from '../conntrack.ts'
import { matchAddrType } from './address-type.ts'
import { matchSet } from './ipset.ts'
import { ANY_ICMP_TYPE } from './matches.ts'
import { entryName, type MatchPlace } from './place.ts'
import { matchRecent } from './recent.ts'
import {
  CONNECTION_STATES,
  type IpvsMatch,
  type LinkTest,
  type Match,
  type MultiportMatch,
  type PhysdevMatch,
  type PortsMatch,
  type PortTest,
  type Range,
  type Rule,
  type StatisticMatch,
} from './rule.ts'
import { hasEffect } from './rule-reach.ts'

/** `unknown`: everything that is modelled matches, but there is a part that is not. */
export type MatchResult = 'no' | 'yes' | 'unknown'

/** Whether the packet matches; the header first, then the matches in order, up to the first that does not. */
export function matchRule(rule: Rule, place: MatchPlace): MatchResult {
  const { skb, state } = place
  const { packet } = skb
  if (rule.source !== undefined && contains(rule.source.prefix, packet.src) === rule.source.not) return 'no'
  if (rule.destination !== undefined && contains(rule.destination.prefix, packet.dst) === rule.destination.not)
    return 'no'
  if (rule.in !== undefined && !matchLink(rule.in, state.in?.name ?? '')) return 'no'
  if (rule.out !== undefined && !matchLink(rule.out, state.out?.name ?? '')) return 'no'
  if (rule.protocol !== undefined && (protocolOf(packet) === rule.protocol.number) === rule.protocol.not) return 'no'
  if (rule.fragments !== undefined && isLaterFragment(packet) === rule.fragments.not) return 'no'
  let unknown: string | undefined
  for (const match of rule.matches) {
    // Behind a match that may not hold, one with an effect must not have it.
    if (unknown !== undefined && hasEffect(match)) continue
    const outcome = matchOne(match, place)
    if (outcome === false) return 'no'
    if (outcome !== true) unknown ??= outcome
  }
  if (unknown === undefined) return 'yes'
  place.unknown = unknown
  return 'unknown'
}

const isLaterFragment = ({ fragment }: IpPacket): boolean => fragment !== undefined && fragment.offset > 0

/** A name that ends in `+` stands for all that begin so. No interface has an empty name. */
function matchLink(test: LinkTest, name: string): boolean {
  const same = test.name.endsWith('+') ? name.startsWith(test.name.slice(0, -1)) : name === test.name
  return same !== test.not
}

/** Text: why it is not known. */
function matchOne(match: Match, place: MatchPlace): boolean | string {
  const { skb } = place
  switch (match.kind) {
    case 'comment':
      return true
    case 'addrtype':
      return matchAddrType(match, place)
    case 'mark':
      return ((skb.mark & match.mask) >>> 0 === match.value) !== match.not
    case 'state':
      return ((match.states & stateBits(skb)) !== 0) !== match.not
    case 'statistic':
      return matchStatistic(match, place)
    case 'recent':
      return matchRecent(match, place)
    case 'tcp':
    case 'udp':
    case 'sctp':
      return matchPorts(match, skb)
    case 'icmp': {
      const found = icmpTypeOf(skb.packet)
      if (found === undefined) return false
      const any = match.type === ANY_ICMP_TYPE && skb.packet.src.family === 4
      return (any || (found.type === match.type && inRange(match.codes, found.code))) !== match.not
    }
    case 'multiport':
      return matchMultiport(match, skb)
    case 'nfacct':
      account(match.name, skb)
      return true
    case 'set':
      return matchSet(match, skb)
    case 'physdev':
      return matchPhysdev(match, skb)
    case 'ipvs':
      return matchIpvs(match, skb)
    case 'notModelled':
      return match.text
  }
}

/** xt_conntrack: the state, and whether the flow's addresses are rewritten. */
function stateBits(skb: IpSkb): number {
  const ct = skb.ct
  if (ct === undefined) return CONNECTION_STATES.INVALID
  if (ct.entry === undefined) return CONNECTION_STATES.UNTRACKED
  const { status } = ct.entry
  return (
    CT_STATE[ct.state] |
    ((status & STATUS.srcNat) !== 0 ? CONNECTION_STATES.SNAT : 0) |
    ((status & STATUS.dstNat) !== 0 ? CONNECTION_STATES.DNAT : 0)
  )
}

const CT_STATE = {
  new: CONNECTION_STATES.NEW,
  established: CONNECTION_STATES.ESTABLISHED,
  related: CONNECTION_STATES.RELATED,
  untracked: CONNECTION_STATES.UNTRACKED,
} as const

/** Probabilities are kept in units of 2^-31. */
const CERTAIN = 0x80000000

/** statistic_mt, Linux net/netfilter/xt_statistic.c. */
function matchStatistic(match: StatisticMatch, place: MatchPlace): boolean {
  if (match.mode === 'random') return hit(match.threshold, place) !== match.not
  const { nth } = place.skb.ns.netfilterState
  const last = nth.get(match) ?? match.every - 1 - match.packet
  const count = last === match.every - 1 ? 0 : last + 1
  nth.set(match, count)
  return (count === 0) !== match.not
}

/** Draws with the weights of hit and miss; index 0 is the hit. What is certain is not drawn. */
function hit(threshold: number, place: MatchPlace): boolean {
  if (threshold === 0 || threshold === CERTAIN) return threshold !== 0
  const { host, name } = place.skb.ns
  const site = { host: host.name, netns: name, purpose: 'statistic', entry: entryName(place) } as const
  return host.kernel.draw(site, [threshold, CERTAIN - threshold]) === 0
}

const inRange = (range: Range, value: number): boolean => value >= range.min && value <= range.max

const portPasses = (test: PortTest | undefined, port: number): boolean =>
  test === undefined || inRange(test, port) !== test.not

/** tcp_mt, udp_mt (xt_tcpudp.c), sctp_mt (xt_sctp.c); a later fragment has no ports and never matches. */
function matchPorts(match: PortsMatch, skb: IpSkb): boolean {
  const ports = portsOf(skb.packet)
  if (ports === undefined) return false
  if (!portPasses(match.source, ports.src) || !portPasses(match.destination, ports.dst)) return false
  if (match.flags === undefined) return true
  const { payload } = skb.packet
  return payload.kind === 'tcp' && matchFlags(match.flags, payload)
}

function matchFlags(test: NonNullable<PortsMatch['flags']>, tcp: Tcp): boolean {
  return ((tcp.flags & test.mask) === test.set) !== test.not
}

function matchMultiport(match: MultiportMatch, skb: IpSkb): boolean {
  const ports = portsOf(skb.packet)
  return ports !== undefined && match.ports.some((range) => oneOf(match.which, range, ports)) !== match.not
}

function oneOf(which: MultiportMatch['which'], range: Range, ports: Ports): boolean {
  return (which !== 'destination' && inRange(range, ports.src)) || (which !== 'source' && inRange(range, ports.dst))
}

function account(name: string, skb: IpSkb): void {
  const { accounts } = skb.ns.netfilterState
  const counter = accounts.get(name) ?? { packets: 0, octets: 0 }
  accounts.set(name, { packets: counter.packets + 1, octets: counter.octets + lengthOfIp(skb.packet) })
}

/** physdev_mt, Linux net/netfilter/xt_physdev.c: outside a bridge no test holds but inverted ones. */
function matchPhysdev(match: PhysdevMatch, { bridge }: IpSkb): boolean {
  const physIn = bridge?.physIn.name ?? ''
  const physOut = bridge?.physOut?.name ?? ''
  if (match.isIn !== undefined && (physIn !== '') === match.isIn.not) return false
  if (match.isOut !== undefined && (physOut !== '') === match.isOut.not) return false
  if (match.isBridged !== undefined && (physOut !== '') === match.isBridged.not) return false
  if (match.in !== undefined && !matchLink(match.in, physIn)) return false
  return match.out === undefined || matchLink(match.out, physOut)
}

/** ipvs_mt, Linux net/netfilter/xt_ipvs.c: of the connection whose client sent the packet to its real server. */
function matchIpvs(match: IpvsMatch, skb: IpSkb): boolean {
  if (match.property !== undefined) return skb.ipvs !== match.property.not
  const ports = portsOf(skb.packet)
  if (!skb.ipvs || ports === undefined) return false
  const protocol = protocolOf(skb.packet)
  if (match.protocol !== undefined && (protocol === match.protocol.number) === match.protocol.not) return false
  const real = { ip: skb.packet.dst, port: ports.dst }
  const client = { ip: skb.packet.src, port: ports.src }
  const connection = skb.ns.netfilterState.ipvs.byServer.get(serverKey(protocol, real, client))
  if (connection === undefined) return false
  const { virtual } = connection
  if (match.address !== undefined && contains(match.address.prefix, virtual.ip) === match.address.not) return false
  return portPasses(match.port, virtual.port)
}
