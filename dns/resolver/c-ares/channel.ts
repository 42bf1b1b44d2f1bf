import type { Ip } from '../../../packet/ip.ts'
import { type Message, query as newQuery } from '../../message.ts'
import { checkName, fqdn } from '../../name.ts'
import { RCODE } from '../../record.ts'
import { type Exchanged, exchange, isReplyTo, MILLISECOND } from '../exchange.ts'
import type { LookupIo, Waiting } from '../lookup.ts'

/** ares_status_t, as far as a lookup gives it. */
export type CaresStatus =
  | 'SUCCESS'
  | 'ENODATA'
  | 'EFORMERR'
  | 'ESERVFAIL'
  | 'ENOTFOUND'
  | 'ENOTIMP'
  | 'EREFUSED'
  | 'EBADNAME'
  | 'ETIMEOUT'
  | 'ECONNREFUSED'

/** ares_channel_t: how a program uses c-ares, and what it has learnt of its servers. */
export interface Channel {
  readonly servers: readonly Ip[]
  /** Milliseconds of the first try. */
  readonly timeout: number
  /** Of each server. */
  readonly tries: number
  readonly rotate: boolean
  readonly useTcp: boolean
  /** ARES_FLAG_NOCHECKRESP: SERVFAIL, NOTIMP and REFUSED are answers like others. */
  readonly takesErrors: boolean
  /** ARES_FLAG_EDNS: octets; undefined without. */
  readonly edns: number | undefined
  /** Nanoseconds between the looks of a program that drives the channel itself; undefined: at once. */
  readonly tick: number | undefined
  /** Consecutive failures by index of the server. */
  readonly failures: number[]
  readonly sockets: Map<number, number>
  readonly begunAt: number
}

/** ARES_DEFAULT_TIMEOUT and ARES_DEFAULT_TRIES of 1.34. */
export const DEFAULT_TIMEOUT = 2000
export const DEFAULT_TRIES = 3
export const EDNS_SIZE = 1232
/** A failed server is tried again at one in so many queries, once its delay is over; a lookup is over before. */
const JITTER_STEPS = 0x10000

/** ares_is_hostnamech. */
const HOST_NAME = /^[A-Za-z0-9._/*-]+$/

export interface Asked {
  readonly status: CaresStatus
  readonly reply?: Message
}

/** ares_send_query and what follows it: one name and type, until a server answers or every try is used up. */
export function* caresQuery(io: LookupIo, channel: Channel, question: { name: string; type: string }): Waiting<Asked> {
  const name = fqdn(question.name)
  if (!HOST_NAME.test(question.name) || !checkName(name).ok) return { status: 'EBADNAME' }
  let edns = channel.edns
  let tcp = channel.useTcp
  let error: CaresStatus = 'ETIMEOUT'
  const id = io.draw(`${name} ${question.type}`, 0x10000)
  for (let tried = 0; tried < channel.servers.length * channel.tries; ) {
    const index = serverFor(io, channel)
    const server = channel.servers[index]
    if (!server) break
    const query = newQuery(
      id,
      { name, type: question.type },
      edns === undefined ? {} : { edns: { size: edns, version: 0, dnssecOk: false, options: [] } },
    )
    const got: Exchanged = yield* exchange(io, {
      query,
      server,
      transport: tcp ? 'tcp' : 'udp',
      until: deadline(io, channel, tried),
      attempt: tried + 1,
      takes: (reply) => isReplyTo(query, reply),
      ...(!tcp && { socket: socketTo(io, channel, index, server) }),
    })
    if (got.kind === 'reply') {
      const { reply } = got
      if (reply.rcode === RCODE.FORMERR && edns !== undefined && reply.edns === undefined) {
        edns = undefined
        continue
      }
      if (reply.flags.truncated && !tcp) {
        tcp = true
        continue
      }
      const status = statusOf(reply)
      const refuses = status === 'ESERVFAIL' || status === 'ENOTIMP' || status === 'EREFUSED'
      if (!refuses || channel.takesErrors) {
        channel.failures[index] = 0
        return { status, reply }
      }
      error = status
    } else error = got.kind === 'error' ? 'ECONNREFUSED' : 'ETIMEOUT'
    tried++
    channel.failures[index] = (channel.failures[index] ?? 0) + 1
    // The socket of a server that failed is given up: another port may get through.
    const socket = channel.sockets.get(index)
    channel.sockets.delete(index)
    if (socket !== undefined) io.close(socket)
  }
  return { status: error }
}

/** The server with the fewest failures in a row, of those the first; with `rotate` any. */
function serverFor(io: LookupIo, { servers, rotate, failures }: Channel): number {
  if (rotate) return io.draw('rotate', servers.length)
  const fewest = Math.min(...servers.map((_, i) => failures[i] ?? 0))
  return servers.findIndex((_, i) => (failures[i] ?? 0) === fewest)
}

function socketTo(io: LookupIo, channel: Channel, index: number, server: Ip): number {
  const open = channel.sockets.get(index)
  if (open !== undefined) return open
  const fd = io.connected('udp', { ip: server, port: 53 })
  channel.sockets.set(index, fd)
  return fd
}

/** ares_calc_query_timeout: doubled with each round through the servers, less up to a half by chance. */
function deadline(io: LookupIo, { servers, timeout, tick, begunAt }: Channel, tried: number): number {
  const rounds = Math.trunc(tried / servers.length)
  const full = timeout * 2 ** rounds
  const less = rounds > 0 ? (full / 2) * (io.draw('c-ares jitter', JITTER_STEPS) / (JITTER_STEPS - 1)) : 0
  const at = io.now + Math.max(Math.trunc(full - less), timeout) * MILLISECOND
  // A program that looks once a tick sees it at its next look.
  return tick === undefined ? at : begunAt + (Math.floor((at - begunAt) / tick) + 1) * tick
}

/** ares_dns_query_reply_tostatus. */
function statusOf({ rcode, answers }: Message): CaresStatus {
  switch (rcode) {
    case RCODE.NOERROR:
      return answers.length > 0 ? 'SUCCESS' : 'ENODATA'
    case RCODE.FORMERR:
      return 'EFORMERR'
    case RCODE.SERVFAIL:
      return 'ESERVFAIL'
    case RCODE.NXDOMAIN:
      return 'ENOTFOUND'
    case RCODE.NOTIMP:
      return 'ENOTIMP'
    case RCODE.REFUSED:
      return 'EREFUSED'
    default:
      return 'ESERVFAIL'
  }
}
