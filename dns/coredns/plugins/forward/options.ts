import type { SocketAddress } from '../../../../linux/process.ts'
import { formatIp, parseIp } from '../../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import { RCODE } from '../../../record.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { durationSeconds } from '../../duration.ts'
import { type Controller, pluginError } from '../../plugin.ts'
import { parseClientConfig } from '../../resolv-conf.ts'
import { zonesOf } from '../../zones.ts'

/** A `forward` stanza. */
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
  /** Codes that hand the query to the next `forward`. */
  readonly alternate: readonly number[]
  /** 0: no limit. */
  readonly maxConnectAttempts: number
}

export type Policy = 'random' | 'round_robin' | 'sequential'

type Editable = { -readonly [Key in keyof ForwardOptions]: ForwardOptions[Key] }

/** plugin/forward/setup.go. */
const MAX_UPSTREAMS = 15

/** Reads all `forward` stanzas of a server block: several are allowed, one behind the other. */
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
  const [from, ...to] = words.remaining()
  if (from === undefined || to.length === 0) return pluginError('forward', words.argumentError())
  const zone = zonesOf([from])[0]
  if (zone === undefined) return pluginError('forward', `unable to normalize '${from}'`)
  const upstreams = parseUpstreams(controller, to)
  if (!upstreams.ok) return pluginError('forward', upstreams.reason)
  const options: Editable = {
    from: zone,
    upstreams: upstreams.value,
    policy: 'random',
    forceTcp: false,
    preferUdp: false,
    except: [],
    maxFails: 2,
    maxConcurrent: 0,
    failFast: false,
    failover: [],
    alternate: [],
    maxConnectAttempts: upstreams.value.length * 2,
  }
  while (words.nextInBlock()) {
    const error = parseProperty(options, controller)
    if (error) return pluginError('forward', error)
  }
  if (upstreams.value.length > MAX_UPSTREAMS)
    return pluginError('forward', `more than ${MAX_UPSTREAMS} TOs configured: ${upstreams.value.length}`)
  return parsed(options)
}

/** Addresses, or files in the form of resolv.conf (parse.HostPortOrFile). */
function parseUpstreams(controller: Controller, to: readonly string[]): Parsed<readonly SocketAddress[]> {
  const found: SocketAddress[] = []
  for (const text of to) {
    const scheme = /^([a-z0-9]+):\/\//.exec(text)?.[1] ?? 'dns'
    const rest = text.replace(/^[a-z0-9]+:\/\//, '')
    if (scheme !== 'dns') controller.notModelled(`forward: transport ${scheme} (to ${text})`)
    const address = parseAddress(rest)
    if (address) {
      found.push(address)
      continue
    }
    const file = controller.world.file(rest)
    if (file === undefined) {
      // CoreDNS looks such a name up once, at the start.
      controller.notModelled(`forward: to ${text}, which is neither an address nor a file here`)
      continue
    }
    const servers = parseClientConfig(file).servers.flatMap((word) => {
      const ip = parseIp(word.split('%', 1)[0] ?? '')
      return ip.ok ? [{ ip: ip.value, port: 53 }] : []
    })
    if (servers.length === 0) return { ok: false, reason: `no nameservers found in ${rest}` }
    found.push(...servers)
  }
  return parsed(found)
}

function parseAddress(text: string): SocketAddress | undefined {
  const bare = parseIp(text)
  if (bare.ok) return { ip: bare.value, port: 53 }
  const match = /^\[?([0-9a-fA-F.:]+?)\]?:(\w+)$/.exec(text)
  const ip = match ? parseIp(match[1] ?? '') : undefined
  return ip?.ok ? { ip: ip.value, port: Number(match?.[2]) || 53 } : undefined
}

export const addressText = ({ ip, port }: SocketAddress): string =>
  ip.family === 6 ? `[${formatIp(ip)}]:${port}` : `${formatIp(ip)}:${port}`

function parseProperty(options: Editable, controller: Controller): CorefileError | string | undefined {
  const { words } = controller
  const property = words.word()
  const args = words.remaining()
  const [first] = args
  const number = first !== undefined && /^[+-]?\d+$/.test(first) ? Number(first) : undefined
  const notANumber = `strconv.Atoi: parsing ${JSON.stringify(first)}: invalid syntax`
  switch (property) {
    case 'except':
      options.except = [...options.except, ...zonesOf(args)]
      return args.length === 0 ? words.argumentError() : undefined
    case 'force_tcp':
      options.forceTcp = true
      return args.length > 0 ? words.argumentError() : undefined
    case 'prefer_udp':
      options.preferUdp = true
      return args.length > 0 ? words.argumentError() : undefined
    case 'failfast_all_unhealthy_upstreams':
      options.failFast = true
      return args.length > 0 ? words.argumentError() : undefined
    case 'policy':
      if (first === undefined) return words.argumentError()
      if (first !== 'random' && first !== 'round_robin' && first !== 'sequential')
        return words.error(`unknown policy '${first}'`)
      options.policy = first
      return undefined
    case 'max_fails':
    case 'max_connect_attempts':
    case 'max_concurrent': {
      if (first === undefined) return words.argumentError()
      if (number === undefined) return notANumber
      if (number < 0) return `${property} can't be negative: ${number}`
      if (property === 'max_fails') options.maxFails = number
      else if (property === 'max_concurrent') options.maxConcurrent = number
      else options.maxConnectAttempts = number
      return undefined
    }
    case 'expire':
    case 'max_age': {
      const seconds = durationSeconds(first ?? '')
      if (first === undefined) return words.argumentError()
      if (seconds === undefined) return `time: invalid duration ${JSON.stringify(first)}`
      return seconds < 0 ? `${property} can't be negative: ${first}` : undefined
    }
    case 'max_idle_conns':
      if (first === undefined) return words.argumentError()
      return number === undefined ? notANumber : undefined
    case 'health_check': {
      if (first === undefined) return words.argumentError()
      const seconds = durationSeconds(first)
      if (seconds === undefined) return `time: invalid duration ${JSON.stringify(first)}`
      controller.notModelled('forward: health_check options')
      return seconds < 0 ? `health_check can't be negative: ${first}` : undefined
    }
    case 'next':
    case 'failover': {
      const codes = args.map((name) => (RCODE as Readonly<Record<string, number>>)[name.toUpperCase()])
      const wrong = codes.indexOf(undefined)
      if (args.length === 0) return words.argumentError()
      if (wrong >= 0) return words.error(`${args[wrong]} is not a valid rcode`)
      options[property === 'next' ? 'alternate' : 'failover'] = codes.filter((code) => code !== undefined)
      return undefined
    }
    case 'tls':
    case 'tls_servername':
      controller.notModelled(`forward: ${property}`)
      return undefined
    default:
      return words.error(`unknown property '${property}'`)
  }
}
