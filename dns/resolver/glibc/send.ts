import type { Errno } from '../../../linux/process.ts'
import type { Ip } from '../../../packet/ip.ts'
import { appended } from '../../../packet/octets.ts'
import type { Message } from '../../message.ts'
import { decodeMessage } from '../../message-decode.ts'
import { RCODE } from '../../record.ts'
import { framed, unframed } from '../../stream.ts'
import {
  bytesOf,
  DNS_PORT,
  isReplyTo,
  noteQuery,
  noteReply,
  noteSilence,
  questionOf,
  SECOND,
  type Transport,
} from '../exchange.ts'
import type { LookupIo, Waiting } from '../lookup.ts'
import type { ResolvConf } from '../resolv-conf.ts'

/** What a thread's resolver carries from one name to the next (struct __res_state). */
export interface ResState {
  readonly conf: ResolvConf
  /** Minor of glibc 2.x. */
  readonly glibc: number
  /** RES_SNGLKUP and RES_SNGLKUPREOP: set by the file, or by a lost reply for the rest of the process. */
  singleRequest: boolean
  singleRequestReopen: boolean
  /** UDP sockets by index of the server. */
  readonly sockets: Map<number, number>
  /** Where `rotate` starts; drawn at the first query. */
  rotateOffset: number | undefined
}

export const newResState = (conf: ResolvConf, glibc: number): ResState => ({
  conf,
  glibc,
  singleRequest: conf.flags.has('single-request') || conf.flags.has('single-request-reopen'),
  singleRequestReopen: conf.flags.has('single-request-reopen'),
  sockets: new Map(),
  rotateOffset: undefined,
})

/** One query, or A and AAAA of one name. */
export type Queries = readonly [Message] | readonly [Message, Message]

/**
 * What sending came to. `first` and `second` are the answer buffers in order of arrival, not of the queries; one is
 * undefined where no usable reply came.
 */
export type Sent =
  | { readonly ok: true; readonly first: Message | undefined; readonly second: Message | undefined }
  | {
      readonly ok: false
      readonly errno: Errno
      /** The response code that is left in the answer buffer: 0 where nothing came. */
      readonly lastRcode: number
    }

/** Asked one by one, a failed first query no longer waits for the reply to one that was never sent (bug 30081). */
const WAITS_NO_MORE = 36

/** __res_context_send of resolv/res_send.c, glibc 2.36. */
export function* send(io: LookupIo, state: ResState, queries: Queries): Waiting<Sent> {
  const { conf } = state
  const memory: Memory = { gotSomewhere: false, streamErrno: 'ETIMEDOUT', lastRcode: 0, attempts: new Map() }
  let stream = conf.flags.has('use-vc')
  const offset = rotation(io, state)
  for (let attempt = 0; attempt < conf.attempts; attempt++)
    for (let shift = 0; shift < conf.servers.length; shift++) {
      const index = (shift + offset) % conf.servers.length
      const server = conf.servers[index]
      if (!server) continue
      // Before 2.26 the list itself was turned, so that the turn a server is asked in told how long it may take.
      const place = state.glibc < RANDOM_ROTATION ? shift : index
      const over: Over = { io, state, queries, index, place, server, memory }
      let result: Result = stream ? { kind: 'truncated' } : yield* overDatagrams(over)
      if (result.kind === 'truncated') {
        // Once in a stream there is one attempt per server.
        stream = true
        attempt = conf.attempts
        result = yield* overStream(over)
      }
      if (result.kind !== 'replies') continue
      closeAll(io, state)
      return { ok: true, first: result.first, second: result.second }
    }
  closeAll(io, state)
  const datagramErrno = memory.gotSomewhere ? 'ETIMEDOUT' : 'ECONNREFUSED'
  return { ok: false, errno: stream ? memory.streamErrno : datagramErrno, lastRcode: memory.lastRcode }
}

interface Memory {
  /** A server spoke or kept silent, rather than the network saying that nobody is there. */
  gotSomewhere: boolean
  /** terrno of send_vc: what the last connection failed with. */
  streamErrno: Errno
  lastRcode: number
  readonly attempts: Map<number, number>
}

