import { formatIp, parseIp } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { checkName, fqdn } from './name.ts'
import { classCode, type RecordData, type ResourceRecord, typeCode, typeOf } from './record.ts'
import { parseSvcb, svcbText } from './svcb.ts'

/** A record on one line, as zone files and dig have it, with single spaces: `web. 30 IN A 10.96.0.1`. */
export const recordText = (record: ResourceRecord): string =>
  `${record.name} ${record.ttl} ${record.class} ${typeOf(record)} ${dataText(record)}`

/** The data of a record in presentation form; of a type that is not taken apart as RFC 3597 §5 says. */
export function dataText(data: RecordData): string {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      return formatIp(data.address)
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
      return data.target
    case 'SOA':
      return `${data.mname} ${data.rname} ${data.serial} ${data.refresh} ${data.retry} ${data.expire} ${data.minimum}`
    case 'SRV':
      return `${data.priority} ${data.weight} ${data.port} ${data.target}`
    case 'MX':
      return `${data.preference} ${data.exchange}`
    case 'TXT':
      return data.strings.map(quoted).join(' ')
    case 'HINFO':
      return `${quoted(new TextEncoder().encode(data.cpu))} ${quoted(new TextEncoder().encode(data.os))}`
    case 'CAA':
      return `${data.flags} ${data.tag} ${quoted(new TextEncoder().encode(data.value))}`
    case 'other': {
      const svcb = data.code === SVCB || data.code === HTTPS ? svcbText(data.bytes) : undefined
      if (svcb !== undefined) return svcb
      if (data.code === DS && data.bytes.length >= 4) return dsText(data.bytes)
      return `\\# ${data.bytes.length} ${hex(data.bytes)}`.trimEnd()
    }
  }
}

const DS = 43
const SVCB = 64
const HTTPS = 65

/** Key tag, algorithm, digest type, digest (RFC 4034 §5.3). */
function dsText(bytes: Uint8Array): string {
  const [high = 0, low = 0, algorithm, digestType] = bytes
  return `${(high << 8) | low} ${algorithm} ${digestType} ${hex(bytes.subarray(4)).toUpperCase()}`
}

/** A character-string between quotes; what does not print is `\DDD`. */
export function quoted(octets: Uint8Array): string {
  let text = ''
  for (const octet of octets) {
    if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`
    else if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, '0')}`
    else text += String.fromCharCode(octet)
  }
  return `"${text}"`
}

const hex = (bytes: Uint8Array): string => [...bytes].map((octet) => octet.toString(16).padStart(2, '0')).join('')

/** TTL of a record that names none. */
const DEFAULT_TTL = 3600

/**
 * Reads one line of a zone file: `NAME [TTL] [CLASS] TYPE DATA` (RFC 1035 §5.1), names relative to `origin`. Directives
 * and records over several lines are not read.
 */
export function parseRecord(line: string, origin = '.'): Parsed<ResourceRecord> {
  const words = wordsOf(line)
  const owner = words.shift()
  if (owner === undefined) return refused('the line is empty')
  const name = absolute(owner.text, origin)
  const checked = checkName(name)
  if (!checked.ok) return checked
  let ttl = DEFAULT_TTL
  let cls = 'IN'
  for (let word = words[0]; word; word = words[0]) {
    if (/^\d+$/.test(word.text)) ttl = Number(word.text)
    else if (classCode(word.text.toUpperCase()) !== undefined && typeCode(word.text.toUpperCase()) === undefined)
      cls = word.text.toUpperCase()
    else break
    words.shift()
  }
  const type = words.shift()?.text.toUpperCase() ?? ''
  const data = parseData(type, words, origin)
  return data.ok ? parsed({ name, ttl, class: cls, ...data.value }) : refused(`${name} ${type}: ${data.reason}`)
}

interface Word {
  readonly text: string
  readonly quoted: boolean
}

