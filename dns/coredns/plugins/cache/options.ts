import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { durationSeconds } from '../../duration.ts'
import { type Controller, pluginError } from '../../plugin.ts'
import { zonesOf } from '../../zones.ts'

/** A `cache` stanza; TTLs in seconds. */
export interface CacheOptions {
  readonly zones: readonly string[]
  readonly success: Limits
  readonly denial: Limits
  readonly servfail: number
  readonly prefetch: { readonly amount: number; readonly window: number; readonly percentage: number } | undefined
  readonly stale: { readonly upTo: number; readonly verify: boolean } | undefined
  /** Names whose answers, or denials, are not kept. */
  readonly exceptSuccess: readonly string[]
  readonly exceptDenial: readonly string[]
  readonly keepTtl: boolean
}

export interface Limits {
  readonly capacity: number
  readonly max: number
  readonly min: number
}

type Editable = { -readonly [Key in keyof CacheOptions]: CacheOptions[Key] }

/** dnsutil.MinimalDefaultTTL and MaximumDefaulTTL. */
export const MIN_TTL = 5
export const MAX_TTL = 3600
const CAPACITY = 10_000

/** Reads the stanza: plugin/cache/setup.go. */
export function parseCacheOptions({ words, zones }: Controller): Parsed<CacheOptions> {
  let options: Editable | undefined
  while (words.next()) {
    if (options) return pluginError('cache', 'this plugin can only be used once per Server Block')
    options = {
      zones,
      success: { capacity: CAPACITY, max: MAX_TTL, min: MIN_TTL },
      denial: { capacity: CAPACITY, max: MAX_TTL / 2, min: MIN_TTL },
      servfail: MIN_TTL,
      prefetch: undefined,
      stale: undefined,
      exceptSuccess: [],
      exceptDenial: [],
      keepTtl: false,
    }
    let args = words.remaining()
    const ttl = args[0] !== undefined && /^[+-]?\d+$/.test(args[0]) ? Number(args[0]) : undefined
    if (ttl !== undefined) {
      if (ttl <= 0) return pluginError('cache', `cache TTL can not be zero or negative: ${ttl}`)
      options.success = { ...options.success, max: ttl }
      options.denial = { ...options.denial, max: ttl }
      args = args.slice(1)
    }
    if (args.length > 0) options.zones = zonesOf(args)
    while (words.nextInBlock()) {
      const error = parseProperty(options, words)
      if (error) return pluginError('cache', error)
    }
  }
  return options ? parsed(options) : pluginError('cache', 'no stanza')
}

function parseProperty(options: Editable, words: Controller['words']): CorefileError | string | undefined {
  const property = words.word()
  const args = words.remaining()
  switch (property) {
    case 'success':
    case 'denial': {
      const numbers = args.map(Number)
      if (numbers.length === 0) return words.argumentError()
      const wrong = args.find((text) => !/^[+-]?\d+$/.test(text))
      if (wrong !== undefined) return `strconv.Atoi: parsing ${JSON.stringify(wrong)}: invalid syntax`
      const [capacity = CAPACITY, max = options[property].max, min = options[property].min] = numbers
      if (max <= 0) return `cache TTL can not be zero or negative: ${max}`
      if (min < 0) return `cache min TTL can not be negative: ${min}`
      options[property] = { capacity, max, min }
      return undefined
    }
    case 'prefetch': {
      const amount = Number(args[0])
      if (args.length === 0) return words.argumentError()
      if (!Number.isInteger(amount)) return `strconv.Atoi: parsing ${JSON.stringify(args[0])}: invalid syntax`
      if (amount < 0) return `prefetch amount should be positive: ${amount}`
      const window = args[1] === undefined ? 60 : durationSeconds(args[1])
      if (window === undefined) return `time: invalid duration ${JSON.stringify(args[1])}`
      const percent = args[2] === undefined ? 10 : Number(/^(\d+)%$/.exec(args[2])?.[1] ?? Number.NaN)
      if (Number.isNaN(percent))
        return `last character of percentage should be \`%\`, but is: ${JSON.stringify((args[2] ?? '').slice(-1))}`
      if (percent < 10 || percent > 90) return `percentage should fall in range [10, 90]: ${percent}`
      options.prefetch = { amount, window, percentage: percent }
      return undefined
    }
    case 'serve_stale': {
      if (args.length > 3) return words.argumentError()
      const upTo = args[0] === undefined ? 3600 : durationSeconds(args[0])
      if (upTo === undefined) return `time: invalid duration ${JSON.stringify(args[0])}`
      if (upTo < 0) return 'invalid negative duration for serve_stale'
      const mode = args[1]?.toLowerCase() ?? 'immediate'
      if (mode !== 'immediate' && mode !== 'verify') return `invalid value for serve_stale refresh mode: ${args[1]}`
      options.stale = { upTo, verify: mode === 'verify' }
      return undefined
    }
    case 'servfail': {
      const seconds = durationSeconds(args[0] ?? '')
      if (args.length !== 1) return words.argumentError()
      if (seconds === undefined) return `time: invalid duration ${JSON.stringify(args[0])}`
      if (seconds < 0) return 'invalid negative ttl for servfail'
      if (seconds > 300) return 'caching SERVFAIL responses over 5 minutes is not permitted'
      options.servfail = Math.trunc(seconds)
      return undefined
    }
    case 'disable': {
      const zones = args.length > 1 ? zonesOf(args.slice(1)) : options.zones
      if (args[0] === 'success') options.exceptSuccess = zones
      else if (args[0] === 'denial') options.exceptDenial = zones
      else return words.argumentError()
      return undefined
    }
    case 'keepttl':
      options.keepTtl = true
      return args.length > 0 ? words.argumentError() : undefined
    default:
      return words.argumentError()
  }
}
