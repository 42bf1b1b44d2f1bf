import type {
  ProcessContext,
  ProcessEvent,
  ProcessResult,
  Program,
  SocketAddress,
  Syscall,
} from '../../linux/process.ts'
import { hostPort } from '../endpoint.ts'
import { parseRelayTable, RELAY_PROGRAM, type RelayService } from './relay-table.ts'

/** What the relay did, for the trace. */
export type RelayNote =
  /** It took a client's connection or first datagram, and dials an endpoint with a socket of its own. */
  | {
      readonly kind: 'relay.dial'
      readonly service: string
      readonly client: SocketAddress
      readonly to: SocketAddress
      readonly affinity: boolean
    }
  /** Nobody to send it to: a connection is closed again, a datagram forgotten. */
  | {
      readonly kind: 'relay.refuse'
      readonly service: string
      readonly client: SocketAddress
      readonly why: 'noEndpoints' | 'dialsFailed'
    }

/** One service port while it runs (roundrobin.go balancerState). */
interface Balancer extends RelayService {
  readonly listener: number
  /** Index of the endpoint that is next; undefined: nobody has asked yet. */
  readonly next: number | undefined
  /** Where clients went, by address. */
  readonly affinities: ReadonlyMap<string, { readonly to: SocketAddress; readonly usedAt: number }>
}

/** One client: its socket (for UDP the listener's) and ours to the endpoint. */
interface Relayed {
  readonly service: number
  readonly client: SocketAddress
  /** Descriptor of the client's connection; undefined for UDP. */
  readonly inside: number | undefined
  readonly outside: number
  readonly connected: boolean
  /** What the client sent before the endpoint answered. */
  readonly waiting: readonly Uint8Array[]
  /** Dials so far. */
  readonly attempt: number
}

export interface RelayState {
  readonly services: readonly Balancer[]
  /** By the descriptor of our own socket. */
  readonly relayed: ReadonlyMap<number, Relayed>
  readonly nextFd: number
}

type Result = ProcessResult<RelayState, RelayNote>

/** EndpointDialTimeouts of proxysocket.go, in nanoseconds: one dial each. */
const DIAL_TIMEOUTS = [0.25e9, 0.5e9, 1e9, 2e9]

/** The default of --udp-timeout: a client that is quiet so long is forgotten. */
const UDP_IDLE = 0.25e9

/** Descriptors of accepted connections begin at 1000 (see Program); ours for dialling stand apart. */
const FIRST_DIAL_FD = 500_000

/**
 * kube-proxy's userspace mode: accepts on a port for every service port and copies between the client and an endpoint
 * that it dials itself, one after the other (pkg/proxy/userspace proxysocket.go, roundrobin.go).
 *
 * Argument: `services`, as `emitRelayTable` writes it.
 */
export const relay: Program<RelayState, RelayNote> = { name: RELAY_PROGRAM, start, step, told }

function start({ args }: ProcessContext): Result {
  const services = parseRelayTable(args.services ?? '').map(
    (service, i): Balancer => ({
      ...service,
      listener: FIRST_LISTENER + i,
      next: undefined,
      affinities: new Map(),
    }),
  )
  return { state: { services, relayed: new Map(), nextFd: FIRST_DIAL_FD }, syscalls: services.flatMap(listen) }
}

const FIRST_LISTENER = 3

const listen = ({ listener: fd, protocol, port, boundTo }: Balancer): Syscall[] => [
  { kind: 'socket', fd, family: boundTo?.family ?? 4, type: protocol },
  { kind: 'bind', fd, port, ...(boundTo === undefined ? {} : { ip: boundTo }) },
  ...(protocol === 'tcp' ? [{ kind: 'listen', fd } as const] : []),
]

/**
 * Other Services and endpoints (proxier.go OnServiceUpdate, roundrobin.go OnEndpointsUpdate): a service whose endpoints
 * changed begins its round anew, and affinity to those that are gone is forgotten. Connections go on, whatever became of
 * their Service.
 */
function told(state: RelayState, { args }: ProcessContext): Result {
  const wanted = parseRelayTable(args.services ?? '')
  const isSame = (x: RelayService, y: RelayService) =>
    x.name === y.name && x.protocol === y.protocol && x.port === y.port
  const syscalls: Syscall[] = []
  const kept = state.services.map((balancer): Balancer => {
    const now = wanted.find((service) => isSame(service, balancer))
    if (now !== undefined) return changed(balancer, now)
    if (balancer.listener === CLOSED) return balancer
    syscalls.push({ kind: 'close', fd: balancer.listener })
    return { ...balancer, endpoints: [], listener: CLOSED }
  })
  let fd = Math.max(FIRST_LISTENER - 1, ...kept.map(({ listener }) => listener))
  const added = wanted
    .filter((service) => !kept.some((balancer) => isSame(balancer, service) && balancer.listener !== CLOSED))
    .map((service): Balancer => ({ ...service, listener: ++fd, next: undefined, affinities: new Map() }))
  syscalls.push(...added.flatMap(listen))
  return { state: { ...state, services: [...kept, ...added] }, syscalls }
}

