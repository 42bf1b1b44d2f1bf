import { parseIp } from '../../../packet/ip.ts'
import type { RejectWith } from '../iptables/rule.ts'
import { isFlags, readData } from './data-type.ts'
import type { Comparison, DataType, Expression, NatStatement, NftRuleSpec, Statement } from './expression.ts'
import type { NftFamily } from './object.ts'
import { readExpression, readValue, typesOf } from './parse-expression.ts'
import { readLimit, readLog, readQuota } from './parse-metering.ts'
import { readOperand, readSetRef, readVerdict } from './parse-set.ts'
import { atEnd, type Cursor, next, openCursor, peek, peekQuoted, rest, take, takeNumber } from './tokens.ts'

/**
 * A rule from the text that nft is given or lists. What is not emulated, or cannot be read, is kept from there on as
 * one statement: the walk stops when it comes to it.
 */
export function readNftRule(family: NftFamily, text: string): NftRuleSpec {
  const cursor = openCursor(text)
  if (cursor === undefined) return { statements: [{ kind: 'notModelled', text }], comment: undefined }
  const statements: Statement[] = []
  while (!atEnd(cursor)) {
    const comment = readComment(cursor)
    if (comment !== undefined) return { statements, comment }
    const start = cursor.at
    const statement = readStatement(family, cursor)
    if (statement === undefined) {
      cursor.at = start
      statements.push({ kind: 'notModelled', text: rest(cursor) })
      break
    }
    statements.push(statement)
  }
  return { statements, comment: undefined }
}

/** `comment "..."` stands last. */
function readComment(cursor: Cursor): string | undefined {
  return peek(cursor) === 'comment' && cursor.at + 2 === cursor.words.length ? peekQuoted(cursor, 1) : undefined
}

function readStatement(family: NftFamily, cursor: Cursor): Statement | undefined {
  switch (peek(cursor)) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'jump':
    case 'goto': {
      const verdict = readVerdict(cursor)
      return verdict === undefined ? undefined : { kind: 'verdict', verdict }
    }
    case 'counter':
      return readCounter(cursor)
    case 'notrack':
      cursor.at++
      return { kind: 'notrack' }
    case 'limit':
      cursor.at++
      return readLimit(cursor)
    case 'quota':
      cursor.at++
      return readQuota(cursor)
    case 'log':
      cursor.at++
      return readLog(cursor)
    case 'reject':
      cursor.at++
      return readReject(family, cursor)
    case 'dnat':
    case 'snat':
      return readNat(family, cursor)
    case 'masquerade':
    case 'redirect':
      return readOwnNat(cursor)
    case 'add':
    case 'update':
    case 'delete':
      return readUpdate(cursor)
    default:
      if (take(cursor, 'meta', 'mark', 'set') || take(cursor, 'mark', 'set')) return readMark(cursor, 'mark')
      if (take(cursor, 'ct', 'mark', 'set')) return readMark(cursor, 'ctMark')
      return take(cursor, 'meta', 'nftrace', 'set') ? readTrace(cursor) : readMatch(cursor)
  }
}

function readCounter(cursor: Cursor): Statement | undefined {
  cursor.at++
  if (!take(cursor, 'packets')) return { kind: 'counter', packets: 0, bytes: 0 }
  const packets = takeNumber(cursor)
  const bytes = take(cursor, 'bytes') ? takeNumber(cursor) : undefined
  return packets === undefined || bytes === undefined ? undefined : { kind: 'counter', packets, bytes }
}

/** `[meta] mark set EXPRESSION`, `ct mark set EXPRESSION`. */
function readMark(cursor: Cursor, kind: 'mark' | 'ctMark'): Statement | undefined {
  const value = readValue(cursor, { type: 'mark', valueTypes: ['mark'] })
  return value === undefined ? undefined : { kind, value }
}

function readTrace(cursor: Cursor): Statement | undefined {
  const on = takeNumber(cursor)
  return on === undefined ? undefined : { kind: 'nftrace', on }
}

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '>', '<=', '>='])

/** `EXPRESSION [COMPARISON] VALUE|SET`, or `EXPRESSION vmap MAP`. */
function readMatch(cursor: Cursor): Statement | undefined {
  const left = readExpression(cursor)
  if (left === undefined) return undefined
  const types = typesOf(left)
  if (take(cursor, 'vmap')) {
    const map = readSetRef(cursor, { types, values: 'verdict' })
    return map === undefined ? undefined : { kind: 'vmap', key: left, map }
  }
  const written = COMPARISONS.has(peek(cursor)) ? (next(cursor) as Comparison) : undefined
  const comparison = written ?? '=='
  const word = peek(cursor)
  if (word === '{' || word.startsWith('@')) {
    const set = readSetRef(cursor, { types, values: undefined })
    if (set === undefined || (comparison !== '==' && comparison !== '!=')) return undefined
    const lone = set.kind === 'anonymous' && writtenAlone(cursor) ? set.elements[0]?.key : undefined
    if (lone?.length !== 1 || lone[0] === undefined) return { kind: 'lookup', left, not: comparison === '!=', set }
    return { kind: 'match', left, comparison, right: lone[0], anyBit: false }
  }
  const [type] = types
  if (types.length !== 1 || type === undefined) return undefined
  return readComparison(cursor, { left, type, written })
}

