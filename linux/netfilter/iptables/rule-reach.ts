import { ipKey, parseIp } from '../../../packet/ip.ts'
import { type IpPacket, protocolOf } from '../../../packet/packet.ts'
import { portsOf } from '../../../packet/ports.ts'
import { bitsOf } from '../../../packet/prefix.ts'
import type { RuleLine } from '../block.ts'
import type { Match, PortsMatch, Rule } from './rule.ts'

/** What a packet must have for a rule to match it, as far as an index can use it. */
export type Reach =
  /** This destination: ipKey. */
  | { readonly kind: 'destination'; readonly key: number | string }
  /** This protocol and destination port: `portKey`. */
  | { readonly kind: 'port'; readonly key: number }
  | { readonly kind: 'any' }

const ANY: Reach = { kind: 'any' }

/**
 * The rules by which a chain leads to many places, as all of their words in one pattern: whatever has other words is
 * parsed. A target that needs options of its own is not among them without these.
 */
const PLAIN =
  /^(?:-m comment --comment (?:"[^"\\]{0,200}"|[\w./:-]{1,200}) )?(?:-m addrtype --dst-type LOCAL )?(?:-m (?:tcp|udp|sctp) )?-p (tcp|udp|sctp) (?:-m \1 )?(?:-d ([\d.]{7,15}|[\da-f:.]{2,39}) )?--dport (0|[1-9]\d{0,4}) (?:-d ([\d.]{7,15}|[\da-f:.]{2,39}) )?-j (?:REJECT|DROP|ACCEPT|RETURN|REDIRECT --to-ports (?:[1-9]\d{0,3}|[1-5]\d{4})|DNAT --to-destination ([\d.]{7,15}):(?:[1-9]\d{0,3}|[1-5]\d{4})|([\w-]{1,28}))$/

/** Names that are no chains: these have more words, or something to be read of their own. */
const NO_CHAIN = /^[A-Z0-9]+$/

/** The reach of a rule that is not parsed yet; `parse` is asked where the line is not of the plain kind. */
export function reachOf(family: 4 | 6, line: RuleLine, parse: (line: RuleLine) => Rule): Reach {
  return plainReach(family, line.args) ?? reachOfRule(parse(line))
}

function plainReach(family: 4 | 6, args: string): Reach | undefined {
  const words = PLAIN.exec(args)
  if (words === null) return undefined
  const [, protocol = '', before, digits = '', behind, translated, chain] = words
  const port = Number(digits)
  if (port > 65535 || !sameProtocol(args, protocol)) return undefined
  if (chain !== undefined && NO_CHAIN.test(chain)) return undefined
  if (translated !== undefined && (family === 6 || !parseIp(translated).ok)) return undefined
  const destination = before ?? behind
  if (destination === undefined) return { kind: 'port', key: portKey(NUMBERS[protocol as 'tcp'], port) }
  if (before !== undefined && behind !== undefined) return undefined
  const ip = parseIp(destination)
  return ip.ok && ip.value.family === family ? { kind: 'destination', key: ipKey(ip.value) } : undefined
}

const NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const

/** `-m udp -p tcp` is refused by iptables. */
function sameProtocol(args: string, protocol: string): boolean {
  const at = args.indexOf('-p ')
  const head = args.slice(Math.max(0, at - 8), at)
  return !/-m (?:tcp|udp|sctp) $/.test(head) || head.endsWith(`-m ${protocol} `)
}

/** The same of a parsed rule. A linear walk tests the destination before anything that has an effect. */
export function reachOfRule({ destination, protocol, family, matches }: Rule): Reach {
  if (destination !== undefined && !destination.not && destination.prefix.length === bitsOf(family))
    return { kind: 'destination', key: ipKey(destination.prefix.address) }
  if (protocol === undefined || protocol.not) return ANY
  for (const match of matches) {
    const port = lonePort(match)
    if (port !== undefined) return { kind: 'port', key: portKey(protocol.number, port) }
    // What counts or draws before the port is asked for does so for every packet.
    if (hasEffect(match)) return ANY
  }
  return ANY
}

function lonePort(match: Match): number | undefined {
  if (match.kind !== 'tcp' && match.kind !== 'udp' && match.kind !== 'sctp') return undefined
  const { destination }: PortsMatch = match
  return destination === undefined || destination.not || destination.min !== destination.max
    ? undefined
    : destination.min
}

/** A match that changes something, if only that it draws. */
export const hasEffect = (match: Match): boolean =>
  match.kind === 'recent' || match.kind === 'statistic' || match.kind === 'nfacct'

const portKey = (protocol: number, port: number): number => (protocol << 16) | port

/** The rules of a chain that a packet leaves over: those that ask for another destination or port cannot match it. */
export type Candidates = (packet: IpPacket) => readonly number[]

/** Undefined where most rules may match anything. */
export function indexByReach(reaches: readonly Reach[]): Candidates | undefined {
  const byDestination = new Map<number | string, number[]>()
  const byPort = new Map<number, number[]>()
  const others: number[] = []
  for (const [i, reach] of reaches.entries()) {
    if (reach.kind === 'any') others.push(i)
    else if (reach.kind === 'destination') put(byDestination, reach.key, i)
    else put(byPort, reach.key, i)
  }
  if (others.length * 2 > reaches.length) return undefined
  const merged = new Map<readonly number[], Map<readonly number[], readonly number[]>>()
  return (packet) => {
    const to = byDestination.get(ipKey(packet.dst)) ?? NONE
    const at = byPort.size === 0 ? NONE : (byPort.get(packetPort(packet)) ?? NONE)
    if (to === NONE && at === NONE) return others
    const withTo = merged.get(to) ?? new Map<readonly number[], readonly number[]>()
    merged.set(to, withTo)
    let all = withTo.get(at)
    if (all === undefined) {
      all = [...to, ...at, ...others].sort((x, y) => x - y)
      withTo.set(at, all)
    }
    return all
  }
}

const NONE: readonly number[] = []

function packetPort(packet: IpPacket): number {
  const ports = portsOf(packet)
  return ports === undefined ? -1 : portKey(protocolOf(packet), ports.dst)
}

function put<K>(index: Map<K, number[]>, key: K, rule: number): void {
  const known = index.get(key)
  if (known === undefined) index.set(key, [rule])
  else known.push(rule)
}
