import { type Ip, parseIp } from '../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import {
  about,
  argument,
  type Extension,
  flag,
  hasPorts,
  MAX_U32,
  type Options,
  parseMark,
  parsePorts,
  parseUnsigned,
  type RuleContext,
  value,
} from './extension.ts'
import { type NatRange, REJECT_WITH, type RejectWith, type Target } from './rule.ts'

/** What each `-j NAME` reads that is not a chain. Options: iptables-extensions(8), iptables 1.8.9. */
export const TARGETS: Readonly<Record<string, Extension<Target>>> = {
  ACCEPT: { options: {}, read: () => parsed({ kind: 'accept' }) },
  DROP: { options: {}, read: () => parsed({ kind: 'drop' }) },
  RETURN: { options: {}, read: () => parsed({ kind: 'return' }) },
  MARK: {
    options: {
      '--set-mark': value,
      '--set-xmark': value,
      '--and-mark': value,
      '--or-mark': value,
      '--xor-mark': value,
    },
    read: readMark,
  },
  DNAT: {
    options: { '--to-destination': value, '--random': flag, '--persistent': flag },
    read: (given, context) => readAddressNat('dnat', given, context),
  },
  SNAT: {
    options: { '--to-source': value, '--random': flag, '--random-fully': flag, '--persistent': flag },
    read: (given, context) => readAddressNat('snat', given, context),
  },
  MASQUERADE: {
    options: { '--to-ports': value, '--random': flag, '--random-fully': flag },
    read: (given, context) => readPortNat('masquerade', given, context),
  },
  REDIRECT: {
    options: { '--to-ports': value, '--random': flag },
    read: (given, context) => readPortNat('redirect', given, context),
  },
  REJECT: { options: { '--reject-with': value }, read: readReject },
  NOTRACK: { options: {}, read: () => parsed({ kind: 'notrack', spelling: 'NOTRACK' }) },
  CT: {
    options: { '--notrack': flag },
    notModelled: ['--helper', '--ctevents', '--expevents', '--zone', '--zone-orig', '--zone-reply', '--timeout'],
    read: (given) =>
      given.has('--notrack') ? parsed({ kind: 'notrack', spelling: 'CT' }) : refused('-j CT: --notrack must be given'),
  },
}

/** Targets that iptables has and we do not; every other name is a chain. */
export const OTHER_TARGETS: ReadonlySet<string> = new Set(
  `AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK DNPT DSCP ECN HL HMARK IDLETIMER LED LOG NETMAP NFLOG
  NFQUEUE QUEUE RATEEST SECMARK SET SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG`.split(/\s+/),
)

const MARK_OPTIONS = ['--set-mark', '--set-xmark', '--and-mark', '--or-mark', '--xor-mark'] as const

function readMark(given: Options): Parsed<Target> {
  const chosen = MARK_OPTIONS.filter((option) => given.has(option))
  const option = chosen[0]
  if (option === undefined || chosen.length > 1)
    return refused('-j MARK: one of --set-mark, --set-xmark, --and-mark, --or-mark, --xor-mark must be given')
  const text = argument(given, option)
  const masked = option === '--set-mark' || option === '--set-xmark'
  const mark = about(option, masked ? parseMark(text) : wholeMark(text))
  if (!mark.ok) return mark
  const { value, mask } = mark.value
  switch (option) {
    case '--set-mark':
      return parsed({ kind: 'mark', value, mask: (value | mask) >>> 0 })
    case '--set-xmark':
      return parsed({ kind: 'mark', value, mask })
    case '--and-mark':
      return parsed({ kind: 'mark', value: 0, mask: ~value >>> 0 })
    case '--or-mark':
      return parsed({ kind: 'mark', value, mask: value })
    case '--xor-mark':
      return parsed({ kind: 'mark', value, mask: 0 })
  }
}

function wholeMark(text: string): ReturnType<typeof parseMark> {
  const value = parseUnsigned(text, MAX_U32)
  return value.ok ? parsed({ value: value.value, mask: MAX_U32 }) : value
}

