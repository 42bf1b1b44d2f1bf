import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { fqdn, lowerName } from '../../../name.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { goDuration, goInteger } from '../../go-number.ts'
import { type Controller, pluginError } from '../../plugin.ts'
import { zonesOf } from '../../zones.ts'

/** A `cache` stanza; TTLs in seconds. */
export interface CacheOptions {
  readonly zones: readonly string[]
  readonly success: Limits
  readonly denial: Limits
  readonly servfail: number
  readonly prefetch: { readonly amount: number; readonly window: number; readonly percentage: number } | undefined
  readonly stale: StaleOptions | undefined
  /** An answer that has expired goes before a newer denial (serve_stale_policy). */
  readonly preferPositive: boolean
  /** Names whose answers, or denials, are not kept. */
  readonly exceptSuccess: readonly string[]
  readonly exceptDenial: readonly string[]
  readonly keepTtl: boolean
}

export interface StaleOptions {
  readonly upTo: number
  readonly verify: boolean
  /** TTL of what is served stale. */
  readonly replyTtl: number
  /** After a refresh that failed, so long no other. */
  readonly recheck: number
}

export interface Limits {
  readonly capacity: number
  readonly max: number
  readonly min: number
}

type Editable = { -readonly [Key in keyof CacheOptions]: CacheOptions[Key] }

/** dnsutil.MinimalDefaultTTL and MaximumDefaultTTL. */
export const MIN_TTL = 5
const MAX_TTL = 3600
const CAPACITY = 10_000
const FIVE_MINUTES = 300
const MAX_UINT32 = 4294967295

/** Reads the stanza: plugin/cache/setup.go. */
export function parseCacheOptions(controller: Controller): Parsed<CacheOptions> {
  const { words, zones } = controller
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
      preferPositive: false,
      exceptSuccess: [],
      exceptDenial: [],
      keepTtl: false,
    }
    let args = words.remaining()
    const ttl = args[0] === undefined ? undefined : goInteger(args[0])
    if (ttl?.ok) {
      if (ttl.value <= 0) return pluginError('cache', `cache TTL can not be zero or negative: ${ttl.value}`)
      options.success = { ...options.success, max: ttl.value }
      options.denial = { ...options.denial, max: ttl.value }
      args = args.slice(1)
    }
    if (args.length > 0) options.zones = zonesOf(args)
    while (words.nextInBlock()) {
      const error = parseProperty(options, controller)
      if (error) return pluginError('cache', error)
    }
    if (options.preferPositive && !options.stale) return pluginError('cache', 'serve_stale_policy requires serve_stale')
  }
  return options ? parsed(options) : pluginError('cache', 'no stanza')
}

type Problem = CorefileError | string | undefined

const PROPERTIES = new Set([
  'success',
  'denial',
  'prefetch',
  'serve_stale',
  'serve_stale_policy',
  'servfail',
  'disable',
  'keepttl',
])

function parseProperty(options: Editable, controller: Controller): Problem {
  const { words } = controller
  const property = words.word()
  if (!PROPERTIES.has(property)) return words.argumentError()
  const args = words.remaining()
  switch (property) {
    case 'success':
    case 'denial':
      return args.length === 0 ? words.argumentError() : parseLimits(options, property, args)
    case 'prefetch':
      return args.length === 0 || args.length > 3 ? words.argumentError() : parsePrefetch(options, args)
    case 'serve_stale':
      return parseStale(options, controller, args)
    case 'serve_stale_policy': {
      if (options.preferPositive) return 'serve_stale_policy can only be specified once'
      if (args.length !== 1) return words.argumentError()
      if (args[0]?.toLowerCase() !== 'prefer_positive') return `invalid serve_stale_policy: ${args[0]}`
      options.preferPositive = true
      return undefined
    }
    case 'servfail': {
      if (args.length !== 1) return words.argumentError()
      const seconds = goDuration(args[0] ?? '')
      if (!seconds.ok) return seconds.reason
      if (seconds.value < 0) return 'invalid negative ttl for servfail'
      if (seconds.value > FIVE_MINUTES) return 'caching SERVFAIL responses over 5 minutes is not permitted'
      options.servfail = Math.trunc(seconds.value)
      return undefined
    }
    case 'disable': {
      const [what, ...names] = args
      if (what === undefined) return words.argumentError()
      const zones = names.length > 0 ? names.map((name) => lowerName(fqdn(name))) : ['.']
      if (what === 'denial') options.exceptDenial = zones
      else if (what === 'success') options.exceptSuccess = zones
      else return 'cache type for disable must be "success" or "denial"'
      return undefined
    }
    default:
      options.keepTtl = true
      return args.length > 0 ? words.argumentError() : undefined
  }
}

