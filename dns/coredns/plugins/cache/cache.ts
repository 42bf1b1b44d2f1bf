import { UNSPECIFIED_V6 } from '../../../../packet/ip.ts'
import { parsed } from '../../../../packet/parsed.ts'
import { type Message, replyTo } from '../../../message.ts'
import { isSubdomain, lowerName } from '../../../name.ts'
import { OPCODE, RCODE, rcodeName } from '../../../record.ts'
import type { Controller, Handler, Next, Outcome, Plugin, Request, Serving } from '../../plugin.ts'
import { type Kind, kindOf } from '../../reply-kind.ts'
import { answersQuestion, cacheKind, isCacheable } from './answering.ts'
import { countHit, type Item, isFor, newItem, replyFrom, ttlLeft, wantsAd, withTtl } from './item.ts'
import { type CacheOptions, type Limits, MIN_TTL, parseCacheOptions } from './options.ts'

/** The store is cut into so many parts, each of which throws out on its own (pkg/cache). */
const SHARDS = 256
const SECOND = 1_000_000_000

/** cache [TTL] [ZONES...] { ... }: plugin/cache of CoreDNS 1.15. */
export const cache: Plugin = {
  name: 'cache',
  setup(controller) {
    const options = parseCacheOptions(controller)
    return options.ok ? parsed([handler(controller, options.value)]) : options
  },
}

function handler({ line }: Controller, options: CacheOptions): Handler {
  const denials = new Map<string, Item>()
  const answers = new Map<string, Item>()
  const { stale } = options
  return {
    plugin: 'cache',
    line,
    *serve(request, next) {
      const isQuery = request.message.opcode === OPCODE.QUERY
      if (!isQuery || !options.zones.some((zone) => isSubdomain(zone, request.name))) return yield* next(request)
      const now = request.server.now()
      const item = cached(request, now)
      if (!item) return yield* fresh(request, next)
      const left = ttlLeft(item, now)
      if (left <= 0) {
        if (stale?.verify) {
          const verified = yield* verify(request, next, item)
          if (verified) return verified
        } else if (mayRefresh(item, now)) yield background(request, next, item)
      } else if (wantsPrefetch(item, now, left) && mayRefresh(item, now)) yield background(request, next, item)
      const { rcode } = item.reply
      const age = () => (left > 0 ? `${left} s left of ${item.ttl}` : 'expired, served stale')
      note(request, 'answered', () => `${rcodeName(rcode)} kept from an earlier reply, ${age()}`)
      const shown = Math.max(left, 0)
      const ttl = left <= 0 && stale && stale.replyTtl > 0 ? stale.replyTtl : options.keepTtl ? item.ttl : shown
      return { kind: 'reply', by: 'cache', message: replyFrom(item, request.message, ttl) }
    },
  }

  /** Asks on. The plugins behind get a copy of the query, with AD set so that they tell what they know. */
  function* ask(request: Request, next: Next): Serving {
    const { message } = request
    const copy = { ...message, flags: { ...message.flags, authenticData: true } }
    return yield* next({ ...request, message: copy, shared: { message: copy } })
  }

  function* fresh(request: Request, next: Next): Serving {
    const outcome = yield* ask(request, next)
    if (outcome.kind === 'reply') return { ...outcome, message: kept(request, outcome.message) }
    // A failure that is only told and not written is kept too, if there is a reason for it.
    if (outcome.kind === 'code' && outcome.rcode === RCODE.SERVFAIL && outcome.error !== undefined)
      store(request, replyTo(request.message, RCODE.SERVFAIL), 'asked')
    return outcome
  }

  /** An expired item is asked for again first; undefined: it is served all the same. */
  function* verify(request: Request, next: Next, item: Item): Serving<Outcome | undefined> {
    const now = request.server.now()
    const { recheck = 0 } = stale ?? {}
    if (recheck > 0 && !mayRefresh(item, now)) return undefined
    const outcome = yield* ask(request, next)
    const good = outcome.kind === 'reply' && isFresh(request, outcome.message)
    if (!good) {
      if (recheck > 0) item.retryAt = request.server.now() + recheck * SECOND
      if (outcome.kind === 'reply' && options.preferPositive && fits(request, outcome.message))
        store(request, outcome.message, 'asked')
      return undefined
    }
    return { ...outcome, message: kept(request, outcome.message) }
  }

  /** Whether a refresh brought something to put in the place of an expired item (verifyStaleResponseWriter). */
  function isFresh(request: Request, reply: Message): boolean {
    if (!fits(request, reply)) return false
    if (options.preferPositive) return cacheKind(reply) === 'answer' && answersQuestion(reply)
    const kind = kindOf(reply)
    if (kind === 'other' || kind === 'meta' || kind === 'update') return false
    return reply.rcode === RCODE.NOERROR || reply.rcode === RCODE.NXDOMAIN
  }

  function mayRefresh(item: Item, now: number): boolean {
    return !item.refreshing && now >= item.retryAt
  }

  function background(request: Request, next: Next, item: Item) {
    item.refreshing = true
    return { kind: 'background' as const, work: refresh(request, next, item) }
  }

  /** A refresh asks over TCP, from no address, whoever asked. */
  function* refresh(request: Request, next: Next, item: Item): Serving<void> {
    const isStale = ttlLeft(item, request.server.now()) <= 0
    const client = { ip: UNSPECIFIED_V6, port: 0 }
    const outcome = yield* ask({ ...request, client, transport: 'tcp' }, next)
    item.refreshing = false
    const good = outcome.kind === 'reply' && (!isStale || isFresh(request, outcome.message))
    if (outcome.kind === 'reply' && good) store(request, outcome.message, 'refreshed')
    const { recheck = 0 } = stale ?? {}
    if (!good && isStale && recheck > 0) item.retryAt = request.server.now() + recheck * SECOND
    if (!good) return
    const stored = denials.get(keyOf(request)) ?? answers.get(keyOf(request))
    if (!stored) return
    stored.hits = item.hits
    stored.hitAt = request.server.now()
  }

  /** Denials first; but a failure gives way to an answer that can still be served. */
  function cached(request: Request, now: number): Item | undefined {
    const key = keyOf(request)
    const usable = (item: Item | undefined): Item | undefined => {
      if (!item || !isFor(item, request)) return undefined
      const left = ttlLeft(item, now)
      return left > 0 || (stale && stale.upTo > 0 && -left < stale.upTo) ? item : undefined
    }
    const answer = answers.get(key)
    if (options.preferPositive && stale && answer) {
      const good = usable(answer.answering ? answer : answer.lastGood)
      if (good) return good
    }
    const denial = usable(denials.get(key))
    const usableAnswer = usable(answer)
    return denial && !(usableAnswer && denial.reply.rcode === RCODE.SERVFAIL) ? denial : usableAnswer
  }

  /** A prefetch is worth it where the name is asked often and the item is about to end. */
  function wantsPrefetch(item: Item, now: number, left: number): boolean {
    const { prefetch } = options
    if (!prefetch || prefetch.amount <= 0) return false
    countHit(item, now, prefetch.window)
    return item.hits >= prefetch.amount && left <= Math.ceil((prefetch.percentage / 100) * item.ttl)
  }

  /** Keeps a reply if it may be kept; its TTLs are set to the time it would live, kept or not. */
  function kept(request: Request, reply: Message): Message {
    const message = withTtl(reply, store(request, reply, 'asked'))
    const authenticData = message.flags.authenticData && wantsAd(request.message)
    return { ...message, flags: { ...message.flags, authenticData } }
  }

  /** Stores a reply where that is allowed; the seconds it would live. */
  function store(request: Request, reply: Message, how: 'asked' | 'refreshed'): number {
    const kind = cacheKind(reply)
    const duration = durationOf(reply, kind)
    if (duration <= 0 || !isCacheable(reply, kind) || !isAnswerTo(request, reply)) return Math.max(duration, 0)
    const denial = kind === 'nameError' || kind === 'noData' || kind === 'serverError'
    const except = denial ? options.exceptDenial : options.exceptSuccess
    if (except.some((zone) => isSubdomain(zone, request.name))) return duration
    const ttl = withTtl(reply, duration)
    const answering = answersQuestion(reply)
    const key = keyOf(request)
    const before = options.preferPositive && !denial && !answering ? answers.get(key) : undefined
    const lastGood = before?.answering ? before : before?.lastGood
    const item = newItem(ttl, { now: request.server.now(), ttl: duration, answering, lastGood })
    const limits = denial ? options.denial : options.success
    keep(denial ? denials : answers, { key, item, capacity: limits.capacity, request })
    if (!denial && (options.preferPositive ? answering : how === 'refreshed')) denials.delete(key)
    note(request, 'stored', () => `${denial ? 'denial' : 'answer'} for ${duration} s`)
    return duration
  }

  function durationOf(reply: Message, kind: Kind): number {
    if (kind === 'serverError') return options.servfail
    const limits = kind === 'nameError' || kind === 'noData' ? options.denial : options.success
    return Math.min(Math.max(minimalTtl(reply, kind, limits), limits.min), limits.max)
  }

  function note({ server, question }: Request, action: 'answered' | 'stored', detail: () => string): void {
    server.note(() => ({ kind: 'dns.plugin', plugin: 'cache', line, question, action, detail: detail() }))
  }
}

