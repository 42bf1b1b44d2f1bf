import type { ProcessEvent } from '../../../linux/process.ts'
import { type Family, type Ip, sameIp } from '../../../packet/ip.ts'
import { appended } from '../../../packet/octets.ts'
import type { Question } from '../../message.ts'
import { decodeMessage } from '../../message-decode.ts'
import { fqdn } from '../../name.ts'
import { RCODE } from '../../record.ts'
import { framed, unframed } from '../../stream.ts'
import { DNS_PORT, MILLISECOND, noteQuery, noteReply, noteSilence, polled, type Transport } from '../exchange.ts'
import type { LookupIo, Waiting } from '../lookup.ts'
import type { RawQuery } from './query.ts'
import type { MuslConf } from './resolv-conf.ts'
import { type MuslVersion, SINCE } from './version.ts'

/** A slot of answers: the octets, `tcp` while a stream is open for it, undefined while nothing usable came. */
type Slot = Uint8Array | 'tcp' | undefined

interface Sending {
  readonly io: LookupIo
  readonly conf: MuslConf
  readonly queries: readonly RawQuery[]
  readonly version: MuslVersion
  readonly slots: Slot[]
  /** The datagram socket of a family. */
  readonly sockets: Map<Family, number>
  readonly streams: Map<number, { readonly query: number; readonly server: Ip; bytes: Uint8Array }>
  readonly asked: Map<string, number>
  /** How many more SERVFAILs of this round are answered with the query again. */
  retries: number
}

const TRUNCATED = 0x02

/**
 * __res_msend_rc (src/network/res_msend.c): every query to every server at once, again each interval, until all are
 * answered or the time is over. Answers other than NOERROR and NXDOMAIN do not count; SERVFAIL is asked again at once.
 * The answers are the raw octets, undefined where none came.
 */
export function* msend(
  io: LookupIo,
  { conf, queries, version }: Pick<Sending, 'conf' | 'queries' | 'version'>,
): Waiting<readonly (Uint8Array | undefined)[]> {
  const sending: Sending = {
    io,
    conf,
    queries,
    version,
    slots: queries.map(() => undefined),
    sockets: new Map(),
    streams: new Map(),
    asked: new Map(),
    retries: 0,
  }
  // musl divides by the number of attempts; a 0 would end the program.
  const interval = Math.trunc((conf.timeout * 1000) / Math.max(conf.attempts, 1)) * MILLISECOND
  const deadline = io.now + conf.timeout * 1000 * MILLISECOND
  let round = Number.NEGATIVE_INFINITY
  let over = false
  while (!over && io.now < deadline && sending.slots.some((slot) => !(slot instanceof Uint8Array))) {
    if (io.now - round >= interval) {
      sendRound(sending)
      round = io.now
    }
    const event = yield { until: round + polled(interval) }
    if (event.kind === 'timer') silent(sending, io.now >= deadline ? 'timeout' : `nothing after ${interval / 1e9} s`)
    else if (sending.streams.has(event.fd)) over = onStream(sending, event)
    else if (event.kind === 'data') onDatagram(sending, event)
  }
  for (const fd of [...sending.sockets.values(), ...sending.streams.keys()]) io.close(fd)
  return sending.slots.map((slot) => (slot instanceof Uint8Array ? slot : undefined))
}

function sendRound(sending: Sending): void {
  for (const [i] of sending.queries.entries())
    if (sending.slots[i] === undefined) for (const server of sending.conf.servers) sendTo(sending, i, server)
  sending.retries = 2 * sending.queries.length
}

function sendTo(sending: Sending, index: number, server: Ip): void {
  const query = sending.queries[index]
  if (!query) return
  const fd = sending.sockets.get(server.family) ?? sending.io.bound(server.family)
  sending.sockets.set(server.family, fd)
  tell(sending, query, { server, transport: 'udp', fd })
  sending.io.send(fd, query.bytes, { ip: server, port: DNS_PORT })
}

function tell(
  { io, asked }: Sending,
  query: RawQuery,
  to: { readonly server: Ip; readonly transport: Transport; readonly fd: number },
): void {
  const key = `${JSON.stringify(to.server)} ${query.type}`
  const attempt = (asked.get(key) ?? 0) + 1
  asked.set(key, attempt)
  noteQuery(io, { id: query.id, questions: [questionOf(query)] }, { ...to, attempt })
}

const questionOf = ({ name, type }: RawQuery): Question => ({ name: fqdn(name), type, class: 'IN' })

function silent({ io, conf, queries, slots }: Sending, reason: string): void {
  const open = queries.filter((_, i) => slots[i] === undefined).map(questionOf)
  if (open.length > 0) for (const server of conf.servers) noteSilence(io, server, open, reason)
}

function onDatagram(sending: Sending, event: ProcessEvent & { readonly kind: 'data' }): void {
  const { io, conf, queries, slots } = sending
  const { bytes, from } = event
  const server = from && conf.servers.find((one) => sameIp(one, from.ip))
  if (bytes.length < 4 || !server) return
  const index = queries.findIndex(
    ({ id }, i) => slots[i] === undefined && bytes[0] === id >> 8 && bytes[1] === (id & 0xff),
  )
  if (index < 0) return
  told(sending, bytes, { server, transport: 'udp', size: bytes.length })
  const rcode = (bytes[3] ?? 0) & 0xf
  if (rcode === RCODE.SERVFAIL && sending.retries > 0) {
    sending.retries--
    sendTo(sending, index, server)
  }
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return
  const truncated = ((bytes[2] ?? 0) & TRUNCATED) !== 0
  if (!truncated || sending.version < SINCE.tcp) {
    slots[index] = bytes.slice()
    return
  }
  slots[index] = 'tcp'
  sending.streams.set(io.connected('tcp', { ip: server, port: DNS_PORT }), {
    query: index,
    server,
    bytes: new Uint8Array(0),
  })
}

/** True where the whole sending is over: a stream that ends or fails takes everything with it. */
function onStream(sending: Sending, event: Exclude<ProcessEvent, { kind: 'timer' }>): boolean {
  const { io, queries, slots, streams } = sending
  const stream = streams.get(event.fd)
  const query = stream && queries[stream.query]
  if (!stream || !query) return false
  if (event.kind === 'connected') {
    tell(sending, query, { server: stream.server, transport: 'tcp', fd: event.fd })
    io.send(event.fd, framed(query.bytes))
    return false
  }
  if (event.kind !== 'data') return true
  stream.bytes = appended(stream.bytes, event.bytes)
  const [answer] = unframed(stream.bytes).messages
  if (!answer) return false
  told(sending, answer, { server: stream.server, transport: 'tcp', size: answer.length })
  const rcode = (answer[3] ?? 0) & 0xf
  if (answer.length < 13 || (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN)) return true
  slots[stream.query] = answer.slice()
  streams.delete(event.fd)
  io.close(event.fd)
  return false
}

function told({ io }: Sending, bytes: Uint8Array, arrival: Parameters<typeof noteReply>[2]): void {
  const reply = decodeMessage(bytes)
  if (reply.ok) noteReply(io, reply.value, arrival)
}