/** Whether the set that was just read was written with one element: nft makes a plain comparison of it. */
function writtenAlone(cursor: Cursor): boolean {
  let at = cursor.at - 2
  while (at >= 0 && cursor.words[at] !== '{') if (cursor.words[at--] === ',') return false
  return true
}

function readComparison(
  cursor: Cursor,
  { left, type, written }: { left: Expression; type: DataType; written: Comparison | undefined },
): Statement | undefined {
  const comparison = written ?? '=='
  if (isFlags(type)) {
    const bits = readFlags(cursor, type)
    if (bits === undefined) return undefined
    // `tcp flags syn,ack` and `ct state new` ask for any of the bits; `!=` for none; `==` for just these.
    const anyBit = written === undefined || (written === '!=' && type !== 'tcp_flag')
    return { kind: 'match', left, comparison, right: { kind: 'value', data: bits }, anyBit }
  }
  if (type === 'mark' && take(cursor, HIGHEST_BIT)) {
    const tested: Expression = { kind: 'binary', operator: '&', left, right: 0x80000000 }
    return { kind: 'match', left: tested, comparison, right: { kind: 'value', data: 0 }, anyBit: false }
  }
  const right = readOperand(cursor, type)
  return right === undefined ? undefined : { kind: 'match', left, comparison, right, anyBit: false }
}

/** How nft 1.0.6 lists a test of bit 31: as if the mark were an address. */
const HIGHEST_BIT = '0x00000000/1'

function readFlags(cursor: Cursor, type: DataType): number | undefined {
  let bits = 0
  do {
    const bit = readData(type, next(cursor))
    if (typeof bit !== 'number') return undefined
    bits |= bit
  } while (take(cursor, ','))
  return bits
}

/** Of each family, under the names that nft has for the ICMP codes; the iptables name says the same. */
const REJECT: Readonly<Record<'icmp' | 'icmpv6', Readonly<Record<string, RejectWith>>>> = {
  icmp: {
    'net-unreachable': 'icmp-net-unreachable',
    'host-unreachable': 'icmp-host-unreachable',
    'prot-unreachable': 'icmp-proto-unreachable',
    'port-unreachable': 'icmp-port-unreachable',
    'net-prohibited': 'icmp-net-prohibited',
    'host-prohibited': 'icmp-host-prohibited',
    'admin-prohibited': 'icmp-admin-prohibited',
  },
  icmpv6: {
    'no-route': 'icmp6-no-route',
    'admin-prohibited': 'icmp6-adm-prohibited',
    'addr-unreachable': 'icmp6-addr-unreachable',
    'port-unreachable': 'icmp6-port-unreachable',
    'policy-fail': 'icmp6-policy-fail',
    'reject-route': 'icmp6-reject-route',
  },
}

/** The codes for both families at once (nf_tables_core.c nft_reject_icmp_code, nft_reject_icmpv6_code). */
const REJECT_BOTH: Readonly<Record<string, Readonly<Record<4 | 6, RejectWith>>>> = {
  'port-unreachable': { 4: 'icmp-port-unreachable', 6: 'icmp6-port-unreachable' },
  'admin-prohibited': { 4: 'icmp-admin-prohibited', 6: 'icmp6-adm-prohibited' },
  'no-route': { 4: 'icmp-net-unreachable', 6: 'icmp6-no-route' },
  'host-unreachable': { 4: 'icmp-host-unreachable', 6: 'icmp6-addr-unreachable' },
}

const PORT_UNREACHABLE = { 4: 'icmp-port-unreachable', 6: 'icmp6-port-unreachable' } as const
const TCP_RESET = { 4: 'tcp-reset', 6: 'tcp-reset' } as const

function readReject(family: NftFamily, cursor: Cursor): Statement | undefined {
  if (!take(cursor, 'with')) return { kind: 'reject', how: '', with: PORT_UNREACHABLE }
  if (take(cursor, 'tcp', 'reset')) return { kind: 'reject', how: 'tcp reset', with: TCP_RESET }
  const protocol = next(cursor)
  take(cursor, 'type')
  const code = next(cursor)
  // Each family's default is listed without its name.
  const own = protocol === (family === 'ip' ? 'icmp' : family === 'ip6' ? 'icmpv6' : 'icmpx')
  const how = own && code === 'port-unreachable' ? '' : `${protocol} ${code}`
  if (protocol === 'icmpx') {
    const both = REJECT_BOTH[code]
    return both === undefined ? undefined : { kind: 'reject', how, with: both }
  }
  if (protocol !== 'icmp' && protocol !== 'icmpv6') return undefined
  const name = REJECT[protocol][code]
  return name === undefined ? undefined : { kind: 'reject', how, with: { 4: name, 6: name } }
}

const PORT_TYPE = 'inet_service'

