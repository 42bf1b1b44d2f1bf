import { type Family, ipv4, ipv6, parseIp } from '../../../packet/ip.ts'
import { PROTOCOL, TCP_FLAG } from '../../../packet/packet.ts'
import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { parsePrefix } from '../../../packet/prefix.ts'
import {
  about,
  argument,
  type Extension,
  flag,
  hasPorts,
  invertible,
  MAX_U32,
  type OptionShape,
  type Options,
  parseMark,
  parsePorts,
  parseUnsigned,
  type RuleContext,
  value,
} from './extension.ts'
import {
  ADDRESS_TYPES,
  type AddressTest,
  type AddrTypeMatch,
  CONNECTION_STATES,
  type Match,
  type MultiportMatch,
  type PortsMatch,
  type PortTest,
  type ProtocolTest,
  type Range,
  type RecentMatch,
} from './rule.ts'

/** What each `-m NAME` reads. Options and limits: iptables-extensions(8), iptables 1.8.9. */
export const MATCHES: Readonly<Record<string, Extension<Match>>> = {
  comment: {
    options: { '--comment': value },
    read(given) {
      const text = argument(given, '--comment')
      if (!given.has('--comment')) return refused('-m comment: --comment must be given')
      if (text.length > 255) return refused(`--comment: ${text.length} characters are more than 255`)
      return parsed({ kind: 'comment', text })
    },
  },
  addrtype: {
    options: {
      '--src-type': invertible,
      '--dst-type': invertible,
      '--limit-iface-in': flag,
      '--limit-iface-out': flag,
    },
    read: readAddrType,
  },
  mark: {
    options: { '--mark': invertible },
    read(given) {
      const option = given.get('--mark')
      if (option === undefined) return refused('-m mark: --mark must be given')
      const mark = about('--mark', parseMark(option.args[0] ?? ''))
      return mark.ok ? parsed({ kind: 'mark', not: option.not, ...mark.value }) : mark
    },
  },
  conntrack: {
    options: { '--ctstate': invertible },
    notModelled: [
      ...['--ctproto', '--ctorigsrc', '--ctorigdst', '--ctreplsrc', '--ctrepldst', '--ctorigsrcport'],
      ...['--ctorigdstport', '--ctreplsrcport', '--ctrepldstport', '--ctstatus', '--ctexpire', '--ctdir'],
    ],
    read: (given) => readStates(given, 'conntrack', '--ctstate'),
  },
  state: {
    options: { '--state': invertible },
    read: (given) => readStates(given, 'state', '--state'),
  },
  statistic: {
    options: { '--mode': value, '--probability': invertible, '--every': invertible, '--packet': value },
    read: readStatistic,
  },
  recent: {
    options: {
      '--set': { args: 0, not: true },
      '--rcheck': { args: 0, not: true },
      '--update': { args: 0, not: true },
      '--remove': { args: 0, not: true },
      '--seconds': value,
      '--hitcount': value,
      '--reap': flag,
      '--rttl': flag,
      '--name': value,
      '--mask': value,
      '--rsource': flag,
      '--rdest': flag,
    },
    read: readRecent,
  },
  tcp: {
    options: { ...portOptions(), '--tcp-flags': { args: 2, not: true }, '--syn': { args: 0, not: true } },
    notModelled: ['--tcp-option'],
    read: (given, context) => readPorts('tcp', given, context),
  },
  udp: { options: portOptions(), read: (given, context) => readPorts('udp', given, context) },
  sctp: {
    options: portOptions(),
    notModelled: ['--chunk-types'],
    read: (given, context) => readPorts('sctp', given, context),
  },
  icmp: { options: { '--icmp-type': invertible }, read: readIcmp },
  icmp6: { options: { '--icmpv6-type': invertible }, read: readIcmp },
  multiport: {
    options: {
      '--sports': invertible,
      '--source-ports': { ...invertible, as: '--sports' },
      '--dports': invertible,
      '--destination-ports': { ...invertible, as: '--dports' },
      '--ports': invertible,
    },
    read: readMultiport,
  },
  nfacct: {
    options: { '--nfacct-name': value },
    read(given) {
      if (!given.has('--nfacct-name')) return refused('-m nfacct: --nfacct-name must be given')
      return parsed({ kind: 'nfacct', name: argument(given, '--nfacct-name') })
    },
  },
  physdev: {
    options: {
      '--physdev-is-in': { args: 0, not: true },
      '--physdev-is-out': { args: 0, not: true },
      '--physdev-is-bridged': { args: 0, not: true },
      '--physdev-in': invertible,
      '--physdev-out': invertible,
    },
    read: readPhysdev,
  },
  ipvs: {
    options: {
      '--ipvs': { args: 0, not: true },
      '--vproto': invertible,
      '--vaddr': invertible,
      '--vport': invertible,
    },
    notModelled: ['--vdir', '--vmethod', '--vportctl'],
    read: readIpvs,
  },
  set: {
    options: { '--match-set': { args: 2, not: true } },
    notModelled: [
      ...['--return-nomatch', '--update-counters', '--update-subcounters', '--packets-eq', '--packets-lt'],
      ...['--packets-gt', '--bytes-eq', '--bytes-lt', '--bytes-gt'],
    ],
    read: readSet,
  },
}

