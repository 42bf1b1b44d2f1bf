import type { ProcessContext, ProcessEvent, SocketAddress, Syscall } from '../../linux/process.ts'
import type { Family, Ip } from '../../packet/ip.ts'
import type { DnsStep, DnsStepBody } from '../step.ts'
import { likelySource } from './address-order.ts'

/** What a program asks of its resolver library. */
export interface LookupRequest {
  readonly name: string
  /** getaddrinfo's ai_family. */
  readonly family: 'unspec' | 4 | 6
  /** AI_ADDRCONFIG: only families of which the machine has an address. */
  readonly addrConfig?: boolean
  /** Where /etc is; `''` unless the process has another root. */
  readonly root?: string
  /** The record type that a tool is told to ask for; absent: addresses. */
  readonly type?: string
}

export type LookupOutcome = (
  | { readonly ok: true; readonly addresses: readonly Ip[]; readonly canonicalName: string }
  | { readonly ok: false; readonly error: LookupError; readonly message: string }
) & {
  /** Of a tool: what it writes, and how it ends. */
  readonly printed?: Printed
}

export interface Printed {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** getaddrinfo's error names (netdb.h). */
export type LookupError = 'EAI_NONAME' | 'EAI_NODATA' | 'EAI_AGAIN' | 'EAI_FAIL' | 'EAI_SYSTEM' | 'EAI_ADDRFAMILY'

/**
 * A resolver written as it runs: it sends through `io`, and yields where the real one waits. What it is resumed with is
 * an event of one of its own sockets, or the timer of its deadline.
 */
export type Waiting<Result> = Generator<Wait, Result, ProcessEvent>

export interface Wait {
  /** Nanoseconds on the virtual clock; undefined: no deadline. */
  readonly until: number | undefined
}

/** One resolver library. */
export interface Resolver {
  readonly name: string
  /** What it is, in a line. */
  readonly about: string
  lookup(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome>
}

/** What a process keeps from one lookup to the next: the caches and choices of its library. */
export type LookupMemory = Map<string, unknown>

/** A lookup's side of the system call interface: what it does collects until the next wait. */
export class LookupIo {
  now: number
  readonly open = new Set<number>()
  readonly memory: LookupMemory
  private syscalls: Syscall[] = []
  private notes: DnsStep[] = []
  private context: ProcessContext
  private nextFd: number

  constructor(context: ProcessContext, firstFd: number, memory: LookupMemory = new Map()) {
    this.context = context
    this.now = context.now
    this.nextFd = firstFd
    this.memory = memory
  }

  /** Called at each event, before the resolver goes on. */
  resume(context: ProcessContext): void {
    this.context = context
    this.now = context.now
  }

  /** What has been done since the last call. */
  taken(): { readonly syscalls: readonly Syscall[]; readonly notes: readonly DnsStep[] } {
    const taken = { syscalls: this.syscalls, notes: this.notes }
    this.syscalls = []
    this.notes = []
    return taken
  }

  call(syscall: Syscall): void {
    this.syscalls.push(syscall)
  }

  note(body: DnsStepBody): void {
    this.notes.push({ at: this.now, host: this.context.host, netns: this.context.netns, ...body })
  }

  /** A new socket, connected to `to`; `recvErr`: with IP_RECVERR. */
  connected(type: 'udp' | 'tcp', to: SocketAddress, recvErr = false): number {
    const fd = this.nextFd++
    this.open.add(fd)
    this.call({ kind: 'socket', fd, family: to.ip.family, type, ...(recvErr && { recvErr }) })
    this.call({ kind: 'connect', fd, to })
    return fd
  }

  /** A new UDP socket with a port of its own, connected to nobody: ICMP errors do not reach it. */
  bound(family: Family): number {
    const fd = this.nextFd++
    this.open.add(fd)
    this.call({ kind: 'socket', fd, family, type: 'udp' })
    this.call({ kind: 'bind', fd, port: 0 })
    return fd
  }

  send(fd: number, bytes: Uint8Array, to?: SocketAddress): void {
    this.call({ kind: 'send', fd, bytes, ...(to && { to }) })
  }

  close(fd: number): void {
    if (this.open.delete(fd)) this.call({ kind: 'close', fd })
  }

  file(path: string): string | undefined {
    return this.context.file(path)
  }

  addresses(): readonly Ip[] {
    return this.context.addresses()
  }

  /** The source the kernel would take; where that is not known it is guessed from the addresses. */
  sourceFor(destination: Ip): Ip | undefined {
    const { sourceFor } = this.context
    return sourceFor ? sourceFor(destination) : likelySource(destination, this.context.addresses())
  }

  prefixLengthOf(own: Ip): number | undefined {
    return this.context.prefixLengthOf?.(own)
  }

  /** 0 .. choices-1. */
  draw(entry: string, choices: number): number {
    return this.context.draw('resolver-id', entry, choices)
  }

  get host(): string {
    return this.context.host
  }
}

/** A lookup under way. It belongs to one run and goes forward only: no state of it can be stepped twice. */
export interface LookupState {
  readonly io: LookupIo
  readonly running: Waiting<LookupOutcome>
  /** Counts the waits; the timer of an earlier one is not ours any more. */
  wait: number
  timer: boolean
}

export interface LookupResult {
  readonly state: LookupState
  readonly syscalls: readonly Syscall[]
  readonly notes: readonly DnsStep[]
  /** Present once the lookup is over. */
  readonly outcome?: LookupOutcome
}

const timerOf = (wait: number): string => `dns/${wait}`

export interface LookupStart {
  readonly resolver: Resolver
  readonly request: LookupRequest
  /** The first descriptor number the lookup may use; it counts up from there. */
  readonly firstFd: number
  readonly memory?: LookupMemory
}

/** Begins a lookup in a program: its system calls are the program's. */
export function startLookup(start: LookupStart, context: ProcessContext): LookupResult {
  const io = new LookupIo(context, start.firstFd, start.memory)
  const state: LookupState = { io, running: start.resolver.lookup(io, start.request), wait: 0, timer: false }
  return advance(state, (running) => running.next())
}

/** Whether an event belongs to the lookup. */
export function isLookupEvent(state: LookupState, event: ProcessEvent): boolean {
  return event.kind === 'timer' ? state.timer && event.id === timerOf(state.wait) : state.io.open.has(event.fd)
}

/** Hands the lookup an event; one that is not its own changes nothing. */
export function stepLookup(state: LookupState, event: ProcessEvent, context: ProcessContext): LookupResult {
  if (!isLookupEvent(state, event)) return { state, syscalls: [], notes: [] }
  state.io.resume(context)
  if (state.timer && event.kind !== 'timer') state.io.call({ kind: 'cancelTimer', id: timerOf(state.wait) })
  state.timer = false
  return advance(state, (running) => running.next(event))
}

function advance(
  state: LookupState,
  resume: (running: Waiting<LookupOutcome>) => IteratorResult<Wait, LookupOutcome>,
): LookupResult {
  const result = resume(state.running)
  if (result.done) {
    for (const fd of [...state.io.open]) state.io.close(fd)
    return { state, ...state.io.taken(), outcome: result.value }
  }
  state.wait++
  const { until } = result.value
  if (until !== undefined) {
    state.timer = true
    state.io.call({ kind: 'timer', id: timerOf(state.wait), afterNs: Math.max(until - state.io.now, 0) })
  }
  return { state, ...state.io.taken() }
}