/** `dnat [ip|ip6] [addr . port] to ADDRESS[:PORT] [FLAGS]`. */
function readNat(family: NftFamily, cursor: Cursor): Statement | undefined {
  const kind = next(cursor) as 'dnat' | 'snat'
  const named = peek(cursor) === 'ip' || peek(cursor) === 'ip6' ? next(cursor) : undefined
  const six = (named ?? family) === 'ip6'
  const addressAndPort = take(cursor, 'addr', '.', 'port')
  if (!take(cursor, 'to')) return undefined
  const plain = readAddressAndPort(peek(cursor))
  if (plain !== undefined) {
    cursor.at++
    return readNatFlags(cursor, { kind, addressAndPort: false, ...plain })
  }
  const type = six ? 'ipv6_addr' : 'ipv4_addr'
  const start = cursor.at
  const pair = readValue(cursor, { type, valueTypes: [type, PORT_TYPE] })
  // nft 1.0.6 lists `ip addr . port to` as `ip to`: only the values of the map tell.
  if (pair?.kind === 'map' && (addressAndPort || named !== undefined) && pair.map.kind === 'anonymous')
    return readNatFlags(cursor, { kind, addressAndPort: true, address: pair, ports: undefined })
  if (addressAndPort && pair?.kind === 'map')
    return readNatFlags(cursor, { kind, addressAndPort, address: pair, ports: undefined })
  cursor.at = start
  const address = readValue(cursor, { type, valueTypes: [type] })
  if (address === undefined) return undefined
  return readNatFlags(cursor, { kind, addressAndPort: false, address, ports: undefined })
}

type NatTarget = Pick<NatStatement, 'address' | 'ports'>

/** `10.0.0.1`, `10.0.0.1:80`, `10.0.0.1-10.0.0.5:80-90`, `fd00::1`, `[fd00::1]:80`, `[fd00::1]-[fd00::5]:80-90`. */
function readAddressAndPort(text: string): NatTarget | undefined {
  if (!/^[[\da-f:]/i.test(text)) return undefined
  const match = PLAIN.exec(text) ?? BRACKETED.exec(text)
  if (match === null) return undefined
  const [, low = '', high = low, first, second] = match
  const [min, max] = [parseIp(low), parseIp(high)]
  if (!min.ok || !max.ok) return undefined
  const address = { kind: 'addresses', min: min.value, max: max.value } as const
  return { address, ports: first === undefined ? undefined : { min: Number(first), max: Number(second ?? first) } }
}

/** An IPv6 address stands in brackets where a port follows. */
const PLAIN =
  /^([0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*?)(?:-([0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*?))?(?:(?<=\.\d+):(\d+)(?:-(\d+))?)?$/i
const BRACKETED = /^\[([^\]]+)\](?:-\[([^\]]+)\])?(?::(\d+)(?:-(\d+))?)?$/

/** `masquerade [to :PORTS] [FLAGS]`, `redirect [to :PORTS] [FLAGS]`. */
function readOwnNat(cursor: Cursor): Statement | undefined {
  const kind = next(cursor) as 'masquerade' | 'redirect'
  let ports: NatStatement['ports']
  if (take(cursor, 'to')) {
    const match = /^:(\d+)(?:-(\d+))?$/.exec(next(cursor))
    if (match === null) return undefined
    ports = { min: Number(match[1]), max: Number(match[2] ?? match[1]) }
  }
  return readNatFlags(cursor, { kind, addressAndPort: false, address: undefined, ports })
}

const NAT_FLAGS: ReadonlySet<string> = new Set(['random', 'fully-random', 'persistent'])

function readNatFlags(
  cursor: Cursor,
  target: Omit<NatStatement, 'random' | 'fullyRandom' | 'persistent'>,
): NatStatement {
  const flags: string[] = []
  while (NAT_FLAGS.has(peek(cursor))) {
    flags.push(next(cursor))
    if (!take(cursor, ',')) break
  }
  const { kind, addressAndPort, address, ports } = target
  return {
    kind,
    addressAndPort,
    address,
    ports,
    random: flags.includes('random'),
    fullyRandom: flags.includes('fully-random'),
    persistent: flags.includes('persistent'),
  }
}

/** `update @SET { KEY [timeout 5s] }`. */
function readUpdate(cursor: Cursor): Statement | undefined {
  const action = next(cursor) as 'add' | 'update' | 'delete'
  const set = next(cursor)
  if (!set.startsWith('@') || !take(cursor, '{')) return undefined
  const key = readExpression(cursor)
  if (key === undefined) return undefined
  const timeout = take(cursor, 'timeout') ? parseDuration(next(cursor)) : undefined
  return take(cursor, '}') ? { kind: 'update', action, set: set.slice(1), key, timeout } : undefined
}

const UNITS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const

/** `1d2h3m4s` in seconds. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+[dhms])+$/.test(text)) return undefined
  let seconds = 0
  for (const [, digits, unit] of text.matchAll(/(\d+)([dhms])/g)) seconds += Number(digits) * UNITS[unit as 'd']
  return seconds
}

/** Seconds as nft lists them: `1h30m`. */
export function formatDuration(seconds: number): string {
  let left = seconds
  let text = ''
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text === '' ? '0s' : text
}
