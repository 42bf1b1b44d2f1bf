import { emitIp } from '../packet/emit.ts'
import { isUnspecified } from '../packet/ip.ts'
import { parseIpPacket } from '../packet/parse.ts'
import { echoSend } from './echo-socket.ts'
import { isLocalAddress } from './fib.ts'
import type { Netns } from './netns.ts'
import type { ProcessContext, ProcessEvent, ProcessResult, Program, SocketAddress, Syscall } from './process.ts'
import { NetnsContext } from './process-context.ts'
import { routeOutput } from './route.ts'
import { drawIdent } from './sctp-output.ts'
import { sctpClose, sctpConnect, sctpListen, sctpRead, sctpSend } from './sctp-socket.ts'
import { type IpSkb, newSkb, type Skb } from './skb.ts'
import {
  failCall,
  findSocket,
  openSocket,
  portTaken,
  releaseAccepted,
  removeSocket,
  type Socket,
  whileOwned,
} from './socket.ts'
import { tcpClose, tcpConnect, tcpListen, tcpRead, tcpSend } from './tcp.ts'
import { udpSend } from './udp.ts'

/** A program that runs in a namespace: its state, and what it holds open beside sockets. */
export interface RunningProcess {
  readonly name: string
  program: Program
  context: ProcessContext
  state: unknown
  /** Device name by descriptor. */
  readonly tuns: Map<number, string>
  /** Timers by their id; the number counts up when one is set anew. */
  readonly timers: Map<string, number>
  exitCode: number | undefined
}

/** Starts a program; it may open sockets and send at once. */
export function startProcess(ns: Netns, name: string, program: Program, args: Readonly<Record<string, string>>): void {
  const context = new NetnsContext(ns, args)
  const running: RunningProcess = {
    name,
    program,
    context,
    state: undefined,
    tuns: new Map(),
    timers: new Map(),
    exitCode: undefined,
  }
  ns.state.processes.set(name, running)
  finish(ns, running, program.start(context), undefined)
}

/** Gives a running program other arguments, and tells it so. */
export function tellProcess(
  ns: Netns,
  name: string,
  { program, args }: { readonly program: Program; readonly args: Readonly<Record<string, string>> },
): void {
  const running = ns.state.processes.get(name)
  if (running === undefined || running.exitCode !== undefined) return
  running.program = program
  running.context = new NetnsContext(ns, args)
  if (program.told !== undefined) finish(ns, running, program.told(running.state, running.context), undefined)
}

/** Kills a process; the kernel closes what it had open. */
export function killProcess(ns: Netns, name: string): void {
  const running = ns.state.processes.get(name)
  if (running !== undefined && running.exitCode === undefined) exit(ns, running, KILLED)
}

/** 128 + SIGKILL, as a shell tells it. */
const KILLED = 137

/** Hands an event to a process. `cause` is the packet that brought it. */
export function wakeProcess(ns: Netns, name: string, sent: ProcessEvent, cause: number | undefined): void {
  const running = ns.state.processes.get(name)
  if (running === undefined || running.exitCode !== undefined) return
  const event = sent.kind === 'connected' ? connectionNow(ns, name, sent) : sent
  if (event === undefined) return
  const told = event.kind === 'error' ? findSocket(ns, name, event.fd) : undefined
  if (told !== undefined) told.failing = false
  const seen = event.kind === 'data' ? { ...event, bytes: read(ns, name, event) } : event
  finish(ns, running, running.program.step(running.state, seen, running.context), cause)
  const connection = event.kind === 'accepted' ? findSocket(ns, name, event.connection) : undefined
  if (connection?.type === 'sctp' && connection.remote !== undefined) drawIdent(ns, connection, connection.remote.ip)
  if (connection !== undefined) releaseAccepted(ns, connection)
}

/**
 * What a process that waits for a connection finds at its turn: nothing where it has been reset by then, of which it is
 * told next; at SO_ERROR what was only noted (sk_err_soft), once.
 */
function connectionNow(
  ns: Netns,
  process: string,
  event: Extract<ProcessEvent, { kind: 'connected' }>,
): ProcessEvent | undefined {
  const socket = findSocket(ns, process, event.fd)
  const errno = socket?.tcp?.softError
  if (socket?.tcp === undefined || errno === undefined) return socket === undefined ? undefined : event
  socket.tcp.softError = undefined
  return { kind: 'error', fd: event.fd, errno }
}

/** A stream is read as far as it has come; a datagram is what it was. */
function read(ns: Netns, process: string, { fd, bytes }: Extract<ProcessEvent, { kind: 'data' }>): Uint8Array {
  const socket = findSocket(ns, process, fd)
  if (socket?.type === 'sctp') sctpRead(ns, socket, bytes.length)
  return socket?.type === 'tcp' ? tcpRead(socket) : bytes
}

function finish(
  ns: Netns,
  running: RunningProcess,
  result: ProcessResult<unknown, unknown>,
  cause: number | undefined,
): void {
  running.state = result.state
  for (const note of result.notes ?? []) ns.host.kernel.note(ns, running.name, note)
  for (const call of result.syscalls) syscall(ns, running, call, cause)
}

function syscall(ns: Netns, running: RunningProcess, call: Syscall, cause: number | undefined): void {
  switch (call.kind) {
    case 'socket':
      openSocket(ns, { ...call, process: running.name })
      return
    case 'tun':
      running.tuns.set(call.fd, call.device)
      return
    case 'timer':
      return setTimer(ns, running, call)
    case 'cancelTimer':
      running.timers.set(call.id, (running.timers.get(call.id) ?? 0) + 1)
      return
    case 'exit':
      return exit(ns, running, call.code)
    case 'send':
      if (running.tuns.has(call.fd)) return writeTun(ns, running, call, cause)
      return onSocket(ns, running, call, cause)
    default:
      return onSocket(ns, running, call, cause)
  }
}

