import type {
  ProcessContext,
  ProcessEvent,
  ProcessResult,
  Program,
  SocketAddress,
  Syscall,
} from '../../linux/process.ts'
import { formatIp, ip } from '../../packet/ip.ts'
import type { SocketEvent } from './agent.ts'
import { type Listener, messageBytes, type ScenarioFlow } from './scenario.ts'

/** The agent's actors as programs of the model: the same system calls at the same events, the same log. */

type Result<State> = ProcessResult<State, SocketEvent>

const FD = 3

/** A listener of one port; its connections have descriptors of their own. */
export function listenerProgram(one: Listener, name: string): Program<null, SocketEvent> {
  const address = one.ip === undefined ? {} : { ip: ip(one.ip) }
  const echo = (one.answers ?? 'echo') === 'echo'
  return {
    name: 'judge-listener',
    start(): Result<null> {
      const syscalls: Syscall[] = [
        { kind: 'socket', fd: FD, family: one.family, type: one.protocol, v6only: true },
        { kind: 'bind', fd: FD, port: one.port, ...address },
      ]
      if (one.protocol === 'tcp') syscalls.push({ kind: 'listen', fd: FD })
      return { state: null, syscalls }
    },
    step(state, event): Result<null> {
      const note = noteOf(name, event, one.protocol)
      const notes = note === undefined ? [] : [note]
      switch (event.kind) {
        case 'data':
          return { state, syscalls: echo ? [answer(event)] : [], notes }
        case 'closed':
        case 'error':
          return { state, syscalls: one.protocol === 'tcp' ? [{ kind: 'close', fd: event.fd }] : [], notes }
        default:
          return { state, syscalls: [], notes }
      }
    },
  }
}

const answer = ({ fd, bytes, from }: Extract<ProcessEvent, { kind: 'data' }>): Syscall => ({
  kind: 'send',
  fd,
  bytes,
  ...(from === undefined ? {} : { to: from }),
})

interface ClientState {
  readonly left: readonly Uint8Array[]
  readonly owed: number
  readonly open: boolean
}

/** A client of a probe: connects, sends each message when the one before is answered in full, closes. */
export function clientProgram(flow: ScenarioFlow, name: string): Program<ClientState, SocketEvent> {
  const to: SocketAddress = { ip: ip(flow.to.ip), port: flow.to.port }
  const family = to.ip.family
  const bind: Syscall[] =
    flow.port === undefined && flow.ip === undefined
      ? []
      : [{ kind: 'bind', fd: FD, port: flow.port ?? 0, ...(flow.ip === undefined ? {} : { ip: ip(flow.ip) }) }]
  return {
    name: 'judge-client',
    start(_context: ProcessContext): Result<ClientState> {
      const fresh: ClientState = { left: flow.sends.map(messageBytes), owed: 0, open: true }
      const ttl = flow.ttl === undefined ? {} : { ttl: flow.ttl }
      const opened: Syscall[] = [{ kind: 'socket', fd: FD, family, type: flow.protocol, ...ttl }, ...bind]
      if (flow.protocol === 'icmp') return after(next(fresh), opened, [])
      opened.push({ kind: 'connect', fd: FD, to })
      return flow.protocol === 'tcp' ? { state: fresh, syscalls: opened } : after(next(fresh), opened, [])
    },
    step(state, event): Result<ClientState> {
      if (!state.open) return { state, syscalls: [] }
      const note = noteOf(name, event, flow.protocol)
      const notes = note === undefined ? [] : [note]
      switch (event.kind) {
        case 'connected':
          return after(next(state), [], notes)
        case 'data': {
          const owed = state.owed - event.bytes.length
          return owed > 0
            ? { state: { ...state, owed }, syscalls: [], notes }
            : after(next({ ...state, owed }), [], notes)
        }
        case 'closed':
        case 'error':
          return { state: { ...state, open: false }, syscalls: [{ kind: 'close', fd: FD }], notes }
        default:
          return { state, syscalls: [], notes }
      }
    },
  }

  function next(state: ClientState): Result<ClientState> {
    const [data, ...left] = state.left
    if (data !== undefined) {
      const send: Syscall = { kind: 'send', fd: FD, bytes: data, ...(flow.protocol === 'icmp' ? { to } : {}) }
      return { state: { ...state, left, owed: data.length }, syscalls: [send] }
    }
    if (flow.stay === true) return { state, syscalls: [], notes: [{ actor: name, event: 'stays' }] }
    return {
      state: { ...state, open: false },
      syscalls: [{ kind: 'close', fd: FD }],
      notes: [{ actor: name, event: 'close' }],
    }
  }
}

const after = <S>(result: Result<S>, syscalls: readonly Syscall[], notes: readonly SocketEvent[]): Result<S> => ({
  state: result.state,
  syscalls: [...syscalls, ...result.syscalls],
  notes: [...notes, ...(result.notes ?? [])],
})

const place = ({ ip, port }: SocketAddress) => ({ ip: formatIp(ip), port })

/** An event in the words of the agent's log. */
function noteOf(actor: string, event: ProcessEvent, protocol: 'tcp' | 'udp' | 'icmp'): SocketEvent | undefined {
  switch (event.kind) {
    case 'connected':
    case 'accepted':
      return { actor, event: event.kind, local: place(event.local), peer: place(event.peer) }
    case 'data': {
      const bytes = Buffer.from(event.bytes).toString('hex')
      if (protocol === 'tcp') return { actor, event: 'data', bytes }
      const peer =
        event.from === undefined ? {} : { peer: protocol === 'icmp' ? formatIp(event.from.ip) : place(event.from) }
      const to = event.to === undefined ? {} : { to: formatIp(event.to.ip) }
      return { actor, event: 'data', bytes, ...peer, ...to, ...(event.ttl === undefined ? {} : { ttl: event.ttl }) }
    }
    case 'closed':
      return { actor, event: 'closed' }
    case 'error':
      // Only the ping socket asks for errors with their sender (IP_RECVERR).
      return {
        actor,
        event: 'error',
        errno: event.errno,
        ...(event.from === undefined || protocol !== 'icmp' ? {} : { from: formatIp(event.from) }),
      }
    case 'timer':
      return undefined
  }
}
