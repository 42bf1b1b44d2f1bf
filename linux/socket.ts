import { type Ip, sameIp } from '../packet/ip.ts'
import { type Netns, sysctl } from './netns.ts'
import type { Errno, ProcessEvent, SocketAddress, SocketType } from './process.ts'
import type { SctpAssociation, SctpListener } from './sctp-association.ts'
import type { TcpControl } from './tcp-control.ts'

/** A socket of a process. */
export interface Socket {
  readonly id: number
  /** Of its process; negative once that has ended. */
  fd: number
  readonly process: string
  readonly type: SocketType
  readonly family: 4 | 6
  /** Address undefined: the wildcard. Port 0: not bound. */
  local: { ip: Ip | undefined; port: number }
  remote: SocketAddress | undefined
  /** IP_TTL, where the process set one. */
  readonly ttl: number | undefined
  readonly v6only: boolean
  /** A call has failed and the process does not know yet: what it had meant to do next it does not. */
  failing: boolean
  readonly recvErr: boolean
  /** IP identification of the next packet of a connected socket (inet_id). */
  ident: number | undefined
  /** IPv6 flow label (sk_txhash). */
  flowLabel: number | undefined
  /** Echo requests sent; the sequence number of the last. */
  echoes: number
  tcp: TcpControl | undefined
  sctp: SctpAssociation | SctpListener | undefined
  /** What arrived while a system call holds the socket (sk_backlog); undefined: none does. */
  backlog: (() => void)[] | undefined
  /** What waits until the backlog is done (sk->sk_prot->release_cb). */
  released: (() => void)[]
  /** What the process will see once it has accepted the connection; undefined: it has, or need not. */
  unaccepted: { readonly event: ProcessEvent; readonly cause: number | undefined }[] | undefined
}

/**
 * lock_sock and release_sock (Linux net/core/sock.c): what arrives during a system call on the socket is taken up at
 * its end, in order. What the call has put off (release_cb) is done last and with bottom halves off: what that sends
 * moves on when the socket is free again.
 */
export function whileOwned(ns: Netns, socket: Socket, call: () => void): void {
  const backlog: (() => void)[] = []
  socket.backlog = backlog
  call()
  for (let next = backlog.shift(); next !== undefined; next = backlog.shift()) next()
  const { bottomHalves } = ns.host.kernel
  bottomHalves?.disable()
  for (const last of socket.released.splice(0)) last()
  socket.backlog = undefined
  bottomHalves?.enable()
}

export interface SocketTable {
  readonly sockets: Map<number, Socket>
  nextId: number
  /** Descriptors of accepted connections. */
  nextConnection: number
}

export const newSocketTable = (): SocketTable => ({ sockets: new Map(), nextId: 1, nextConnection: 1000 })

export function openSocket(
  ns: Netns,
  how: Pick<Socket, 'fd' | 'process' | 'type' | 'family'> & {
    readonly ttl?: number | undefined
    readonly v6only?: boolean | undefined
    readonly recvErr?: boolean | undefined
  },
): Socket {
  const socket: Socket = {
    id: ns.state.sockets.nextId++,
    fd: how.fd,
    process: how.process,
    type: how.type,
    family: how.family,
    local: { ip: undefined, port: 0 },
    remote: undefined,
    ttl: how.ttl,
    v6only: how.v6only ?? false,
    failing: false,
    recvErr: how.recvErr ?? false,
    ident: undefined,
    flowLabel: undefined,
    echoes: 0,
    tcp: undefined,
    sctp: undefined,
    backlog: undefined,
    released: [],
    unaccepted: undefined,
  }
  ns.state.sockets.sockets.set(socket.id, socket)
  return socket
}

export function findSocket(ns: Netns, process: string, fd: number): Socket | undefined {
  for (const socket of ns.state.sockets.sockets.values())
    if (socket.process === process && socket.fd === fd) return socket
  return undefined
}

export const removeSocket = (ns: Netns, socket: Socket): void => void ns.state.sockets.sockets.delete(socket.id)

