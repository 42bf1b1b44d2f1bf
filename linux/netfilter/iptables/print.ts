import { type Family, formatIp } from '../../../packet/ip.ts'
import { TCP_FLAG } from '../../../packet/packet.ts'
import { formatPrefix } from '../../../packet/prefix.ts'
import { ANY_ICMP_TYPE, TCP_FLAG_NAMES } from './matches.ts'
import {
  ADDRESS_TYPES,
  type AddrTypeMatch,
  CONNECTION_STATES,
  type IpvsMatch,
  type LinkTest,
  type Match,
  type MultiportMatch,
  type NatRange,
  type PhysdevMatch,
  type PortsMatch,
  type PortTest,
  PROTOCOL_NAMES,
  type Range,
  type RecentMatch,
  type RuleSpec,
  type StatisticMatch,
  type Target,
} from './rule.ts'
import { quoteWord } from './words.ts'

/**
 * A rule as iptables-save of iptables 1.8.9 prints it after `-A CHAIN `: header tests in the kernel's order, matches
 * in the order given, target last.
 */
export function printRule(family: Family, rule: RuleSpec): string {
  const parts: string[] = []
  if (rule.source !== undefined) parts.push(`${not(rule.source)}-s ${formatPrefix(rule.source.prefix)}`)
  if (rule.destination !== undefined) parts.push(`${not(rule.destination)}-d ${formatPrefix(rule.destination.prefix)}`)
  if (rule.in !== undefined) parts.push(printLink('-i', rule.in))
  if (rule.out !== undefined) parts.push(printLink('-o', rule.out))
  if (rule.protocol !== undefined) {
    const { number } = rule.protocol
    parts.push(`${not(rule.protocol)}-p ${PROTOCOL_NAMES.get(number) ?? number}`)
  }
  if (rule.fragments !== undefined) parts.push(`${not(rule.fragments)}-f`)
  for (const match of rule.matches) parts.push(printMatch(family, match))
  if (rule.target !== undefined) parts.push(printTarget(rule.target))
  return parts.join(' ')
}

const not = (test: { readonly not: boolean }): string => (test.not ? '! ' : '')

const printLink = (option: string, test: LinkTest): string => `${not(test)}${option} ${test.name}`

/** One match with its `-m`. */
export function printMatch(family: Family, match: Match): string {
  switch (match.kind) {
    case 'comment':
      return `-m comment --comment ${quoteWord(match.text)}`
    case 'addrtype':
      return printAddrType(match)
    case 'mark':
      return `-m mark ${not(match)}--mark ${hex(match.value)}${match.mask === 0xffffffff ? '' : `/${hex(match.mask)}`}`
    case 'state': {
      const names = Object.entries(CONNECTION_STATES).filter(([, bit]) => (match.states & bit) !== 0)
      const option = match.spelling === 'conntrack' ? '--ctstate' : '--state'
      return `-m ${match.spelling} ${not(match)}${option} ${names.map(([name]) => name).join(',')}`
    }
    case 'statistic':
      return printStatistic(match)
    case 'recent':
      return printRecent(match)
    case 'tcp':
    case 'udp':
    case 'sctp':
      return printPorts(match)
    case 'icmp': {
      const [name, option] = family === 4 ? ['icmp', '--icmp-type'] : ['icmp6', '--icmpv6-type']
      const any = family === 4 && match.type === ANY_ICMP_TYPE && match.codes.min !== match.codes.max
      const code = match.codes.min === match.codes.max ? `/${match.codes.min}` : ''
      return `-m ${name} ${not(match)}${option} ${any ? 'any' : `${match.type}${code}`}`
    }
    case 'multiport':
      return printMultiport(match)
    case 'nfacct':
      // Two blanks: the extension prints one of its own before the name.
      return `-m nfacct --nfacct-name  ${match.name}`
    case 'set':
      return `-m set ${not(match)}--match-set ${match.name} ${match.sides.join(',')}`
    case 'physdev':
      return printPhysdev(match)
    case 'ipvs':
      return printIpvs(match)
    case 'notModelled':
      return match.text
  }
}

function printPhysdev(match: PhysdevMatch): string {
  const parts = ['-m physdev']
  if (match.isIn !== undefined) parts.push(`${not(match.isIn)}--physdev-is-in`)
  if (match.in !== undefined) parts.push(printLink('--physdev-in', match.in))
  if (match.isOut !== undefined) parts.push(`${not(match.isOut)}--physdev-is-out`)
  if (match.out !== undefined) parts.push(printLink('--physdev-out', match.out))
  if (match.isBridged !== undefined) parts.push(`${not(match.isBridged)}--physdev-is-bridged`)
  return parts.join(' ')
}

/** ipvs_mt_save of libxt_ipvs.c: the protocol by its number, a whole address without its length. */
function printIpvs({ property, protocol, address, port }: IpvsMatch): string {
  const parts = ['-m ipvs']
  if (property !== undefined) parts.push(`${not(property)}--ipvs`)
  if (protocol !== undefined) parts.push(`${not(protocol)}--vproto ${protocol.number}`)
  if (address !== undefined) {
    const { prefix } = address
    const whole = prefix.length === (prefix.address.family === 4 ? 32 : 128)
    parts.push(`${not(address)}--vaddr ${whole ? formatIp(prefix.address) : formatPrefix(prefix)}`)
  }
  if (port !== undefined) parts.push(`${not(port)}--vport ${port.min}`)
  return parts.join(' ')
}

