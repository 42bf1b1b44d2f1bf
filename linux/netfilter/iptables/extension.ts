import type { Family } from '../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import type { ProtocolTest, Range } from './rule.ts'

/** A match (`-m`) or a target (`-j`) with options of its own: which they are, and what they come down to. */
export interface Extension<T> {
  /** By every spelling. An option that is not here is not known. */
  readonly options: Readonly<Record<string, OptionShape>>
  /** Options that iptables knows and we do not. */
  readonly notModelled?: readonly string[]
  read(given: Options, context: RuleContext): Parsed<T>
}

export interface OptionShape {
  /** The spelling under which it is kept; absent: its own. */
  readonly as?: string
  readonly args: 0 | 1 | 2
  /** Whether `!` may stand before it. */
  readonly not: boolean
}

export interface Given {
  readonly not: boolean
  readonly args: readonly string[]
}

/** The options given to one match or target, each once. */
export type Options = ReadonlyMap<string, Given>

export interface RuleContext {
  readonly family: Family
  readonly protocol: ProtocolTest | undefined
}

export const flag: OptionShape = { args: 0, not: false }
export const value: OptionShape = { args: 1, not: false }
export const invertible: OptionShape = { args: 1, not: true }

/** The one argument of an option that was given. */
export const argument = (given: Options, option: string): string => given.get(option)?.args[0] ?? ''

/** Refuses what `read` says about `text`, with the option in front. */
export function about<T>(option: string, result: Parsed<T>): Parsed<T> {
  return result.ok ? result : refused(`${option}: ${result.reason}`)
}

/** An unsigned number as strtoul(3) with base 0 reads it: decimal, 0x hexadecimal, 0 octal. */
export function parseUnsigned(text: string, max: number): Parsed<number> {
  const number = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text)
  if (!/^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.test(text) || number > max)
    return refused(`"${text}" is not a number from 0 to ${max}`)
  return parsed(number)
}

export const MAX_U32 = 0xffffffff

/** `V` or `V/M`; without a mask all 32 bits count. */
export function parseMark(text: string): Parsed<{ readonly value: number; readonly mask: number }> {
  const slash = text.indexOf('/')
  const value = parseUnsigned(slash < 0 ? text : text.slice(0, slash), MAX_U32)
  if (!value.ok) return value
  const mask = slash < 0 ? parsed(MAX_U32) : parseUnsigned(text.slice(slash + 1), MAX_U32)
  return mask.ok ? parsed({ value: value.value, mask: mask.value }) : mask
}

export function parsePort(text: string): Parsed<number> {
  const port = parseUnsigned(text, 65535)
  return port.ok ? port : refused(`"${text}" is not a port number`)
}

/** `80`, `1:1024`, `:1024`, `1024:` (or another separator). */
export function parsePorts(text: string, separator: ':' | '-'): Parsed<Range> {
  const at = text.indexOf(separator)
  const min = parsePort(at < 0 ? text : text.slice(0, at) || '0')
  if (!min.ok) return min
  const max = at < 0 ? min : parsePort(text.slice(at + 1) || '65535')
  if (!max.ok) return max
  if (min.value > max.value) return refused(`port range "${text}" ends before it begins`)
  return parsed({ min: min.value, max: max.value })
}

/** iptables takes port tests only where the protocol is known to have ports: tcp, udp, dccp, sctp, udplite. */
export function hasPorts(protocol: ProtocolTest | undefined): boolean {
  return protocol !== undefined && !protocol.not && [6, 17, 33, 132, 136].includes(protocol.number)
}
