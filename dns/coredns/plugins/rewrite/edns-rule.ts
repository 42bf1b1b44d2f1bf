import { type Ip, ipBytes } from '../../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { maskIp } from '../../../../packet/prefix.ts'
import type { EdnsOption } from '../../../message.ts'
import { typeCode } from '../../../record.ts'
import type { Request } from '../../plugin.ts'
import { changed } from '../../request.ts'
import type { ResponseRule, Rule } from './rule.ts'

/** What is done with one EDNS option of the query. */
interface EdnsRule {
  readonly action: 'append' | 'replace' | 'set' | 'unset'
  readonly code: number
  /** The new data; undefined where there is none for this query. */
  readonly data: (request: Request) => Uint8Array | undefined
  /** The client gets its own option back. */
  readonly revert: boolean
  /** Whether an option that is there already keeps `append` from doing anything. */
  readonly once: boolean
}

const NSID = 3
const SUBNET = 8
/** Size of an OPT that the plugin adds to a query without one. */
const DEFAULT_SIZE = 4096
/** Codes with a type of their own in miekg/dns, which a `local` rule does not take for its own. */
const TYPED = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 18, 19])
const ACTIONS = ['append', 'replace', 'set', 'unset'] as const

/** edns0 local|nsid|subnet append|replace|set|unset ... [revert]: plugin/rewrite/edns0.go. */
export function parseEdnsRule(mode: Rule['mode'], args: readonly string[], echoedOptions: Set<number>): Parsed<Rule> {
  if (args.length < 2) return refused('too few arguments for an EDNS0 rule')
  const type = (args[0] ?? '').toLowerCase()
  const action = ACTIONS.find((name) => name === (args[1] ?? '').toLowerCase())
  if (!action) return refused(`invalid action: ${JSON.stringify((args[1] ?? '').toLowerCase())}`)
  const revert = action !== 'unset' && args.at(-1) === 'revert'
  const rest = revert ? args.slice(2, -1) : args.slice(2)
  const rule = action === 'unset' ? parseUnset(type, rest) : parseSetting(type, action, { rest, revert })
  if (!rule.ok) return rule
  if (type === 'local') echoedOptions.add(rule.value.code)
  return parsed({ mode, apply: (request) => applyEdns(request, rule.value) })
}

function parseUnset(type: string, rest: readonly string[]): Parsed<EdnsRule> {
  const unset = { action: 'unset', data: () => undefined, revert: false, once: false } as const
  switch (type) {
    case 'local': {
      if (rest.length !== 1) return refused('local unset action requires exactly two arguments')
      const code = parseCode(rest[0] ?? '')
      return code.ok ? parsed({ ...unset, code: code.value }) : code
    }
    case 'nsid':
      if (rest.length > 0) return refused('nsid unset action requires exactly one argument')
      return parsed({ ...unset, code: NSID })
    case 'subnet':
      if (rest.length > 0) return refused('subnet unset action requires exactly one argument')
      return parsed({ ...unset, code: SUBNET })
    default:
      return refused(`invalid rule type ${JSON.stringify(type)}`)
  }
}

function parseSetting(
  type: string,
  action: EdnsRule['action'],
  { rest, revert }: { readonly rest: readonly string[]; readonly revert: boolean },
): Parsed<EdnsRule> {
  const [first = '', second = ''] = rest
  switch (type) {
    case 'local': {
      if (rest.length !== 2) return refused('EDNS0 local rules require three or four args')
      const code = parseCode(first)
      if (!code.ok) return code
      const isVariable = second.startsWith('{') && second.endsWith('}')
      const data = isVariable ? parseVariable(second) : parseData(second)
      return data.ok ? parsed({ action, code: code.value, data: data.value, revert, once: isVariable }) : data
    }
    case 'nsid':
      if (rest.length > 0) return refused('EDNS0 NSID rules can accept no more than one arg')
      return parsed({ action, code: NSID, data: () => new Uint8Array(0), revert, once: false })
    case 'subnet': {
      if (rest.length !== 2) return refused('EDNS0 subnet rules require three or four args')
      const lengths = parseMaskLengths(first, second)
      if (!lengths.ok) return lengths
      const data = ({ client }: Request) => subnet(client.ip, lengths.value)
      return parsed({ action, code: SUBNET, data, revert, once: true })
    }
    default:
      return refused(`invalid rule type ${JSON.stringify(type)}`)
  }
}

