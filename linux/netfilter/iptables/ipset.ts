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