/** The match that iptables loads by itself when an option of it stands after `-p`. */
export function protocolMatch(protocol: number): string | undefined {
  switch (protocol) {
    case PROTOCOL.tcp:
      return 'tcp'
    case PROTOCOL.udp:
      return 'udp'
    case PROTOCOL.sctp:
      return 'sctp'
    case PROTOCOL.icmp:
      return 'icmp'
    case PROTOCOL.icmpv6:
      return 'icmp6'
    default:
      return undefined
  }
}

function portOptions(): Record<string, OptionShape> {
  return {
    '--sport': invertible,
    '--source-port': { ...invertible, as: '--sport' },
    '--dport': invertible,
    '--destination-port': { ...invertible, as: '--dport' },
  }
}

function readAddrType(given: Options): Parsed<AddrTypeMatch> {
  if (!given.has('--src-type') && !given.has('--dst-type'))
    return refused('-m addrtype: --src-type or --dst-type must be given')
  if (given.has('--limit-iface-in') && given.has('--limit-iface-out'))
    return refused('-m addrtype: --limit-iface-in and --limit-iface-out exclude each other')
  const source = readAddressTypes(given, '--src-type')
  if (!source.ok) return source
  const destination = readAddressTypes(given, '--dst-type')
  if (!destination.ok) return destination
  const limit = given.has('--limit-iface-in') ? 'in' : given.has('--limit-iface-out') ? 'out' : undefined
  return parsed({ kind: 'addrtype', source: source.value, destination: destination.value, limit })
}

function readAddressTypes(given: Options, option: string): Parsed<AddrTypeMatch['source']> {
  const option_ = given.get(option)
  if (option_ === undefined) return parsed(undefined)
  let types = 0
  for (const name of (option_.args[0] ?? '').split(',')) {
    const index = (ADDRESS_TYPES as readonly string[]).indexOf(name.toUpperCase())
    if (index < 0) return refused(`${option}: "${name}" is not an address type`)
    types |= 1 << index
  }
  return parsed({ not: option_.not, types })
}

function readStates(given: Options, spelling: 'conntrack' | 'state', option: string): Parsed<Match> {
  const states = given.get(option)
  if (states === undefined) return refused(`-m ${spelling}: ${option} must be given`)
  const known: Readonly<Record<string, number>> = CONNECTION_STATES
  let bits = 0
  for (const name of (states.args[0] ?? '').split(',')) {
    const bit = Object.hasOwn(known, name.toUpperCase()) ? known[name.toUpperCase()] : undefined
    if (bit === undefined) return refused(`${option}: "${name}" is not a connection state`)
    if (spelling === 'state' && bit > CONNECTION_STATES.UNTRACKED) return refused(`${option}: "${name}" is not a state`)
    bits |= bit
  }
  return parsed({ kind: 'state', spelling, not: states.not, states: bits })
}