interface Over {
  readonly io: LookupIo
  readonly state: ResState
  readonly queries: Queries
  readonly index: number
  /** Where it stands in the list the timeouts are shared out by. */
  readonly place: number
  readonly server: Ip
  readonly memory: Memory
}

type Result =
  | { readonly kind: 'replies'; readonly first: Message | undefined; readonly second: Message | undefined }
  | { readonly kind: 'nextServer' }
  | { readonly kind: 'truncated' }

/** Since 2.26 (bug 19570); before, every process began with its second server. */
const RANDOM_ROTATION = 26

/** nameserver_offset: a random start, then one further with each call. */
function rotation(io: LookupIo, state: ResState): number {
  const count = state.conf.servers.length
  if (count <= 1 || !state.conf.flags.has('rotate')) return 0
  const offset = state.rotateOffset ?? (state.glibc < RANDOM_ROTATION ? 1 : io.draw('rotate', count))
  state.rotateOffset = offset + 1
  return offset % count
}

/** How long a server may take: the timeout doubled per server behind it, shared out among them (send_dg). */
function patience(state: ResState, place: number): number {
  const seconds = state.conf.timeout * 2 ** place
  return Math.max(place > 0 ? Math.trunc(seconds / state.conf.servers.length) : seconds, 1) * SECOND
}

/** send_dg: both queries at once on one socket, or one after the other. */
function* overDatagrams(over: Over): Waiting<Result> {
  const { io, state, queries, index, memory } = over
  const before = memory.gotSomewhere
  for (;;) {
    const round = yield* datagramRound(over)
    if (round.kind !== 'half') return round
    // One reply came, the other did not: ask one by one, then with a socket each, then be content.
    if (!state.singleRequest) state.singleRequest = true
    else if (!state.singleRequestReopen) {
      state.singleRequestReopen = true
      closeAll(io, state)
    } else return { kind: 'replies', first: round.first, second: undefined }
    memory.gotSomewhere = before
    io.note({
      kind: 'dns.decision',
      name: queries[0].questions[0]?.name ?? '',
      result: `only one of two replies from server ${index + 1}`,
      next: state.singleRequestReopen
        ? 'ask again, each query from a socket of its own'
        : 'ask again, one query after the other',
    })
  }
}

type Round = Result | { readonly kind: 'half'; readonly first: Message }

function* datagramRound(over: Over): Waiting<Round> {
  const { io, state, queries, index, place, server, memory } = over
  let fd = socketTo(io, state, index, server)
  const until = io.now + patience(state, place)
  const received = [false, queries.length === 1]
  let first: Message | undefined
  let second: Message | undefined
  let buffers = 0
  for (const query of state.singleRequest ? [queries[0]] : queries) transmit(over, fd, query)
  for (;;) {
    const event = yield { until }
    if (event.kind === 'timer') {
      noReply(over, received, 'timeout')
      if (first && queries.length === 2 && (received[0] || received[1])) return { kind: 'half', first }
      memory.gotSomewhere = true
      return { kind: 'nextServer' }
    }
    if (event.kind === 'error') {
      if (event.fd !== fd) continue
      noReply(over, received, event.errno)
      closeAll(io, state)
      return { kind: 'nextServer' }
    }
    if (event.kind !== 'data' || event.fd !== fd) continue
    const reply = decodeMessage(event.bytes)
    if (event.bytes.length < 12) {
      closeAll(io, state)
      return { kind: 'nextServer' }
    }
    const which = reply.ok ? matching(queries, received, reply.value) : undefined
    if (!reply.ok || which === undefined) continue
    memory.gotSomewhere = true
    noteReply(io, reply.value, { server, transport: 'udp', size: event.bytes.length })
    const message = reply.value
    if (buffers === 0) memory.lastRcode = message.rcode & 0xf
    buffers++
    if (isUseless(message)) {
      if (received[0] || (queries.length === 2 && received[1]))
        return first || second ? { kind: 'replies', first, second } : { kind: 'nextServer' }
      const waitsForOther = queries.length === 2 && (!state.singleRequest || state.glibc < WAITS_NO_MORE)
      if (waitsForOther) {
        received[which] = true
        continue
      }
      closeAll(io, state)
      return { kind: 'nextServer' }
    }
    if (message.flags.truncated) {
      closeAll(io, state)
      return { kind: 'truncated' }
    }
    if (buffers === 1 || queries.length === 1) first = message
    else second = message
    received[which] = true
    if (received[0] && received[1]) return { kind: 'replies', first, second }
    const next = queries[1]
    if (state.singleRequest && next) {
      if (state.singleRequestReopen) {
        closeAll(io, state)
        fd = socketTo(io, state, index, server)
      }
      transmit(over, fd, next)
    }
  }
}

