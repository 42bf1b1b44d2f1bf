import type { DnsStepBody } from '../dns/step.ts'
import { formatIp } from '../packet/ip.ts'
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
  const begun = steps.find((step): step is DnsStepOf<'dns.lookup'> => step.kind === 'dns.lookup')
  if (begun === undefined) return undefined
  const queries = steps.filter(
    (step): step is DnsStepOf<'dns.query'> => step.kind === 'dns.query' && step.process === CLIENT,
  )
  const views = queries.map((query) => queryView(query, steps, index))
  const result = steps.findLast((step): step is DnsStepOf<'dns.result'> => step.kind === 'dns.result')
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

function queryView(query: DnsStepOf<'dns.query'>, steps: readonly Step[], index: StepIndex): QueryView {
  const same = (question: { readonly name: string; readonly type: string }): boolean =>
    question.name === query.question.name && question.type === query.question.type
  const from = steps.indexOf(query)
  const reply = steps.find(
    (step, i): step is DnsStepOf<'dns.reply'> =>
      i > from && step.kind === 'dns.reply' && step.process === CLIENT && same(step.question),
  )
  const answer = steps.find(
    (step, i): step is DnsStepOf<'dns.answer'> => i > from && step.kind === 'dns.answer' && same(step.question),
  )
  const by = answer === undefined ? {} : answeredBy(answer, steps, from, same)
  const traces = tracesOf(query, steps, index, from)
  return {
    name: query.question.name,
    type: query.question.type,
    server: formatIp(query.server),
    transport: query.transport,
    answers: reply?.answers ?? [],
    ...(reply === undefined ? {} : { rcode: reply.rcode }),
    ...by,
    ...traces,
  }
}

/** The plugin that made the answer, where the Corefile names it, and the object it is from. */
function answeredBy(
  answer: DnsStepOf<'dns.answer'>,
  steps: readonly Step[],
  from: number,
  same: SameQuestion,
): Pick<QueryView, 'plugin' | 'line' | 'object'> {
  const plugin = steps.find(
    (step, i): step is DnsStepOf<'dns.plugin'> =>
      i > from && step.kind === 'dns.plugin' && step.plugin === answer.by && same(step.question),
  )
  return {
    plugin: answer.by ?? answer.server,
    ...(plugin?.line === undefined ? {} : { line: `${plugin.line.file}:${plugin.line.line}` }),
    ...(plugin?.object === undefined ? {} : { object: plugin.object }),
  }
}

type SameQuestion = (question: { readonly name: string; readonly type: string }) => boolean

/** The packet that carried the query, and the one that came back: by the query's id. */
function tracesOf(
  query: DnsStepOf<'dns.query'>,
  steps: readonly Step[],
  index: StepIndex,
  from: number,
): { request?: Trace; reply?: Trace } {
  const asked = steps.find(
    (step, i) => i > from && step.kind === 'socket.send' && step.by === CLIENT && carries(step.sent, query, 'query'),
  )
  const request = asked === undefined ? undefined : follow(index, asked.packet)
  if (request === undefined) return {}
  const answered = steps.find(
    (step, i) => i > from && step.kind === 'socket.send' && step.by !== CLIENT && carries(step.sent, query, 'reply'),
  )
  const reply = answered === undefined ? undefined : follow(index, answered.packet)
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
