import type { ProcessContext, ProcessEvent, ProcessResult, Program, SocketAddress, Syscall } from '../linux/process.ts'

/** What a listening program saw. */
export type ListenerStep =
  | { readonly kind: 'listener.accepted'; readonly local: SocketAddress; readonly peer: SocketAddress }
  | {
      readonly kind: 'listener.received'
      readonly peer: SocketAddress
      readonly octets: number
      readonly ttl?: number
      readonly text: string
    }

interface ListenerState {
  /** Datagram sockets answer to the sender; the others are connections. */
  readonly datagram: ReadonlySet<number>
  /** `tcp 80` of what it serves. */
  readonly open: ReadonlySet<string>
  /** The next descriptor. */
  readonly fd: number
}

type Result = ProcessResult<ListenerState, ListenerStep>

/** Made once: a decoder is costly to make. */
const LATIN1 = new TextDecoder('latin1')
const UTF8 = new TextEncoder()

/**
 * A server that stands in for what runs in a container: it accepts on its ports, answers HTTP with 200 and its name,
 * and sends anything else back as it came.
 *
 * Arguments: `name`; `tcp`, `udp`, `sctp`: ports, joined by commas; `answers`: `silent` accepts and says nothing.
 */
export const listener: Program<ListenerState, ListenerStep> = {
  name: 'listener',
  start({ args }: ProcessContext): Result {
    return listen({ datagram: new Set(), open: new Set(), fd: FIRST_FD }, args)
  },
  /** Ports that it is to serve too. Those that nobody asks for any more it goes on serving, as a container does. */
  told: (state, { args }) => listen(state, args),
  step(state: ListenerState, event: ProcessEvent, { args }: ProcessContext): Result {
    switch (event.kind) {
      case 'accepted':
        return { state, syscalls: [], notes: [{ kind: 'listener.accepted', local: event.local, peer: event.peer }] }
      case 'closed':
        return { state, syscalls: [{ kind: 'close', fd: event.fd }] }
      case 'data':
        return { state, syscalls: answer(state, event, args), notes: [received(event)] }
      default:
        return { state, syscalls: [] }
    }
  },
}

const FIRST_FD = 3

function listen(state: ListenerState, args: Readonly<Record<string, string>>): Result {
  const syscalls: Syscall[] = []
  const datagram = new Set(state.datagram)
  const open = new Set(state.open)
  let { fd } = state
  for (const type of ['tcp', 'udp', 'sctp'] as const)
    for (const port of portsOf(args[type])) {
      if (open.has(`${type} ${port}`)) continue
      open.add(`${type} ${port}`)
      syscalls.push({ kind: 'socket', fd, family: 6, type }, { kind: 'bind', fd, port })
      if (type === 'udp') datagram.add(fd)
      else syscalls.push({ kind: 'listen', fd })
      fd++
    }
  return { state: { datagram, open, fd }, syscalls }
}

const portsOf = (list: string | undefined): readonly number[] =>
  list === undefined || list === '' ? [] : list.split(',').map(Number)

type Data = Extract<ProcessEvent, { kind: 'data' }>

function received({ from, bytes, ttl }: Data): ListenerStep {
  const peer = from ?? { ip: { family: 4, a: 0, b: 0, c: 0, d: 0 }, port: 0 }
  const text = LATIN1.decode(bytes.subarray(0, 80))
  return { kind: 'listener.received', peer, octets: bytes.length, text, ...(ttl === undefined ? {} : { ttl }) }
}

function answer(state: ListenerState, { fd, bytes, from }: Data, args: Readonly<Record<string, string>>): Syscall[] {
  if (args.answers === 'silent') return []
  if (state.datagram.has(fd)) return from === undefined ? [] : [{ kind: 'send', fd, bytes, to: from }]
  const text = LATIN1.decode(bytes)
  if (!/^[A-Z]+ \S+ HTTP\/1\.[01]\r\n/.test(text)) return [{ kind: 'send', fd, bytes }]
  const body = `${args.name ?? 'listener'}\n`
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`
  return [{ kind: 'send', fd, bytes: UTF8.encode(head + body) }]
}
