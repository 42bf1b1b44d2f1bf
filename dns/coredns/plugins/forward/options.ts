import type { SocketAddress } from '../../../../linux/process.ts'
import { formatIp, parseIp } from '../../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import { fqdn, isDomainName, lowerName } from '../../../name.ts'
import { RCODE } from '../../../record.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { goDuration, goInteger, goUnsigned } from '../../go-number.ts'
import { type Controller, pluginError } from '../../plugin.ts'
import { zonesOf } from '../../zones.ts'
import { parseUpstreams } from './upstreams.ts'

/** A `forward` stanza; times in seconds. */
export interface ForwardOptions {
  readonly from: string
  readonly upstreams: readonly SocketAddress[]
  readonly policy: Policy
  readonly forceTcp: boolean
  readonly preferUdp: boolean
  readonly except: readonly string[]
  /** 0: an upstream is never held to be down. */
  readonly maxFails: number
  /** 0: no limit. */
  readonly maxConcurrent: number
  readonly failFast: boolean
  /** Codes that make it ask the next upstream. */
  readonly failover: readonly number[]
  /** Codes that hand the query to the next `forward`, as an empty answer does with `next_on_nodata`. */
  readonly alternate: readonly number[]
  readonly nextOnNoData: boolean
  /** 0: no limit; undefined: twice as many as there are upstreams. */
  readonly maxConnectAttempts: number | undefined
  readonly readTimeout: number
  /** So long an idle connection is kept. */
  readonly expire: number
  readonly health: HealthCheck
}

export interface HealthCheck {
  readonly interval: number
  readonly recursionDesired: boolean
  readonly domain: string
}

const POLICIES = ['random', 'round_robin', 'sequential'] as const
export type Policy = (typeof POLICIES)[number]

/** plugin/forward/setup.go. */
const MAX_UPSTREAMS = 15

export type Editable = { -readonly [Key in keyof ForwardOptions]: ForwardOptions[Key] }

/** Reads all `forward` stanzas of a server block: several are allowed, one behind the other (plugin/forward/setup.go). */
export function parseForwards(controller: Controller): Parsed<readonly ForwardOptions[]> {
  const { words } = controller
  const all: ForwardOptions[] = []
  while (words.next()) {
    const stanza = parseStanza(controller)
    if (!stanza.ok) return stanza
    all.push(stanza.value)
  }
  return parsed(all)
}

function parseStanza(controller: Controller): Parsed<ForwardOptions> {
  const { words } = controller
  if (!words.nextArgument()) return pluginError('forward', words.argumentError())
  const from = words.word()
  const [zone] = zonesOf([from])
  if (zone === undefined) return pluginError('forward', `unable to normalize '${from}'`)
  const to = words.remaining()
  if (to.length === 0) return pluginError('forward', words.argumentError())
  const options: Editable = {
    from: zone,
    upstreams: [],
    policy: 'random',
    forceTcp: false,
    preferUdp: false,
    except: [],
    maxFails: 2,
    maxConcurrent: 0,
    failFast: false,
    failover: [],
    alternate: [],
    nextOnNoData: false,
    maxConnectAttempts: undefined,
    readTimeout: 2,
    expire: 10,
    health: { interval: 0.5, recursionDesired: true, domain: '.' },
  }
  const limits = { maxAge: 0 }
  while (words.nextInBlock()) {
    const error = parseProperty(options, controller, limits)
    if (error !== undefined) return pluginError('forward', error)
  }
  if (limits.maxAge > 0 && limits.maxAge < options.expire)
    return pluginError('forward', `max_age (${limits.maxAge}s) must not be less than expire (${options.expire}s)`)
  const upstreams = parseUpstreams(controller, to)
  if (!upstreams.ok) return pluginError('forward', upstreams.reason)
  options.upstreams = upstreams.value
  if (options.upstreams.length > MAX_UPSTREAMS)
    return pluginError('forward', `more than ${MAX_UPSTREAMS} TOs configured: ${options.upstreams.length}`)
  return parsed(options)
}

export const addressText = ({ ip, port }: SocketAddress): string =>
  ip.family === 6 ? `[${formatIp(ip)}]:${port}` : `${formatIp(ip)}:${port}`

type Problem = CorefileError | string | undefined

function parseProperty(options: Editable, controller: Controller, limits: { maxAge: number }): Problem {
  const { words } = controller
  const property = words.word()
  switch (property) {
    case 'except': {
      const args = words.remaining()
      options.except = [...options.except, ...zonesOf(args)]
      return args.length === 0 ? words.argumentError() : undefined
    }
    case 'force_tcp':
    case 'prefer_udp':
    case 'next_on_nodata':
      if (words.nextArgument()) return words.argumentError()
      if (property === 'force_tcp') options.forceTcp = true
      else if (property === 'prefer_udp') options.preferUdp = true
      else options.nextOnNoData = true
      return undefined
    case 'failfast_all_unhealthy_upstreams':
      options.failFast = true
      return words.remaining().length > 0 ? words.argumentError() : undefined
    case 'next':
    case 'failover':
      return parseCodes(options, controller, property)
    case 'resolver': {
      const args = words.remaining()
      if (args.length === 0) return words.argumentError()
      const wrong = args.find((text) => !parseIp(text).ok && !parseIp(hostOf(text)).ok)
      return wrong === undefined ? undefined : `resolver must be an IP address or IP:port: ${JSON.stringify(wrong)}`
    }
    case 'tls':
      controller.notModelled('forward: tls')
      return words.remaining().length > 3 ? words.argumentError() : undefined
    default:
      return parseValue(options, controller, { property, limits })
  }
}