/** Words of a line up to a comment; `"..."` is one word. */
function wordsOf(line: string): Word[] {
  const words: Word[] = []
  for (const match of line.matchAll(/"((?:\\.|[^"\\])*)"|([^\s";]+(?:"[^"]*")?)|(;.*)/g)) {
    if (match[3] !== undefined) break
    words.push(match[1] === undefined ? { text: match[2] ?? '', quoted: false } : { text: match[1], quoted: true })
  }
  return words
}

const absolute = (text: string, origin: string): string =>
  text === '@' ? origin : text.endsWith('.') ? text : fqdn(origin === '.' ? text : `${text}.${origin}`)

function parseData(type: string, words: readonly Word[], origin: string): Parsed<RecordData> {
  const text = (i: number) => words[i]?.text ?? ''
  const name = (i: number) => absolute(text(i), origin)
  const number = (i: number) => (/^\d+$/.test(text(i)) ? Number(text(i)) : Number.NaN)
  switch (type) {
    case 'A':
    case 'AAAA': {
      const address = parseIp(text(0))
      if (!address.ok) return address
      if (address.value.family !== (type === 'A' ? 4 : 6)) return refused(`"${text(0)}" is of the other family`)
      return parsed({ type, address: address.value })
    }
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
      return text(0) === '' ? refused('the target is missing') : checkedNames({ type, target: name(0) }, [name(0)])
    case 'SOA':
      return numbersRight(
        {
          type,
          mname: name(0),
          rname: name(1),
          serial: number(2),
          refresh: number(3),
          retry: number(4),
          expire: number(5),
          minimum: number(6),
        },
        [2, 3, 4, 5, 6].map(number),
      )
    case 'SRV':
      return numbersRight(
        { type, priority: number(0), weight: number(1), port: number(2), target: name(3) },
        [0, 1, 2].map(number),
      )
    case 'MX':
      return numbersRight({ type, preference: number(0), exchange: name(1) }, [number(0)])
    case 'TXT':
      if (words.length === 0) return refused('the text is missing')
      return parsed({ type, strings: words.map((word) => unquoted(word.text)) })
    case 'HINFO':
      return parsed({ type, cpu: text(0), os: text(1) })
    case 'CAA':
      return numbersRight({ type, flags: number(0), tag: text(1), value: text(2) }, [number(0)])
    case 'SVCB':
    case 'HTTPS': {
      const bytes = parseSvcb(words.map((word) => word.text))
      return bytes.ok ? parsed({ type: 'other', code: type === 'SVCB' ? SVCB : HTTPS, bytes: bytes.value }) : bytes
    }
    default:
      return parseUnknown(type, words)
  }
}

function checkedNames(data: RecordData, names: readonly string[]): Parsed<RecordData> {
  for (const name of names) {
    const checked = checkName(name)
    if (!checked.ok) return checked
  }
  return parsed(data)
}

const numbersRight = (data: RecordData, numbers: readonly number[]): Parsed<RecordData> =>
  numbers.some(Number.isNaN) ? refused('a number is missing or wrong') : parsed(data)

/** `\\# LENGTH HEX` of RFC 3597. */
function parseUnknown(type: string, words: readonly Word[]): Parsed<RecordData> {
  const code = typeCode(type)
  if (code === undefined) return refused(`"${type}" is not a record type`)
  const digits = words
    .slice(2)
    .map((word) => word.text)
    .join('')
  if (words[0]?.text !== '\\#' || digits.length !== Number(words[1]?.text) * 2 || !/^([0-9a-fA-F]{2})*$/.test(digits))
    return refused('its data must be written as "\\# LENGTH HEX"')
  return parsed({
    type: 'other',
    code,
    bytes: Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  })
}

/** The octets of a character-string with its escapes. */
function unquoted(text: string): Uint8Array {
  const octets: number[] = []
  for (let i = 0; i < text.length; i++) {
    const digits = /^\\(\d{3})/.exec(text.slice(i, i + 4))?.[1]
    if (digits !== undefined) {
      octets.push(Number(digits) & 0xff)
      i += 3
    } else if (text[i] === '\\' && i + 1 < text.length) octets.push(...new TextEncoder().encode(text[++i]))
    else octets.push(...new TextEncoder().encode(text[i]))
  }
  return Uint8Array.from(octets)
}
