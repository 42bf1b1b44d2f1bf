import type { Errno, ProcessEvent } from '../../linux/process.ts'
import type { Ip } from '../../packet/ip.ts'
import { appended } from '../../packet/octets.ts'
import type { Message, Question } from '../message.ts'
import { decodeMessage } from '../message-decode.ts'
import { encodeMessage } from '../message-encode.ts'
import { lowerName } from '../name.ts'
import { rcodeName } from '../record.ts'
import { recordText } from '../record-text.ts'
import { framed, unframed } from '../stream.ts'
import type { LookupIo, Waiting } from './lookup.ts'

/** What every resolver does with messages and sockets: telling of them in the trace, matching, one question over UDP or TCP. */

export const DNS_PORT = 53
export const SECOND = 1_000_000_000
export const MILLISECOND = 1_000_000

/**
 * How long poll(2) waits when told so: the kernel may be a thousandth late (select_estimate_accuracy of fs/select.c),
 * and the program is not awake at once. Loops that count rounds until a time is over depend on it.
 */
export const polled = (duration: number): number => duration + Math.trunc(duration / 1000) + WAKING

const WAKING = 50_000

export type Transport = 'udp' | 'tcp'

export interface Sending {
  readonly server: Ip
  readonly transport: Transport
  readonly fd: number
  /** Counts from 1 per name and server. */
  readonly attempt: number
}

export const questionOf = (message: Message): Question => message.questions[0] ?? { name: '.', type: 'A', class: 'IN' }

export function noteQuery(io: LookupIo, query: Pick<Message, 'id' | 'questions' | 'edns'>, sending: Sending): void {
  const [question] = query.questions
  io.note({
    kind: 'dns.query',
    question: { name: question?.name ?? '.', type: question?.type ?? '' },
    id: query.id,
    ...sending,
    ...(query.edns && { edns: query.edns.size }),
  })
}

export interface Arrival {
  readonly server: Ip
  readonly transport: Transport
  /** Octets. */
  readonly size: number
}

export function noteReply(io: LookupIo, reply: Message, arrival: Arrival): void {
  const { name, type } = questionOf(reply)
  io.note({
    kind: 'dns.reply',
    question: { name, type },
    ...arrival,
    rcode: rcodeName(reply.rcode),
    truncated: reply.flags.truncated,
    answers: reply.answers.map(recordText),
  })
}

export function noteSilence(io: LookupIo, server: Ip, open: readonly Question[], reason: string): void {
  io.note({ kind: 'dns.noReply', server, questions: open.map(({ name, type }) => ({ name, type })), reason })
}

export function noteDecision(io: LookupIo, name: string, result: string, next: string): void {
  io.note({ kind: 'dns.decision', name, result, next })
}

/** A query's octets; its name has been checked where the query was made. */
export function bytesOf(query: Message): Uint8Array {
  const bytes = encodeMessage(query)
  return bytes.ok ? bytes.value : new Uint8Array(0)
}

/** The same question: letter case does not count (RFC 4343). */
export function sameQuestion(query: Message, reply: Message): boolean {
  const [asked] = query.questions
  const [told] = reply.questions
  return !!asked && !!told && asked.type === told.type && lowerName(asked.name) === lowerName(told.name)
}

export const isReplyTo = (query: Message, reply: Message): boolean =>
  query.id === reply.id && sameQuestion(query, reply)

/** One question to one server. */
export interface Ask {
  readonly query: Message
  readonly server: Ip
  readonly transport: Transport
  /** When patience ends, in nanoseconds; undefined: never. */
  readonly until: number | undefined
  readonly attempt: number
  /** Whether a message is taken as the answer; what is not is passed over, over TCP it ends the exchange. */
  readonly takes: (reply: Message) => boolean
  /** An open datagram socket to use; it stays open. */
  readonly socket?: number
}

export type Exchanged =
  | { readonly kind: 'reply'; readonly reply: Message; readonly size: number }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'error'; readonly errno: Errno }
  /** The peer hung up; or what it said over TCP is no answer. */
  | { readonly kind: 'closed' }

/** Asks over a socket of its own, which is closed when it is over, or over one that is there. */
export function* exchange(io: LookupIo, ask: Ask): Waiting<Exchanged> {
  const fd = ask.socket ?? io.connected(ask.transport, { ip: ask.server, port: DNS_PORT })
  const result = yield* ask.transport === 'udp' ? overDatagrams(io, ask, fd) : overStream(io, ask, fd)
  if (ask.socket === undefined) io.close(fd)
  if (result.kind === 'reply')
    noteReply(io, result.reply, { server: ask.server, transport: ask.transport, size: result.size })
  else noteSilence(io, ask.server, [questionOf(ask.query)], reasonOf(result))
  return result
}

const reasonOf = (result: Exclude<Exchanged, { kind: 'reply' }>): string =>
  result.kind === 'error' ? result.errno : result.kind === 'closed' ? 'connection closed' : 'timeout'

function tell(io: LookupIo, { query, server, transport, attempt }: Ask, fd: number): void {
  noteQuery(io, query, { server, transport, fd, attempt })
}

function* overDatagrams(io: LookupIo, ask: Ask, fd: number): Waiting<Exchanged> {
  tell(io, ask, fd)
  io.send(fd, bytesOf(ask.query))
  for (;;) {
    const event = yield { until: ask.until }
    const over = ended(event, fd)
    if (over) return over
    if (event.kind !== 'data' || event.fd !== fd) continue
    const reply = decodeMessage(event.bytes)
    if (reply.ok && ask.takes(reply.value)) return { kind: 'reply', reply: reply.value, size: event.bytes.length }
  }
}

function* overStream(io: LookupIo, ask: Ask, fd: number): Waiting<Exchanged> {
  let stream: Uint8Array = new Uint8Array(0)
  for (;;) {
    const event = yield { until: ask.until }
    const over = ended(event, fd)
    if (over) return over
    if (event.kind === 'connected' && event.fd === fd) {
      tell(io, ask, fd)
      io.send(fd, framed(bytesOf(ask.query)))
    }
    if (event.kind !== 'data' || event.fd !== fd) continue
    const { messages, rest } = unframed(appended(stream, event.bytes))
    stream = rest
    const [bytes] = messages
    if (!bytes) continue
    const reply = decodeMessage(bytes)
    return reply.ok && ask.takes(reply.value)
      ? { kind: 'reply', reply: reply.value, size: bytes.length }
      : { kind: 'closed' }
  }
}

/** How an event ends an exchange on a socket; undefined: it does not. */
export function ended(event: ProcessEvent, fd: number): Exclude<Exchanged, { kind: 'reply' }> | undefined {
  if (event.kind === 'timer') return { kind: 'timeout' }
  if (event.fd !== fd) return undefined
  if (event.kind === 'error') return { kind: 'error', errno: event.errno }
  return event.kind === 'closed' ? { kind: 'closed' } : undefined
}
