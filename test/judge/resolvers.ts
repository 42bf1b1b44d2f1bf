import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Message, replyTo } from '../../dns/message.ts'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { labelsOf, lowerName } from '../../dns/name.ts'
import { RCODE, type ResourceRecord, rcodeName } from '../../dns/record.ts'
import { parseRecord } from '../../dns/record-text.ts'
import type { LookupOutcome } from '../../dns/resolver/lookup.ts'
import { type LookupProgramState, lookupProgram } from '../../dns/resolver/program.ts'
import type { ResolverName } from '../../dns/resolver/registry.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { seededDraw } from '../../linux/draw.ts'
import type { Program, SocketAddress } from '../../linux/process.ts'
import { formatIp } from '../../packet/ip.ts'
import type { Judge, JudgeSummary } from './judge.ts'
import { type Machine, VirtualNetwork } from './virtual-network.ts'

const SECOND = 1_000_000_000
const MS = 1_000_000

// ---------------------------------------------------------------- a server that misbehaves as told

/** What a name answers in transcripts.json; `about` there says what each field does. */
interface ZoneEntry {
  readonly A?: readonly string[]
  readonly AAAA?: readonly string[]
  readonly rcode?: number
  readonly rcode_A?: number
  readonly rcode_AAAA?: number
  readonly drop?: boolean
  readonly drop_A?: boolean
  readonly drop_AAAA?: boolean
  readonly drop_first_A?: boolean
  readonly drop_first_AAAA?: boolean
  readonly tc?: boolean
}

/** A query as a server saw it, and when its reply left; undefined: never. */
interface Seen {
  readonly at: number
  readonly server: string
  readonly source: SocketAddress
  readonly transport: 'udp' | 'tcp'
  readonly query: Message
  readonly reply: Message | undefined
  readonly answeredAt: number | undefined
}

type Answerer = (query: Message, transport: 'udp' | 'tcp') => Message | undefined

/** A DNS server on one address that answers after a delay, and writes down what it sees. */
function startServer(
  network: VirtualNetwork,
  server: { readonly address: string; readonly answer: Answerer; readonly delay: number; readonly seen: Seen[] },
): Machine {
  const { address, answer, delay, seen } = server
  const streams = new Map<number, { bytes: Uint8Array; peer: SocketAddress }>()
  const handle = (bytes: Uint8Array, source: SocketAddress, transport: 'udp' | 'tcp'): Uint8Array | undefined => {
    const query = decodeMessage(bytes)
    if (!query.ok) return undefined
    const reply = answer(query.value, transport)
    const answeredAt = reply ? network.now + delay : undefined
    seen.push({ at: network.now, server: address, source, transport, query: query.value, reply, answeredAt })
    const encoded = reply && encodeMessage(reply)
    return encoded?.ok ? encoded.value : undefined
  }
  const pending = new Map<string, { fd: number; bytes: Uint8Array; to?: SocketAddress }>()
  let count = 0
  const program: Program<null, never> = {
    name: 'dns',
    start: () => ({
      state: null,
      syscalls: [
        { kind: 'socket', fd: 3, family: 4, type: 'udp' },
        { kind: 'bind', fd: 3, port: 53 },
        { kind: 'socket', fd: 4, family: 4, type: 'tcp' },
        { kind: 'bind', fd: 4, port: 53 },
        { kind: 'listen', fd: 4 },
      ],
    }),
    step: (state, event) => {
      if (event.kind === 'accepted') streams.set(event.connection, { bytes: new Uint8Array(0), peer: event.peer })
      if (event.kind === 'timer') {
        const one = pending.get(event.id)
        return { state, syscalls: one ? [{ kind: 'send', ...one }] : [] }
      }
      if (event.kind !== 'data') return { state, syscalls: [] }
      const later = (fd: number, bytes: Uint8Array, to?: SocketAddress) => {
        const id = String(count++)
        pending.set(id, { fd, bytes, ...(to && { to }) })
        return { kind: 'timer' as const, id, afterNs: delay }
      }
      if (event.fd === 3 && event.from) {
        const reply = handle(event.bytes, event.from, 'udp')
        return { state, syscalls: reply ? [later(3, reply, event.from)] : [] }
      }
      const stream = streams.get(event.fd)
      if (!stream) return { state, syscalls: [] }
      const { messages, rest } = unframed(Uint8Array.from([...stream.bytes, ...event.bytes]))
      stream.bytes = rest
      const replies = messages.flatMap((message) => handle(message, stream.peer, 'tcp') ?? [])
      return { state, syscalls: replies.map((reply) => later(event.fd, framed(reply))) }
    },
  }
  return network.start({ name: address, addresses: [address], program })
}

