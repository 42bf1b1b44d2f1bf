import type { ProcessContext, ProcessEvent, Program, SocketAddress, Syscall } from '../../linux/process.ts'
import { formatIp, type Ip, ip, isUnspecified } from '../../packet/ip.ts'

/**
 * A network of nothing but sockets: programs on machines that reach each other at once. Judges of user space run on
 * it, so that what they see does not depend on the emulated kernel.
 */
export class VirtualNetwork {
  /** Nanoseconds. */
  now = 0
  /** Everything that was sent, in order. */
  readonly sent: Sent[] = []
  /** Nanoseconds a datagram is under way. */
  readonly delayOf: (datagram: Pick<Sent, 'to' | 'source' | 'bytes'>) => number
  private readonly machines: Machine[] = []
  private readonly queue: { at: number; order: number; run: () => void }[] = []
  private order = 0

  constructor(delayOf: VirtualNetwork['delayOf'] = () => 0) {
    this.delayOf = delayOf
  }

  start(options: MachineOptions): Machine {
    const machine = new Machine(this, options)
    this.machines.push(machine)
    machine.begin()
    return machine
  }

  /** Whose address that is. */
  owner(address: Ip): Machine | undefined {
    return this.machines.find((machine) => machine.exited === undefined && machine.has(address))
  }

  after(delay: number, run: () => void): void {
    this.queue.push({ at: this.now + delay, order: this.order++, run })
  }

  /** Runs until nothing is left to do, or to a time; `done` ends it early. */
  run({ until = Number.POSITIVE_INFINITY, done = () => false }: { until?: number; done?: () => boolean } = {}): void {
    for (let count = 0; count < 1_000_000; count++) {
      if (done()) return
      this.queue.sort((a, b) => a.at - b.at || a.order - b.order)
      const next = this.queue[0]
      if (!next || next.at > until) break
      this.queue.shift()
      this.now = Math.max(this.now, next.at)
      next.run()
    }
    if (until !== Number.POSITIVE_INFINITY) this.now = Math.max(this.now, until)
  }
}

export interface MachineOptions {
  readonly name: string
  readonly addresses: readonly string[]
  // biome-ignore lint/suspicious/noExplicitAny: programs of every state.
  readonly program: Program<any, any>
  readonly args?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
  readonly draw?: (entry: string, choices: number) => number
  /** What AI_ADDRCONFIG sees, where it is not the addresses. */
  readonly visible?: readonly string[]
  /** Destinations there is a route to; absent: the program is not told. */
  readonly routed?: (destination: Ip) => boolean
}

/** A message or datagram on its way. */
export interface Sent {
  readonly at: number
  readonly from: string
  readonly to: SocketAddress
  readonly source: SocketAddress
  readonly transport: 'udp' | 'tcp'
  readonly bytes: Uint8Array
}

interface Socket {
  readonly fd: number
  readonly type: 'udp' | 'tcp'
  local: SocketAddress
  listening: boolean
  peer: SocketAddress | undefined
  /** The other end of a TCP connection. */
  other: { machine: Machine; fd: number } | undefined
}

const WILDCARD: SocketAddress = { ip: ip('::'), port: 0 }

export class Machine {
  readonly name: string
  readonly notes: unknown[] = []
  exited: number | undefined
  private readonly network: VirtualNetwork
  private readonly options: MachineOptions
  private readonly addresses: readonly Ip[]
  private readonly sockets = new Map<number, Socket>()
  private readonly timers = new Map<string, number>()
  private state: unknown
  private nextPort = 40_000
  private nextConnection = 1000

  constructor(network: VirtualNetwork, options: MachineOptions) {
    this.network = network
    this.options = options
    this.name = options.name
    this.addresses = options.addresses.map(ip)
  }

  has(address: Ip): boolean {
    return this.addresses.some((own) => formatIp(own) === formatIp(address))
  }

  begin(): void {
    const result = this.options.program.start(this.context())
    this.take(result)
  }

  event(event: ProcessEvent): void {
    if (this.exited !== undefined) return
    this.take(this.options.program.step(this.state, event, this.context()))
  }

  private take(result: {
    readonly state: unknown
    readonly syscalls: readonly Syscall[]
    readonly notes?: readonly unknown[]
  }): void {
    this.state = result.state
    this.notes.push(...(result.notes ?? []))
    for (const syscall of result.syscalls) this.perform(syscall)
  }

  private context(): ProcessContext {
    const { draw, files = {}, args = {}, visible, routed } = this.options
    return {
      now: this.network.now,
      host: this.name,
      netns: 'root',
      args,
      file: (path) => files[path],
      draw: (_, entry, choices) => (draw ? draw(entry, choices as number) : 0),
      addresses: () => (visible ? visible.map(ip) : this.addresses),
      ...(routed && {
        sourceFor: (to: Ip) => (routed(to) ? this.addresses.find((own) => own.family === to.family) : undefined),
      }),
    }
  }