const hostOf = (text: string): string => /^\[?([^\]]*?)\]?:\d*$/.exec(text)?.[1] ?? text

/** Properties with one value, which may be any word: also `{`. */
function parseValue(
  options: Editable,
  controller: Controller,
  { property, limits }: { readonly property: string; readonly limits: { maxAge: number } },
): Problem {
  const { words } = controller
  const known = VALUES[property]
  if (!known) return words.error(`unknown property '${property}'`)
  if (!words.nextArgument()) return words.argumentError()
  return known(words.word(), options, { controller, limits })
}

type ValueReader = (
  text: string,
  options: Editable,
  more: { readonly controller: Controller; readonly limits: { maxAge: number } },
) => Problem

const goText = (seconds: number): string => `${seconds}s`

const VALUES: Readonly<Record<string, ValueReader>> = {
  max_fails(text, options) {
    const number = goUnsigned(text, 32)
    if (!number.ok) return number.reason
    options.maxFails = number.value
    return undefined
  },
  max_connect_attempts(text, options) {
    const number = goUnsigned(text, 32)
    if (!number.ok) return number.reason
    options.maxConnectAttempts = number.value
    return undefined
  },
  max_concurrent(text, options) {
    const number = goInteger(text)
    if (!number.ok) return number.reason
    if (number.value < 0) return `max_concurrent can't be negative: ${number.value}`
    options.maxConcurrent = number.value
    return undefined
  },
  max_idle_conns(text) {
    const number = goInteger(text)
    if (!number.ok) return number.reason
    return number.value < 0 ? `max_idle_conns can't be negative: ${number.value}` : undefined
  },
  expire(text, options) {
    const seconds = goDuration(text)
    if (!seconds.ok) return seconds.reason
    if (seconds.value < 0) return `expire can't be negative: ${goText(seconds.value)}`
    options.expire = seconds.value
    return undefined
  },
  max_age(text, _, { limits }) {
    const seconds = goDuration(text)
    if (!seconds.ok) return seconds.reason
    if (seconds.value < 0) return `max_age can't be negative: ${goText(seconds.value)}`
    limits.maxAge = seconds.value
    return undefined
  },
  read_timeout(text, options) {
    const seconds = goDuration(text)
    if (!seconds.ok) return seconds.reason
    if (seconds.value <= 0) return `read_timeout must be positive: ${goText(seconds.value)}`
    options.readTimeout = seconds.value
    return undefined
  },
  policy(text, options, { controller }) {
    const policy = POLICIES.find((name) => name === text)
    if (!policy) return controller.words.error(`unknown policy '${text}'`)
    options.policy = policy
    return undefined
  },
  health_check(text, options, { controller }) {
    const seconds = goDuration(text)
    if (!seconds.ok) return seconds.reason
    if (seconds.value < 0) return `health_check can't be negative: ${Math.round(seconds.value * 1e9)}`
    options.health = { ...options.health, interval: seconds.value, domain: '.' }
    return parseHealthOptions(options, controller)
  },
  source_address(text, _, { controller }) {
    if (!parseIp(text).ok) return controller.words.error(`invalid IP address: ${text}`)
    controller.notModelled('forward: source_address')
    return undefined
  },
  tls_servername(_, __, { controller }) {
    controller.notModelled('forward: tls_servername')
    return undefined
  },
  doh_method: (text) => (text === 'POST' || text === 'GET' ? undefined : 'doh_method must be either POST or GET'),
}

function parseHealthOptions(options: Editable, { words }: Controller): Problem {
  while (words.nextArgument()) {
    const option = words.word()
    if (option === 'no_rec') options.health = { ...options.health, recursionDesired: false }
    else if (option === 'domain') {
      if (!words.nextArgument()) return words.argumentError()
      const domain = words.word()
      if (!isDomainName(domain)) return `health_check: invalid domain name ${domain}`
      options.health = { ...options.health, domain: lowerName(fqdn(domain)) }
    } else return `health_check: unknown option ${option}`
  }
  return undefined
}

function parseCodes(options: Editable, { words }: Controller, property: 'next' | 'failover'): Problem {
  const args = words.remaining()
  if (args.length === 0) return words.argumentError()
  const codes: number[] = []
  for (const name of args) {
    const code = (RCODE as Readonly<Record<string, number>>)[name.toUpperCase()]
    if (code === undefined) return `${name} is not a valid rcode`
    if (code === RCODE.NOERROR && property === 'failover') return 'NoError cannot be used in failover'
    codes.push(code)
  }
  if (property === 'next') options.alternate = [...options.alternate, ...codes]
  else options.failover = [...options.failover, ...codes]
  return undefined
}
