import type { Assumption, Diagnostic } from '../cluster/source.ts'
import type { Refusal } from '../cni/plugin.ts'
import { sameIp } from '../packet/ip.ts'
import { CLIENT, describePeer, type Outcome } from './client.ts'
import { follow, indexSteps, relayOf, type StepIndex, sendStepOf } from './follow.ts'
import { type LookupView, lookupViews } from './lookup-view.ts'
import type { PolicyView } from './policy-view.ts'
import type { Probe } from './probe.ts'
import type { Step, UnknownStep } from './step.ts'
import { type Disposition, isSuccess, type Trace } from './trace.ts'
import type { Why } from './why.ts'

/** The answer to a probe: what the client saw, and the packets that made it so. Plain data. */
export interface Conversation {
  readonly probe: Probe
  readonly outcome: Outcome
  /** The verdict in one word, and where it was decided. */
  readonly disposition: Disposition
  readonly lookup?: LookupView
  /** The first packet to the target, and what came back. */
  readonly request?: Trace
  readonly reply?: Trace
  /** Every packet that the client and its peers sent, in order, the two above among them. */
  readonly packets: readonly Trace[]
  readonly policies: readonly PolicyView[]
  readonly refusals: readonly Refusal[]
  readonly why: readonly Why[]
  /** What the server saw. */
  readonly server?: ServerView
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
  /** Virtual nanoseconds that it took. */
  readonly durationNs: number
  /** Product of the probabilities of the choices that were forced (exploring); 1 for a seeded walk. */
  readonly probability: number
  /** Everything observed, in order. */
  readonly steps: readonly Step[]
}

export interface ServerView {
  readonly host: string
  readonly netns: string
  readonly process: string
  /** As the server's socket names the client. */
  readonly peer: string
  /** TTL or hop limit of the request on arrival. */
  readonly ttl: number
}

export interface Observed {
  readonly probe: Probe
  readonly steps: readonly Step[]
  readonly durationNs: number
  /** The walk went round until the bound on events. */
  readonly endless: boolean
}

export type Exchange = Pick<Conversation, 'outcome' | 'lookup' | 'request' | 'reply' | 'packets' | 'disposition'> & {
  /** What programs met that is not known. */
  readonly unknowns: readonly UnknownStep[]
}

/** Finds the exchange in what was observed: the lookup, the first packet to the target, and its answer. */
export function readExchange({ probe, steps, endless }: Observed): Exchange {
  const index = indexSteps(steps)
  const outcome = outcomeOf(steps)
  const lookup = lookupViews(steps, index)
  const sent = packetsOf(index)
  const dialled = dialledPacket(steps, probe)
  const request = sent.find((trace) => trace.packet === dialled)
  const reply = request === undefined ? undefined : replyTo(request, sent)
  return {
    outcome,
    packets: sent,
    unknowns: steps.filter((step) => step.kind === 'lab.unknown'),
    disposition: refusedByRelay(steps, outcome) ?? verdict({ outcome, request, reply, lookup, endless }),
    ...(lookup === undefined ? {} : { lookup }),
    ...(request === undefined ? {} : { request }),
    ...(reply === undefined ? {} : { reply }),
  }
}

function outcomeOf(steps: readonly Step[]): Outcome {
  const done = steps.findLast((step) => step.kind === 'client.done')
  if (done?.kind === 'client.done') return done.outcome
  const dial = steps.findLast((step) => step.kind === 'client.dial')
  const peer = dial?.kind === 'client.dial' ? dial.to : { ip: { family: 4 as const, a: 0, b: 0, c: 0, d: 0 }, port: 0 }
  return { kind: 'noAnswer', peer, afterNs: steps.at(-1)?.at ?? 0 }
}

/** Every packet that some program or kernel sent, as a trace. Datagrams that carry another packet belong to that one. */
function packetsOf(index: StepIndex): readonly Trace[] {
  const carriers = new Set<number>()
  for (const steps of index.byPacket.values()) {
    const relay = relayOf(index, steps)
    if (relay !== undefined) carriers.add(relay.packet)
    const read = steps.findLast((step) => step.kind === 'tun.read')
    if (read?.kind !== 'tun.read') continue
    for (const effect of index.caused.get(read.packet) ?? [])
      if (sendStepOf(index.byPacket.get(effect) ?? [])?.by === read.process) carriers.add(effect)
  }
  const traces: Trace[] = []
  for (const packet of index.byPacket.keys()) {
    const trace = carriers.has(packet) ? undefined : follow(index, packet)
    if (trace !== undefined) traces.push(trace)
  }
  return traces.sort((x, y) => x.packet - y.packet)
}