type SocketCall = Exclude<Syscall, { kind: 'socket' | 'tun' | 'timer' | 'cancelTimer' | 'exit' }>

function onSocket(ns: Netns, running: RunningProcess, call: SocketCall, cause: number | undefined): void {
  const socket = findSocket(ns, running.name, call.fd)
  if (socket === undefined || socket.failing) return
  switch (call.kind) {
    case 'bind':
      if (call.ip !== undefined && !isUnspecified(call.ip) && !isLocalAddress(ns, call.ip))
        return failCall(ns, socket, 'EADDRNOTAVAIL')
      if (call.port !== 0 && portTaken(ns, socket, call.port, call.ip)) return failCall(ns, socket, 'EADDRINUSE')
      socket.local = { ip: call.ip, port: call.port }
      return
    case 'listen':
      return socket.type === 'sctp' ? sctpListen(ns, socket) : tcpListen(socket)
    case 'connect':
      if (socket.type === 'sctp') return whileOwned(ns, socket, () => sctpConnect(ns, socket, call.to, cause))
      return socket.type === 'tcp'
        ? whileOwned(ns, socket, () => tcpConnect(ns, socket, call.to, cause))
        : connect(ns, socket, call.to)
    case 'send':
      if (socket.type === 'sctp') return whileOwned(ns, socket, () => sctpSend(ns, socket, call.bytes, cause))
      return socket.type === 'tcp'
        ? whileOwned(ns, socket, () => tcpSend(ns, socket, call.bytes, cause))
        : send(ns, socket, call, cause)
    case 'close':
      if (socket.type === 'sctp') return whileOwned(ns, socket, () => sctpClose(ns, socket, cause))
      return socket.type === 'tcp'
        ? whileOwned(ns, socket, () => tcpClose(ns, socket, cause))
        : removeSocket(ns, socket)
  }
}

/** A datagram socket learns its peer and, by the route, its own address. */
function connect(ns: Netns, socket: Socket, to: SocketAddress): void {
  const route = routeOutput(ns, { dst: to.ip, src: socket.local.ip })
  if (route.kind !== 'ok') return failCall(ns, socket, route.errno)
  socket.remote = to
  socket.local = { ip: route.source, port: socket.local.port }
}

function send(ns: Netns, socket: Socket, call: Extract<Syscall, { kind: 'send' }>, cause: number | undefined): void {
  const to = call.to ?? socket.remote
  if (to === undefined) return failCall(ns, socket, 'EINVAL')
  if (socket.type === 'icmp') return echoSend(ns, socket, { to, bytes: call.bytes, cause })
  udpSend(ns, socket, { to, bytes: call.bytes, cause })
}

function setTimer(ns: Netns, running: RunningProcess, call: Extract<Syscall, { kind: 'timer' }>): void {
  const { kernel } = ns.host
  const turn = (running.timers.get(call.id) ?? 0) + 1
  running.timers.set(call.id, turn)
  kernel.emit({
    kind: 'timer',
    at: kernel.now() + call.afterNs,
    ns,
    timer: { kind: 'process', process: running.name, id: call.id, turn },
  })
}

export function processTimer(ns: Netns, name: string, id: string, turn: number): void {
  if (ns.state.processes.get(name)?.timers.get(id) !== turn) return
  wakeProcess(ns, name, { kind: 'timer', id }, undefined)
}

function exit(ns: Netns, running: RunningProcess, code: number): void {
  running.exitCode = code
  for (const socket of ns.state.sockets.sockets.values())
    if (socket.process === running.name) {
      if (socket.type === 'tcp') tcpClose(ns, socket)
      else if (socket.type === 'sctp') whileOwned(ns, socket, () => sctpClose(ns, socket))
      else removeSocket(ns, socket)
      // sock_orphan: what is left belongs to the kernel, and its descriptor may be given again.
      socket.fd = NO_FD
    }
}

const NO_FD = -1

/** tun_chr_write_iter: the packet comes in by the device. */
function writeTun(
  ns: Netns,
  running: RunningProcess,
  call: Extract<Syscall, { kind: 'send' }>,
  cause: number | undefined,
): void {
  const link = ns.links.get(running.tuns.get(call.fd) ?? '')
  const parsed = parseIpPacket(call.bytes)
  if (link === undefined || !parsed.ok) return
  const { kernel, stack } = ns.host
  const skb = newSkb(link, parsed.value, cause ?? kernel.newPacket())
  // tun_get_user: EIO.
  if (!link.up) return kernel.record(skb, { kind: 'drop', reason: 'DEV_READY', detail: `${link.name} is down` })
  kernel.record(skb, { kind: 'tun.write', link: link.name, process: running.name })
  // tun_rx_batched receives with bottom halves off, as a card's interrupt would.
  kernel.bottomHalves?.disable()
  stack.receive(skb)
  kernel.bottomHalves?.enable()
}

/** tun_net_xmit: the process that has the device open reads the packet. */
export function deliverToTun(skb: Skb): void {
  const { ns, dev } = skb
  for (const running of ns.state.processes.values())
    for (const [fd, device] of running.tuns) {
      if (device !== dev.name || running.exitCode !== undefined) continue
      ns.host.kernel.record(skb, { kind: 'tun.read', link: dev.name, process: running.name })
      const bytes = emitIp((skb as IpSkb).packet)
      return ns.host.kernel.emit({
        kind: 'wake',
        ns,
        process: running.name,
        event: { kind: 'data', fd, bytes },
        cause: skb.id,
      })
    }
  ns.host.kernel.record(skb, { kind: 'drop', reason: 'DEV_READY', detail: `no process has ${dev.name} open` })
}
