import { type Ip, parseIp } from '../../packet/ip.ts'

import { isDomainName, labelOctets } from '../name.ts'
import { type RecordData, typeCode } from '../record.ts'
import { parseSvcb } from '../svcb.ts'
import type { Token, ZoneLexer } from './lexer.ts'

/** What is wrong, and at which piece: `bad A A`. */
export interface ZoneFault {
  readonly what: string
  readonly at: Token
}

export type Rdata =
  | { readonly kind: 'data'; readonly data: RecordData }
  | { readonly kind: 'fault'; readonly fault: ZoneFault }
  /** A type whose text is not read here. */
  | { readonly kind: 'notModelled' }

const fault = (what: string, at: Token): Rdata => ({ kind: 'fault', fault: { what, at } })
const done = (data: RecordData): Rdata => ({ kind: 'data', data })

/** The data of a record up to the end of its line (miekg/dns scan_rr.go); names are relative to `origin`. */
export function parseRdata(lexer: ZoneLexer, type: string, origin: string): Rdata {
  if (lexer.peek().text === '\\#') return unknownData(lexer, type)
  const fields = FIELDS[type]
  if (fields) return fieldData(lexer, { type, fields, origin })
  switch (type) {
    case 'A':
    case 'AAAA':
      return addressData(lexer, type)
    case 'TXT':
    case 'SPF':
    case 'HINFO':
    case 'CAA':
      return textData(lexer, type)
    case 'DS':
      return dsData(lexer)
    case 'SVCB':
    case 'HTTPS':
      return svcbData(lexer, type, origin)
    default:
      return typeCode(type) !== undefined && !/^TYPE\d/.test(type)
        ? { kind: 'notModelled' }
        : fault('bad RFC3597 Rdata', lexer.next())
  }
}

/** A name made absolute; undefined where it is none. */
export function absoluteName(text: string, origin: string): string | undefined {
  if (text === '@') return origin
  if (!isDomainName(text)) return undefined
  if (/(^|[^\\])(\\\\)*\.$/.test(text)) return text
  return origin === '.' ? `${text}.` : `${text}.${origin}`
}

/** What stands behind the data must be the end of the line. */
export function remainder(lexer: ZoneLexer): ZoneFault | undefined {
  let token = lexer.next()
  if (token.kind === 'blank') token = lexer.next()
  return token.kind === 'newline' || token.kind === 'end' ? undefined : { what: 'garbage after rdata', at: token }
}

function ended(lexer: ZoneLexer, data: RecordData): Rdata {
  const wrong = remainder(lexer)
  return wrong ? { kind: 'fault', fault: wrong } : done(data)
}

function addressData(lexer: ZoneLexer, type: 'A' | 'AAAA'): Rdata {
  const token = lexer.next()
  const ip = parseIp(token.text)
  const isV6 = token.text.includes(':')
  if (!ip.ok || isV6 !== (type === 'AAAA') || token.kind === 'fault') return fault(`bad ${type} ${type}`, token)
  const address: Ip = ip.value
  return ended(lexer, { type, address })
}

type Field =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'number'; readonly name: string; readonly max: number }
  /** Seconds, or with units: `1h30m`. */
  | { readonly kind: 'time'; readonly name: string }

const name = (called: string): Field => ({ kind: 'name', name: called })
const number = (called: string, max = 0xffff): Field => ({ kind: 'number', name: called, max })
const SOA_PARAMETER = 'zone parameter'

/** Types of which every part is one word, as messages name the parts. */
const FIELDS: Readonly<Record<string, readonly Field[]>> = {
  NS: [name('Ns')],
  CNAME: [name('Target')],
  DNAME: [name('Target')],
  PTR: [name('Ptr')],
  MX: [number('Pref'), name('Mx')],
  SRV: [number('Priority'), number('Weight'), number('Port'), name('Target')],
  SOA: [
    name('Ns'),
    name('Mbox'),
    number(SOA_PARAMETER, 0xffffffff),
    { kind: 'time', name: SOA_PARAMETER },
    { kind: 'time', name: SOA_PARAMETER },
    { kind: 'time', name: SOA_PARAMETER },
    { kind: 'time', name: SOA_PARAMETER },
  ],
}