function readStatistic(given: Options): Parsed<Match> {
  const mode = argument(given, '--mode')
  if (mode === 'random') {
    const option = given.get('--probability')
    if (option === undefined) return refused('-m statistic: mode random needs --probability')
    const text = option.args[0] ?? ''
    const probability = Number(text)
    if (!/^\d*\.?\d+(e-?\d+)?$/.test(text) || !(probability <= 1))
      return refused(`--probability: "${text}" is not a number from 0 to 1`)
    return parsed({ kind: 'statistic', mode, not: option.not, threshold: Math.round(0x80000000 * probability) })
  }
  if (mode !== 'nth') return refused(`--mode: "${mode}" is neither random nor nth`)
  const option = given.get('--every')
  if (option === undefined || !given.has('--packet'))
    return refused('-m statistic: mode nth needs --every and --packet')
  const every = about('--every', parseUnsigned(option.args[0] ?? '', MAX_U32))
  if (!every.ok) return every
  const packet = about('--packet', parseUnsigned(argument(given, '--packet'), MAX_U32))
  if (!packet.ok) return packet
  if (every.value === 0) return refused('--every: 0 is not allowed')
  if (packet.value >= every.value) return refused(`--packet: ${packet.value} is not below --every ${every.value}`)
  return parsed({ kind: 'statistic', mode, not: option.not, every: every.value, packet: packet.value })
}

const RECENT_ACTIONS = ['set', 'rcheck', 'update', 'remove'] as const

function readRecent(given: Options, { family }: RuleContext): Parsed<RecentMatch> {
  const actions = RECENT_ACTIONS.filter((name) => given.has(`--${name}`))
  const action = actions[0]
  if (action === undefined || actions.length > 1)
    return refused('-m recent: one of --set, --rcheck, --update, --remove must be given')
  const seconds = about(
    '--seconds',
    parseUnsigned(given.has('--seconds') ? argument(given, '--seconds') : '0', MAX_U32),
  )
  if (!seconds.ok) return seconds
  const hitcount = about(
    '--hitcount',
    parseUnsigned(given.has('--hitcount') ? argument(given, '--hitcount') : '0', 255),
  )
  if (!hitcount.ok) return hitcount
  if (given.has('--reap') && !given.has('--seconds')) return refused('-m recent: --reap needs --seconds')
  const checks = action === 'rcheck' || action === 'update'
  if (!checks && (given.has('--seconds') || given.has('--hitcount') || given.has('--rttl')))
    return refused(`-m recent: --${action} takes no --seconds, --hitcount or --rttl`)
  const whole = family === 4 ? ipv4(MAX_U32) : ipv6(MAX_U32, MAX_U32, MAX_U32, MAX_U32)
  const mask = given.has('--mask') ? about('--mask', parseIp(argument(given, '--mask'))) : parsed(whole)
  if (!mask.ok) return mask
  if (mask.value.family !== family) return refused(`--mask: "${argument(given, '--mask')}" is of the other family`)
  return parsed({
    kind: 'recent',
    action,
    not: given.get(`--${action}`)?.not ?? false,
    name: given.has('--name') ? argument(given, '--name') : 'DEFAULT',
    side: given.has('--rdest') ? 'destination' : 'source',
    mask: mask.value,
    seconds: seconds.value,
    hitcount: hitcount.value,
    reap: given.has('--reap'),
    rttl: given.has('--rttl'),
  })
}

function readPorts(kind: PortsMatch['kind'], given: Options, { protocol }: RuleContext): Parsed<PortsMatch> {
  if (protocol === undefined || protocol.not || protocol.number !== PROTOCOL[kind])
    return refused(`-m ${kind}: needs -p ${kind}`)
  const source = readPortTest(given, '--sport')
  if (!source.ok) return source
  const destination = readPortTest(given, '--dport')
  if (!destination.ok) return destination
  const flags = readTcpFlags(given)
  if (!flags.ok) return flags
  return parsed({ kind, source: source.value, destination: destination.value, flags: flags.value })
}

function readPortTest(given: Options, option: string): Parsed<PortTest | undefined> {
  const test = given.get(option)
  if (test === undefined) return parsed(undefined)
  const ports = about(option, parsePorts(test.args[0] ?? '', ':'))
  if (!ports.ok) return ports
  return parsed({ not: test.not, ...ports.value })
}

/** In the order iptables prints them. */
export const TCP_FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] as const

const flagBit = (name: string): number => TCP_FLAG[name.toLowerCase() as keyof typeof TCP_FLAG] ?? 0