function readAddressNat(kind: 'dnat' | 'snat', given: Options, context: RuleContext): Parsed<Target> {
  const [option, name] = kind === 'dnat' ? ['--to-destination', 'DNAT'] : ['--to-source', 'SNAT']
  if (!given.has(option)) return refused(`-j ${name}: ${option} must be given`)
  const text = argument(given, option)
  const { addresses, ports } = splitPorts(text, context)
  if (ports?.includes('/')) return refused(`not modelled: ${option} with a base port (${text})`)
  const addressRange = addresses === '' ? parsed(undefined) : about(option, parseAddresses(addresses, context))
  if (!addressRange.ok) return addressRange
  const portRange = about(option, readNatPorts(ports, context))
  if (!portRange.ok) return portRange
  if (addressRange.value === undefined && portRange.value === undefined)
    return refused(`${option}: neither an address nor a port is given`)
  return parsed({
    kind,
    range: {
      addresses: addressRange.value,
      ports: portRange.value,
      ...randomness(given),
      persistent: given.has('--persistent'),
    },
  })
}

function readPortNat(kind: 'masquerade' | 'redirect', given: Options, context: RuleContext): Parsed<Target> {
  const text = given.has('--to-ports') ? argument(given, '--to-ports') : undefined
  const ports = about('--to-ports', readNatPorts(text, context))
  if (!ports.ok) return ports
  return parsed({ kind, range: { addresses: undefined, ports: ports.value, ...randomness(given), persistent: false } })
}

const randomness = (given: Options): Pick<NatRange, 'random' | 'randomFully'> => ({
  random: given.has('--random'),
  randomFully: given.has('--random-fully'),
})

/** `10.0.0.1-10.0.0.9:80-90`, `[fd00::1-fd00::9]:80`, `fd00::1`, `:80`: the addresses and, after the colon, the ports. */
function splitPorts(text: string, { family }: RuleContext): { addresses: string; ports: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed !== null) return { addresses: bracketed[1] ?? '', ports: bracketed[2] }
  const colon = text.indexOf(':')
  if (colon < 0 || (family === 6 && colon > 0) || text.startsWith('::')) return { addresses: text, ports: undefined }
  return { addresses: text.slice(0, colon), ports: text.slice(colon + 1) }
}

function parseAddresses(text: string, { family }: RuleContext): Parsed<{ readonly min: Ip; readonly max: Ip }> {
  const dash = text.indexOf('-')
  const min = parseIp(dash < 0 ? text : text.slice(0, dash))
  if (!min.ok) return min
  const max = dash < 0 ? min : parseIp(text.slice(dash + 1))
  if (!max.ok) return max
  if (min.value.family !== family || max.value.family !== family) return refused(`"${text}" is of the other family`)
  return parsed({ min: min.value, max: max.value })
}

function readNatPorts(text: string | undefined, { protocol }: RuleContext): Parsed<NatRange['ports']> {
  if (text === undefined) return parsed(undefined)
  if (!hasPorts(protocol)) return refused('a port needs -p tcp, udp, sctp or dccp')
  return parsePorts(text, '-')
}

/** The shorter spellings that the extensions also take. */
const REJECT_ALIASES: Readonly<Record<4 | 6, Readonly<Record<string, RejectWith>>>> = {
  4: {
    'net-unreach': 'icmp-net-unreachable',
    'host-unreach': 'icmp-host-unreachable',
    'proto-unreach': 'icmp-proto-unreachable',
    'port-unreach': 'icmp-port-unreachable',
    'net-prohib': 'icmp-net-prohibited',
    'host-prohib': 'icmp-host-prohibited',
    'tcp-rst': 'tcp-reset',
    'admin-prohib': 'icmp-admin-prohibited',
  },
  6: {
    'no-route': 'icmp6-no-route',
    'adm-prohibited': 'icmp6-adm-prohibited',
    'addr-unreach': 'icmp6-addr-unreachable',
    'port-unreach': 'icmp6-port-unreachable',
    'policy-fail': 'icmp6-policy-fail',
    'reject-route': 'icmp6-reject-route',
  },
}

function readReject(given: Options, { family, protocol }: RuleContext): Parsed<Target> {
  const known: readonly RejectWith[] = REJECT_WITH[family]
  if (!given.has('--reject-with')) return parsed({ kind: 'reject', with: REJECT_WITH[family][0] })
  const text = argument(given, '--reject-with')
  const aliases = REJECT_ALIASES[family]
  const found = known.find((each) => each === text) ?? (Object.hasOwn(aliases, text) ? aliases[text] : undefined)
  if (found === undefined) return refused(`--reject-with: "${text}" is not one of ${known.join(', ')}`)
  if (found === 'tcp-reset' && (protocol?.not !== false || protocol.number !== 6))
    return refused('--reject-with: tcp-reset needs -p tcp')
  return parsed({ kind: 'reject', with: found })
}
