import type {
  ProcessContext,
  ProcessEvent,
  ProcessResult,
  Program,
  SocketAddress,
  Syscall,
} from '../../linux/process.ts'
import { type Ip, parseIp } from '../../packet/ip.ts'
import { appended } from '../../packet/octets.ts'
import { type Parsed, refused } from '../../packet/parsed.ts'
import type { DnsStep, DnsStepBody } from '../step.ts'
import { framed, unframed } from '../stream.ts'
import type { DnsApiView } from './api-view.ts'
import type { CorefileSource } from './corefile/parser.ts'
import { type ReadCorefile, readCorefile, setUpCorefile } from './load.ts'
import type { Effect, EffectResult, Serving, World } from './plugin.ts'
import { Server, type Surroundings } from './server.ts'

export const COREFILE_PATH = '/etc/coredns/Corefile'

/**
 * CoreDNS as a process: `-conf /etc/coredns/Corefile`, UDP and TCP on every port the Corefile names. Arguments: `conf`
 * (another path), `files` (paths, separated by spaces, that `import` with a wildcard may find), `startup=done` (the
 * process has long been up: what plugins do at the start is left out), `notes=unwanted` (nobody reads them), `bind` (addresses, separated by spaces, that the
 * Corefile's `bind` lines name in every block; absent: all addresses).
 */
export function corednsProgram(view: DnsApiView | undefined): Program<CorednsState | undefined, DnsStep> {
  const read = rememberedReader()
  return {
    name: 'coredns',
    start: (context) => start({ view, read }, context),
    step: (state, event, context) => (state ? state.step(event, context) : { state, syscalls: [] }),
  }
}

type Reader = (source: Parameters<typeof readCorefile>[0]) => Parsed<ReadCorefile>

/** Every walk starts the cluster's CoreDNS anew: a Corefile without imports is read once for all of them. */
function rememberedReader(): Reader {
  const known = new Map<string, Parsed<ReadCorefile>>()
  return (source) => {
    const key = `${source.name}\n${source.text}`
    const before = known.get(key)
    if (before) return before
    const read = readCorefile(source)
    if (read.ok && read.value.isWhole && source.env.size === 0) known.set(key, read)
    return read
  }
}

/** What the loader says of `bind`, which here is known. */
const BIND = 'plugin bind'

const addressesIn = (text = ''): readonly Ip[] =>
  text.split(' ').flatMap((word) => {
    const address = parseIp(word)
    return address.ok ? [address.value] : []
  })

function start(
  { view, read }: { readonly view: DnsApiView | undefined; readonly read: Reader },
  context: ProcessContext,
): ProcessResult<CorednsState | undefined, DnsStep> {
  const path = context.args.conf ?? COREFILE_PATH
  const folder = path.slice(0, path.lastIndexOf('/')) || '/'
  const note = (body: DnsStepBody): DnsStep => ({ at: context.now, host: context.host, netns: context.netns, ...body })
  const name = path.slice(path.lastIndexOf('/') + 1)
  const text = context.file(path)
  const corefile =
    text === undefined
      ? refused(`Loading Caddyfile via flag: open ${path}: no such file or directory`)
      : read(sourceOf(context, { name, folder, text }))
  const loaded = corefile.ok ? setUpCorefile(corefile.value, worldOf(context, { view, folder })) : corefile
  if (!loaded.ok) {
    const failed = note({ kind: 'dns.server', server: 'coredns', event: 'failed', text: loaded.reason })
    return { state: undefined, syscalls: [{ kind: 'exit', code: 1 }], notes: [failed] }
  }
  const state = new CorednsState(context)
  const addresses = addressesIn(context.args.bind)
  const servers = loaded.value.listeners.map((listener) => new Server(listener, state.around))
  const syscalls = [...state.listen(servers, addresses)]
  if (context.args.startup !== 'done') syscalls.push(...state.startUp())
  const unknown = loaded.value.notModelled.filter(({ text }) => text !== BIND || addresses.length === 0)
  const missing = unknown.map(({ text, line }) =>
    note({ kind: 'dns.server', server: 'coredns', event: 'notModelled', text, line }),
  )
  const started = note({
    kind: 'dns.server',
    server: 'coredns',
    event: 'started',
    text: `listening on ${state.ports.join(', ')}`,
  })
  return { state, syscalls, notes: [started, ...missing, ...state.takenNotes()] }
}

