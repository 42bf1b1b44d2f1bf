import { pick } from '../linux/draw.ts'
import type { ProcessContext, ProcessEvent, ProcessResult, Program, SocketAddress, Syscall } from '../linux/process.ts'
import { type Ip, ipKey, sameIp } from '../packet/ip.ts'

/**
 * Programs that talk over sockets with no packets and no kernel between them: what one sends, the other has at once.
 * For questions where only what is said counts, and for serving clients of the real world. It goes forward only.
 */
export class ProgramRoom {
  /** Nanoseconds on the room's clock. */
  now = 0
  /** Called when an answer from outside waits to be handed out. */
  stirred: (() => void) | undefined
  private readonly hooks: RoomHooks
  private readonly seats = new Map<number | string, Seat>()
  private readonly guests = new Map<number | string, Guest>()
  private readonly waiting: { readonly seat: Seat; readonly event: ProcessEvent }[] = []
  private readonly timers: Timer[] = []
  private random = 0x2545f491

  constructor(hooks: RoomHooks = {}) {
    this.hooks = hooks
  }

  /** Starts a program that is reached at the addresses of its view. */
  seat(program: Program, view: SeatView): Seat {
    const seat = new Seat(program, view, this)
    for (const address of view.reachedAt) this.seats.set(ipKey(address), seat)
    this.finish(seat, program.start(seat))
    return seat
  }

  /** A program that has gone: nothing reaches it any more. */
  leave(seat: Seat): void {
    for (const address of seat.view.reachedAt)
      if (this.seats.get(ipKey(address)) === seat) this.seats.delete(ipKey(address))
    seat.exitCode ??= 0
  }

  /** Someone from outside the room, who is told what is sent to the address. */
  admit(address: Ip, guest: Guest): void {
    this.guests.set(ipKey(address), guest)
  }

  /** A datagram of a guest. */
  datagram(from: SocketAddress, to: SocketAddress, bytes: Uint8Array): void {
    this.deliver(undefined, { from, to, bytes })
  }

  /** Opens a stream of a guest; undefined: nobody listens there. */
  stream(from: SocketAddress, to: SocketAddress, far: StreamEnd): StreamEnd | undefined {
    const listener = this.listenerAt(to)
    if (listener === undefined) return undefined
    const socket = accepted(listener, far)
    this.tell(listener.seat, { kind: 'accepted', fd: listener.fd, connection: socket.fd, local: to, peer: from })
    return this.endOf(socket)
  }