/** What the process sees next on this socket. `cause` is the packet that brought it. */
export function wake(ns: Netns, socket: Socket, event: ProcessEvent, cause?: number): void {
  if (socket.unaccepted !== undefined && event.kind !== 'accepted') {
    socket.unaccepted.push({ event, cause })
    return
  }
  ns.host.kernel.emit({ kind: 'wake', ns, process: socket.process, event, ...(cause === undefined ? {} : { cause }) })
}

/** The process has accepted the connection: what has happened to it meanwhile is seen now. */
export function releaseAccepted(ns: Netns, socket: Socket): void {
  const { unaccepted } = socket
  socket.unaccepted = undefined
  for (const { event, cause } of unaccepted ?? []) wake(ns, socket, event, cause)
}

export function fail(
  ns: Netns,
  socket: Socket,
  errno: Errno,
  from?: { readonly ip: Ip; readonly cause: number },
): void {
  wake(
    ns,
    socket,
    { kind: 'error', fd: socket.fd, errno, ...(from === undefined ? {} : { from: from.ip }) },
    from?.cause,
  )
}

/** A system call on the socket fails. */
export function failCall(ns: Netns, socket: Socket, errno: Errno): void {
  socket.failing = true
  const event: ProcessEvent = { kind: 'error', fd: socket.fd, errno }
  ns.host.kernel.emit({ kind: 'wake', ns, process: socket.process, event, atOnce: true })
}

/** An IPv6 wildcard socket takes IPv4 too, as Linux does unless IPV6_V6ONLY is set. */
const takesFamily = (socket: Socket, family: 4 | 6): boolean =>
  socket.family === family || (socket.family === 6 && !socket.v6only && socket.local.ip === undefined)

/** The socket a packet belongs to: the connected one, then the one bound to the address, then the wildcard. */
export function lookupSocket(
  ns: Netns,
  type: SocketType,
  { local, remote }: { local: SocketAddress; remote: SocketAddress },
): Socket | undefined {
  let best: { socket: Socket; score: number } | undefined
  for (const socket of ns.state.sockets.sockets.values()) {
    if (socket.type !== type || socket.local.port !== local.port || !takesFamily(socket, local.ip.family)) continue
    const score = scoreOf(socket, local, remote)
    if (score > 0 && (best === undefined || score > best.score)) best = { socket, score }
  }
  return best?.socket
}

function scoreOf(socket: Socket, local: SocketAddress, remote: SocketAddress): number {
  if (socket.local.ip !== undefined && !sameIp(socket.local.ip, local.ip)) return 0
  if (socket.remote !== undefined) {
    if (socket.remote.port !== remote.port || !sameIp(socket.remote.ip, remote.ip)) return 0
    return 3
  }
  return socket.local.ip === undefined ? 1 : 2
}

/** inet_csk_get_port and inet_hash_connect: a free port of ip_local_port_range (32768 to 60999). */
export function ephemeralPort(ns: Netns, socket: Socket, entry: string): number {
  const low = sysctl(ns, 'net.ipv4.ip_local_port_range.low', 32768)
  const count = sysctl(ns, 'net.ipv4.ip_local_port_range.high', 60999) - low + 1
  const site = { host: ns.host.name, netns: ns.name, purpose: 'ephemeral-port', entry } as const
  const start = ns.host.kernel.draw(site, count)
  for (let i = 0; i < count; i++) {
    const port = low + ((start + i) % count)
    if (!portTaken(ns, socket, port)) return port
  }
  return 0
}

/** inet_rcv_saddr_equal: one port may be bound twice only to different addresses, or in families that do not mix. */
export function portTaken(ns: Netns, socket: Socket, port: number, address?: Ip): boolean {
  for (const other of ns.state.sockets.sockets.values())
    if (other !== socket && other.type === socket.type && other.local.port === port && overlap(socket, other, address))
      return true
  return false
}

function overlap(socket: Socket, other: Socket, address: Ip | undefined): boolean {
  if (socket.family !== other.family) {
    const six = socket.family === 6 ? socket : other
    return !six.v6only && (six === socket ? address : six.local.ip) === undefined
  }
  return address === undefined || other.local.ip === undefined || sameIp(address, other.local.ip)
}
