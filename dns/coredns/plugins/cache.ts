import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { type Message, replyTo } from '../../message.ts'
import { isSubdomain, lowerName } from '../../name.ts'
import { OPCODE, RCODE, type ResourceRecord, rcodeName, typeOf } from '../../record.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import {
  type Controller,
  type Handler,
  type Next,
  type Outcome,
  type Plugin,
  pluginError,
  type Request,
  type Serving,
} from '../plugin.ts'
import { zonesOf } from '../zones.ts'
import { durationSeconds } from './no-op.ts'

/** A `cache` stanza; TTLs in seconds. */
interface CacheOptions {
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

interface Limits {
  readonly capacity: number
  readonly max: number
  readonly min: number
}

type Editable = { -readonly [Key in keyof CacheOptions]: CacheOptions[Key] }

/** dnsutil.MinimalDefaultTTL and MaximumDefaulTTL. */
const MIN_TTL = 5
const MAX_TTL = 3600
const CAPACITY = 10_000
/** The store is cut into so many parts, each of which throws out on its own (pkg/cache). */
const SHARDS = 256
const SECOND = 1_000_000_000

/** cache [TTL] [ZONES...] { ... }: plugin/cache of CoreDNS 1.15. */
export const cache: Plugin = {
  name: 'cache',
  setup(controller) {
    const options = parseOptions(controller)
    return options.ok ? parsed([handler(controller, options.value)]) : options
  },
}

interface Item {
  readonly reply: Message
  readonly name: string
  readonly stored: number
  /** Seconds it lives. */
  readonly ttl: number
  hits: number
  hitsSince: number
}

/** What a reply is, for keeping it (pkg/response Typify). */
type Kind = 'answer' | 'nameError' | 'noData' | 'serverError' | 'delegation' | 'other'

function handler({ line }: Controller, options: CacheOptions): Handler {
  const denials = new Map<string, Item>()
  const answers = new Map<string, Item>()
  return {
    plugin: 'cache',
    line,
    *serve(request, next) {
      if (!options.zones.some((zone) => isSubdomain(zone, request.name))) return yield* next(request)
      const now = request.server.now()
      const item = cached(request, now)
      if (!item) return yield* fresh(request, next)
      const left = ttlLeft(item, now)
      if (left <= 0 && options.stale?.verify) {
        const outcome = yield* next(request)
        if (isUsable(outcome)) return kept(request, outcome)
      } else if (left <= 0 || wantsPrefetch(item, now, left)) {
        yield { kind: 'background', work: refresh(request, next, item) }
      }
      const age = left > 0 ? `${left} s left of ${item.ttl}` : 'expired, served stale'
      note(request, 'answered', `${rcodeName(item.reply.rcode)} kept from an earlier reply, ${age}`)
      const ttl = options.keepTtl ? item.ttl : Math.max(left, 0)
      return { kind: 'reply', by: 'cache', message: fromCache(request, item, ttl) }
    },
  }

  /** A reply that was cut is not kept, but fetched whole in the background (seen in 1.15). */
  function* fresh(request: Request, next: Next): Serving {
    const outcome = yield* next(request)
    const reply = outcome.kind === 'reply' ? outcome.message : undefined
    const part = reply?.flags.truncated && reply.answers.length > 0 && !isUnfinished(reply)
    const cut = part && request.transport === 'udp'
    if (cut && !options.exceptSuccess.some((zone) => isSubdomain(zone, request.name)))
      yield { kind: 'background', work: refresh(request, next) }
    return kept(request, outcome)
  }

  /** Denials first; but a failure gives way to an answer that can still be served. */
  function cached(request: Request, now: number): Item | undefined {
    const key = keyOf(request)
    const usable = (item: Item | undefined): Item | undefined => {
      if (!item || item.name !== request.name) return undefined
      const left = ttlLeft(item, now)
      return left > 0 || (options.stale && -left < options.stale.upTo) ? item : undefined
    }
    const denial = usable(denials.get(key))
    const answer = usable(answers.get(key))
    return denial && !(answer && kindOf(denial.reply) === 'serverError') ? denial : answer
  }

  /** The protocol is TCP whatever the client's, so that the reply is whole. */
  function* refresh(request: Request, next: Next, item?: Item): Serving<void> {
    const outcome = yield* next({ ...request, transport: 'tcp' })
    if (outcome.kind !== 'reply') return
    store(request, outcome.message)
    if (kindOf(outcome.message) === 'answer') denials.delete(keyOf(request))
    const stored = answers.get(keyOf(request)) ?? denials.get(keyOf(request))
    if (stored && item) {
      stored.hits = item.hits
      stored.hitsSince = item.hitsSince
    }
  }

  /** A prefetch is worth it where the name is asked often and the item is about to end. */
  function wantsPrefetch(item: Item, now: number, left: number): boolean {
    const { prefetch } = options
    if (!prefetch) return false
    if (now - item.hitsSince > prefetch.window * SECOND) {
      item.hitsSince = now
      item.hits = 1
    } else {
      item.hits++
      item.hitsSince = now
    }
    return item.hits >= prefetch.amount && left <= Math.ceil((prefetch.percentage / 100) * item.ttl)
  }

  /** Keeps a reply if it may be kept, and a failure; its TTLs are set to the time it would live, kept or not. */
  function kept(request: Request, outcome: Outcome): Outcome {
    if (outcome.kind === 'code' && outcome.rcode === RCODE.SERVFAIL)
      store(request, replyTo(request.message, RCODE.SERVFAIL))
    if (outcome.kind !== 'reply') return outcome
    const duration = store(request, outcome.message)
    const message = withTtl(outcome.message, duration)
    const keepAd = request.message.edns?.dnssecOk || request.message.flags.authenticData
    const flags = keepAd ? message.flags : { ...message.flags, authenticData: false }
    return { ...outcome, message: { ...message, flags } }
  }

  /** Stores a reply where that is allowed; the seconds it would live. */
  function store(request: Request, reply: Message): number {
    const kind = kindOf(reply)
    const ttl = minimalTtl(reply, kind)
    const duration = durationOf(kind, ttl)
    const matches = reply.questions[0] && lowerName(reply.questions[0].name) === request.name && reply.flags.response
    if (
      !matches ||
      reply.opcode !== OPCODE.QUERY ||
      reply.flags.truncated ||
      kind === 'other' ||
      duration <= 0 ||
      isUnfinished(reply)
    )
      return duration
    const denial = kind === 'nameError' || kind === 'noData' || kind === 'serverError'
    const except = denial ? options.exceptDenial : options.exceptSuccess
    if (except.some((zone) => isSubdomain(zone, request.name))) return duration
    const limits = denial ? options.denial : options.success
    keep(denial ? denials : answers, { key: keyOf(request), capacity: limits.capacity, request, reply, duration })
    note(request, 'stored', `${denial ? 'denial' : 'answer'} for ${duration} s`)
    return duration
  }

  function durationOf(kind: Kind, ttl: number): number {
    const clamp = ({ min, max }: Limits) => Math.min(Math.max(ttl, min), max)
    if (kind === 'serverError') return options.servfail
    return clamp(kind === 'nameError' || kind === 'noData' ? options.denial : options.success)
  }

  function note(request: Request, action: 'answered' | 'stored', detail: string): void {
    request.server.note({ kind: 'dns.plugin', plugin: 'cache', line, question: request.question, action, detail })
  }
}

/** What serve_stale's verify takes instead of the old answer. */
const isUsable = (outcome: Outcome): boolean =>
  outcome.kind === 'reply' && (outcome.message.rcode === RCODE.NOERROR || outcome.message.rcode === RCODE.NXDOMAIN)

interface Keeping {
  readonly key: string
  readonly capacity: number
  readonly request: Request
  readonly reply: Message
  readonly duration: number
}

function keep(store: Map<string, Item>, { key, capacity, request, reply, duration }: Keeping): void {
  if (!store.has(key) && store.size >= Math.floor(capacity / SHARDS) * SHARDS) {
    // A random victim in CoreDNS; which shard a key falls into is a matter of its hash.
    const victim = [...store.keys()][request.server.draw('cache eviction', store.size)]
    if (victim !== undefined) store.delete(victim)
  }
  const { edns: _, ...bare } = reply
  const now = request.server.now()
  store.set(key, { reply: bare, name: request.name, stored: now, ttl: duration, hits: 0, hitsSince: now })
}

/** Names, types and classes differ; so do queries with DO and with CD. */
function keyOf({ name, question, message }: Request): string {
  return `${name} ${question.type} ${question.class} ${message.edns?.dnssecOk ? 'do' : ''} ${message.flags.checkingDisabled ? 'cd' : ''}`
}

const ttlLeft = (item: Item, now: number): number => item.ttl - Math.trunc((now - item.stored) / SECOND)

/** item.toMsg: RD and CD of the query, AA and RA as stored, all TTLs what is left. */
function fromCache(request: Request, { reply, ttl: whole }: Item, left: number): Message {
  const empty = replyTo(request.message, reply.rcode)
  const keepAd = request.message.edns?.dnssecOk || request.message.flags.authenticData
  const flags = {
    ...empty.flags,
    authoritative: reply.flags.authoritative,
    recursionAvailable: reply.flags.recursionAvailable,
    authenticData: keepAd ? reply.flags.authenticData : false,
  }
  const { answers, authorities, additionals } = withTtl(reply, Math.min(left, whole))
  return { ...empty, flags, answers, authorities, additionals }
}

function withTtl(message: Message, ttl: number): Message {
  const set = (records: readonly ResourceRecord[]) => records.map((record) => ({ ...record, ttl }))
  return {
    ...message,
    answers: set(message.answers),
    authorities: set(message.authorities),
    additionals: set(message.additionals),
  }
}

function kindOf(reply: Message): Kind {
  const { rcode, answers, authorities } = reply
  const type = reply.questions[0]?.type
  if (type === 'AXFR' || type === 'IXFR') return 'other'
  const soa = authorities.some((record) => record.type === 'SOA')
  if (rcode === RCODE.NOERROR && answers.length > 0) return 'answer'
  if (soa && rcode === RCODE.NOERROR) return 'noData'
  if (rcode === RCODE.NXDOMAIN) return soa && !answers.some((record) => record.type === 'CNAME') ? 'nameError' : 'other'
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP) return 'serverError'
  if (rcode === RCODE.NOERROR) return authorities.some((record) => record.type === 'NS') ? 'delegation' : 'answer'
  return 'other'
}

/** Nothing but aliases came although another type was asked for, and no SOA says that this is all. */
function isUnfinished({ rcode, answers, authorities, questions }: Message): boolean {
  const type = questions[0]?.type ?? ''
  if (rcode !== RCODE.NOERROR || answers.length === 0 || type === 'CNAME' || type === 'ANY') return false
  return !answers.some((record) => typeOf(record) === type) && !authorities.some((record) => record.type === 'SOA')
}

/** The lowest TTL of a reply; 5 where it holds no record, or is an error (dnsutil.MinimalTTL). */
function minimalTtl(reply: Message, kind: Kind): number {
  if (kind !== 'answer' && kind !== 'nameError' && kind !== 'noData') return MIN_TTL
  const records = [...reply.answers, ...reply.authorities, ...reply.additionals]
  return records.length === 0 ? MIN_TTL : Math.min(MAX_TTL, ...records.map(({ ttl }) => ttl))
}

function parseOptions({ words, zones }: Controller): Parsed<CacheOptions> {
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