function sourceOf(
  context: ProcessContext,
  file: { readonly name: string; readonly folder: string; readonly text: string },
): Omit<CorefileSource, 'isDirective'> {
  const { files = '' } = context.args
  const glob = (pattern: string) => globbed(files.split(' '), pattern)
  return { ...file, read: context.file, glob, env: new Map() }
}

const worldOf = (
  context: ProcessContext,
  { view, folder }: { readonly view: DnsApiView | undefined; readonly folder: string },
): World => ({
  api: view,
  file: (file) => context.file(file.startsWith('/') ? file : `${folder}/${file}`),
  addresses: context.addresses,
  hostname: context.host,
})

function globbed(paths: readonly string[], pattern: string): readonly string[] {
  const expression = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
  return paths.filter((path) => new RegExp(`^${expression}$`).test(path)).sort()
}

/** A task: the answer to one query, or work beside. It waits for a socket, a timer, or both. */
interface Task {
  readonly serving: Serving<Uint8Array | undefined> | Serving<void>
  /** Where the answer goes; undefined for work beside. */
  readonly reply: ((bytes: Uint8Array) => readonly Syscall[]) | undefined
  readonly server: Server | undefined
  fd: number | undefined
  timer: string | undefined
  /** What goes out once a TCP connection is up. */
  pending: Uint8Array | undefined
  stream: Uint8Array
  exchange: (Effect & { kind: 'exchange' }) | undefined
}

/** An open connection to an upstream that nothing waits for; it is taken again until then (forward's `expire`). */
interface IdleConnection {
  readonly fd: number
  readonly until: number
}

/** The running process. It goes forward only: no state of it can be stepped twice. */
export class CorednsState {
  readonly around: Surroundings
  readonly ports: number[] = []
  private servers: readonly Server[] = []
  private readonly udp = new Map<number, Server>()
  private readonly tcp = new Map<number, Server>()
  private readonly connections = new Map<
    number,
    { readonly server: Server; readonly peer: SocketAddress; readonly local: Ip; stream: Uint8Array }
  >()
  private readonly waitingFd = new Map<number, Task>()
  private readonly waitingTimer = new Map<string, Task>()
  private readonly idle = new Map<string, IdleConnection[]>()
  /** Work beside, to be begun when what is going on has been done. */
  private readonly begun: Task[] = []
  private nextFd = 3
  private nextTimer = 0

  constructor(context: ProcessContext) {
    const families = [...new Set(context.addresses().map((address) => address.family))].sort()
    const told = context.args.notes === 'unwanted' ? ({ notes: 'unwanted' } as const) : {}
    this.around = { host: context.host, netns: context.netns, families, now: context.now, draw: () => 0, ...told }
    this.enter(context)
  }

  private enter(context: ProcessContext): void {
    this.around.now = context.now
    this.around.draw = (entry, choices) => context.draw('record-order', entry, choices)
  }

  /** Opens a UDP and a TCP socket per listener, and per address where it does not listen on all. */
  listen(servers: readonly Server[], addresses: readonly Ip[]): readonly Syscall[] {
    this.servers = servers
    return servers.flatMap((server) => {
      this.ports.push(server.listener.port)
      return addresses.length === 0 ? this.listenAt(server) : addresses.flatMap((ip) => this.listenAt(server, ip))
    })
  }

  private listenAt(server: Server, ip?: Ip): readonly Syscall[] {
    const [udp, tcp] = [this.nextFd++, this.nextFd++]
    this.udp.set(udp, server)
    this.tcp.set(tcp, server)
    // The IPv6 wildcard takes both families.
    const family = ip?.family ?? 6
    const at = { port: server.listener.port, ...(ip && { ip }) }
    return [
      { kind: 'socket', fd: udp, family, type: 'udp' },
      { kind: 'bind', fd: udp, ...at },
      { kind: 'socket', fd: tcp, family, type: 'tcp' },
      { kind: 'bind', fd: tcp, ...at },
      { kind: 'listen', fd: tcp },
    ]
  }