/** A whole reply to this question. */
const fits = (request: Request, reply: Message): boolean => !reply.flags.truncated && isAnswerTo(request, reply)

/** Request.Match. */
function isAnswerTo({ name, question }: Request, { questions, flags }: Message): boolean {
  const [told, ...more] = questions
  return (
    told !== undefined &&
    more.length === 0 &&
    flags.response &&
    lowerName(told.name) === name &&
    told.type === question.type &&
    told.class === question.class
  )
}

interface Keeping {
  readonly key: string
  readonly item: Item
  readonly capacity: number
  readonly request: Request
}

function keep(store: Map<string, Item>, { key, item, capacity, request }: Keeping): void {
  const room = Math.max(Math.floor(capacity / SHARDS), 4) * SHARDS
  if (!store.has(key) && store.size >= room) {
    // A random victim in CoreDNS; which shard a key falls into is a matter of its hash.
    const victim = [...store.keys()][request.server.draw('cache eviction', store.size)]
    if (victim !== undefined) store.delete(victim)
  }
  store.set(key, item)
}

/** Names, types and classes differ; so do queries with DO and with CD. */
function keyOf({ name, question, message }: Request): string {
  return `${name} ${question.type} ${question.class} ${message.edns?.dnssecOk ? 'do' : ''} ${message.flags.checkingDisabled ? 'cd' : ''}`
}

/** The lowest TTL of a reply, `max` at most; 5 where it holds no record, or is an error (dnsutil/ttl.go). */
function minimalTtl(reply: Message, kind: Kind, { max }: Limits): number {
  if (kind !== 'answer' && kind !== 'nameError' && kind !== 'noData') return MIN_TTL
  let lowest = max
  let count = 0
  for (const section of [reply.answers, reply.authorities, reply.additionals])
    for (const { ttl } of section) {
      count++
      if (ttl < lowest) lowest = ttl
    }
  return count === 0 ? MIN_TTL : lowest
}