  /** Hands out everything that waits; what follows from it too. */
  settle(): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      const { seat, event } = next
      if (seat.exitCode === undefined) this.finish(seat, seat.program.step(seat.state, event, seat))
    }
  }

  /** When the next timer is due; undefined: none is set. */
  due(): number | undefined {
    while (this.timers.length > 0 && !isLive(this.timers[0])) this.timers.shift()
    return this.timers[0]?.at
  }

  /** Lets time go on to `to`, and everything happen on the way. */
  advance(to: number): void {
    this.settle()
    for (let at = this.due(); at !== undefined && at <= to; at = this.due()) {
      const timer = this.timers.shift()
      if (timer === undefined) break
      this.now = at
      timer.seat.timers.delete(timer.id)
      this.tell(timer.seat, { kind: 'timer', id: timer.id })
      this.settle()
    }
    this.now = Math.max(this.now, to)
  }

  /** Chance of the room: xorshift, the same in every room. */
  draw(choices: number | readonly number[]): number {
    this.random ^= this.random << 13
    this.random ^= this.random >>> 17
    this.random ^= this.random << 5
    return pick((this.random >>> 0) / 0x100000000, choices)
  }

  private tell(seat: Seat, event: ProcessEvent): void {
    this.waiting.push({ seat, event })
  }

  private finish(seat: Seat, { state, syscalls, notes }: ProcessResult<unknown, unknown>): void {
    seat.state = state
    if (notes !== undefined && this.hooks.note !== undefined) for (const note of notes) this.hooks.note(seat, note)
    for (const syscall of syscalls) this.perform(seat, syscall)
  }

  private perform(seat: Seat, syscall: Syscall): void {
    switch (syscall.kind) {
      case 'socket':
        seat.sockets.set(syscall.fd, newSocket(seat, syscall.fd, syscall.type))
        return
      case 'bind':
        return seat.bind(syscall.fd, syscall.port)
      case 'listen':
        return seat.listen(syscall.fd)
      case 'connect':
        return this.connect(seat, syscall.fd, syscall.to)
      case 'send':
        return this.send(seat, syscall)
      case 'close':
        return this.close(seat, syscall.fd)
      case 'timer':
        return this.setTimer(seat, syscall.id, this.now + syscall.afterNs)
      case 'cancelTimer':
        seat.timers.delete(syscall.id)
        return
      case 'exit':
        seat.exitCode = syscall.code
        return
      case 'tun':
        return
    }
  }

  private connect(seat: Seat, fd: number, to: SocketAddress): void {
    const socket = seat.sockets.get(fd)
    if (socket === undefined) return
    socket.peer = to
    if (socket.port === 0) seat.bind(fd, 0)
    if (socket.type !== 'tcp') return
    const local = seat.addressOf(socket, to.ip)
    const listener = this.listenerAt(to)
    if (listener !== undefined) {
      const far = accepted(listener, this.endOf(socket))
      socket.far = this.endOf(far)
      this.tell(listener.seat, { kind: 'accepted', fd: listener.fd, connection: far.fd, local: to, peer: local })
      this.tell(seat, { kind: 'connected', fd, local, peer: to })
      return
    }
    if (this.seats.has(ipKey(to.ip))) return this.tell(seat, { kind: 'error', fd, errno: 'ECONNREFUSED' })
    this.connectOutside(socket, { local, to })
  }

  /** A stream to an address that nobody in the room has; where none leads outside, nothing comes back. */
  private connectOutside(
    socket: Socket,
    { local, to }: { readonly local: SocketAddress; readonly to: SocketAddress },
  ): void {
    const { seat, fd } = socket
    const hear = (event: ProcessEvent): void => {
      if (seat.sockets.get(fd) !== socket) return
      this.tell(seat, event)
      this.stirred?.()
    }
    let isOpen = false
    socket.far = this.hooks.outside?.stream?.(to, {
      opened: () => {
        isOpen = true
        hear({ kind: 'connected', fd, local, peer: to })
      },
      heard: (bytes) => hear({ kind: 'data', fd, bytes }),
      ended: () => hear(isOpen ? { kind: 'closed', fd } : { kind: 'error', fd, errno: 'ECONNREFUSED' }),
    })
  }

  private listenerAt({ ip, port }: SocketAddress): Socket | undefined {
    return this.seats.get(ipKey(ip))?.listeners.get(port)
  }

  /** The end that writes into a socket. */
  private endOf(socket: Socket): StreamEnd {
    return {
      send: (bytes) => this.tell(socket.seat, { kind: 'data', fd: socket.fd, bytes }),
      close: () => this.tell(socket.seat, { kind: 'closed', fd: socket.fd }),
    }
  }

  private send(seat: Seat, { fd, bytes, to }: Extract<Syscall, { kind: 'send' }>): void {
    const socket = seat.sockets.get(fd)
    if (socket === undefined) return
    if (socket.type === 'tcp') return socket.far?.send(bytes)
    const peer = to ?? socket.peer
    if (peer === undefined) return
    if (socket.port === 0) seat.bind(fd, 0)
    this.deliver(socket, { from: seat.addressOf(socket, peer.ip), to: peer, bytes })
  }

  /** A datagram to whoever is there: a program, a guest, the world outside; else nobody hears it. */
  private deliver(sender: Socket | undefined, { from, to, bytes }: Datagram): void {
    const key = ipKey(to.ip)
    const seat = this.seats.get(key)
    const receiver = seat?.ports.get(to.port)
    if (seat !== undefined && receiver !== undefined) {
      const shown = { ip: sender?.seat.askedAs(to) ?? from.ip, port: from.port }
      // A connected socket hears its peer only.
      if (receiver.peer !== undefined && !sameEnd(receiver.peer, shown)) return
      seat.asked(shown, to.ip)
      return this.tell(seat, { kind: 'data', fd: receiver.fd, bytes, from: shown, to })
    }
    if (seat !== undefined) {
      if (sender?.peer !== undefined) this.tell(sender.seat, { kind: 'error', fd: sender.fd, errno: 'ECONNREFUSED' })
      return
    }
    const guest = this.guests.get(key)
    if (guest !== undefined) return guest.datagram(to.port, bytes)
    if (sender === undefined) return
    this.hooks.outside?.datagram(to, bytes, (answer) => {
      this.tell(sender.seat, { kind: 'data', fd: sender.fd, bytes: answer, from: to, to: from })
      this.stirred?.()
    })
  }

  private close(seat: Seat, fd: number): void {
    const socket = seat.sockets.get(fd)
    if (socket === undefined) return
    seat.sockets.delete(fd)
    if (seat.ports.get(socket.port) === socket) seat.ports.delete(socket.port)
    if (seat.listeners.get(socket.port) === socket) seat.listeners.delete(socket.port)
    socket.far?.close()
  }

  private setTimer(seat: Seat, id: string, at: number): void {
    const timer: Timer = { seat, id, at }
    seat.timers.set(id, timer)
    let place = this.timers.length
    while (place > 0 && (this.timers[place - 1]?.at ?? 0) > at) place--
    this.timers.splice(place, 0, timer)
  }
}

/** What of the room is told to whoever opened it. */
export interface RoomHooks {
  /** A step of a program's own vocabulary. */
  readonly note?: (seat: Seat, note: unknown) => void
  /** Where addresses lie that nobody in the room has; absent: nothing answers there. */
  readonly outside?: Outside | undefined
}

export interface Outside {
  readonly datagram: (to: SocketAddress, bytes: Uint8Array, reply: (bytes: Uint8Array) => void) => void
  /** Absent: nobody takes connections. */
  readonly stream?: (to: SocketAddress, events: OutsideEvents) => StreamEnd
}

