import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { durationSeconds } from './duration.ts'

/** Numbers of a Corefile in Go's forms, refused in Go's words. */

const MAX_INT = 9223372036854775807n

/** strconv.Atoi. */
export function goInteger(text: string): Parsed<number> {
  const wrong = (why: string) => refused(`strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}`)
  if (!/^[+-]?\d+$/.test(text)) return wrong('invalid syntax')
  const value = BigInt(text)
  return value > MAX_INT || value < -MAX_INT - 1n ? wrong('value out of range') : parsed(Number(text))
}

/** strconv.ParseUint in base 10. */
export function goUnsigned(text: string, bits: 8 | 16 | 32): Parsed<number> {
  const wrong = (why: string) => refused(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`)
  if (!/^\d+$/.test(text)) return wrong('invalid syntax')
  return Number(text) >= 2 ** bits ? wrong('value out of range') : parsed(Number(text))
}

/** time.ParseDuration, in seconds. */
export function goDuration(text: string): Parsed<number> {
  const seconds = durationSeconds(text)
  if (seconds !== undefined) return parsed(seconds)
  const quoted = JSON.stringify(text)
  let rest = text.replace(/^[+-]/, '')
  while (rest !== '') {
    const number = /^(?:\d+\.?\d*|\.\d+)/.exec(rest)?.[0]
    if (number === undefined) break
    const unit = /^[^.\d]*/.exec(rest.slice(number.length))?.[0] ?? ''
    if (unit === '') return refused(`time: missing unit in duration ${quoted}`)
    if (!UNITS.has(unit)) return refused(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`)
    rest = rest.slice(number.length + unit.length)
  }
  return refused(`time: invalid duration ${quoted}`)
}

const UNITS = new Set(['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h'])
