import { type DnsApiView, dnsApiView, UNSYNCED_VIEW } from '../../dns/coredns/api-view.ts'
import { loadCorefile } from '../../dns/coredns/load.ts'
import { corednsProgram } from '../../dns/coredns/program.ts'
import type { Edns, Message } from '../../dns/message.ts'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { OPCODE, rcodeName } from '../../dns/record.ts'
import { recordText } from '../../dns/record-text.ts'
import type { DnsStep } from '../../dns/step.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { answerUpstream, upstreamZone } from '../../dns/upstream-zone.ts'
import { seededDraw } from '../../linux/draw.ts'
import type { Program } from '../../linux/process.ts'
import { ip } from '../../packet/ip.ts'
import { dnsObjects } from './api-objects.ts'
import { type Judge, judgeOfJsonFiles, type Replayed } from './judge.ts'
import { type Machine, VirtualNetwork } from './virtual-network.ts'

/** A session with CoreDNS as recorded; the format is told in the README beside the cases. */
export interface CorednsSession {
  readonly corefile: string
  readonly files?: Readonly<Record<string, string>>
  readonly resolvConf?: string
  readonly upstream?: Readonly<
    Record<string, { readonly records: readonly string[]; readonly behave?: Readonly<Record<string, string>> }>
  >
  readonly objects: readonly ApiJson[]
  readonly startError?: string
  readonly exit?: string
  readonly queries?: readonly {
    readonly before?: Before
    readonly q: Query
    readonly reply: Reply | null
    readonly upstream?: readonly string[]
    readonly log?: readonly string[]
  }[]
}

interface ApiJson {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly status?: { readonly phase?: string }
}

export interface Before {
  readonly wait?: number
  readonly upstream?: Readonly<Record<string, string>>
  readonly apply?: readonly ApiJson[]
  readonly delete?: readonly ApiJson[]
}

export interface Query {
  readonly name: string
  readonly type: string
  readonly class?: string
  readonly transport?: 'udp' | 'tcp'
  readonly source?: string
  readonly port?: number
  readonly noRd?: boolean
  readonly cd?: boolean
  readonly ad?: boolean
  readonly opcode?: keyof typeof OPCODE
  readonly edns?: {
    readonly size: number
    readonly do?: boolean
    readonly version?: number
    readonly options?: readonly string[]
  }
  readonly timeout?: number
}

export interface Reply {
  readonly rcode: string
  readonly flags: string
  readonly question?: string
  readonly answer?: readonly string[]
  readonly authority?: readonly string[]
  readonly additional?: readonly string[]
  readonly edns?: {
    readonly size: number
    readonly do?: boolean
    readonly version?: number
    readonly options?: readonly string[]
  }
  readonly size?: number
  /** Only of a recorded one: it was cut, and held so many of the answers. */
  readonly answerCount?: readonly [number, number]
}

export interface SessionResult {
  readonly startError?: string
  readonly exit?: string
  readonly queries: readonly {
    readonly reply: Reply | null
    readonly upstream?: readonly string[]
    readonly log?: readonly string[]
  }[]
  /** What the Corefile asks for and is not modelled. */
  readonly notModelled: readonly string[]
}

const SECOND = 1_000_000_000
export const POD_ADDRESSES = ['10.244.0.2', 'fd00:10:244::2', '127.0.0.1', '::1']
export const CLIENT = '10.244.1.99'
export const USUAL_RESOLV_CONF = 'nameserver 192.0.2.53\n'