/** A listener that is no more; its place in the list stays, as connections know it by that. */
const CLOSED = -1

function changed(balancer: Balancer, now: RelayService): Balancer {
  if (balancer.listener === CLOSED) return balancer
  const text = ({ endpoints }: RelayService) => endpoints.map(({ ip, port }) => hostPort(ip, port)).join()
  if (text(balancer) === text(now)) return { ...balancer, ...now }
  const there = new Set(now.endpoints.map(({ ip, port }) => hostPort(ip, port)))
  const affinities = new Map([...balancer.affinities].filter(([, { to }]) => there.has(hostPort(to.ip, to.port))))
  return { ...balancer, ...now, next: undefined, affinities }
}

function step(state: RelayState, event: ProcessEvent, context: ProcessContext): Result {
  switch (event.kind) {
    case 'accepted': {
      const service = state.services.findIndex(({ listener }) => listener === event.fd)
      return dial(state, context, { service, client: event.peer, inside: event.connection, waiting: [], attempt: 0 })
    }
    case 'connected':
      return connected(state, event.fd)
    case 'data':
      return received(state, event, context)
    case 'closed':
      return closed(state, event.fd)
    case 'error':
      return failed(state, event.fd, context)
    case 'timer':
      return timeOut(state, event.id, context)
  }
}

const nothing = (state: RelayState): Result => ({ state, syscalls: [] })

type ToDial = Pick<Relayed, 'service' | 'client' | 'inside' | 'waiting' | 'attempt'>

/** TryConnectEndpoints: after a dial that failed affinity does not hold any more. */
function dial(state: RelayState, context: ProcessContext, wanted: ToDial): Result {
  const balancer = state.services[wanted.service]
  if (balancer === undefined) return nothing(state)
  const { client, inside, attempt } = wanted
  const chosen = attempt < DIAL_TIMEOUTS.length ? nextEndpoint(balancer, wanted, context) : undefined
  if (chosen === undefined) {
    const why = balancer.endpoints.length === 0 ? 'noEndpoints' : 'dialsFailed'
    return {
      state,
      syscalls: inside === undefined ? [] : [{ kind: 'close', fd: inside }],
      notes: [{ kind: 'relay.refuse', service: balancer.name, client, why }],
    }
  }
  const outside = state.nextFd
  const datagram = balancer.protocol === 'udp'
  const relayed: Relayed = { ...wanted, outside, connected: datagram, waiting: datagram ? [] : wanted.waiting }
  return {
    state: {
      ...state,
      nextFd: outside + 1,
      services: state.services.with(wanted.service, chosen.balancer),
      relayed: new Map(state.relayed).set(outside, relayed),
    },
    syscalls: [
      { kind: 'socket', fd: outside, family: chosen.to.ip.family, type: balancer.protocol },
      { kind: 'connect', fd: outside, to: chosen.to },
      ...(datagram ? wanted.waiting.map((bytes): Syscall => ({ kind: 'send', fd: outside, bytes })) : []),
      { kind: 'timer', id: `${outside}`, afterNs: datagram ? UDP_IDLE : (DIAL_TIMEOUTS[attempt] ?? 0) },
    ],
    notes: [{ kind: 'relay.dial', service: balancer.name, client, to: chosen.to, affinity: chosen.affinity }],
  }
}

/** LoadBalancerRR.NextEndpoint. Its list is shuffled when it is made, so where the round begins is a matter of chance. */
function nextEndpoint(
  balancer: Balancer,
  { client, attempt }: ToDial,
  { now, draw }: ProcessContext,
): { readonly balancer: Balancer; readonly to: SocketAddress; readonly affinity: boolean } | undefined {
  const { endpoints, affinity, affinities, name } = balancer
  if (endpoints.length === 0) return undefined
  const key = hostPort(client.ip, 0)
  const known = affinities.get(key)
  const remember = (to: SocketAddress) =>
    affinity === 0 ? affinities : new Map(affinities).set(key, { to, usedAt: now })
  if (affinity !== 0 && attempt === 0 && known !== undefined && Math.floor((now - known.usedAt) / 1e9) < affinity)
    return { balancer: { ...balancer, affinities: remember(known.to) }, to: known.to, affinity: true }
  const at = balancer.next ?? (endpoints.length === 1 ? 0 : draw('turn', name, endpoints.length))
  const to = endpoints[at]
  if (to === undefined) return undefined
  return {
    balancer: { ...balancer, next: (at + 1) % endpoints.length, affinities: remember(to) },
    to,
    affinity: false,
  }
}