function readTcpFlags(given: Options): Parsed<PortsMatch['flags']> {
  const syn = given.get('--syn')
  if (syn !== undefined)
    return parsed({ not: syn.not, mask: TCP_FLAG.fin | TCP_FLAG.syn | TCP_FLAG.rst | TCP_FLAG.ack, set: TCP_FLAG.syn })
  const flags = given.get('--tcp-flags')
  if (flags === undefined) return parsed(undefined)
  const mask = readFlagNames(flags.args[0] ?? '')
  if (!mask.ok) return mask
  const set = readFlagNames(flags.args[1] ?? '')
  return set.ok ? parsed({ not: flags.not, mask: mask.value, set: set.value }) : set
}

function readFlagNames(text: string): Parsed<number> {
  let bits = 0
  for (const name of text.toUpperCase().split(',')) {
    if (name === 'NONE') continue
    else if (name === 'ALL') for (const each of TCP_FLAG_NAMES) bits |= flagBit(each)
    else if ((TCP_FLAG_NAMES as readonly string[]).includes(name)) bits |= flagBit(name)
    else return refused(`--tcp-flags: "${name}" is not a TCP flag`)
  }
  return parsed(bits)
}

/** Type and code of the names in use; iptables prints the numbers. */
const ICMP_NAMES: Readonly<Record<4 | 6, Readonly<Record<string, string>>>> = {
  4: {
    any: '255',
    'echo-reply': '0',
    pong: '0',
    'destination-unreachable': '3',
    'network-unreachable': '3/0',
    'host-unreachable': '3/1',
    'protocol-unreachable': '3/2',
    'port-unreachable': '3/3',
    'fragmentation-needed': '3/4',
    'source-quench': '4',
    redirect: '5',
    'echo-request': '8',
    ping: '8',
    'router-advertisement': '9',
    'router-solicitation': '10',
    'time-exceeded': '11',
    'ttl-exceeded': '11',
    'ttl-zero-during-transit': '11/0',
    'ttl-zero-during-reassembly': '11/1',
    'parameter-problem': '12',
    'timestamp-request': '13',
    'timestamp-reply': '14',
  },
  6: {
    'destination-unreachable': '1',
    'no-route': '1/0',
    'communication-prohibited': '1/1',
    'address-unreachable': '1/3',
    'port-unreachable': '1/4',
    'packet-too-big': '2',
    'time-exceeded': '3',
    'ttl-exceeded': '3',
    'ttl-zero-during-transit': '3/0',
    'ttl-zero-during-reassembly': '3/1',
    'parameter-problem': '4',
    'echo-request': '128',
    ping: '128',
    'echo-reply': '129',
    pong: '129',
    'router-solicitation': '133',
    'router-advertisement': '134',
    'neighbour-solicitation': '135',
    'neighbor-solicitation': '135',
    'neighbour-advertisement': '136',
    'neighbor-advertisement': '136',
    redirect: '137',
  },
}

/** In IPv4 type 255 stands for every type. */
export const ANY_ICMP_TYPE = 255

function readIcmp(given: Options, { family, protocol }: RuleContext): Parsed<Match> {
  const [option, name, number] =
    family === 4 ? ['--icmp-type', 'icmp', PROTOCOL.icmp] : ['--icmpv6-type', 'icmp6', PROTOCOL.icmpv6]
  if (protocol === undefined || protocol.not || protocol.number !== number)
    return refused(`-m ${name}: needs -p ${family === 4 ? 'icmp' : 'icmpv6'}`)
  const test = given.get(option)
  if (test === undefined) return refused(`-m ${name}: ${option} must be given`)
  const text = test.args[0] ?? ''
  const names = ICMP_NAMES[family]
  const numeric = Object.hasOwn(names, text) ? (names[text] ?? text) : text
  const slash = numeric.indexOf('/')
  const type = parseUnsigned(slash < 0 ? numeric : numeric.slice(0, slash), 255)
  const code = slash < 0 ? undefined : parseUnsigned(numeric.slice(slash + 1), 255)
  if (!type.ok || code?.ok === false) return refused(`${option}: "${text}" is not an ICMP type or type/code`)
  const codes: Range = code === undefined ? { min: 0, max: 255 } : { min: code.value, max: code.value }
  return parsed({ kind: 'icmp', not: test.not, type: type.value, codes })
}

const MULTIPORT_OPTIONS = [
  ['--sports', 'source'],
  ['--dports', 'destination'],
  ['--ports', 'either'],
] as const