function fieldData(
  lexer: ZoneLexer,
  { type, fields, origin }: { readonly type: string; readonly fields: readonly Field[]; readonly origin: string },
): Rdata {
  const values: (string | number)[] = []
  for (const [i, field] of fields.entries()) {
    if (i > 0) lexer.next()
    const token = lexer.next()
    const value = token.kind === 'fault' ? undefined : fieldValue(field, token.text, origin)
    if (value === undefined) return fault(`bad ${type} ${field.name}`, token)
    values.push(value)
  }
  return ended(lexer, fieldRecord(type, values))
}

function fieldValue(field: Field, text: string, origin: string): string | number | undefined {
  if (field.kind === 'name') return absoluteName(text, origin)
  const plain = /^\d+$/.test(text) ? Number(text) : undefined
  if (field.kind === 'number') return plain !== undefined && plain <= field.max ? plain : undefined
  return plain !== undefined && plain <= 0xffffffff ? plain : seconds(text)
}

function fieldRecord(type: string, values: readonly (string | number)[]): RecordData {
  const text = (i: number) => String(values[i] ?? '.')
  const count = (i: number) => Number(values[i] ?? 0)
  switch (type) {
    case 'MX':
      return { type, preference: count(0), exchange: text(1) }
    case 'SRV':
      return { type, priority: count(0), weight: count(1), port: count(2), target: text(3) }
    case 'SOA':
      return {
        type,
        mname: text(0),
        rname: text(1),
        serial: count(2),
        refresh: count(3),
        retry: count(4),
        expire: count(5),
        minimum: count(6),
      }
    default:
      return { type: type as 'NS' | 'CNAME' | 'DNAME' | 'PTR', target: text(0) }
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }

/** `3600`, `1h30m`: units add up; undefined where it is no time. */
export function seconds(text: string): number | undefined {
  let total = 0
  let current = 0
  for (const character of text.toLowerCase()) {
    const unit = UNITS[character]
    if (unit !== undefined) {
      total += current * unit
      current = 0
    } else if (character >= '0' && character <= '9') current = current * 10 + Number(character)
    else return undefined
  }
  return total + current > 0xffffffff ? undefined : total + current
}

/** Most octets of a character-string. */
const MAX_STRING = 255

function textData(lexer: ZoneLexer, type: 'TXT' | 'SPF' | 'HINFO' | 'CAA'): Rdata {
  if (type === 'CAA') return caaData(lexer)
  const what = type === 'HINFO' ? 'bad HINFO Fields' : `bad ${type} Txt`
  const strings = stringsToEnd(lexer, what)
  if (!('list' in strings)) return strings
  if (type === 'HINFO') {
    const [first = '', ...rest] = strings.list.length === 1 ? (strings.list[0] ?? '').split(/\s+/) : strings.list
    return done({ type, cpu: first, os: rest.join(' ') })
  }
  const octets = strings.list.map((text) => Uint8Array.from(labelOctets(text)))
  if (type === 'TXT') return done({ type, strings: octets })
  const bytes = octets.flatMap((string) => [string.length, ...string])
  return done({ type: 'other', code: typeCode('SPF') ?? 0, bytes: Uint8Array.from(bytes) })
}

function caaData(lexer: ZoneLexer): Rdata {
  const flags = lexer.next()
  if (!/^\d+$/.test(flags.text) || Number(flags.text) > 0xff) return fault('bad CAA Flag', flags)
  lexer.next()
  const tag = lexer.next()
  if (tag.kind !== 'word') return fault('bad CAA Tag', tag)
  lexer.next()
  const value = stringsToEnd(lexer, 'bad CAA Value')
  if (!('list' in value)) return value
  const [only, ...more] = value.list
  if (only === undefined || more.length > 0) return fault('bad CAA Value', tag)
  return done({ type: 'CAA', flags: Number(flags.text), tag: tag.text, value: only })
}

/** Character-strings up to the end of the line; longer ones are cut into several. */
function stringsToEnd(
  lexer: ZoneLexer,
  what: string,
): { readonly list: readonly string[] } | (Rdata & { kind: 'fault' }) {
  const list: string[] = []
  const wrong = (at: Token) => ({ kind: 'fault', fault: { what, at } }) as const
  let quoted = false
  let empty = false
  let token = lexer.next()
  for (; token.kind !== 'newline' && token.kind !== 'end'; token = lexer.next()) {
    switch (token.kind) {
      case 'word':
        empty = false
        list.push(...chunks(token.text))
        break
      case 'blank':
        if (quoted) return wrong(token)
        break
      case 'quote':
        if (empty && quoted) list.push('')
        quoted = !quoted
        empty = true
        break
      default:
        return wrong(token)
    }
  }
  return quoted ? wrong(token) : { list }
}

/** Pieces of at most 255 octets; an escape counts as one. */
function chunks(text: string): readonly string[] {
  const units = text.match(/\\\d{3}|\\.|[^\\]/gs) ?? []
  if (units.length <= MAX_STRING) return [text]
  const pieces: string[] = []
  for (let i = 0; i < units.length; i += MAX_STRING) pieces.push(units.slice(i, i + MAX_STRING).join(''))
  return pieces
}

/** The words of a line, quotes taken together with what they are part of. */
function wordsToEnd(lexer: ZoneLexer): { readonly words: readonly string[]; readonly last: Token } {
  const words: string[] = []
  let word = ''
  let last = lexer.next()
  for (; last.kind !== 'newline' && last.kind !== 'end' && last.kind !== 'fault'; last = lexer.next()) {
    if (last.kind !== 'blank') word += last.text
    else if (word !== '') {
      words.push(word)
      word = ''
    }
  }
  return { words: word === '' ? words : [...words, word], last }
}

function svcbData(lexer: ZoneLexer, type: 'SVCB' | 'HTTPS', origin: string): Rdata {
  const { words, last } = wordsToEnd(lexer)
  const [priority = '', target = '', ...params] = words
  const absolute = absoluteName(target, origin)
  if (!/^\d+$/.test(priority)) return fault('bad SVCB priority', last)
  if (absolute === undefined) return fault('bad SVCB Target', last)
  const bytes = parseSvcb([priority, absolute, ...params])
  return bytes.ok
    ? done({ type: 'other', code: typeCode(type) ?? 0, bytes: bytes.value })
    : fault('bad SVCB value', last)
}

/** Key tag, algorithm, digest type, and the digest in hexadecimal, which may have blanks (RFC 4034 §5.3). */
function dsData(lexer: ZoneLexer): Rdata {
  const { words, last } = wordsToEnd(lexer)
  const [tag = '', algorithm = '', digestType = '', ...parts] = words
  const wrong = [tag, algorithm, digestType].findIndex(
    (text, i) => !/^\d+$/.test(text) || Number(text) > (i === 0 ? 0xffff : 0xff),
  )
  if (wrong >= 0) return fault(`bad DS ${['KeyTag', 'Algorithm', 'DigestType'][wrong]}`, last)
  const digest = parts.join('')
  if (!/^([0-9a-fA-F]{2})*$/.test(digest)) return fault('bad DS Digest', last)
  const number = Number(tag)
  const bytes = Uint8Array.from([
    number >> 8,
    number & 0xff,
    Number(algorithm),
    Number(digestType),
    ...(digest.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)),
  ])
  return done({ type: 'other', code: typeCode('DS') ?? 0, bytes })
}

/** `\# LENGTH HEX` of RFC 3597, for any type. */
function unknownData(lexer: ZoneLexer, type: string): Rdata {
  const { words, last } = wordsToEnd(lexer)
  const [, length = '', ...parts] = words
  const digits = parts.join('')
  if (!/^\d+$/.test(length) || digits.length !== Number(length) * 2 || !/^([0-9a-fA-F]{2})*$/.test(digits))
    return fault('bad RFC3597 Rdata', last)
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  const known = typeCode(type)
  if (known === undefined) return fault('bad RFC3597 Rdata', last)
  return done({ type: 'other', code: known, bytes })
}