  /** What the plugins do once everything listens. */
  startUp(): readonly Syscall[] {
    return this.servers.flatMap((server) =>
      server.starts().flatMap((serving) => this.run(newTask(serving, { reply: undefined, server }))),
    )
  }

  step(event: ProcessEvent, context: ProcessContext): ProcessResult<CorednsState, DnsStep> {
    this.enter(context)
    const syscalls = [...this.handle(event)]
    for (let task = this.begun.shift(); task; task = this.begun.shift()) syscalls.push(...this.run(task))
    return { state: this, syscalls, notes: this.takenNotes() }
  }

  takenNotes(): readonly DnsStep[] {
    return this.servers.flatMap((server) => server.takenNotes())
  }

  private handle(event: ProcessEvent): readonly Syscall[] {
    if (event.kind === 'timer') {
      const task = this.waitingTimer.get(event.id)
      return task ? this.woken(task, event) : []
    }
    const task = this.waitingFd.get(event.fd)
    if (task) return this.woken(task, event)
    switch (event.kind) {
      case 'accepted': {
        const server = this.tcp.get(event.fd)
        if (server)
          this.connections.set(event.connection, {
            server,
            peer: event.peer,
            local: event.local.ip,
            stream: new Uint8Array(0),
          })
        return []
      }
      case 'data':
        return this.arrived(event)
      case 'closed':
      case 'error':
        return this.forget(event.fd)
      case 'connected':
        return []
    }
  }

  /** A query, over UDP or on an accepted connection. */
  private arrived(event: ProcessEvent & { kind: 'data' }): readonly Syscall[] {
    const { fd, bytes, from, to } = event
    const listener = this.udp.get(fd)
    if (listener && from) {
      const arrival = { bytes, client: from, transport: 'udp' as const, ...(to && { local: to.ip }) }
      const reply = (answer: Uint8Array): readonly Syscall[] => [{ kind: 'send', fd, bytes: answer, to: from }]
      return this.run(newTask(listener.handle(arrival), { reply, server: listener }))
    }
    const connection = this.connections.get(fd)
    if (!connection) return []
    const { messages, rest } = unframed(appended(connection.stream, bytes))
    connection.stream = rest.slice()
    const { server, peer, local } = connection
    return messages.flatMap((message) => {
      const serving = server.handle({ bytes: message.slice(), client: peer, local, transport: 'tcp' })
      const reply = (answer: Uint8Array): readonly Syscall[] => [{ kind: 'send', fd, bytes: framed(answer) }]
      return this.run(newTask(serving, { reply, server }))
    })
  }

  private forget(fd: number): readonly Syscall[] {
    for (const [key, list] of this.idle)
      this.idle.set(
        key,
        list.filter((connection) => connection.fd !== fd),
      )
    return this.connections.delete(fd) || !this.udp.has(fd) ? [{ kind: 'close', fd }] : []
  }

  private run(task: Task, result?: EffectResult): readonly Syscall[] {
    const step = result ? task.serving.next(result) : task.serving.next()
    if (step.done) return step.value && task.reply ? task.reply(step.value) : []
    return this.perform(task, step.value)
  }

  private perform(task: Task, effect: Effect): readonly Syscall[] {
    switch (effect.kind) {
      case 'background':
        this.begun.push(newTask(effect.work, { reply: undefined, server: task.server }))
        return this.run(task, { kind: 'done' })
      case 'sleep':
        return [this.arm(task, effect.duration)]
      case 'exit':
        task.server?.note({ kind: 'dns.server', server: 'coredns', event: 'failed', text: effect.text })
        return [{ kind: 'exit', code: 1 }]
      case 'exchange':
        return this.exchange(task, effect)
    }
  }