function addressRecords(name: string, type: string, entry: ZoneEntry): readonly ResourceRecord[] {
  const texts = type === 'A' ? entry.A : type === 'AAAA' ? entry.AAAA : undefined
  return (texts ?? []).flatMap((text) => {
    const record = parseRecord(`${name} 60 IN ${type} ${text}`)
    return record.ok ? [record.value] : []
  })
}

/** The server of the transcripts. It says RA, as a resolver does. */
function transcriptAnswerer(zone: Readonly<Record<string, ZoneEntry>>, override: ZoneEntry): Answerer {
  const asked = new Map<string, number>()
  return (query, transport) => {
    const [question] = query.questions
    if (!question) return undefined
    const type = question.type as 'A' | 'AAAA'
    const found = entryOf(zone, lowerName(question.name))
    const entry: ZoneEntry = { ...found, ...override }
    const turn = (asked.get(`${question.name} ${type}`) ?? 0) + 1
    asked.set(`${question.name} ${type}`, turn)
    if (entry.drop || entry[`drop_${type}`] || (entry[`drop_first_${type}`] && turn === 1)) return undefined
    const empty = replyTo(query)
    const reply = { ...empty, flags: { ...empty.flags, recursionAvailable: true } }
    const rcode = entry.rcode ?? entry[`rcode_${type}`]
    if (rcode !== undefined) return { ...reply, rcode }
    if (entry.tc && transport === 'udp') return { ...reply, flags: { ...reply.flags, truncated: true } }
    if (!found) return { ...reply, rcode: RCODE.NXDOMAIN }
    return { ...reply, answers: addressRecords(question.name, question.type, entry) }
  }
}

function entryOf(zone: Readonly<Record<string, ZoneEntry>>, name: string): ZoneEntry | undefined {
  const exact = zone[name]
  if (exact) return exact
  if (Object.keys(zone).some((other) => other.endsWith(`.${name}`))) return {}
  const labels = labelsOf(name)
  for (let i = 1; i < labels.length; i++) {
    const wildcard = zone[`*.${labels.slice(i).join('.')}.`]
    if (wildcard) return wildcard
  }
  return undefined
}

// ---------------------------------------------------------------- one lookup

interface Lookup {
  readonly resolver: ResolverName
  readonly name: string
  readonly family: 'unspec' | '4' | '6'
  readonly addrConfig: boolean
  readonly files: Readonly<Record<string, string>>
  readonly client: string
  /** Addresses that AI_ADDRCONFIG sees. */
  readonly visible: readonly string[]
}

interface LookedUp {
  readonly seconds: number
  readonly outcome: LookupOutcome | undefined
}

