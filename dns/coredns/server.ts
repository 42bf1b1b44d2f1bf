import type { SocketAddress } from '../../linux/process.ts'
import type { Family, Ip } from '../../packet/ip.ts'
import type { Parsed } from '../../packet/parsed.ts'
import { type Message, replyTo } from '../message.ts'
import { encodeMessage } from '../message-encode.ts'
import { encodeToFit, type Fitted } from '../message-fit.ts'
import { labelsOf } from '../name.ts'
import { OPCODE, RCODE, rcodeName } from '../record.ts'
import { recordText } from '../record-text.ts'
import type { DnsStep, DnsStepBody } from '../step.ts'
import { accept } from './accept.ts'
import { clientSize, replyEdns } from './edns.ts'
import type { Handler, Next, Outcome, Request, ServerAccess, Serving } from './plugin.ts'
import { newRequest } from './request.ts'

/** One zone of a listener: the chain of its server block. */
export interface Zone {
  readonly zone: string
  readonly handlers: readonly Handler[]
  /** The handlers as one. */
  readonly chain: Next
  /** No handler looks at a query before the chain begins. */
  readonly isPlain: boolean
}

export const newZone = (zone: string, handlers: readonly Handler[]): Zone => ({
  zone,
  handlers,
  chain: chain(handlers),
  isPlain: !handlers.some(({ collects, admits }) => collects !== undefined || admits !== undefined),
})

/** All zones of one port: core/dnsserver/server.go. */
export interface Listener {
  readonly port: number
  /** Several server blocks of one zone have a `view`: the first that admits a query takes it. */
  readonly zones: ReadonlyMap<string, readonly Zone[]>
  readonly echoedOptions: ReadonlySet<number>
  /** A block with `chaos` or `forward` makes the whole listener answer classes other than IN. */
  readonly anyClass: boolean
}

/** A message as it arrives. */
export interface Arrival {
  readonly bytes: Uint8Array
  readonly client: SocketAddress
  readonly local?: Ip
  readonly transport: 'udp' | 'tcp'
}

/** Where and when a server runs, set before each piece of work. */
export interface Surroundings {
  readonly host: string
  readonly netns: string
  readonly families: readonly Family[]
  /** Kept until they are taken, unless nobody is going to. */
  readonly notes?: 'unwanted'
  now: number
  draw: (entry: string, choices: number) => number
}

/** A running listener. It belongs to one run: its plugins keep caches and counters. */
export class Server implements ServerAccess {
  readonly name: string
  readonly listener: Listener
  readonly port: number
  private readonly around: Surroundings
  private notes: { readonly at: number; readonly body: DnsStepBody | (() => DnsStepBody) }[] = []

  constructor(listener: Listener, around: Surroundings) {
    this.listener = listener
    this.around = around
    this.port = listener.port
    const [zone] = listener.zones.keys()
    this.name = `dns://${zone ?? '.'}:${listener.port}`
  }

  now(): number {
    return this.around.now
  }

  get echoedOptions(): ReadonlySet<number> {
    return this.listener.echoedOptions
  }

  get families(): readonly Family[] {
    return this.around.families
  }

  /** What the plugins do once the server listens. */
  starts(): readonly Serving<void>[] {
    const handlers = new Set([...this.listener.zones.values()].flat().flatMap((zone) => zone.handlers))
    return [...handlers].flatMap((handler) => (handler.start ? [handler.start(this)] : []))
  }

  draw(entry: string, choices: number): number {
    return this.around.draw(`${this.name} ${entry}`, choices)
  }

  note(body: DnsStepBody | (() => DnsStepBody)): void {
    if (this.around.notes !== 'unwanted') this.notes.push({ at: this.around.now, body })
  }

  /** What happened since the last call. */
  takenNotes(): readonly DnsStep[] {
    const { host, netns } = this.around
    const taken = this.notes
    this.notes = []
    return taken.map(({ at, body }) => ({ at, host, netns, ...(typeof body === 'function' ? body() : body) }))
  }

  /** Answers a message; undefined where nothing is sent. */
  *handle(arrival: Arrival): Serving<Uint8Array | undefined> {
    const accepted = accept(arrival.bytes)
    if (accepted.kind === 'ignore') return undefined
    if (accepted.kind === 'reject') return written(accepted.reply)
    const { message } = accepted
    const [question] = message.questions
    if (!question) return written(replyTo(message, RCODE.SERVFAIL))
    const { client, transport } = arrival
    const request = newRequest(message, { client, local: arrival.local, transport, server: this })
    this.note(() => ({ kind: 'dns.request', server: this.name, question, from: client.ip, transport }))
    const fitted = yield* this.fitted(request)
    return fitted?.bytes
  }

  *serve(request: Request): Serving<Message | undefined> {
    const fitted = yield* this.fitted(request)
    return fitted?.message
  }