  private exchange(task: Task, effect: Effect & { kind: 'exchange' }): readonly Syscall[] {
    const { to, transport, bytes, patience } = effect
    task.exchange = effect
    task.stream = new Uint8Array(0)
    const syscalls: Syscall[] = []
    const idle = this.takeIdle(effect)
    const fd = idle ?? this.nextFd++
    task.fd = fd
    this.waitingFd.set(fd, task)
    if (idle === undefined) {
      syscalls.push({ kind: 'socket', fd, family: to.ip.family, type: transport }, { kind: 'connect', fd, to })
      if (transport === 'tcp') task.pending = framed(bytes)
    }
    if (transport === 'udp') syscalls.push({ kind: 'send', fd, bytes })
    else if (idle !== undefined) syscalls.push({ kind: 'send', fd, bytes: framed(bytes) })
    syscalls.push(this.arm(task, patience))
    return syscalls
  }

  private takeIdle(effect: Effect & { kind: 'exchange' }): number | undefined {
    const list = this.idle.get(poolKey(effect)) ?? []
    const last = list.pop()
    return last && this.around.now < last.until ? last.fd : undefined
  }

  private arm(task: Task, afterNs: number): Syscall {
    const id = `coredns/${this.nextTimer++}`
    task.timer = id
    this.waitingTimer.set(id, task)
    return { kind: 'timer', id, afterNs }
  }

  /** An event for a task that waits. */
  private woken(task: Task, event: ProcessEvent): readonly Syscall[] {
    const { exchange, fd } = task
    if (!exchange || fd === undefined) {
      this.release(task)
      return this.run(task, { kind: 'done' })
    }
    switch (event.kind) {
      case 'timer':
        return [...this.endExchange(task, 'close'), ...this.run(task, { kind: 'timeout' })]
      case 'connected': {
        const bytes = task.pending
        task.pending = undefined
        return bytes ? [{ kind: 'send', fd, bytes }] : []
      }
      case 'error':
        return [...this.endExchange(task, 'close'), ...this.run(task, { kind: 'error', errno: event.errno })]
      case 'closed':
        return [...this.endExchange(task, 'close'), ...this.run(task, { kind: 'error', errno: 'ECONNRESET' })]
      case 'data': {
        const message = exchange.transport === 'udp' ? event.bytes : this.fromStream(task, event.bytes)
        if (!message || !isReplyTo(exchange.bytes, message)) return []
        return [...this.endExchange(task, 'keep'), ...this.run(task, { kind: 'reply', bytes: message })]
      }
      case 'accepted':
        return []
    }
  }

  private fromStream(task: Task, bytes: Uint8Array): Uint8Array | undefined {
    const { messages, rest } = unframed(appended(task.stream, bytes))
    task.stream = rest.slice()
    return messages[0]?.slice()
  }

  private endExchange(task: Task, socket: 'keep' | 'close'): readonly Syscall[] {
    const { exchange, fd, timer } = task
    this.release(task)
    if (fd === undefined || !exchange) return []
    const cancel: readonly Syscall[] = timer === undefined ? [] : [{ kind: 'cancelTimer', id: timer }]
    if (socket === 'close' || exchange.expire === 0) return [...cancel, { kind: 'close', fd }]
    const key = poolKey(exchange)
    const list = this.idle.get(key) ?? []
    list.push({ fd, until: this.around.now + exchange.expire })
    this.idle.set(key, list)
    return cancel
  }

  private release(task: Task): void {
    if (task.fd !== undefined) this.waitingFd.delete(task.fd)
    if (task.timer !== undefined) this.waitingTimer.delete(task.timer)
    task.fd = undefined
    task.timer = undefined
    task.exchange = undefined
    task.pending = undefined
  }
}

function newTask(serving: Task['serving'], how: Pick<Task, 'reply' | 'server'>): Task {
  const nothing = { fd: undefined, timer: undefined, pending: undefined, exchange: undefined }
  return { serving, ...how, ...nothing, stream: new Uint8Array(0) }
}

const poolKey = ({ transport, to }: Effect & { kind: 'exchange' }): string =>
  `${transport} ${to.ip.family} ${to.ip.a} ${to.ip.b} ${to.ip.c} ${to.ip.d} ${to.port}`

/** By id alone, as CoreDNS's proxy reads past others. */
const isReplyTo = (query: Uint8Array, reply: Uint8Array): boolean => reply[0] === query[0] && reply[1] === query[1]