/** Replays one recorded session: CoreDNS, its upstreams and its clients on a network of their own. */
export function replaySession(session: CorednsSession): SessionResult {
  const network = new VirtualNetwork()
  const upstreams = new Map<string, UpstreamMachine>()
  for (const [address, { records, behave }] of Object.entries(session.upstream ?? {})) {
    const upstream = new UpstreamMachine(records, behave ?? {})
    upstreams.set(address, upstream)
    network.start({ name: address, addresses: [address], program: upstream.program(address) })
  }
  const api = new MutableApi(session.objects)
  const draw = seededDraw(1)
  const files = Object.fromEntries(
    Object.entries(session.files ?? {}).map(([name, text]) => [`/etc/coredns/${name}`, text]),
  )
  const coredns = network.start({
    name: 'coredns',
    addresses: POD_ADDRESSES,
    visible: POD_ADDRESSES.slice(0, 2),
    program: corednsProgram(api.view),
    files: {
      '/etc/coredns/Corefile': session.corefile,
      '/etc/resolv.conf': session.resolvConf ?? USUAL_RESOLV_CONF,
      ...files,
    },
    draw: (entry, choices) => draw({ host: 'coredns', netns: 'root', purpose: 'record-order', entry }, choices),
  })
  network.run({ until: SECOND })
  const notes = () => coredns.notes as readonly DnsStep[]
  const notModelled = notes().flatMap((note) =>
    note.kind === 'dns.server' && note.event === 'notModelled' ? [note.text] : [],
  )
  const started = notes().some((note) => note.kind === 'dns.server' && note.event === 'started')
  const failed = notes().find((note) => note.kind === 'dns.server' && note.event === 'failed')
  if (coredns.exited !== undefined && failed?.kind === 'dns.server')
    return { [started ? 'exit' : 'startError']: lastWords(failed.text), queries: [], notModelled }
  let asked = 0
  const queries = (session.queries ?? []).map(({ before, q, reply: recorded }) => {
    apply(before, { network, upstreams, api })
    for (const upstream of upstreams.values()) upstream.log.length = 0
    const noted = coredns.notes.length
    const watched = watch(upstreams, session.corefile.includes('serve_stale') ? 'after' : 'before')
    const reply = ask(network, q, { index: asked++, onAnswer: watched.onAnswer })
    const log = (coredns.notes.slice(noted) as readonly DnsStep[]).flatMap(logLine)
    const outside = watched.asked()
    // Of a cut reply the recorder asked for the whole set over TCP too: what the cache then holds is of that.
    if (recorded?.answerCount) ask(network, { ...q, transport: 'tcp' }, { index: asked++, onAnswer: () => undefined })
    return { reply, ...(outside.length > 0 && { upstream: outside }), ...(log.length > 0 && { log }) }
  })
  return { queries, notModelled }
}

/** What was asked outside: until the reply, or with what is fetched after it. */
function watch(upstreams: ReadonlyMap<string, UpstreamMachine>, until: 'before' | 'after') {
  const now = () => [...upstreams.values()].flatMap((upstream) => upstream.log).sort()
  let atAnswer: readonly string[] | undefined
  const onAnswer = () => {
    atAnswer ??= now()
  }
  return { onAnswer, asked: () => (until === 'before' ? (atAnswer ?? now()) : now()) }
}

/** Ports and random names are left out, as they are in the recorded texts. */
const lastWords = (text: string): string => text.replace(/:\d+ ->/, ':* ->').replace(/HINFO [\d.]+\./, 'HINFO *.')

