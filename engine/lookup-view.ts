import type { DnsStepBody } from '../dns/step.ts'
import { formatIp, sameIp } from '../packet/ip.ts'
import type { IpPacket } from '../packet/packet.ts'
import { CLIENT } from './client.ts'
import { follow, type StepIndex } from './follow.ts'
import type { Step } from './step.ts'
import type { Disposition, Trace } from './trace.ts'

/** A name lookup as people read it: one line a query, with who answered and why the next one was asked. */
export interface LookupView {
  readonly name: string
  readonly resolver: string
  readonly servers: readonly string[]
  readonly search: readonly string[]
  readonly ndots: number
  readonly queries: readonly QueryView[]
  readonly addresses: readonly string[]
  /** Where it failed, if a packet of it did not arrive. */
  readonly failure?: Disposition
}

export interface QueryView {
  readonly name: string
  readonly type: string
  readonly server: string
  readonly transport: 'udp' | 'tcp'
  /** Rcode of the reply; undefined: none came. */
  readonly rcode?: string
  readonly answers: readonly string[]
  /** Who answered: `kubernetes`, configured at `Corefile:7`, from `Service default/my-nginx`. */
  readonly plugin?: string
  readonly line?: string
  readonly object?: string
  /** The packets that carried it. */
  readonly request?: Trace
  readonly reply?: Trace
}

/** The name of the last query that had an answer. */
export const foundAs = (queries: readonly QueryView[]): string | undefined =>
  queries.findLast(({ rcode, answers }) => rcode === 'NOERROR' && answers.length > 0)?.name

type DnsStepOf<Kind extends DnsStepBody['kind']> = Extract<Step, { kind: Kind }>

/** Reads the client's lookup out of a walk; undefined where it looked nothing up. */
export function lookupViews(steps: readonly Step[], index: StepIndex): LookupView | undefined {
  const seen = lookupSteps(steps)
  const { begun, result } = seen
  if (begun === undefined) return undefined
  const views = seen.queries.map((query) => queryView(query, seen, index))
  const failed = views.find(
    (view) => view.rcode === undefined && view.request !== undefined && view.request.disposition.kind !== 'delivered',
  )
  const lostReply = views.find(
    (view) => view.rcode === undefined && view.reply !== undefined && view.reply.disposition.kind !== 'delivered',
  )
  const failure = failed?.request?.disposition ?? lostReply?.reply?.disposition
  return {
    name: begun.name,
    resolver: begun.resolver,
    servers: begun.servers,
    search: begun.search,
    ndots: begun.ndots,
    queries: views,
    addresses: (result?.addresses ?? []).map(formatIp),
    ...(failure === undefined ? {} : { failure }),
  }
}

/** A step, and its place among all. */
interface Placed<Kind extends Step['kind']> {
  readonly step: Extract<Step, { kind: Kind }>
  readonly place: number
}

/** The steps of a walk that a lookup is read from, in one pass. */
interface LookupSteps {
  begun: DnsStepOf<'dns.lookup'> | undefined
  result: DnsStepOf<'dns.result'> | undefined
  readonly queries: Placed<'dns.query'>[]
  readonly replies: Placed<'dns.reply'>[]
  readonly answers: Placed<'dns.answer'>[]
  readonly plugins: Placed<'dns.plugin'>[]
  /** To and from port 53. */
  readonly sends: Placed<'socket.send'>[]
}

function lookupSteps(steps: readonly Step[]): LookupSteps {
  const seen: LookupSteps = {
    begun: undefined,
    result: undefined,
    queries: [],
    replies: [],
    answers: [],
    plugins: [],
    sends: [],
  }
  for (const [place, step] of steps.entries())
    switch (step.kind) {
      case 'dns.lookup':
        seen.begun ??= step
        break
      case 'dns.result':
        seen.result = step
        break
      case 'dns.query':
        if (step.process === CLIENT) seen.queries.push({ step, place })
        break
      case 'dns.reply':
        if (step.process === CLIENT) seen.replies.push({ step, place })
        break
      case 'dns.answer':
        seen.answers.push({ step, place })
        break
      case 'dns.plugin':
        seen.plugins.push({ step, place })
        break
      case 'socket.send':
        if (isDns(step.sent)) seen.sends.push({ step, place })
        break
      default:
    }
  return seen
}