/** What becomes of a stream to the outside. */
export interface OutsideEvents {
  readonly opened: () => void
  readonly heard: (bytes: Uint8Array) => void
  /** It is over, or never was. */
  readonly ended: () => void
}

/** What a program sees of its place. */
export interface SeatView {
  readonly host: string
  readonly netns: string
  readonly args: Readonly<Record<string, string>>
  readonly files: ReadonlyMap<string, string>
  /** Its own addresses. */
  readonly addresses: readonly Ip[]
  /** Addresses that lead to it: its own, and those of Services before it. */
  readonly reachedAt: readonly Ip[]
}

export interface Guest {
  /** A datagram to one of its ports. */
  readonly datagram: (port: number, bytes: Uint8Array) => void
}

/** What one writes into a stream, or that nothing more comes. */
export interface StreamEnd {
  readonly send: (bytes: Uint8Array) => void
  readonly close: () => void
}

interface Datagram {
  readonly from: SocketAddress
  readonly to: SocketAddress
  readonly bytes: Uint8Array
}

interface Socket {
  readonly seat: Seat
  readonly fd: number
  readonly type: 'tcp' | 'udp' | 'icmp' | 'sctp'
  port: number
  peer: SocketAddress | undefined
  far: StreamEnd | undefined
}

interface Timer {
  readonly seat: Seat
  readonly id: string
  readonly at: number
}

const isLive = (timer: Timer | undefined): boolean =>
  timer !== undefined && timer.seat.timers.get(timer.id) === timer && timer.seat.exitCode === undefined

const sameEnd = (one: SocketAddress, other: SocketAddress): boolean =>
  one.port === other.port && sameIp(one.ip, other.ip)

const endKey = ({ ip, port }: SocketAddress): string => `${ipKey(ip)} ${port}`

const newSocket = (seat: Seat, fd: number, type: Socket['type']): Socket => ({
  seat,
  fd,
  type,
  port: 0,
  peer: undefined,
  far: undefined,
})

/** The first descriptor of an accepted connection, as on a machine (linux/process.ts). */
const FIRST_CONNECTION = 1000
/** net.ipv4.ip_local_port_range. */
const FIRST_PORT = 32_768
const LAST_PORT = 60_999

function accepted(listener: Socket, far: StreamEnd): Socket {
  const { seat } = listener
  const socket: Socket = { ...newSocket(seat, seat.nextConnection++, 'tcp'), far, port: listener.port }
  seat.sockets.set(socket.fd, socket)
  return socket
}

/** A program in its place: what it sees, and what it holds open. */
export class Seat implements ProcessContext {
  readonly program: Program
  readonly view: SeatView
  state: unknown
  exitCode: number | undefined
  readonly sockets = new Map<number, Socket>()
  /** UDP sockets and TCP listeners by port. */
  readonly ports = new Map<number, Socket>()
  readonly listeners = new Map<number, Socket>()
  readonly timers = new Map<string, Timer>()
  nextConnection = FIRST_CONNECTION
  private readonly room: ProgramRoom
  private nextPort = FIRST_PORT
  private readonly askedAt = new Map<string, Ip>()

  constructor(program: Program, view: SeatView, room: ProgramRoom) {
    this.program = program
    this.view = view
    this.room = room
  }

  get now(): number {
    return this.room.now
  }

  get host(): string {
    return this.view.host
  }

  get netns(): string {
    return this.view.netns
  }

  get args(): Readonly<Record<string, string>> {
    return this.view.args
  }

  readonly file: ProcessContext['file'] = (path) => this.view.files.get(path)
  readonly draw: ProcessContext['draw'] = (_purpose, _entry, choices) => this.room.draw(choices)
  readonly addresses: ProcessContext['addresses'] = () => this.view.addresses

  /** Somebody asked at an address that is not the seat's own, a Service's: answers to them carry it. */
  asked(by: SocketAddress, at: Ip): void {
    if (this.view.addresses.some((own) => sameIp(own, at))) this.askedAt.delete(endKey(by))
    else this.askedAt.set(endKey(by), at)
  }

  /** The address by which a client knows the seat; undefined: by its own. */
  askedAs(client: SocketAddress): Ip | undefined {
    return this.askedAt.get(endKey(client))
  }

  addressOf({ port }: Socket, towards: Ip): SocketAddress {
    return { ip: this.view.addresses.find(({ family }) => family === towards.family) ?? towards, port }
  }

  bind(fd: number, port: number): void {
    const socket = this.sockets.get(fd)
    if (socket === undefined) return
    socket.port = port === 0 ? this.freePort() : port
    if (socket.type !== 'tcp') this.ports.set(socket.port, socket)
  }

  listen(fd: number): void {
    const socket = this.sockets.get(fd)
    if (socket !== undefined) this.listeners.set(socket.port, socket)
  }

  private freePort(): number {
    for (let tries = FIRST_PORT; tries <= LAST_PORT; tries++) {
      const port = this.nextPort
      this.nextPort = port === LAST_PORT ? FIRST_PORT : port + 1
      if (!this.ports.has(port)) return port
    }
    return 0
  }
}
