import { parsed } from '../../../../packet/parsed.ts'
import { type Message, replyTo } from '../../../message.ts'
import { isSubdomain, lowerName } from '../../../name.ts'
import { OPCODE, RCODE, type ResourceRecord, rcodeName } from '../../../record.ts'
import type { Controller, Handler, Next, Outcome, Plugin, Request, Serving } from '../../plugin.ts'
import { isUnfinished, type Kind, kindOf } from '../../reply-kind.ts'
import { type CacheOptions, type Limits, MAX_TTL, MIN_TTL, parseCacheOptions } from './options.ts'

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

interface Item {
  readonly reply: Message
  readonly name: string
  readonly stored: number
  /** Seconds it lives. */
  readonly ttl: number
  hits: number
  hitsSince: number
}

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

/** The lowest TTL of a reply; 5 where it holds no record, or is an error (dnsutil.MinimalTTL). */
export function minimalTtl(reply: Message, kind: Kind): number {
  if (kind !== 'answer' && kind !== 'nameError' && kind !== 'noData') return MIN_TTL
  const records = [...reply.answers, ...reply.authorities, ...reply.additionals]
  return records.length === 0 ? MIN_TTL : Math.min(MAX_TTL, ...records.map(({ ttl }) => ttl))
}