function runLookup(network: VirtualNetwork, lookup: Lookup): LookedUp {
  const program = lookupProgram(lookup.resolver)
  const draw = seededDraw(1)
  let last: LookupProgramState | undefined
  const watching: Program<LookupProgramState, unknown> = {
    name: program.name,
    start: (context) => keep(program.start(context)),
    step: (state, event, context) => keep(program.step(state, event, context)),
  }
  function keep<Result extends { readonly state: LookupProgramState }>(result: Result): Result {
    last = result.state
    return result
  }
  const machine = network.start({
    name: 'client',
    addresses: [lookup.client],
    visible: lookup.visible,
    // The recorded clients had no way but to their servers.
    routed: () => false,
    program: watching,
    args: { name: lookup.name, family: lookup.family, addrConfig: String(lookup.addrConfig) },
    files: lookup.files,
    draw: (entry, choices) => draw({ host: 'client', netns: 'root', purpose: 'resolver-id', entry }, choices),
  })
  network.run({ until: network.now + 200 * SECOND, done: () => machine.exited !== undefined })
  return { seconds: network.now / SECOND, outcome: last?.outcome }
}

// ---------------------------------------------------------------- transcripts.json

interface Transcripts {
  readonly zone: Readonly<Record<string, ZoneEntry>>
  readonly scenarios: readonly Scenario[]
}

export interface Scenario {
  readonly scenario: string
  readonly resolvConf: string
  readonly name: string
  readonly family: 'unspec' | 'A' | 'AAAA'
  readonly listen: readonly string[]
  readonly serverOverride: Readonly<Record<string, ZoneEntry>>
  readonly clients: Readonly<Record<string, Transcript>>
}

export interface Transcript {
  readonly seconds: number
  readonly output: string
  readonly queries: readonly TranscriptQuery[]
}

export interface TranscriptQuery {
  readonly atMs: number
  readonly server: string
  readonly socket: number
  readonly transport: 'udp' | 'tcp'
  readonly name: string
  readonly type: string
  readonly edns: boolean
}

/** Which of our resolvers stands for a recorded client. */
const TRANSCRIPT_CLIENTS: Readonly<Record<string, ResolverName>> = { 'glibc2.36': 'glibc' }

const EAI_NUMBER: Readonly<Record<string, number>> = { EAI_NONAME: -2, EAI_AGAIN: -3, EAI_FAIL: -4, EAI_NODATA: -5 }

/** One client of one scenario; undefined where that client is not emulated. */
export function replayTranscript(
  zone: Readonly<Record<string, ZoneEntry>>,
  scenario: Scenario,
  client: string,
): Transcript | undefined {
  const resolver = TRANSCRIPT_CLIENTS[client]
  if (!resolver) return undefined
  const network = new VirtualNetwork()
  const seen: Seen[] = []
  for (const address of scenario.listen)
    startServer(network, {
      address,
      answer: transcriptAnswerer(zone, scenario.serverOverride[address] ?? {}),
      delay: 0,
      seen,
    })
  // Where nobody listens the machine is still there, and refuses.
  for (const [, address = ''] of scenario.resolvConf.matchAll(/^nameserver (\S+)/gm))
    if (!scenario.listen.includes(address)) network.start({ name: address, addresses: [address], program: nothing })
  const family = scenario.family === 'A' ? '4' : scenario.family === 'AAAA' ? '6' : 'unspec'
  const { seconds, outcome } = runLookup(network, {
    resolver,
    name: scenario.name,
    family,
    addrConfig: false,
    files: { '/etc/resolv.conf': scenario.resolvConf },
    client: '127.0.0.1',
    visible: [],
  })
  const start = seen[0]?.at ?? 0
  const sockets = socketNumbers(seen)
  const output = outcome?.ok
    ? `${scenario.name} rc=0(ok) ${outcome.addresses.map(formatIp).join(' ')}`
    : `${scenario.name} rc=${EAI_NUMBER[outcome?.error ?? '']}(${outcome?.message})`
  return {
    seconds,
    output,
    queries: seen.map((one, i) => ({
      atMs: (one.at - start) / MS,
      server: one.server,
      socket: sockets[i] ?? 0,
      transport: one.transport,
      name: one.query.questions[0]?.name ?? '',
      type: one.query.questions[0]?.type ?? '',
      edns: one.query.edns !== undefined,
    })),
  }
}