  private *fitted(request: Request): Serving<Fitted | undefined> {
    const { message, question } = request
    if (question.class !== 'IN' && !this.listener.anyClass)
      return this.sent(request, replyTo(message, RCODE.REFUSED), undefined)
    if (message.edns && message.edns.version !== 0) return badVersion(message)
    const chosen = this.zoneFor(request)
    if (!chosen || chosen.zone.handlers.length === 0)
      return this.sent(request, replyTo(message, RCODE.REFUSED), undefined)
    const outcome = yield* chosen.zone.chain(chosen.request)
    switch (outcome.kind) {
      case 'silence':
        return undefined
      case 'reply':
        return this.sent(request, outcome.message, outcome.by)
      case 'code':
        // Of a code that is not among these the server believes that a plugin has sent it (plugin.ClientWrite).
        if (!UNWRITTEN.has(outcome.rcode)) return undefined
        return this.sent(request, replyTo(request.shared.message, outcome.rcode), undefined)
    }
  }

  isCut(request: Request, reply: Message): boolean {
    const fitted = this.scrubbed(request, reply)
    return fitted.ok && fitted.value.message.flags.truncated
  }

  /** The longest zone on this port whose block admits the query; DS is asked of the parent where that is ours too. */
  private zoneFor(request: Request): Chosen | undefined {
    const { zones } = this.listener
    const { name, question, message } = request
    const isDs = message.opcode === OPCODE.QUERY && question.type === 'DS'
    let ofDs: Chosen | undefined
    let suffix = name
    for (const label of labelsOf(name)) {
      for (const zone of zones.get(suffix) ?? []) {
        if (zone.handlers.length === 0) return { zone, request }
        const own = admitted(zone, request)
        if (!own) continue
        if (!isDs) return { zone, request: own }
        ofDs = { zone, request: own }
      }
      suffix = suffix.slice(label.length + 1)
    }
    if (ofDs) return ofDs
    for (const zone of zones.get('.') ?? []) {
      const own = zone.handlers.length > 0 ? admitted(zone, request) : undefined
      if (own) return { zone, request: own }
    }
    return undefined
  }

  /** The scrub writer: OPT, size, compression, truncation (request.Scrub). */
  private scrubbed(request: Request, reply: Message): Parsed<Fitted> {
    const edns = replyEdns(request, reply)
    const whole: Message = edns ? { ...reply, edns } : reply
    return encodeToFit(whole, clientSize(request), compressOver(request))
  }

  private sent(request: Request, reply: Message, by: string | undefined): Fitted | undefined {
    const fitted = this.scrubbed(request, reply)
    if (!fitted.ok) {
      this.note({ kind: 'dns.server', server: this.name, event: 'failed', text: `reply not sent: ${fitted.reason}` })
      return undefined
    }
    const { bytes, message } = fitted.value
    this.note(() => ({
      kind: 'dns.answer',
      server: this.name,
      question: request.question,
      rcode: rcodeName(reply.rcode),
      by,
      answers: message.answers.map(recordText),
      size: bytes.length,
      truncated: message.flags.truncated,
    }))
    return fitted.value
  }
}

interface Chosen {
  readonly zone: Zone
  readonly request: Request
}

/** The query with what the block's plugins know of it; undefined where one of them does not want it. */
function admitted({ handlers, isPlain }: Zone, request: Request): Request | undefined {
  if (isPlain) return request
  const collector = handlers.find(({ collects }) => collects)
  let own = request
  if (collector) {
    const metadata = new Map<string, string>()
    own = { ...request, metadata }
    if (collector.collects?.(request))
      for (const handler of handlers)
        for (const [label, value] of handler.describe?.(own) ?? []) metadata.set(label, value)
  }
  return handlers.every((handler) => handler.admits?.(own) ?? true) ? own : undefined
}

/** Over UDP a reply that would leave in fragments is compressed although it fits (request.Scrub). */
function compressOver({ transport, client }: Request): number {
  if (transport === 'tcp') return 0xffff
  return client.ip.family === 4 ? 1480 : 1220
}

const UNWRITTEN: ReadonlySet<number> = new Set([RCODE.SERVFAIL, RCODE.REFUSED, RCODE.FORMERR, RCODE.NOTIMP])

/** The handlers as one: each gets the rest of the chain as `next`; behind the last is SERVFAIL. */
function chain(handlers: readonly Handler[]): Next {
  let next: Next = endOfChain(handlers.at(-1)?.plugin ?? '')
  for (let i = handlers.length - 1; i >= 0; i--) {
    const handler = handlers[i]
    const after = next
    if (handler) next = Object.assign((request: Request) => handler.serve(request, after), { leadsTo: handler.plugin })
  }
  return next
}

function endOfChain(last: string): Next {
  // biome-ignore lint/correctness/useYield: a link of a chain that may wait elsewhere.
  return function* (): Serving<Outcome> {
    return { kind: 'code', rcode: RCODE.SERVFAIL, error: `plugin/${last}: no next plugin found` }
  }
}

function written(message: Message): Uint8Array | undefined {
  const bytes = encodeMessage(message)
  return bytes.ok ? bytes.value : undefined
}

/** edns.Version: at once, with an empty OPT of size 0. */
function badVersion(request: Message): Fitted | undefined {
  const edns = { size: 0, version: 0, dnssecOk: false, options: [] }
  const message: Message = { ...replyTo(request, RCODE.BADVERS), edns }
  const bytes = encodeMessage(message)
  return bytes.ok ? { bytes: bytes.value, message } : undefined
}