/** XT_MULTI_PORTS; a range takes two places. */
const MULTIPORT_PLACES = 15

function readMultiport(given: Options, { protocol }: RuleContext): Parsed<MultiportMatch> {
  if (!hasPorts(protocol)) return refused('-m multiport: needs -p tcp, udp, udplite, sctp or dccp')
  const chosen = MULTIPORT_OPTIONS.filter(([option]) => given.has(option))
  const [option, which] = chosen[0] ?? []
  if (option === undefined || which === undefined || chosen.length > 1)
    return refused('-m multiport: one of --sports, --dports, --ports must be given')
  const ports: Range[] = []
  let places = 0
  for (const text of argument(given, option).split(',')) {
    const range = about(option, parsePorts(text, ':'))
    if (!range.ok) return range
    ports.push(range.value)
    places += text.includes(':') ? 2 : 1
  }
  if (places > MULTIPORT_PLACES) return refused(`${option}: more than ${MULTIPORT_PLACES} ports (a range counts twice)`)
  return parsed({ kind: 'multiport', which, not: given.get(option)?.not ?? false, ports })
}

/** IPSET_DIM_MAX. */
const MOST_DIMENSIONS = 3

function readSet(given: Options): Parsed<Match> {
  const option = given.get('--match-set')
  if (option === undefined) return refused('-m set: --match-set must be given')
  const [name = '', flags = ''] = option.args
  const sides = flags.split(',').filter((side) => side === 'src' || side === 'dst')
  if (sides.length !== flags.split(',').length || sides.length > MOST_DIMENSIONS)
    return refused(`--match-set: "${flags}" is not a list of src and dst`)
  return parsed({ kind: 'set', not: option.not, name, sides })
}

function readPhysdev(given: Options): Parsed<Match> {
  if (given.size === 0) return refused('-m physdev: an option must be given')
  const flagOf = (option: string) => given.get(option) && { not: given.get(option)?.not ?? false }
  const linkOf = (option: string) => {
    const found = given.get(option)
    return found && { not: found.not, name: found.args[0] ?? '' }
  }
  return parsed({
    kind: 'physdev',
    isIn: flagOf('--physdev-is-in'),
    isOut: flagOf('--physdev-is-out'),
    isBridged: flagOf('--physdev-is-bridged'),
    in: linkOf('--physdev-in'),
    out: linkOf('--physdev-out'),
  })
}

const VIRTUAL_PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 }

function readIpvs(given: Options, { family }: RuleContext): Parsed<Match> {
  if (given.size === 0) return refused('-m ipvs: an option must be given')
  const property = given.get('--ipvs')
  const protocol = readVirtualProtocol(given)
  if (!protocol.ok) return protocol
  const address = readVirtualAddress(given, family)
  if (!address.ok) return address
  const option = given.get('--vport')
  const port = option === undefined ? undefined : parsePorts(option.args[0] ?? '', ':')
  if (port?.ok === false) return about('--vport', port)
  return parsed({
    kind: 'ipvs',
    property: property && { not: property.not },
    protocol: protocol.value,
    address: address.value,
    port: port === undefined || option === undefined ? undefined : { not: option.not, ...port.value },
  })
}

function readVirtualProtocol(given: Options): Parsed<ProtocolTest | undefined> {
  const option = given.get('--vproto')
  if (option === undefined) return parsed(undefined)
  const text = option.args[0] ?? ''
  const named = Object.hasOwn(VIRTUAL_PROTOCOLS, text) ? VIRTUAL_PROTOCOLS[text] : undefined
  const number = named === undefined ? parseUnsigned(text, 255) : parsed(named)
  return number.ok ? parsed({ not: option.not, number: number.value }) : about('--vproto', number)
}

function readVirtualAddress(given: Options, family: Family): Parsed<AddressTest | undefined> {
  const option = given.get('--vaddr')
  if (option === undefined) return parsed(undefined)
  const text = option.args[0] ?? ''
  const whole = text.includes('/') ? text : `${text}/${family === 4 ? 32 : 128}`
  const prefix = parsePrefix(whole, 'mask')
  if (!prefix.ok) return about('--vaddr', prefix)
  if (prefix.value.address.family !== family) return refused(`--vaddr: "${text}" is of the other family`)
  return parsed({ not: option.not, prefix: prefix.value })
}