const nothing: Program<null, never> = {
  name: 'nothing',
  start: () => ({ state: null, syscalls: [] }),
  step: (state) => ({ state, syscalls: [] }),
}

/** Source ports numbered by first use. */
function socketNumbers(seen: readonly Seen[]): readonly number[] {
  const numbers = new Map<string, number>()
  return seen.map(({ transport, source }) => {
    const key = `${transport} ${source.port}`
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    return number
  })
}

// ---------------------------------------------------------------- sequences.json

export interface Sequences {
  readonly zone: Readonly<Record<string, string>>
  readonly 'resolv.conf': string
  readonly 'nsswitch.conf': string
  readonly 'variant resolv.conf': Readonly<Record<string, string>>
  readonly cases: Readonly<Record<string, readonly SequenceCase[]>>
}

export interface SequenceCase {
  readonly variant?: string
  readonly tool: string
  readonly name: string
  readonly queries: readonly string[]
  readonly rc: number
  readonly result: string
}

interface Tool {
  readonly resolver: ResolverName
  readonly family: 'unspec' | '4' | '6'
  readonly addrConfig: boolean
  readonly print: (name: string, outcome: LookupOutcome) => { readonly rc: number; readonly result: string }
  /** What the tool makes of the name before it asks the library. */
  readonly spelled?: (name: string) => string
}

const getaddrinfoPrint: Tool['print'] = (_, outcome) =>
  outcome.ok
    ? { rc: 0, result: outcome.addresses.map(formatIp).join(' / ') }
    : { rc: 1, result: `ERR ${outcome.message}` }

const ahostsPrint: Tool['print'] = (_, outcome) => {
  if (!outcome.ok) return { rc: 2, result: '' }
  const lines = outcome.addresses.flatMap((ip, i) =>
    ['STREAM', 'DGRAM', 'RAW'].map(
      (type, t) =>
        `${formatIp(ip).padEnd(15)} ${t === 0 && i === 0 ? `${type} ${outcome.canonicalName}` : type.padEnd(t === 2 ? 0 : 7)}`,
    ),
  )
  return { rc: 0, result: lines.join(' / ') }
}

const hostsPrint: Tool['print'] = (_, outcome) =>
  outcome.ok
    ? {
        rc: 0,
        result: outcome.addresses.map((ip) => `${formatIp(ip).padEnd(15)} ${outcome.canonicalName}`).join(' / '),
      }
    : { rc: 2, result: '' }

const nodePrint: Tool['print'] = (_, outcome) => ({
  rc: 0,
  result: outcome.ok
    ? JSON.stringify(outcome.addresses.map((ip) => ({ address: formatIp(ip), family: ip.family })))
    : `ERR ${outcome.error === 'EAI_AGAIN' ? 'EAI_AGAIN' : 'ENOTFOUND'}`,
})

const TOOLS: Readonly<Record<string, Tool>> = {
  'glibc getent ahosts': { resolver: 'glibc', family: 'unspec', addrConfig: true, print: ahostsPrint },
  'glibc getent ahostsv4': { resolver: 'glibc', family: '4', addrConfig: true, print: ahostsPrint },
  'glibc getent hosts': { resolver: 'glibc-gethostbyname', family: 'unspec', addrConfig: false, print: hostsPrint },
  'glibc getaddrinfo AF_UNSPEC': { resolver: 'glibc', family: 'unspec', addrConfig: false, print: getaddrinfoPrint },
  'glibc getaddrinfo AF_UNSPEC AI_ADDRCONFIG': {
    resolver: 'glibc',
    family: 'unspec',
    addrConfig: true,
    print: getaddrinfoPrint,
  },
  'glibc getaddrinfo AF_INET': { resolver: 'glibc', family: '4', addrConfig: false, print: getaddrinfoPrint },
  // Node lowers letters before it calls getaddrinfo.
  'node 20 dns.lookup': {
    resolver: 'glibc',
    family: 'unspec',
    addrConfig: false,
    print: nodePrint,
    spelled: lowerName,
  },
}

