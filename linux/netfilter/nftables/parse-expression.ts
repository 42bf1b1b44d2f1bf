import { readData } from './data-type.ts'
import type { CtKey, DataType, Expression, Header, MetaKey, PayloadField } from './expression.ts'
import { readSetRef } from './parse-set.ts'
import { type Cursor, next, peek, take, takeNumber } from './tokens.ts'

/** What one header's fields are called, and their types (nft(8), PAYLOAD EXPRESSIONS). */
const FIELDS: Readonly<Record<Header, Partial<Record<PayloadField, DataType>>>> = {
  ip: { saddr: 'ipv4_addr', daddr: 'ipv4_addr', protocol: 'inet_proto', ttl: 'integer' },
  ip6: { saddr: 'ipv6_addr', daddr: 'ipv6_addr' },
  tcp: { sport: 'inet_service', dport: 'inet_service', flags: 'tcp_flag' },
  udp: { sport: 'inet_service', dport: 'inet_service' },
  sctp: { sport: 'inet_service', dport: 'inet_service' },
  th: { sport: 'inet_service', dport: 'inet_service' },
  icmp: { type: 'icmp_type', code: 'integer' },
  icmpv6: { type: 'icmpv6_type', code: 'integer' },
}

const META: Readonly<Record<MetaKey, DataType>> = {
  l4proto: 'inet_proto',
  mark: 'mark',
  // Compared by name: a device that goes and comes back has another index, and the rule no longer matches it.
  iif: 'ifname',
  iifname: 'ifname',
  oifname: 'ifname',
  nfproto: 'nf_proto',
  pkttype: 'pkt_type',
}

/** Keys that may stand without the word `meta`. */
const BARE_META: ReadonlySet<string> = new Set(['mark', 'iif', 'iifname', 'oifname', 'pkttype'])

const CT: Readonly<Record<CtKey, DataType>> = {
  state: 'ct_state',
  status: 'ct_status',
  direction: 'ct_dir',
  mark: 'mark',
}

/** An expression as far as it is one that is emulated; undefined leaves the cursor anywhere. */
export function readExpression(cursor: Cursor): Expression | undefined {
  const first = readPart(cursor)
  if (first === undefined || peek(cursor) !== '.') return first
  const parts = [first]
  while (take(cursor, '.')) {
    const part = readPart(cursor)
    if (part === undefined) return undefined
    parts.push(part)
  }
  return { kind: 'concat', parts }
}

/** The types of an expression, one for each part of a concatenation. */
export function typesOf(expression: Expression): readonly DataType[] {
  return expression.kind === 'concat' ? expression.parts.flatMap(typesOf) : [typeOf(expression)]
}

function typeOf(expression: Exclude<Expression, { kind: 'concat' }>): DataType {
  switch (expression.kind) {
    case 'payload':
    case 'meta':
    case 'ct':
    case 'constant':
      return expression.type
    case 'fib':
      return 'fib_addrtype'
    case 'numgen':
    case 'jhash':
      return 'integer'
    case 'binary':
      return typesOf(expression.left)[0] ?? 'integer'
    case 'map':
      return 'integer'
    default:
      return expression satisfies never
  }
}

function readPart(cursor: Cursor): Expression | undefined {
  const plain = readPlain(cursor)
  return plain === undefined ? undefined : readOperators(cursor, plain)
}

function operatorOf(word: string): '&' | '|' | '^' | undefined {
  switch (word) {
    case '&':
    case 'and':
      return '&'
    case '|':
    case 'or':
      return '|'
    case '^':
    case 'xor':
      return '^'
    default:
      return undefined
  }
}

function readOperators(cursor: Cursor, left: Expression): Expression | undefined {
  const operator = operatorOf(peek(cursor))
  if (operator === undefined) return left
  cursor.at++
  const right = takeNumber(cursor)
  return right === undefined ? undefined : { kind: 'binary', operator, left, right: right >>> 0 }
}

function readPlain(cursor: Cursor): Expression | undefined {
  const word = peek(cursor)
  switch (word) {
    case 'meta':
      cursor.at++
      return readMeta(cursor)
    case 'ct':
      cursor.at++
      return readCt(cursor)
    case 'fib':
      cursor.at++
      return readFib(cursor)
    case 'numgen':
      cursor.at++
      return readNumgen(cursor)
    case 'jhash':
      cursor.at++
      return readHash(cursor)
    default:
      if (BARE_META.has(word)) return readMeta(cursor)
      return Object.hasOwn(FIELDS, word) ? readPayload(cursor, word as Header) : undefined
  }
}

function readPayload(cursor: Cursor, header: Header): Expression | undefined {
  const field = peek(cursor, 1) as PayloadField
  const type = FIELDS[header][field]
  if (type === undefined) return undefined
  cursor.at += 2
  return { kind: 'payload', header, field, type }
}

function readMeta(cursor: Cursor): Expression | undefined {
  const key = next(cursor)
  return Object.hasOwn(META, key) ? { kind: 'meta', key: key as MetaKey, type: META[key as MetaKey] } : undefined
}

function readCt(cursor: Cursor): Expression | undefined {
  const key = next(cursor)
  return Object.hasOwn(CT, key) ? { kind: 'ct', key: key as CtKey, type: CT[key as CtKey] } : undefined
}

/** Only the type of an address is asked for; `oif` and `oifname` are not emulated. */
function readFib(cursor: Cursor): Expression | undefined {
  const of = next(cursor)
  if (of !== 'saddr' && of !== 'daddr') return undefined
  const device = take(cursor, '.', 'iif') ? 'iif' : take(cursor, '.', 'oif') ? 'oif' : undefined
  return take(cursor, 'type') ? { kind: 'fib', of, device } : undefined
}

function readNumgen(cursor: Cursor): Expression | undefined {
  const mode = next(cursor)
  if ((mode !== 'random' && mode !== 'inc') || !take(cursor, 'mod')) return undefined
  const mod = takeNumber(cursor)
  const offset = take(cursor, 'offset') ? takeNumber(cursor) : 0
  return mod === undefined || mod === 0 || offset === undefined ? undefined : { kind: 'numgen', mode, mod, offset }
}

/** What a rule hashes with a seed that nobody wrote down is not known. */
function readHash(cursor: Cursor): Expression | undefined {
  const key = readExpression(cursor)
  if (key === undefined || !take(cursor, 'mod')) return undefined
  const mod = takeNumber(cursor)
  const seed = take(cursor, 'seed') ? takeNumber(cursor) : undefined
  const offset = take(cursor, 'offset') ? takeNumber(cursor) : 0
  if (mod === undefined || mod === 0 || seed === undefined || offset === undefined) return undefined
  return { kind: 'jhash', key, mod, seed, offset }
}

/**
 * What an address, a port or a mark is taken from: an expression, `EXPRESSION map SET`, or a constant of `type`.
 * `valueTypes` are those of the map's values.
 */
export function readValue(
  cursor: Cursor,
  { type, valueTypes }: { readonly type: DataType; readonly valueTypes: readonly DataType[] },
): Expression | undefined {
  const data = readData(type, peek(cursor))
  if (data !== undefined) {
    cursor.at++
    return { kind: 'constant', data, type }
  }
  const key = readExpression(cursor)
  if (key === undefined || !take(cursor, 'map')) return key
  const map = readSetRef(cursor, { types: typesOf(key), values: valueTypes })
  return map === undefined ? undefined : { kind: 'map', key, map }
}