/** strconv.ParseUint(text, 0, 16). */
function parseUint16(text: string): Parsed<number> {
  const failed = (why: string) => refused(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`)
  if (!/^(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.test(text)) return failed('invalid syntax')
  const value = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text)
  return value > 0xffff ? failed('value out of range') : parsed(value)
}

const parseCode = parseUint16

function parseData(text: string): Parsed<EdnsRule['data']> {
  if (!text.startsWith('0x')) {
    const bytes = new TextEncoder().encode(text)
    return parsed(() => bytes)
  }
  const digits = text.slice(2)
  const wrong = /[^0-9a-fA-F]/u.exec(digits)?.[0]
  if (wrong !== undefined)
    return refused(
      `encoding/hex: invalid byte: U+${(wrong.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')} '${wrong}'`,
    )
  if (digits.length % 2 === 1) return refused('encoding/hex: odd length hex string')
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  return parsed(() => bytes)
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const sixteen = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)

const VARIABLES: Readonly<Record<string, EdnsRule['data']>> = {
  '{qname}': ({ question }) => encode(question.name),
  '{qtype}': ({ question }) => sixteen(typeCode(question.type) ?? 0),
  '{client_ip}': ({ client }) => ipBytes(client.ip),
  '{client_port}': ({ client }) => sixteen(client.port),
  '{protocol}': ({ transport }) => encode(transport),
  '{server_ip}': ({ local }) => local && ipBytes(local),
  '{server_port}': ({ server }) => sixteen(server.port),
}

/** A label of metadata is none of these: there is no metadata, so such a rule is never applied. */
function parseVariable(text: string): Parsed<EdnsRule['data']> {
  const known = VARIABLES[text]
  if (known) return parsed(known)
  if (/^\{[^/{}]+\/[^{}]+\}$/.test(text)) return parsed(() => undefined)
  return refused(`unsupported variable name ${JSON.stringify(text)}`)
}

function parseMaskLengths(v4: string, v6: string): Parsed<{ readonly v4: number; readonly v6: number }> {
  const short = parseUint16(v4)
  if (!short.ok) return short
  if (short.value > 32) return refused(`invalid IPv4 bit mask length ${short.value}`)
  const long = parseUint16(v6)
  if (!long.ok) return long
  if (long.value > 128) return refused(`invalid IPv6 bit mask length ${long.value}`)
  return parsed({ v4: short.value, v6: long.value })
}

/** The option's data (RFC 7871 §6): family, lengths, and as many octets of the address as these need. */
function subnet(client: Ip, lengths: { readonly v4: number; readonly v6: number }): Uint8Array {
  const length = client.family === 4 ? lengths.v4 : lengths.v6
  const address = ipBytes(maskIp(client, length)).subarray(0, Math.ceil(length / 8))
  return Uint8Array.from([0, client.family === 4 ? 1 : 2, length, 0, ...address])
}

function applyEdns(request: Request, rule: EdnsRule): ReturnType<Rule['apply']> {
  const { message } = request
  const { code, action } = rule
  const data = rule.data(request)
  if (action !== 'unset' && !data) return undefined
  const edns = message.edns ?? { size: DEFAULT_SIZE, version: 0, dnssecOk: false, options: [] }
  const done = (options: readonly EdnsOption[], response: readonly ResponseRule[] = []) => ({
    request: changed(request, { ...message, edns: { ...edns, options } }),
    response,
    detail: `${action} EDNS option ${code}`,
  })
  if (action === 'unset' || !data) return done(edns.options.filter((option) => option.code !== code))
  const isOwn = (option: EdnsOption) => option.code === code && (!TYPED.has(code) || code === NSID || code === SUBNET)
  const old = edns.options.find(isOwn)
  if (old && action !== 'append') {
    const options = edns.options.map((option) => (option === old ? { code, bytes: data } : option))
    return done(options, rule.revert ? [{ kind: 'restoreOption', option: old }] : [])
  }
  if ((old && rule.once) || action === 'replace') {
    // The OPT that was made for it stays.
    request.shared.message = { ...message, edns }
    return undefined
  }
  return done([...edns.options, { code, bytes: data }], rule.revert ? [{ kind: 'removeOption', code }] : [])
}