const SERVERS = ['10.96.0.10', '10.96.0.11', '10.96.0.12', '10.96.0.13']
const POD = '10.244.1.2'
const LINK_LOCAL = 'fe80::1'
/** Every answer of that recording was held back so long. */
const ANSWER_DELAY = 6 * MS

/** What the servers do in a case, by the words of its variant and group. */
function behaviourOf(group: string, variant: string, server: string): Partial<ZoneEntry> {
  const first = server === SERVERS[0]
  if (/^all silent|^four nameservers/.test(variant)) return { drop: true }
  if (variant === 'first nameserver silent') return first ? { drop: true } : {}
  if (variant === 'servfail') return { rcode: RCODE.SERVFAIL }
  if (variant === 'servfail from first of two') return first ? { rcode: RCODE.SERVFAIL } : {}
  if (variant === 'refused') return { rcode: RCODE.REFUSED }
  if (variant.startsWith('AAAA answers lost')) return { drop_AAAA: true }
  if (variant === 'truncated over udp') return { tc: true }
  return group.startsWith('every name NXDOMAIN') ? { rcode: RCODE.NXDOMAIN } : {}
}

const SOA = parseRecord('. 60 IN SOA a. b. 1 2 3 4 60')

/** The server of the sequences: authoritative, with a SOA in what it has not. */
function sequenceAnswerer(zone: Readonly<Record<string, string>>, behave: Partial<ZoneEntry>): Answerer {
  const plain = Object.fromEntries(
    Object.entries(zone)
      .filter(([name]) => name.endsWith('.'))
      .map(([name, text]) => [
        name,
        text.split(', ').map((one) => `${name} 60 IN ${one.startsWith('PTR') ? `${one}.` : one}`),
      ]),
  )
  return (query, transport) => {
    const [question] = query.questions
    if (!question) return undefined
    const { name, type } = question
    if (behave.drop || (behave.drop_AAAA && type === 'AAAA')) return undefined
    const empty = replyTo(query)
    const reply: Message = {
      ...empty,
      flags: { ...empty.flags, authoritative: true, recursionAvailable: true },
      ...(query.edns && { edns: { size: 1232, version: 0, dnssecOk: false, options: [] } }),
    }
    if (behave.rcode !== undefined) return { ...reply, rcode: behave.rcode }
    if (behave.tc && transport === 'udp') return { ...reply, flags: { ...reply.flags, truncated: true } }
    const authorities = SOA.ok ? [SOA.value] : []
    const lines = plain[lowerName(name)]
    const below = Object.keys(plain).some((other) => other.endsWith(`.${lowerName(name)}`))
    if (!lines && !below) return { ...reply, rcode: RCODE.NXDOMAIN, authorities }
    const answers = (lines ?? []).flatMap((line) => {
      const record = parseRecord(line)
      return record.ok && record.value.type === type ? [{ ...record.value, name }] : []
    })
    return answers.length > 0 ? { ...reply, answers } : { ...reply, authorities }
  }
}

