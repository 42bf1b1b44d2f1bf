import { type Message, replyTo } from '../../../message.ts'
import { lowerName } from '../../../name.ts'
import type { ResourceRecord } from '../../../record.ts'
import type { Request } from '../../plugin.ts'

const SECOND = 1_000_000_000

/** A reply that is kept (plugin/cache/item.go). */
export interface Item {
  /** Without its OPT. */
  readonly reply: Message
  /** Nanoseconds on the virtual clock. */
  readonly stored: number
  /** Seconds it lives. */
  readonly ttl: number
  /** It answers its question, and is more than aliases. */
  readonly answering: boolean
  /** An answer that this non-answer took the place of. */
  readonly lastGood: Item | undefined
  hits: number
  /** When it was asked last; undefined: never. */
  hitAt: number | undefined
  /** A refresh is under way. */
  refreshing: boolean
  /** No refresh before that time: the last one failed. */
  retryAt: number
}

export function newItem(
  reply: Message,
  { now, ttl, answering, lastGood }: Pick<Item, 'ttl' | 'answering' | 'lastGood'> & { readonly now: number },
): Item {
  const { edns: _, ...bare } = reply
  return {
    reply: bare,
    stored: now,
    ttl,
    answering,
    lastGood,
    hits: 0,
    hitAt: undefined,
    refreshing: false,
    retryAt: Number.NEGATIVE_INFINITY,
  }
}

/** Seconds left, negative where it has expired. */
export const ttlLeft = ({ ttl, stored }: Item, now: number): number => ttl - Math.trunc((now - stored) / SECOND)

/** The store is keyed by a hash: the question is compared again. */
export function isFor({ reply }: Item, { question }: Request): boolean {
  const [own] = reply.questions
  return own?.type === question.type && own.class === question.class && lowerName(own.name) === lowerName(question.name)
}

/** Counts a hit; after a pause longer than the window counting begins again (freq.go). */
export function countHit(item: Item, now: number, window: number): void {
  const pause = item.hitAt === undefined || item.hitAt < now - window * SECOND
  item.hits = pause ? 1 : item.hits + 1
  item.hitAt = now
}

/** item.toMsg: RD and CD of the query, AA and RA as stored, all TTLs the same. */
export function replyFrom({ reply }: Item, query: Message, ttl: number): Message {
  const empty = replyTo(query, reply.rcode)
  const flags = {
    ...empty.flags,
    authoritative: reply.flags.authoritative,
    recursionAvailable: reply.flags.recursionAvailable,
    authenticData: wantsAd(query) && reply.flags.authenticData,
  }
  const { answers, authorities, additionals } = withTtl(reply, ttl)
  return { ...empty, flags, answers, authorities, additionals }
}

/** AD is for those who asked for it, or for DNSSEC (RFC 6840 §5.7). */
export const wantsAd = ({ edns, flags }: Message): boolean => edns?.dnssecOk === true || flags.authenticData

/** All TTLs set, and no OPT. */
export function withTtl(message: Message, ttl: number): Message {
  const set = (records: readonly ResourceRecord[]) => records.map((record) => ({ ...record, ttl }))
  const { edns: _, ...bare } = message
  return {
    ...bare,
    answers: set(message.answers),
    authorities: set(message.authorities),
    additionals: set(message.additionals),
  }
}