/** send_vc: both queries on one connection, and no deadline but TCP's own. */
function* overStream(over: Over): Waiting<Result> {
  const { io, queries, server, memory } = over
  const fd = io.connected('tcp', { ip: server, port: DNS_PORT })
  const received = [false, queries.length === 1]
  const replies: Message[] = []
  let stream: Uint8Array = new Uint8Array(0)
  for (;;) {
    const event = yield { until: undefined }
    if (event.kind === 'timer' || event.fd !== fd) continue
    if (event.kind === 'connected') {
      io.send(fd, joined(queries.map((query) => framed(bytesOf(query)))))
      for (const query of queries) tellQuery(over, 'tcp', fd, query)
      continue
    }
    if (event.kind !== 'data') {
      noReply(over, received, event.kind === 'error' ? event.errno : 'connection closed')
      if (event.kind === 'error') memory.streamErrno = event.errno
      io.close(fd)
      return { kind: 'nextServer' }
    }
    const { messages, rest } = unframed(appended(stream, event.bytes))
    stream = rest
    for (const bytes of messages) {
      const reply = decodeMessage(bytes)
      const which = reply.ok ? matching(queries, received, reply.value) : undefined
      if (!reply.ok || which === undefined) continue
      if (replies.length === 0) memory.lastRcode = reply.value.rcode & 0xf
      replies.push(reply.value)
      received[which] = true
      noteReply(io, reply.value, { server, transport: 'tcp', size: bytes.length })
    }
    if (received[0] && received[1]) {
      io.close(fd)
      return { kind: 'replies', first: replies[0], second: replies[1] }
    }
  }
}

/** Codes that make glibc ask the next server, and an empty reply of a server that knows nothing at all (lame). */
function isUseless({ rcode, flags, answers, additionals, edns }: Message): boolean {
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP || rcode === RCODE.REFUSED) return true
  const bare = answers.length === 0 && additionals.length === 0 && edns === undefined
  return rcode === RCODE.NOERROR && bare && !flags.authoritative && !flags.recursionAvailable
}

/** Which query a reply is to: by id and question, of those still open. */
function matching(queries: Queries, received: readonly boolean[], reply: Message): 0 | 1 | undefined {
  for (const which of [0, 1] as const) {
    const query = queries[which]
    if (query && !received[which] && isReplyTo(query, reply)) return which
  }
  return undefined
}

/** Since 2.30 (bug 24047) what is not fatal is told too, as that a host is unreachable. */
const FULL_ICMP_ERRORS = 30

function socketTo(io: LookupIo, state: ResState, index: number, server: Ip): number {
  const open = state.sockets.get(index)
  if (open !== undefined) return open
  const fd = io.connected('udp', { ip: server, port: DNS_PORT }, state.glibc >= FULL_ICMP_ERRORS)
  state.sockets.set(index, fd)
  return fd
}

/** __res_iclose. */
function closeAll(io: LookupIo, state: ResState): void {
  for (const fd of state.sockets.values()) io.close(fd)
  state.sockets.clear()
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.reduce((all, part) => appended(all, part), new Uint8Array(0))
}

function transmit(over: Over, fd: number, query: Message): void {
  tellQuery(over, 'udp', fd, query)
  over.io.send(fd, bytesOf(query))
}

function tellQuery(
  { io, queries, index, server, memory }: Over,
  transport: Transport,
  fd: number,
  query: Message,
): void {
  const attempt = (memory.attempts.get(index) ?? 0) + (query === queries[0] ? 1 : 0)
  memory.attempts.set(index, Math.max(attempt, 1))
  noteQuery(io, query, { server, transport, fd, attempt: Math.max(attempt, 1) })
}

function noReply({ io, server, queries }: Over, received: readonly boolean[], reason: string): void {
  noteSilence(io, server, queries.filter((_, i) => !received[i]).map(questionOf), reason)
}
