import { type Family, type Ip, ipKey, parseIp } from '../../../packet/ip.ts'
import { PROTOCOL, protocolOf } from '../../../packet/packet.ts'
import { portsOf } from '../../../packet/ports.ts'
import { bitsOf, hostPrefix, maskIp, type Prefix, parsePrefix } from '../../../packet/prefix.ts'
import type { IpSkb } from '../../skb.ts'
import type { IpSet } from '../netfilter.ts'
import type { SetMatch } from './rule.ts'

/** ip_set_test, Linux net/netfilter/ipset. Text: why the answer is not known. */
export function matchSet(match: SetMatch, skb: IpSkb): boolean | string {
  const set = skb.ns.netfilter.sets.get(match.name)
  if (set === undefined) return `the set ${match.name} does not exist`
  const index = indexOf(set)
  if (typeof index === 'string') return index
  return index.holds(match, skb) !== match.not
}

interface SetIndex {
  readonly holds: (match: SetMatch, skb: IpSkb) => boolean
}

/** Reads the entries of all sets now, and not when the first packet asks. */
export function indexSets(sets: ReadonlyMap<string, IpSet>): void {
  for (const set of sets.values()) indexOf(set)
}

const indexes = new WeakMap<IpSet, SetIndex | string>()

function indexOf(set: IpSet): SetIndex | string {
  const known = indexes.get(set)
  if (known !== undefined) return known
  const made = makeIndex(set)
  indexes.set(set, made)
  return made
}

/** The name of the type; options such as `family inet6` may follow it. */
function makeIndex({ type, entries }: IpSet): SetIndex | string {
  const [name = ''] = type.split(' ')
  switch (name) {
    case 'hash:ip':
    case 'hash:net':
      return indexNetworks(entries, '')
    case 'hash:ip,port':
    case 'hash:net,port':
      return indexNetworks(entries, 'port')
    case 'hash:ip,port,ip':
    case 'hash:ip,port,net':
      return indexTriples(entries)
    case 'bitmap:port':
      return indexPorts(entries)
    default:
      return `sets of the type ${name} are not modelled`
  }
}

/** Networks by family and length, the longest first; in the kernel too the most specific entry decides. */
interface Networks {
  readonly length: number
  readonly family: Family
  /** By ipKey, and port if the set has ports: whether it is in, or taken out (`nomatch`). */
  readonly members: Map<string, boolean>
}

function indexNetworks(entries: readonly string[], second: 'port' | ''): SetIndex | string {
  const lengths = new Map<string, Networks>()
  for (const entry of entries) {
    const [element = '', option] = entry.split(' ')
    const [address = '', port = ''] = second === 'port' ? element.split(',') : [element]
    const network = parseNetwork(address)
    if (network === undefined || (second === 'port' && !/^(tcp|udp|sctp):\d+$/.test(port)))
      return `the set entry "${entry}" is not modelled`
    const { family } = network.address
    const key = `${family}/${network.length}`
    const networks = lengths.get(key) ?? { length: network.length, family, members: new Map() }
    lengths.set(key, networks)
    networks.members.set(`${ipKey(network.address)}|${port}`, option !== 'nomatch')
  }
  const sorted = [...lengths.values()].sort((x, y) => y.length - x.length)
  return {
    holds: ({ sides }, skb) => {
      const ip = sides[0] === 'src' ? skb.packet.src : skb.packet.dst
      const port = second === 'port' ? portText(skb, sides[1] ?? 'dst') : ''
      return port !== undefined && lookUp(sorted, ip, port)
    },
  }
}

/** `10.0.0.1,tcp:80,10.1.0.0/16`: an address, a port, and a network (or address) for the third side. */
function indexTriples(entries: readonly string[]): SetIndex | string {
  const thirds = new Map<string, string[]>()
  for (const entry of entries) {
    const [element = '', option] = entry.split(' ')
    const [address = '', port = '', network = ''] = element.split(',')
    const ip = parseIp(address)
    if (!ip.ok || !/^(tcp|udp|sctp):\d+$/.test(port)) return `the set entry "${entry}" is not modelled`
    const key = `${ipKey(ip.value)}|${port}`
    const list = thirds.get(key) ?? []
    thirds.set(key, list)
    list.push(option === undefined ? network : `${network} ${option}`)
  }
  const indexed = new Map<string, SetIndex>()
  for (const [key, networks] of thirds) {
    const index = indexNetworks(networks, '')
    if (typeof index === 'string') return index
    indexed.set(key, index)
  }
  return {
    holds: (match, skb) => {
      const [first = 'src', second = 'dst', third = 'src'] = match.sides
      const port = portText(skb, second)
      const found = port === undefined ? undefined : indexed.get(`${ipKey(skb.packet[first])}|${port}`)
      return found?.holds({ ...match, sides: [third] }, skb) === true
    },
  }
}

/** bitmap_port_kadt: ports of TCP and UDP, whichever; other protocols have none here. */
function indexPorts(entries: readonly string[]): SetIndex | string {
  const members = new Set<number>()
  for (const entry of entries) {
    const [first, last = first] = entry.split('-').map(Number)
    if (first === undefined || last === undefined || !(last <= 65535) || !(first >= 0))
      return `the set entry "${entry}" is not modelled`
    for (let port = first; port <= last; port++) members.add(port)
  }
  return {
    holds: ({ sides }, { packet }) => {
      const ports = portsOf(packet)
      const protocol = protocolOf(packet)
      if (ports === undefined || (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp)) return false
      return members.has(ports[sides[0] ?? 'dst'])
    },
  }
}

function parseNetwork(text: string): Prefix | undefined {
  const network = text.includes('/') ? parsePrefix(text, 'mask') : undefined
  if (network?.ok === true) return network.value
  const address = parseIp(text)
  return address.ok ? hostPrefix(address.value) : undefined
}

function lookUp(networks: readonly Networks[], ip: Ip, port: string): boolean {
  for (const { family, length, members } of networks) {
    if (family !== ip.family) continue
    const masked = length === bitsOf(family) ? ip : maskIp(ip, length)
    const member = members.get(`${ipKey(masked)}|${port}`)
    if (member !== undefined) return member
  }
  return false
}

const PROTOCOL_TEXT: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.tcp, 'tcp'],
  [PROTOCOL.udp, 'udp'],
  [PROTOCOL.sctp, 'sctp'],
])

function portText({ packet }: IpSkb, side: 'src' | 'dst'): string | undefined {
  const ports = portsOf(packet)
  const protocol = PROTOCOL_TEXT.get(protocolOf(packet))
  return ports === undefined || protocol === undefined ? undefined : `${protocol}:${ports[side]}`
}