/** A log line with what changes between runs left out. */
function logLine(note: DnsStep): readonly string[] {
  if (note.kind !== 'dns.plugin' || (note.plugin !== 'errors' && note.plugin !== 'log')) return []
  return [note.detail.replace(/:\d+ - \d+ "/, ':* - * "').replace(/ [\d.]+s$/, ' *')]
}

function apply(
  before: Before | undefined,
  {
    network,
    upstreams,
    api,
  }: { network: VirtualNetwork; upstreams: ReadonlyMap<string, UpstreamMachine>; api: MutableApi },
): void {
  if (!before) return
  api.change(before.apply ?? [], before.delete ?? [])
  for (const [address, behaviour] of Object.entries(before.upstream ?? {})) upstreams.get(address)?.setAll(behaviour)
  if (before.wait !== undefined) network.run({ until: network.now + before.wait * SECOND })
}

/** A resolver outside that writes down what it is asked. */
export class UpstreamMachine {
  readonly log: string[] = []
  private readonly records: readonly string[]
  private readonly behave: Readonly<Record<string, string>>
  private zone: ReturnType<typeof upstreamZone>['zone']

  constructor(records: readonly string[], behave: Readonly<Record<string, string>>) {
    this.records = records
    this.behave = behave
    this.zone = upstreamZone(records, behave).zone
  }

  setAll(behaviour: string): void {
    this.zone = upstreamZone(this.records, behaviour === '' ? this.behave : { '': behaviour }).zone
  }

  program(address: string): Program<null, never> {
    const streams = new Map<number, Uint8Array>()
    return {
      name: 'upstream',
      start: () => ({
        state: null,
        syscalls: [
          { kind: 'socket', fd: 3, family: 6, type: 'udp' },
          { kind: 'bind', fd: 3, port: 53 },
          { kind: 'socket', fd: 4, family: 6, type: 'tcp' },
          { kind: 'bind', fd: 4, port: 53 },
          { kind: 'listen', fd: 4 },
        ],
      }),
      step: (state, event) => {
        if (event.kind !== 'data') return { state, syscalls: [] }
        if (event.fd === 3 && event.from) {
          const reply = this.answer(event.bytes, address, 'udp')
          return { state, syscalls: reply ? [{ kind: 'send', fd: 3, bytes: reply, to: event.from }] : [] }
        }
        const before = streams.get(event.fd) ?? new Uint8Array(0)
        const { messages, rest } = unframed(Uint8Array.from([...before, ...event.bytes]))
        streams.set(event.fd, rest)
        const replies = messages.flatMap((message) => this.answer(message, address, 'tcp') ?? [])
        return { state, syscalls: replies.map((reply) => ({ kind: 'send', fd: event.fd, bytes: framed(reply) })) }
      },
    }
  }

  private answer(bytes: Uint8Array, address: string, transport: 'udp' | 'tcp'): Uint8Array | undefined {
    const query = decodeMessage(bytes)
    if (!query.ok) return undefined
    const [question] = query.value.questions
    const probe = question?.name === '.' && question.type === 'NS'
    if (question && !probe) {
      const { edns, flags } = query.value
      const ednsText = edns ? ` edns=${edns.size}${edns.dnssecOk ? ',do' : ''}` : ''
      this.log.push(
        `${address} ${transport} ${question.name} ${question.type}${ednsText}${flags.recursionDesired ? '' : ' -rd'}`,
      )
    }
    const reply = answerUpstream(this.zone, query.value, transport)
    return reply?.ok ? reply.value : undefined
  }
}

/** The API server's objects, and a view of them that follows. */
export class MutableApi {
  readonly view: DnsApiView
  private objects: readonly ApiJson[]
  private current: DnsApiView

  constructor(objects: readonly ApiJson[]) {
    this.objects = objects
    this.current = dnsApiView(dnsObjects(objects), 1)
    const now = () => this.current
    this.view = {
      get synced() {
        return now().synced
      },
      get serial() {
        return now().serial
      },
      all: () => now().all(),
      namespace: (name) => now().namespace(name),
      service: (namespace, name) => now().service(namespace, name),
      slicesOf: (namespace, service) => now().slicesOf(namespace, service),
      serviceImport: (namespace, name) => now().serviceImport(namespace, name),
      importedSlicesOf: (namespace, service) => now().importedSlicesOf(namespace, service),
      servicesWithIp: (address) => now().servicesWithIp(address),
      servicesWithExternalIp: (address) => now().servicesWithExternalIp(address),
      endpointsWithIp: (address) => now().endpointsWithIp(address),
      podsWithIp: (text) => now().podsWithIp(text),
    }
  }

  change(applied: readonly ApiJson[], deleted: readonly ApiJson[]): void {
    if (applied.length + deleted.length === 0) return
    const key = ({ kind, metadata }: ApiJson) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`
    const taken = applied.filter((object) => !this.isIgnored(object))
    const gone = new Set([...taken, ...deleted].map(key))
    this.objects = [...this.objects.filter((object) => !gone.has(key(object))), ...taken]
    this.current = dnsApiView(dnsObjects(this.objects), 1)
  }

  /** A pod that ends while it is watched stays as it was: CoreDNS drops the update and keeps the old object. */
  private isIgnored({ kind, status }: ApiJson): boolean {
    return kind === 'Pod' && (status?.phase === 'Succeeded' || status?.phase === 'Failed')
  }
}

/** Sends one query and waits for its reply. */
function ask(
  network: VirtualNetwork,
  q: Query,
  { index, onAnswer }: { readonly index: number; readonly onAnswer: () => void },
): Reply | null {
  const id = 1000 + index
  const transport = q.transport ?? 'udp'
  let answer: Uint8Array | undefined
  const bytes = queryBytes(q, id)
  const client: Program<Uint8Array, never> = {
    name: 'client',
    start: () => ({
      state: new Uint8Array(0),
      syscalls: [
        { kind: 'socket', fd: 3, family: 4, type: transport },
        { kind: 'connect', fd: 3, to: { ip: ip('10.244.0.2'), port: q.port ?? 53 } },
        ...(transport === 'udp' ? [{ kind: 'send' as const, fd: 3, bytes }] : []),
      ],
    }),
    step: (state, event) => {
      if (event.kind === 'connected') return { state, syscalls: [{ kind: 'send', fd: 3, bytes: framed(bytes) }] }
      if (event.kind !== 'data') return { state, syscalls: [] }
      if (transport === 'udp') {
        answer ??= event.bytes
        return { state, syscalls: [] }
      }
      const stream = Uint8Array.from([...state, ...event.bytes])
      answer ??= unframed(stream).messages[0]
      return { state: stream, syscalls: [] }
    },
  }
  const machine: Machine = network.start({ name: `client ${index}`, addresses: [q.source ?? CLIENT], program: client })
  const deadline = network.now + (q.timeout ?? 8) * SECOND
  network.run({ until: deadline, done: () => answer !== undefined })
  onAnswer()
  if (answer) network.run({ until: network.now })
  machine.exited = 0
  return answer ? replyOf(answer, bytes) : null
}

export function queryBytes(q: Query, id: number): Uint8Array {
  const edns: Edns | undefined = q.edns && {
    size: q.edns.size,
    version: q.edns.version ?? 0,
    dnssecOk: q.edns.do ?? false,
    options: (q.edns.options ?? []).map(ednsOption),
  }
  const message: Message = {
    id,
    opcode: OPCODE[q.opcode ?? 'QUERY'],
    rcode: 0,
    flags: {
      response: false,
      authoritative: false,
      truncated: false,
      recursionDesired: !q.noRd,
      recursionAvailable: false,
      authenticData: q.ad ?? false,
      checkingDisabled: q.cd ?? false,
    },
    questions: q.type === '' ? [] : [{ name: q.name, type: q.type, class: q.class ?? 'IN' }],
    answers: [],
    authorities: [],
    additionals: [],
    ...(edns && { edns }),
  }
  const bytes = encodeMessage(message)
  if (!bytes.ok) throw new Error(bytes.reason)
  return bytes.value
}

function ednsOption(text: string): { readonly code: number; readonly bytes: Uint8Array } {
  const [name, hex = ''] = text.split(' ')
  const codes: Readonly<Record<string, number>> = { nsid: 3, cookie: 10, padding: 12 }
  return {
    code: codes[name ?? ''] ?? Number(name),
    bytes: Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  }
}

/** A reply in the form of the recorded ones. */
export function replyOf(bytes: Uint8Array, query: Uint8Array): Reply {
  const decoded = decodeMessage(bytes)
  const asked = decodeMessage(query)
  if (!decoded.ok) return { rcode: `unreadable: ${decoded.reason}`, flags: '' }
  const message = decoded.value
  const { flags } = message
  const words = [
    flags.authoritative && 'aa',
    flags.truncated && 'tc',
    flags.recursionDesired && 'rd',
    flags.recursionAvailable && 'ra',
    flags.authenticData && 'ad',
    flags.checkingDisabled && 'cd',
  ].filter((word) => word !== false)
  const questionText = ([question]: Message['questions']) =>
    question ? `${question.name} ${question.class} ${question.type}` : 'none'
  const told = questionText(message.questions)
  const section = (records: Message['answers']) => (records.length > 0 ? records.map(recordText) : undefined)
  const { edns } = message
  return {
    rcode: rcodeName(message.rcode),
    flags: words.join(' '),
    ...(asked.ok && told !== questionText(asked.value.questions) && { question: told }),
    ...defined({
      answer: section(message.answers),
      authority: section(message.authorities),
      additional: section(message.additionals),
    }),
    ...(edns && {
      edns: {
        size: edns.size,
        ...(edns.dnssecOk && { do: true }),
        ...(edns.version !== 0 && { version: edns.version }),
        ...(edns.options.length > 0 && { options: edns.options.map(optionText) }),
      },
    }),
    size: bytes.length,
  }
}

const defined = <Value>(object: Readonly<Record<string, Value | undefined>>): Readonly<Record<string, Value>> =>
  Object.fromEntries(Object.entries(object).filter((entry): entry is [string, Value] => entry[1] !== undefined))

function optionText({ code, bytes }: { readonly code: number; readonly bytes: Uint8Array }): string {
  if (code === 15)
    return `ede ${((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)} ${new TextDecoder().decode(bytes.subarray(2))}`.trimEnd()
  if (code === 3) return `nsid ${Buffer.from(bytes).toString('hex')}`
  return `${code} ${Buffer.from(bytes).toString('hex')}`
}

interface CorefileCase {
  readonly corefile: string
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

/** What CoreDNS would say when started with a Corefile; `''`: it starts. */
export function replayCorefile({ corefile, files = {}, env = {} }: CorefileCase): string {
  const folder = '/srv/coredns'
  const paths = new Map(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]))
  const read = (path: string) => paths.get(path.startsWith('/') ? path : `${folder}/${path}`)
  const glob = (pattern: string) => {
    const expression = new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`)
    return [...paths.keys()].filter((path) => expression.test(path)).sort()
  }
  const source = { name: 'Corefile', text: corefile, folder, read, glob, env: new Map(Object.entries(env)) }
  const file = (path: string) => read(path) ?? (path === '/etc/resolv.conf' ? USUAL_RESOLV_CONF : undefined)
  const addresses = () => POD_ADDRESSES.slice(0, 2).map(ip)
  const loaded = loadCorefile(source, { api: UNSYNCED_VIEW, file, addresses, hostname: 'coredns' })
  return loaded.ok ? '' : loaded.reason
}

/** The judge over `cases/coredns/real`. */
export const corednsJudge: Judge = judgeOfJsonFiles((recorded, file): Replayed => {
  if (Array.isArray(recorded)) {
    const value = (recorded as readonly CorefileCase[]).map((one) => ({ ...one, error: replayCorefile(one) }))
    return { kind: 'result', value }
  }
  if (!file.endsWith('.json') || !(recorded as CorednsSession).corefile)
    return { kind: 'skipped', reason: 'not a session' }
  return { kind: 'result', value: replaySession(recorded as CorednsSession) }
})