/** One case; undefined where its tool is not emulated. */
export function replaySequence(all: Sequences, group: string, one: SequenceCase): SequenceCase | undefined {
  const tool = TOOLS[one.tool]
  if (!tool) return undefined
  const network = new VirtualNetwork()
  const seen: Seen[] = []
  const variant = one.variant ?? ''
  for (const address of SERVERS)
    startServer(network, {
      address,
      answer: sequenceAnswerer(all.zone, behaviourOf(group, variant, address)),
      delay: ANSWER_DELAY,
      seen,
    })
  const withIpv6 = group.includes('ipv6 link-local')
  const { outcome } = runLookup(network, {
    resolver: tool.resolver,
    name: tool.spelled ? tool.spelled(one.name) : one.name,
    family: tool.family,
    addrConfig: tool.addrConfig,
    files: {
      '/etc/resolv.conf': all['variant resolv.conf'][variant] ?? all['resolv.conf'],
      '/etc/nsswitch.conf': `${all['nsswitch.conf']}\n`,
      // That group's result for localhost shows an IPv6 line in its hosts file.
      '/etc/hosts': `127.0.0.1 localhost\n${POD} mypod\n${withIpv6 ? '::1 localhost ip6-localhost\n' : ''}`,
    },
    client: POD,
    visible: withIpv6 ? [POD, LINK_LOCAL] : [POD],
  })
  const printed = outcome ? tool.print(one.name, outcome) : { rc: -1, result: '' }
  return { ...one, queries: sequenceLines(seen), ...printed }
}

function sequenceLines(seen: readonly Seen[]): readonly string[] {
  const start = seen[0]?.at ?? 0
  const sockets = socketNumbers(seen)
  let group = 0
  return seen.map((one, i) => {
    const outstanding = seen.slice(0, i).some(({ answeredAt }) => answeredAt !== undefined && answeredAt > one.at)
    if (!outstanding) group++
    const [question] = one.query.questions
    const seconds = (one.at - start) / SECOND
    const { edns, flags } = one.query
    const words = [
      question?.name,
      question?.type,
      answerWord(one.reply),
      `g${group}`,
      `${one.transport}${sockets[i]}`,
      one.server === SERVERS[0] ? '' : one.server,
      seconds > 0.9 ? `t=${seconds.toFixed(1)}s` : '',
      edns ? `edns(${edns.size})` : '',
      flags.recursionDesired ? '' : 'no-rd',
      flags.authenticData ? 'ad' : '',
      flags.checkingDisabled ? 'cd' : '',
    ]
    return words.filter((word) => word !== '').join(' ')
  })
}

function answerWord(reply: Message | undefined): string {
  if (!reply) return '(none)'
  if (reply.flags.truncated) return 'TC'
  return reply.rcode === RCODE.NOERROR && reply.answers.length === 0 ? 'NODATA' : rcodeName(reply.rcode)
}

// ---------------------------------------------------------------- the judge

/** The judge over `cases/resolvers`: cases of clients that are not emulated are left out. */
export const resolversJudge: Judge = ({ cases, out }): JudgeSummary => {
  mkdirSync(out, { recursive: true })
  const skipped: { file: string; reason: string }[] = []
  let written = 0
  const read = (file: string): unknown =>
    existsSync(join(cases, file)) ? JSON.parse(readFileSync(join(cases, file), 'utf8')) : undefined
  const write = (file: string, value: unknown) =>
    writeFileSync(join(out, file), `${JSON.stringify(value, undefined, 1)}\n`)
  const transcripts = read('transcripts.json') as Transcripts | undefined
  if (transcripts) {
    const scenarios = transcripts.scenarios.map((scenario) => {
      const clients: Record<string, Transcript> = {}
      for (const client of Object.keys(scenario.clients)) {
        const result = replayTranscript(transcripts.zone, scenario, client)
        if (result) clients[client] = result
        else skipped.push({ file: 'transcripts.json', reason: `client ${client} is not emulated` })
        if (result) written++
      }
      return { ...scenario, clients }
    })
    write('transcripts.json', { ...transcripts, scenarios })
  }
  const sequences = read('sequences.json') as Sequences | undefined
  if (sequences) {
    const replayed = Object.entries(sequences.cases).map(([group, list]) => {
      const results = list.map((one) => {
        const result = replaySequence(sequences, group, one)
        if (result) written++
        else skipped.push({ file: 'sequences.json', reason: `tool ${one.tool} is not emulated` })
        return result ?? null
      })
      return [group, results] as const
    })
    write('sequences.json', { ...sequences, cases: Object.fromEntries(replayed) })
  }
  return { written, skipped }
}
