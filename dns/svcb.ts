import { formatIp, ipBytes, parseIp, readIp } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { fqdn, labelOctets, labelsOf, labelText, MAX_LABEL } from './name.ts'

/** The data of SVCB and HTTPS records between presentation form and octets (RFC 9460 §2). */

const KEYS = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint'] as const

/** Reads `1 . alpn="h2,h3" port=443`. */
export function parseSvcb(words: readonly string[]): Parsed<Uint8Array> {
  const [priority, target, ...params] = words
  if (priority === undefined || target === undefined || !/^\d{1,5}$/.test(priority))
    return refused('a priority and a target are needed')
  const octets = [...sixteen(Number(priority))]
  for (const label of labelsOf(fqdn(target))) {
    const bytes = labelOctets(label)
    octets.push(bytes.length, ...bytes)
  }
  octets.push(0)
  const list: { readonly key: number; readonly value: readonly number[] }[] = []
  for (const param of params) {
    const equals = param.indexOf('=')
    const name = equals < 0 ? param : param.slice(0, equals)
    const key = keyNumber(name)
    if (key === undefined) return refused(`"${name}" is not a service parameter`)
    const value = parseValue(name, equals < 0 ? '' : param.slice(equals + 1))
    if (!value.ok) return value
    list.push({ key, value: value.value })
  }
  list.sort((a, b) => a.key - b.key)
  for (const { key, value } of list) octets.push(...sixteen(key), ...sixteen(value.length), ...value)
  return parsed(Uint8Array.from(octets))
}

/** Undefined where the octets are no service binding. */
export function svcbText(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 3) return undefined
  const words = [String(view.getUint16(0))]
  let at = 2
  let target = ''
  for (;;) {
    const length = bytes[at]
    if (length === undefined || length > 63 || at + 1 + length > bytes.length) return undefined
    if (length === 0) break
    target += `${labelText(bytes, at + 1, at + 1 + length)}.`
    at += 1 + length
  }
  words.push(target === '' ? '.' : target)
  at++
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined
    const key = view.getUint16(at)
    const length = view.getUint16(at + 2)
    if (at + 4 + length > bytes.length) return undefined
    words.push(paramText(key, bytes.subarray(at + 4, at + 4 + length)))
    at += 4 + length
  }
  return words.join(' ')
}

const sixteen = (value: number): readonly [number, number] => [(value >> 8) & 0xff, value & 0xff]

function keyNumber(name: string): number | undefined {
  const known = (KEYS as readonly string[]).indexOf(name)
  if (known >= 0) return known
  const number = /^key(\d{1,5})$/.exec(name)?.[1]
  return number === undefined ? undefined : Number(number)
}

function parseValue(name: string, text: string): Parsed<readonly number[]> {
  const bare = text.replace(/^"(.*)"$/, '$1')
  const items = bare === '' ? [] : bare.split(',')
  switch (name) {
    case 'alpn':
      return parsed(items.flatMap((item) => [item.length, ...new TextEncoder().encode(item)]))
    case 'port':
      return /^\d{1,5}$/.test(bare) ? parsed(sixteen(Number(bare))) : refused(`port "${bare}" is not a number`)
    case 'mandatory':
      return parsed(items.flatMap((item) => [...sixteen(keyNumber(item) ?? 0)]))
    case 'ipv4hint':
    case 'ipv6hint': {
      const octets: number[] = []
      for (const item of items) {
        const ip = parseIp(item)
        if (!ip.ok) return ip
        octets.push(...ipBytes(ip.value))
      }
      return parsed(octets)
    }
    case 'no-default-alpn':
      return parsed([])
    default:
      return parsed([...new TextEncoder().encode(bare)])
  }
}

function paramText(key: number, value: Uint8Array): string {
  const name = KEYS[key] ?? `key${key}`
  switch (name) {
    case 'alpn': {
      const items: string[] = []
      for (let at = 0; at < value.length; at += 1 + (value[at] ?? 0))
        items.push(new TextDecoder().decode(value.subarray(at + 1, at + 1 + (value[at] ?? 0))))
      return `alpn="${items.join(',')}"`
    }
    case 'port':
      return `port="${((value[0] ?? 0) << 8) | (value[1] ?? 0)}"`
    case 'no-default-alpn':
      return 'no-default-alpn=""'
    case 'ipv4hint':
    case 'ipv6hint': {
      const family = name === 'ipv4hint' ? 4 : 6
      const size = family === 4 ? 4 : 16
      const count = Math.floor(value.length / size)
      return `${name}="${Array.from({ length: count }, (_, i) => formatIp(readIp(value, i * size, family))).join(',')}"`
    }
    case 'mandatory': {
      const count = Math.floor(value.length / 2)
      const keys = Array.from({ length: count }, (_, i) => ((value[i * 2] ?? 0) << 8) | (value[i * 2 + 1] ?? 0))
      return `mandatory="${keys.map((number) => KEYS[number] ?? `key${number}`).join(',')}"`
    }
    default:
      return `${name}="${[...value].map((octet) => (octet > 0x20 && octet < 0x7f && octet !== 0x22 && octet !== 0x5c ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, '0')}`)).join('')}"`
  }
}

/** The target of an SVCB or HTTPS record's data; undefined of another type, or where it cannot be read. */
export function svcbTarget(code: number, bytes: Uint8Array): string | undefined {
  if (code !== 64 && code !== 65) return undefined
  let name = ''
  for (let at = 2; bytes[at] !== 0; at += 1 + (bytes[at] ?? 0)) {
    const length = bytes[at]
    if (length === undefined || length > MAX_LABEL || at + length >= bytes.length) return undefined
    name += `${labelText(bytes, at + 1, at + 1 + length)}.`
  }
  return name === '' ? '.' : name
}
