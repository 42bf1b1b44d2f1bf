import { decodeMessage } from '../../dns/message-decode.ts'
import { digOf } from '../../dns/resolver/bind/dig.ts'
import type { LookupOutcome } from '../../dns/resolver/lookup.ts'
import { formatIp } from '../../packet/ip.ts'
import { nothing, type Seen, scriptedServer } from '../dns/scripted-server.ts'
import { type Lookup, MS, recordedGoroutines, runLookup, socketNumbers } from './resolver-run.ts'
import { transcriptAnswerer, type Zone, type ZoneEntry } from './resolver-zone.ts'
import { type Sent, VirtualNetwork } from './virtual-network.ts'

export interface Transcripts {
  readonly zone: Zone
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

interface Client {
  readonly resolver: Lookup['resolver']
  /** What the recorded program printed of an outcome; absent: the tool's own output. */
  readonly print?: (name: string, outcome: LookupOutcome | undefined) => string
}

const EAI_NUMBER: Readonly<Record<string, number>> = { EAI_NONAME: -2, EAI_AGAIN: -3, EAI_FAIL: -4, EAI_NODATA: -5 }

/** A program that calls getaddrinfo and prints what came. */
const printLibrary: Client['print'] = (name, outcome) =>
  outcome?.ok
    ? `${name} rc=0(ok) ${outcome.addresses.map(formatIp).join(' ')}`
    : `${name} rc=${EAI_NUMBER[outcome?.error ?? '']}(${outcome?.message})`

const printGo: Client['print'] = (name, outcome) =>
  `${name} [${outcome?.ok ? outcome.addresses.map(formatIp).join(' ') : ''}] ${outcome?.ok ? '<nil>' : outcome?.message}`

const printNode: Client['print'] = (_, outcome) =>
  outcome?.ok ? `[ ${outcome.addresses.map((ip) => `'${formatIp(ip)}'`).join(', ')} ]` : (outcome?.message ?? '')

const CLIENTS: Readonly<Record<string, Client>> = {
  'glibc2.36': { resolver: 'glibc', print: printLibrary },
  'musl1.2.3': { resolver: 'musl-1.2.3', print: printLibrary },
  'dig+search': { resolver: digOf({ name: 'dig', search: true, short: true, tries: 1 }) },
  host: { resolver: 'host' },
  nslookup: { resolver: 'nslookup' },
  'busybox1.35': { resolver: 'busybox' },
  'node-resolve4': { resolver: 'node', print: printNode },
  'go1.19': { resolver: 'go-1.19', print: printGo },
  'musl1.2.5+': { resolver: 'musl', print: printLibrary },
}

/** One client of one scenario; undefined where that client is not emulated. */
export function replayTranscript(zone: Zone, scenario: Scenario, client: string): Transcript | undefined {
  const chosen = CLIENTS[client]
  const recorded = scenario.clients[client]
  if (!chosen || !recorded) return undefined
  const network = new VirtualNetwork(recordedArrival(recorded.queries))
  const seen: Seen[] = []
  for (const address of scenario.listen)
    network.start({
      name: address,
      addresses: [address],
      program: scriptedServer({
        address,
        answer: transcriptAnswerer(zone, scenario.serverOverride[address] ?? {}),
        seen,
      }),
    })
  // Where nobody listens the machine is still there, and refuses.
  for (const [, address = ''] of scenario.resolvConf.matchAll(/^nameserver (\S+)/gm))
    if (!scenario.listen.includes(address)) network.start({ name: address, addresses: [address], program: nothing })
  const { seconds, outcome } = runLookup(network, {
    resolver: chosen.resolver,
    name: scenario.name,
    family: scenario.family === 'A' ? '4' : scenario.family === 'AAAA' ? '6' : 'unspec',
    files: { '/etc/resolv.conf': scenario.resolvConf },
    client: '127.0.0.1',
    visible: [],
    drawn: recordedGoroutines(recorded.queries),
  })
  const understood = seen.filter(({ query }) => query !== undefined)
  const start = understood[0]?.at ?? 0
  const sockets = socketNumbers(understood)
  const printed = outcome?.printed
  return {
    seconds,
    output: chosen.print?.(scenario.name, outcome) ?? `${printed?.stdout ?? ''}${printed?.stderr ?? ''}`.trim(),
    queries: understood.map((one, i) => ({
      atMs: (one.at - start) / MS,
      server: one.server,
      socket: sockets[i] ?? 0,
      transport: one.transport,
      name: one.query?.questions[0]?.name ?? '',
      type: one.query?.questions[0]?.type ?? '',
      edns: one.query?.edns !== undefined,
    })),
  }
}

/** What the recording machine took for a step is less. */
const SLOWNESS_MS = 50

/**
 * When datagrams of different sockets, or to different servers, arrive is chance: here as it was recorded. What goes from
 * one socket to one server stays in its order.
 */
function recordedArrival(queries: readonly TranscriptQuery[]): (datagram: Pick<Sent, 'to' | 'bytes'>) => number {
  const several = new Set(queries.map(({ server }) => server)).size > 1
  const turns = new Map<string, number>()
  const latest = new Map<string, number>()
  return ({ to, bytes }) => {
    const message = decodeMessage(bytes)
    const question = message.ok && to.port === 53 ? message.value.questions[0] : undefined
    if (!question) return 0
    const server = formatIp(to.ip)
    const key = `${server} ${question.name} ${question.type}`
    const turn = turns.get(key) ?? 0
    turns.set(key, turn + 1)
    const index = queries.flatMap((query, i) => (`${query.server} ${query.name} ${query.type}` === key ? [i] : []))[
      turn
    ]
    const jitter = index === undefined ? 0 : lateness(queries, index)
    if (!several) return jitter
    const rank = Math.max(index ?? 0, latest.get(server) ?? 0)
    latest.set(server, rank)
    return jitter + rank
  }
}

/** How much later than the one before it, from another socket, a query came: the speed of that machine. */
function lateness(queries: readonly TranscriptQuery[], index: number): number {
  const [before, own] = [queries[index - 1], queries[index]]
  if (!before || !own || before.socket === own.socket) return 0
  const gap = own.atMs - before.atMs
  return gap < SLOWNESS_MS ? gap * MS : 0
}