/** success|denial CAPACITY [TTL] [MINTTL] */
function parseLimits(options: Editable, which: 'success' | 'denial', args: readonly string[]): Problem {
  const [capacity, max, min] = args.slice(0, 3).map(goInteger)
  if (capacity && !capacity.ok) return capacity.reason
  if (max && !max.ok) return max.reason
  if (max && max.value <= 0) return `cache TTL can not be zero or negative: ${max.value}`
  if (min && !min.ok) return min.reason
  if (min && min.value < 0) return `cache min TTL can not be negative: ${min.value}`
  const old = options[which]
  options[which] = {
    capacity: capacity?.value ?? old.capacity,
    max: max?.value ?? old.max,
    min: min?.value ?? old.min,
  }
  return undefined
}

/** prefetch AMOUNT [WINDOW] [PERCENTAGE%] */
function parsePrefetch(options: Editable, [first = '', second, third]: readonly string[]): Problem {
  const amount = goInteger(first)
  if (!amount.ok) return amount.reason
  if (amount.value < 0) return `prefetch amount should be positive: ${amount.value}`
  const window = second === undefined ? parsed(60) : goDuration(second)
  if (!window.ok) return window.reason
  if (third !== undefined && !third.endsWith('%'))
    return `last character of percentage should be \`%\`, but is: '${third.slice(-1)}'`
  const percentage = third === undefined ? parsed(10) : goInteger(third.slice(0, -1))
  if (!percentage.ok) return percentage.reason
  if (percentage.value < 10 || percentage.value > 90)
    return `percentage should fall in range [10, 90]: ${percentage.value}`
  options.prefetch = { amount: amount.value, window: window.value, percentage: percentage.value }
  return undefined
}

/** serve_stale [UPTO] [immediate [TTL] [RECHECK] | verify [TIMEOUT] [TTL] [RECHECK]] */
function parseStale(options: Editable, controller: Controller, args: readonly string[]): Problem {
  const { words } = controller
  if (args.length > 5) return words.argumentError()
  const upTo = args[0] === undefined ? parsed(3600) : goDuration(args[0])
  if (!upTo.ok) return upTo.reason
  if (upTo.value < 0) return 'invalid negative duration for serve_stale'
  const mode = args[1]?.toLowerCase() ?? 'immediate'
  if (mode !== 'immediate' && mode !== 'verify') return `invalid value for serve_stale refresh mode: ${mode}`
  const verify = mode === 'verify'
  if (verify && args[2] !== undefined) {
    const timeout = goDuration(args[2])
    if (!timeout.ok) return `invalid serve_stale verify timeout: ${timeout.reason}`
    if (timeout.value < 0) return 'invalid negative timeout for serve_stale verify'
    if (timeout.value > 0) controller.notModelled('cache: timeout of serve_stale verify')
  }
  if (!verify && args.length > 4) return words.argumentError()
  const [ttlText, recheckText] = args.slice(verify ? 3 : 2)
  const replyTtl = ttlText === undefined ? parsed(0) : parseStaleTtl(ttlText)
  if (!replyTtl.ok) return replyTtl.reason
  const recheck = recheckText === undefined ? parsed(0) : parseRecheck(recheckText)
  if (!recheck.ok) return recheck.reason
  options.stale = { upTo: upTo.value, verify, replyTtl: replyTtl.value, recheck: recheck.value }
  return undefined
}

function parseStaleTtl(text: string): Parsed<number> {
  const ttl = goDuration(text)
  if (!ttl.ok) return refused(`invalid serve_stale response TTL: ${ttl.reason}`)
  if (ttl.value < 0) return refused('invalid negative response TTL for serve_stale')
  if (!Number.isInteger(ttl.value)) return refused('serve_stale response TTL must be a whole number of seconds')
  if (ttl.value > MAX_UINT32) return refused('serve_stale response TTL exceeds the DNS TTL range')
  return ttl
}

function parseRecheck(text: string): Parsed<number> {
  const recheck = goDuration(text)
  if (!recheck.ok) return refused(`invalid serve_stale failure recheck: ${recheck.reason}`)
  if (recheck.value < 0) return refused('invalid negative failure recheck for serve_stale')
  if (recheck.value > FIVE_MINUTES) return refused('serve_stale failure recheck cannot exceed 5 minutes')
  return recheck
}
