import {
  isLookupEvent,
  type LookupError,
  type LookupRequest,
  type LookupState,
  type Printed,
  startLookup,
  stepLookup,
} from '../dns/resolver/lookup.ts'
import { resolvers } from '../dns/resolver/registry.ts'
import type { DnsStep } from '../dns/step.ts'
import type {
  Errno,
  ProcessContext,
  ProcessEvent,
  ProcessResult,
  Program,
  SocketAddress,
  SocketType,
  Syscall,
} from '../linux/process.ts'
import { formatIp, type Ip } from '../packet/ip.ts'
import type { Probe, ProbeKind } from './probe.ts'

/** What the asking program did and saw. */
export type ClientStep =
  | { readonly kind: 'client.dial'; readonly to: SocketAddress }
  | { readonly kind: 'client.connected'; readonly local: SocketAddress; readonly peer: SocketAddress }
  | { readonly kind: 'client.received'; readonly octets: number; readonly text: string; readonly ttl?: number }
  | { readonly kind: 'client.done'; readonly outcome: Outcome }

/** What the client saw in the end. */
export type Outcome =
  | { readonly kind: 'resolved'; readonly addresses: readonly Ip[]; readonly printed?: Printed }
  | { readonly kind: 'connected'; readonly peer: SocketAddress }
  | {
      readonly kind: 'answered'
      readonly peer: SocketAddress
      readonly octets: number
      readonly text: string
      readonly ttl?: number
    }
  | {
      readonly kind: 'notResolved'
      readonly name: string
      readonly error: LookupError
      readonly message: string
      readonly printed?: Printed
    }
  | {
      readonly kind: 'failed'
      readonly errno: Errno
      readonly peer: SocketAddress
      readonly from?: Ip
      readonly afterNs: number
    }
  /** Nothing came back; a datagram's sender is not told why. */
  | { readonly kind: 'noAnswer'; readonly peer: SocketAddress; readonly afterNs: number }

interface ClientState {
  readonly phase: 'lookup' | 'dial' | 'wait' | 'done'
  readonly lookup?: LookupState
  /** Addresses still to be tried, the present one first. */
  readonly candidates: readonly Ip[]
  readonly fd: number
  readonly startedAt: number
  /** Its socket can be used again. */
  readonly open: boolean
}

type Result = ProcessResult<ClientState, ClientStep | DnsStep>

const SECOND = 1_000_000_000
/** Made once: a decoder is costly to make. */
const LATIN1 = new TextDecoder('latin1')
const UTF8 = new TextEncoder()
/** How long a client waits for an answer to a datagram or an echo request. */
const PATIENCE = 5 * SECOND
const FIRST_FD = 3
/** Descriptors of the lookup; those of the client's own sockets count up from FIRST_FD. */
const LOOKUP_FD = 100

/** The socket that a probe needs; `resolve` opens none of its own. */
const SOCKET_TYPES: Readonly<Record<ProbeKind, SocketType>> = {
  connect: 'tcp',
  request: 'tcp',
  datagram: 'udp',
  associate: 'sctp',
  ping: 'icmp',
  resolve: 'tcp',
}

/** The name under which the probe's program runs. */
export const CLIENT = 'client'

/** Whether it has its answer. */
export const hasAnswered = ({ state, exitCode }: { readonly state: unknown; readonly exitCode: number | undefined }) =>
  exitCode !== undefined || (state as ClientState).phase === 'done'

/** What a client sends over a connection that it only wanted to have. */
const GREETING = 'podwalk'