const isDns = ({ payload }: IpPacket): boolean =>
  (payload.kind === 'udp' || payload.kind === 'tcp') && (payload.dstPort === 53 || payload.srcPort === 53)

/** A query's own steps end where the same is asked again. */
interface Asked {
  readonly query: DnsStepOf<'dns.query'>
  readonly from: number
  readonly until: number
}

const within =
  ({ from, until }: Asked) =>
  ({ place }: { readonly place: number }): boolean =>
    place > from && place < until

function queryView({ step: query, place: from }: Placed<'dns.query'>, seen: LookupSteps, index: StepIndex): QueryView {
  const same = (other: Pick<typeof query, 'question'>): boolean =>
    query.question.name === other.question.name && query.question.type === other.question.type
  const toSame = (other: Pick<typeof query, 'question' | 'server' | 'transport'>): boolean =>
    same(other) && query.transport === other.transport && sameIp(query.server, other.server)
  const next = seen.queries.find(({ step, place }) => place > from && toSame(step))
  const asked: Asked = { query, from, until: next?.place ?? Number.POSITIVE_INFINITY }
  const own = within(asked)
  const reply = seen.replies.find((placed) => own(placed) && toSame(placed.step))?.step
  const answer = seen.answers.find((placed) => own(placed) && same(placed.step))?.step
  const plugin = seen.plugins.find(
    (placed) => own(placed) && placed.step.plugin === answer?.by && same(placed.step),
  )?.step
  return {
    name: query.question.name,
    type: query.question.type,
    server: formatIp(query.server),
    transport: query.transport,
    answers: reply?.answers ?? [],
    ...(reply === undefined ? {} : { rcode: reply.rcode }),
    ...(answer === undefined ? {} : { plugin: answer.by ?? answer.server }),
    ...(plugin?.line === undefined ? {} : { line: `${plugin.line.file}:${plugin.line.line}` }),
    ...(plugin?.object === undefined ? {} : { object: plugin.object }),
    ...tracesOf(asked, seen, index),
  }
}

/** The packet that carried the query, and the one that came back: by the query's id. */
function tracesOf(asked: Asked, { sends }: LookupSteps, index: StepIndex): { request?: Trace; reply?: Trace } {
  const { query } = asked
  const own = within(asked)
  const sent = sends.find(
    (placed) => own(placed) && placed.step.by === CLIENT && carries(placed.step.sent, query, 'query'),
  )
  const request = sent === undefined ? undefined : follow(index, sent.step.packet)
  if (request === undefined) return {}
  const answered = sends.find(
    (placed) => own(placed) && placed.step.by !== CLIENT && carries(placed.step.sent, query, 'reply'),
  )
  const reply = answered === undefined ? undefined : follow(index, answered.step.packet)
  const instead = reply === undefined ? (index.caused.get(request.packet) ?? [])[0] : undefined
  const error = instead === undefined ? undefined : follow(index, instead)
  const back = reply ?? error
  return { request, ...(back === undefined ? {} : { reply: back }) }
}

/** Whether a packet is the query or its reply: same id (RFC 1035 §4.1.1), or over TCP the first segment to the server. */
function carries({ payload }: IpPacket, query: DnsStepOf<'dns.query'>, which: 'query' | 'reply'): boolean {
  if (payload.kind === 'tcp')
    return query.transport === 'tcp' && (which === 'query' ? payload.dstPort : payload.srcPort) === 53
  if (payload.kind !== 'udp' || payload.payload.kind !== 'data') return false
  if ((which === 'query' ? payload.dstPort : payload.srcPort) !== 53) return false
  const [high, low] = payload.payload.bytes
  return ((high ?? 0) << 8) + (low ?? 0) === query.id
}