function connected(state: RelayState, fd: number): Result {
  const relayed = state.relayed.get(fd)
  if (relayed === undefined || relayed.connected) return nothing(state)
  return {
    state: { ...state, relayed: new Map(state.relayed).set(fd, { ...relayed, connected: true, waiting: [] }) },
    syscalls: [
      { kind: 'cancelTimer', id: `${fd}` },
      ...relayed.waiting.map((bytes): Syscall => ({ kind: 'send', fd, bytes })),
    ],
  }
}

function received(state: RelayState, event: Extract<ProcessEvent, { kind: 'data' }>, context: ProcessContext): Result {
  const { fd, bytes, from } = event
  const answered = state.relayed.get(fd)
  if (answered !== undefined) return toClient(state, answered, bytes)
  const service = state.services.findIndex(({ listener }) => listener === fd)
  if (service >= 0)
    return from === undefined ? nothing(state) : datagram(state, context, { service, client: from, bytes })
  const relayed = byInside(state, fd)
  if (relayed === undefined) return nothing(state)
  if (relayed.connected) return { state, syscalls: [{ kind: 'send', fd: relayed.outside, bytes }] }
  const waiting = { ...relayed, waiting: [...relayed.waiting, bytes] }
  return { state: { ...state, relayed: new Map(state.relayed).set(relayed.outside, waiting) }, syscalls: [] }
}

function byInside({ relayed }: RelayState, fd: number): Relayed | undefined {
  for (const one of relayed.values()) if (one.inside === fd) return one
  return undefined
}

function toClient(state: RelayState, { service, client, inside, outside }: Relayed, bytes: Uint8Array): Result {
  if (inside !== undefined) return { state, syscalls: [{ kind: 'send', fd: inside, bytes }] }
  const listener = state.services[service]?.listener
  if (listener === undefined) return nothing(state)
  return {
    state,
    syscalls: [
      { kind: 'send', fd: listener, bytes, to: client },
      { kind: 'timer', id: `${outside}`, afterNs: UDP_IDLE },
    ],
  }
}

interface Datagram {
  readonly service: number
  readonly client: SocketAddress
  readonly bytes: Uint8Array
}

/** A client that is known keeps its socket; another gets one. */
function datagram(state: RelayState, context: ProcessContext, { service, client, bytes }: Datagram): Result {
  for (const one of state.relayed.values())
    if (one.service === service && hostPort(one.client.ip, one.client.port) === hostPort(client.ip, client.port))
      return {
        state,
        syscalls: [
          { kind: 'send', fd: one.outside, bytes },
          { kind: 'timer', id: `${one.outside}`, afterNs: UDP_IDLE },
        ],
      }
  return dial(state, context, { service, client, inside: undefined, waiting: [bytes], attempt: 0 })
}

/** copyBytes: the end of either side is the end of both. */
function closed(state: RelayState, fd: number): Result {
  const relayed = state.relayed.get(fd) ?? byInside(state, fd)
  if (relayed === undefined) return { state, syscalls: [{ kind: 'close', fd }] }
  return { state: without(state, relayed), syscalls: closeBoth(relayed) }
}

const closeBoth = ({ inside, outside }: Relayed): Syscall[] => [
  ...(inside === undefined ? [] : [{ kind: 'close', fd: inside } as const]),
  { kind: 'close', fd: outside },
]

function without(state: RelayState, { outside }: Relayed): RelayState {
  const relayed = new Map(state.relayed)
  relayed.delete(outside)
  return { ...state, relayed }
}

function failed(state: RelayState, fd: number, context: ProcessContext): Result {
  const relayed = state.relayed.get(fd)
  if (relayed === undefined) return closed(state, fd)
  if (relayed.connected) return { state: without(state, relayed), syscalls: closeBoth(relayed) }
  return dialAgain(state, relayed, context)
}

function timeOut(state: RelayState, id: string, context: ProcessContext): Result {
  const relayed = state.relayed.get(Number(id))
  if (relayed === undefined) return nothing(state)
  if (relayed.inside !== undefined) return relayed.connected ? nothing(state) : dialAgain(state, relayed, context)
  return { state: without(state, relayed), syscalls: closeBoth(relayed) }
}

function dialAgain(state: RelayState, relayed: Relayed, context: ProcessContext): Result {
  const { service, client, inside, waiting, outside, attempt } = relayed
  const again = dial(without(state, relayed), context, { service, client, inside, waiting, attempt: attempt + 1 })
  return {
    ...again,
    syscalls: [{ kind: 'cancelTimer', id: `${outside}` }, { kind: 'close', fd: outside }, ...again.syscalls],
  }
}