/** The first packet to the address that was dialled last: of several addresses, the one that the outcome is about. */
function dialledPacket(steps: readonly Step[], { from }: Probe): number | undefined {
  const at = steps.findLastIndex((step) => step.kind === 'client.dial')
  const dial = steps[at]
  if (dial?.kind !== 'client.dial') return undefined
  return steps.find(
    (step, i) =>
      i > at &&
      step.kind === 'socket.send' &&
      step.by === CLIENT &&
      step.host === from.host &&
      step.netns === from.netns &&
      sameIp(step.sent.dst, dial.to.ip),
  )?.packet
}

/** What the request made happen first that came back: the far socket's answer, else an error on the way. */
function replyTo(request: Trace, sent: readonly Trace[]): Trace | undefined {
  // A forwarder in user space passes the packet on as another traveller.
  const travellers = new Set(request.hops.flatMap((hop) => hop.steps.map((step) => step.packet)))
  const answers = sent.filter((trace) => trace.cause !== undefined && travellers.has(trace.cause))
  return answers.find((trace) => trace.disposition.kind === 'delivered') ?? answers[0]
}

/** A relay in user space takes every connection, and closes one again that it cannot send on. */
function refusedByRelay(steps: readonly Step[], outcome: Outcome): Disposition | undefined {
  const refuse = steps.findLast((step) => step.kind === 'relay.refuse')
  if (refuse?.kind !== 'relay.refuse' || outcome.kind === 'answered') return undefined
  const { service, why, host, netns, process } = refuse
  const reason = why === 'noEndpoints' ? `${service} has no endpoint` : `no endpoint of ${service} answers`
  return {
    kind: 'rejected',
    detail: `${process} accepts, and gives up again: ${reason}`,
    host,
    netns,
  }
}

interface Evidence {
  readonly outcome: Outcome
  readonly request: Trace | undefined
  readonly reply: Trace | undefined
  readonly lookup: LookupView | undefined
  readonly endless: boolean
}

/** The one word for the whole: delivered if the client got through, else the end of the packet that did not. */
function verdict({ outcome, request, reply, lookup, endless }: Evidence): Disposition {
  if (endless) return { kind: 'loop', detail: 'packets go round: the bound on events was reached' }
  switch (outcome.kind) {
    case 'resolved':
    case 'connected':
    case 'answered':
      if (request === undefined) return { kind: 'delivered', detail: 'the name resolves' }
      return outcome.kind === 'resolved' || isSuccess(request.disposition.kind)
        ? request.disposition
        : sentAgain(request)
    case 'notResolved':
      return lookup?.failure ?? { kind: 'dropped', detail: `${outcome.name} does not resolve: ${outcome.message}` }
    case 'failed':
    case 'noAnswer':
      break
  }
  if (request === undefined)
    return {
      kind: 'noRoute',
      detail: outcome.kind === 'failed' ? `the client could not send: ${outcome.errno}` : 'the client sent nothing',
    }
  if (request.disposition.kind !== 'delivered' && request.disposition.kind !== 'leftCluster') return request.disposition
  if (reply !== undefined && reply.disposition.kind !== 'delivered')
    return { ...reply.disposition, detail: `the answer: ${reply.disposition.detail}` }
  if (outcome.kind === 'failed' && outcome.errno === 'ECONNREFUSED')
    return { kind: 'noListener', detail: 'the connection was refused' }
  return request.disposition.kind === 'leftCluster'
    ? request.disposition
    : { kind: 'dropped', detail: outcome.kind === 'failed' ? `the client saw ${outcome.errno}` : 'no answer came back' }
}

/** The first packet was lost, and one that was sent again was not. */
const sentAgain = ({ disposition }: Trace): Disposition => ({
  kind: 'delivered',
  detail: `when it was sent again; the first packet was ${disposition.kind}: ${disposition.detail}`,
})

/** What the server's socket saw of the request. */
export function serverView(request: Trace | undefined): ServerView | undefined {
  const hop = request?.hops.at(-1)
  const step = hop?.steps.findLast((candidate) => candidate.kind === 'socket.deliver')
  if (hop === undefined || step?.kind !== 'socket.deliver') return undefined
  const { src, ttl, payload } = step.received
  const port = 'srcPort' in payload ? payload.srcPort : 0
  return {
    host: hop.host,
    netns: hop.netns,
    process: step.process ?? step.socket,
    peer: describePeer({ ip: src, port }),
    ttl,
  }
}