/** A program that asks the probe's question and exits: look the name up, dial each address in turn, talk, hang up. */
export function clientProgram(probe: Probe): Program<ClientState, ClientStep | DnsStep> {
  return { name: CLIENT, start, step, told: again }

  function start(context: ProcessContext): Result {
    return begin(context, FIRST_FD)
  }

  function begin(context: ProcessContext, fd: number): Result {
    const begun: ClientState = { phase: 'lookup', candidates: [], fd, startedAt: context.now, open: false }
    const { ip, name } = probe.target
    if (ip !== undefined) return dial({ ...begun, candidates: [ip] }, context)
    const request: LookupRequest = {
      name: name ?? '',
      family: 'unspec',
      addrConfig: true,
      root: probe.from.root,
      ...(probe.recordType !== undefined && { type: probe.recordType }),
    }
    const resolver = resolvers[probe.resolver ?? 'glibc']
    return afterLookup(begun, startLookup({ resolver, request, firstFd: LOOKUP_FD }, context), context)
  }

  function step(state: ClientState, event: ProcessEvent, context: ProcessContext): Result {
    if (state.phase === 'done') return left(state, event)
    if (state.phase === 'lookup' && state.lookup !== undefined) {
      if (!isLookupEvent(state.lookup, event)) return { state, syscalls: [] }
      return afterLookup(state, stepLookup(state.lookup, event, context), context)
    }
    switch (event.kind) {
      case 'connected':
        return event.fd === state.fd ? connected(state, event) : { state, syscalls: [] }
      case 'data':
        return event.fd === state.fd ? answered(state, event) : { state, syscalls: [] }
      case 'closed':
        return finish({ ...state, open: false }, { kind: 'connected', peer: peerOf(state) }, [])
      case 'error':
        return event.fd === state.fd ? failed(state, event, context) : { state, syscalls: [] }
      case 'timer':
        return event.id === `patience ${state.fd}` ? unanswered(state, context) : { state, syscalls: [] }
      default:
        return { state, syscalls: [] }
    }
  }

  function afterLookup(state: ClientState, result: ReturnType<typeof startLookup>, context: ProcessContext): Result {
    const { syscalls, notes, outcome } = result
    const going: ClientState = { ...state, lookup: result.state }
    if (outcome === undefined) return { state: going, syscalls, notes }
    const next = lookedUp(going, outcome, context)
    return { state: next.state, syscalls: [...syscalls, ...next.syscalls], notes: [...notes, ...(next.notes ?? [])] }
  }

  function lookedUp(
    state: ClientState,
    outcome: NonNullable<ReturnType<typeof startLookup>['outcome']>,
    context: ProcessContext,
  ): Result {
    const printed = outcome.printed === undefined ? {} : { printed: outcome.printed }
    if (!outcome.ok) {
      const { error, message } = outcome
      return finish(state, { kind: 'notResolved', name: probe.target.name ?? '', error, message, ...printed }, [])
    }
    if (probe.kind === 'resolve')
      return finish(state, { kind: 'resolved', addresses: outcome.addresses, ...printed }, [])
    return dial({ ...state, candidates: outcome.addresses, startedAt: context.now }, context)
  }

  function peerOf(state: ClientState): SocketAddress {
    return { ip: state.candidates[0] ?? { family: 4, a: 0, b: 0, c: 0, d: 0 }, port: probe.target.port }
  }

  function dial(state: ClientState, context: ProcessContext): Result {
    const to = peerOf(state)
    const { fd } = state
    const type = SOCKET_TYPES[probe.kind]
    const isConnection = type === 'tcp' || type === 'sctp'
    const dialling: ClientState = { ...state, phase: 'dial', startedAt: context.now, open: !isConnection }
    const notes: ClientStep[] = [{ kind: 'client.dial', to }]
    const socket: Syscall = {
      kind: 'socket',
      fd,
      family: to.ip.family,
      type,
      ...(probe.ttl === undefined ? {} : { ttl: probe.ttl }),
    }
    const { sourcePort } = probe
    const bound: Syscall[] = sourcePort === undefined ? [] : [{ kind: 'bind', fd, port: sourcePort }]
    if (isConnection) return { state: dialling, syscalls: [socket, ...bound, { kind: 'connect', fd, to }], notes }
    const bytes = UTF8.encode(probe.payload)
    const first: Syscall[] =
      type === 'udp'
        ? [
            { kind: 'connect', fd, to },
            { kind: 'send', fd, bytes },
          ]
        : [{ kind: 'send', fd, bytes, to }]
    const timer: Syscall = { kind: 'timer', id: `patience ${fd}`, afterNs: PATIENCE }
    return { state: { ...dialling, phase: 'wait' }, syscalls: [socket, ...bound, ...first, timer], notes }
  }

  /**
   * The question once more: by the socket that it has kept, else from the start. A name that has been looked up is not
   * looked up again as long as the socket is open.
   */
  function again(state: ClientState, context: ProcessContext): Result {
    if (!state.open) {
      // What it closes may live on for a while under its descriptor.
      const anew = begin(context, state.fd + 1)
      return { ...anew, syscalls: [{ kind: 'close', fd: state.fd }, ...anew.syscalls] }
    }
    const { fd } = state
    const to = peerOf(state)
    const bytes = UTF8.encode(probe.payload === '' ? GREETING : probe.payload)
    const asking: ClientState = { ...state, phase: 'wait', startedAt: context.now }
    const notes: ClientStep[] = [{ kind: 'client.dial', to }]
    const isStream = probe.kind === 'request' || probe.kind === 'connect'
    const send: Syscall = { kind: 'send', fd, bytes, ...(probe.kind === 'ping' ? { to } : {}) }
    const timer: Syscall = { kind: 'timer', id: `patience ${fd}`, afterNs: PATIENCE }
    return { state: asking, syscalls: isStream ? [send] : [send, timer], notes }
  }

  /** What becomes of a kept socket while nobody asks. */
  function left(state: ClientState, event: ProcessEvent): Result {
    const isOver = event.kind === 'closed' || (event.kind === 'error' && probe.kind !== 'datagram')
    return { state: isOver ? { ...state, open: false } : state, syscalls: [] }
  }

  function connected(state: ClientState, { fd, local, peer }: Extract<ProcessEvent, { kind: 'connected' }>): Result {
    const note: ClientStep = { kind: 'client.connected', local, peer }
    const bytes = UTF8.encode(probe.payload)
    if (probe.kind === 'associate') {
      const timer: Syscall = { kind: 'timer', id: `patience ${fd}`, afterNs: PATIENCE }
      const waiting: ClientState = { ...state, phase: 'wait', open: true }
      return { state: waiting, syscalls: [{ kind: 'send', fd, bytes }, timer], notes: [note] }
    }
    if (probe.kind === 'request') {
      return { state: { ...state, phase: 'wait', open: true }, syscalls: [{ kind: 'send', fd, bytes }], notes: [note] }
    }
    return finish({ ...state, open: true }, { kind: 'connected', peer }, [note])
  }

  function answered(state: ClientState, { bytes, from, ttl }: Extract<ProcessEvent, { kind: 'data' }>): Result {
    const text = LATIN1.decode(bytes)
    const seen = { octets: bytes.length, text, ...(ttl === undefined ? {} : { ttl }) }
    return finish(state, { kind: 'answered', peer: from ?? peerOf(state), ...seen }, [
      { kind: 'client.received', ...seen },
    ])
  }

  /** A server that takes an association may have nothing to say in it. */
  function unanswered(state: ClientState, context: ProcessContext): Result {
    const peer = peerOf(state)
    if (probe.kind === 'associate') return finish(state, { kind: 'connected', peer }, [])
    return nextOr(state, context, { kind: 'noAnswer', peer, afterNs: context.now - state.startedAt })
  }

  function failed(
    state: ClientState,
    { errno, from }: Extract<ProcessEvent, { kind: 'error' }>,
    context: ProcessContext,
  ): Result {
    const peer = peerOf(state)
    const afterNs = context.now - state.startedAt
    return nextOr(state, context, { kind: 'failed', errno, peer, afterNs, ...(from === undefined ? {} : { from }) })
  }

  /** The next address of the name, or the end. */
  function nextOr(state: ClientState, context: ProcessContext, outcome: Outcome): Result {
    const [, ...rest] = state.candidates
    const open = state.open && (probe.kind === 'datagram' || probe.kind === 'ping')
    if (rest.length === 0) return finish({ ...state, open }, outcome, [])
    const again = dial({ ...state, candidates: rest, fd: state.fd + 1 }, context)
    return { ...again, syscalls: [{ kind: 'close', fd: state.fd }, ...again.syscalls] }
  }

  function finish(state: ClientState, outcome: Outcome, notes: readonly ClientStep[]): Result {
    const last: ClientStep = { kind: 'client.done', outcome }
    const syscalls: Syscall[] = probe.keeps === true ? [] : [{ kind: 'exit', code: 0 }]
    return { state: { ...state, phase: 'done' }, syscalls, notes: [...notes, last] }
  }
}

/** A GET request as curl sends it, but for the user agent. */
export const httpGet = (host: string, path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: podwalk\r\nAccept: */*\r\n\r\n`

export const describePeer = ({ ip, port }: SocketAddress): string =>
  port === 0 ? formatIp(ip) : ip.family === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`