  private perform(call: Syscall): void {
    const { network } = this
    switch (call.kind) {
      case 'socket':
        this.sockets.set(call.fd, {
          fd: call.fd,
          type: call.type === 'tcp' ? 'tcp' : 'udp',
          local: WILDCARD,
          listening: false,
          peer: undefined,
          other: undefined,
        })
        return
      case 'bind': {
        const socket = this.sockets.get(call.fd)
        if (socket) socket.local = { ip: call.ip ?? WILDCARD.ip, port: call.port === 0 ? this.nextPort++ : call.port }
        return
      }
      case 'listen': {
        const socket = this.sockets.get(call.fd)
        if (socket) socket.listening = true
        return
      }
      case 'connect':
        return this.connect(call.fd, call.to)
      case 'send':
        return this.send(call)
      case 'close': {
        const socket = this.sockets.get(call.fd)
        this.sockets.delete(call.fd)
        const other = socket?.other
        if (other) network.after(0, () => other.machine.closed(other.fd))
        return
      }
      case 'timer': {
        const order = (this.timers.get(call.id) ?? 0) + 1
        this.timers.set(call.id, order)
        network.after(call.afterNs, () => {
          if (this.timers.get(call.id) === order) this.event({ kind: 'timer', id: call.id })
        })
        return
      }
      case 'cancelTimer':
        this.timers.set(call.id, (this.timers.get(call.id) ?? 0) + 1)
        return
      case 'exit':
        this.exited = call.code
        return
      case 'tun':
        return
    }
  }

  private closed(fd: number): void {
    if (!this.sockets.has(fd)) return
    this.event({ kind: 'closed', fd })
  }

  private connect(fd: number, to: SocketAddress): void {
    const socket = this.sockets.get(fd)
    if (!socket) return
    socket.peer = to
    socket.local = {
      ip: this.addresses.find((own) => own.family === to.ip.family) ?? WILDCARD.ip,
      port: this.nextPort++,
    }
    const owner = this.network.owner(to.ip)
    if (!owner) return this.network.after(0, () => this.failed(fd, 'ENETUNREACH'))
    if (socket.type === 'udp') return
    const listener = owner.listenerOn(to, 'tcp')
    if (listener === undefined) return this.network.after(0, () => this.failed(fd, 'ECONNREFUSED'))
    const connection = owner.accept(socket.local, to)
    socket.other = { machine: owner, fd: connection }
    owner.bindOther(connection, { machine: this, fd })
    this.network.after(0, () => {
      owner.event({ kind: 'accepted', fd: listener, connection, local: to, peer: socket.local })
      this.event({ kind: 'connected', fd, local: socket.local, peer: to })
    })
  }

  private failed(fd: number, errno: 'ENETUNREACH' | 'ECONNREFUSED'): void {
    if (this.sockets.has(fd)) this.event({ kind: 'error', fd, errno })
  }

  accept(peer: SocketAddress, local: SocketAddress): number {
    const fd = this.nextConnection++
    this.sockets.set(fd, { fd, type: 'tcp', local, listening: false, peer, other: undefined })
    return fd
  }

  bindOther(fd: number, other: { machine: Machine; fd: number }): void {
    const socket = this.sockets.get(fd)
    if (socket) socket.other = other
  }

  listenerOn(to: SocketAddress, type: 'udp' | 'tcp'): number | undefined {
    for (const socket of this.sockets.values())
      if (socket.type === type && socket.local.port === to.port && (type === 'udp' || socket.listening)) {
        const own = socket.local.ip
        if (isUnspecified(own) || formatIp(own) === formatIp(to.ip)) return socket.fd
      }
    return undefined
  }

  private send({ fd, bytes, to }: Syscall & { kind: 'send' }): void {
    const socket = this.sockets.get(fd)
    const target = to ?? socket?.peer
    if (!socket || !target) return
    const source = this.sourceOf(socket, target)
    this.network.sent.push({
      at: this.network.now,
      from: this.name,
      to: target,
      source,
      transport: socket.type,
      bytes: bytes.slice(),
    })
    if (socket.type === 'tcp') {
      const { other } = socket
      if (other) this.network.after(0, () => other.machine.event({ kind: 'data', fd: other.fd, bytes }))
      return
    }
    const owner = this.network.owner(target.ip)
    const listener = owner?.listenerOn(target, 'udp')
    if (!owner) return
    if (listener === undefined) {
      // The port unreachable finds a socket only where it is connected.
      if (socket.peer) this.network.after(0, () => this.failed(fd, 'ECONNREFUSED'))
      return
    }
    const delay = this.network.delayOf({ to: target, source, bytes })
    this.network.after(delay, () => owner.event({ kind: 'data', fd: listener, bytes, from: source, to: target }))
  }

  private sourceOf(socket: Socket, target: SocketAddress): SocketAddress {
    if (!isUnspecified(socket.local.ip)) return socket.local
    const own = this.addresses.find((address) => address.family === target.ip.family) ?? WILDCARD.ip
    return { ip: own, port: socket.local.port }
  }
}