const hex = (value: number): string => `0x${value.toString(16)}`

function printAddrType(match: AddrTypeMatch): string {
  const parts = ['-m addrtype']
  if (match.source !== undefined) parts.push(`${not(match.source)}--src-type ${printTypes(match.source.types)}`)
  if (match.destination !== undefined)
    parts.push(`${not(match.destination)}--dst-type ${printTypes(match.destination.types)}`)
  if (match.limit !== undefined) parts.push(`--limit-iface-${match.limit}`)
  return parts.join(' ')
}

const printTypes = (types: number): string => ADDRESS_TYPES.filter((_, index) => (types & (1 << index)) !== 0).join(',')

function printStatistic(match: StatisticMatch): string {
  if (match.mode === 'random')
    return `-m statistic --mode random ${not(match)}--probability ${printProbability(match.threshold)}`
  return `-m statistic --mode nth ${not(match)}--every ${match.every} --packet ${match.packet}`
}

/** `%.11f` of threshold / 2^31, exactly: a tie goes to the even digit, as in printf(3). */
function printProbability(threshold: number): string {
  const scaled = BigInt(threshold) * 100_000_000_000n
  const half = 1n << 30n
  const rest = scaled & ((1n << 31n) - 1n)
  const floor = scaled >> 31n
  const digits = rest > half || (rest === half && floor % 2n === 1n) ? floor + 1n : floor
  const text = digits.toString().padStart(12, '0')
  return `${text.slice(0, -11)}.${text.slice(-11)}`
}

function printRecent(match: RecentMatch): string {
  const parts = ['-m recent', `${not(match)}--${match.action}`]
  if (match.seconds !== 0) parts.push(`--seconds ${match.seconds}`)
  if (match.reap) parts.push('--reap')
  if (match.hitcount !== 0) parts.push(`--hitcount ${match.hitcount}`)
  if (match.rttl) parts.push('--rttl')
  parts.push(`--name ${match.name}`, `--mask ${formatIp(match.mask)}`)
  parts.push(match.side === 'source' ? '--rsource' : '--rdest')
  return parts.join(' ')
}

function printPorts(match: PortsMatch): string {
  const parts = [`-m ${match.kind}`]
  printPortTest(parts, '--sport', match.source)
  printPortTest(parts, '--dport', match.destination)
  const flags = match.flags
  if (flags !== undefined && (flags.not || flags.mask !== 0 || flags.set !== 0))
    parts.push(`${not(flags)}--tcp-flags ${printFlags(flags.mask)} ${printFlags(flags.set)}`)
  return parts.join(' ')
}

function printPortTest(parts: string[], option: string, test: PortTest | undefined): void {
  if (test === undefined || (!test.not && test.min === 0 && test.max === 65535)) return
  parts.push(`${not(test)}${option} ${printRange(test, ':')}`)
}

const printRange = (range: Range, separator: string): string =>
  range.min === range.max ? `${range.min}` : `${range.min}${separator}${range.max}`

function printFlags(bits: number): string {
  const names = TCP_FLAG_NAMES.filter((name) => (bits & TCP_FLAG[name.toLowerCase() as Lowercase<typeof name>]) !== 0)
  return names.length === 0 ? 'NONE' : names.join(',')
}

const MULTIPORT_OPTION = { source: '--sports', destination: '--dports', either: '--ports' } as const

function printMultiport(match: MultiportMatch): string {
  const ports = match.ports.map((range) => printRange(range, ':')).join(',')
  return `-m multiport ${not(match)}${MULTIPORT_OPTION[match.which]} ${ports}`
}

function printTarget(target: Target): string {
  switch (target.kind) {
    case 'accept':
      return '-j ACCEPT'
    case 'drop':
      return '-j DROP'
    case 'return':
      return '-j RETURN'
    case 'jump':
      return `-j ${target.chain}`
    case 'goto':
      return `-g ${target.chain}`
    case 'mark':
      return `-j MARK --set-xmark ${hex(target.value)}/${hex(target.mask)}`
    case 'dnat':
      return `-j DNAT --to-destination ${printNatTo(target.range)}${printRandomness(target.range)}`
    case 'snat':
      return `-j SNAT --to-source ${printNatTo(target.range)}${printRandomness(target.range)}`
    case 'masquerade':
    case 'redirect': {
      const ports = target.range.ports === undefined ? '' : ` --to-ports ${printRange(target.range.ports, '-')}`
      return `-j ${target.kind.toUpperCase()}${ports}${printRandomness(target.range)}`
    }
    case 'reject':
      return `-j REJECT --reject-with ${target.with}`
    case 'notrack':
      return target.spelling === 'CT' ? '-j CT --notrack' : '-j NOTRACK'
    case 'notModelled':
      return target.text
  }
}

function printNatTo({ addresses, ports }: NatRange): string {
  const port = ports === undefined ? '' : `:${printRange(ports, '-')}`
  if (addresses === undefined) return port
  const min = formatIp(addresses.min)
  const max = formatIp(addresses.max)
  const text = min === max ? min : `${min}-${max}`
  return addresses.min.family === 6 && ports !== undefined ? `[${text}]${port}` : `${text}${port}`
}

function printRandomness(range: NatRange): string {
  return `${range.random ? ' --random' : ''}${range.randomFully ? ' --random-fully' : ''}${range.persistent ? ' --persistent' : ''}`
}
