import type { RemoteInfo } from 'node:dgram'
import { type Socket as Connection, createServer } from 'node:net'
import type { ProgramRoom, StreamEnd } from '../engine/program-room.ts'
import type { SocketAddress } from '../linux/process.ts'
import type { Ip } from '../packet/ip.ts'
import { type Listen, onOnePort } from './one-port.ts'

export interface ServedDns {
  readonly room: ProgramRoom
  /** Whom the clients seem to be. */
  readonly asker: Ip
  /** Where the server in the room listens. */
  readonly server: SocketAddress
  readonly listen: Listen
}

export interface DnsService {
  readonly port: number
  close(): void
}

/** A client that says nothing for so long is hung up on (CoreDNS's idle timeout, core/dnsserver/server.go). */
const IDLE_MS = 8000
const FIRST_PORT = 1024
const LAST_PORT = 65_535

/** Puts a room's DNS server on real sockets, UDP and TCP; the room's clock follows the real one. */
export async function serveDns({ room, asker, server, listen }: ServedDns): Promise<DnsService> {
  const clients = new ClientPorts(asker)
  const clock = new RoomClock(room)
  const tcp = createServer((connection) => serveConnection(connection, { room, asker, server, clients, clock }))
  const { udp, port } = await onOnePort(tcp, listen)
  room.stirred = () => clock.catchUp()
  room.admit(asker, {
    datagram: (port, bytes) => {
      const client = clients.take(port)
      if (client !== undefined) udp.send(bytes, client.port, client.address)
    },
  })
  udp.on('message', (bytes, client) => {
    room.datagram(clients.enter(client), server, bytes)
    clock.catchUp()
  })
  return {
    port,
    close: () => {
      clock.stop()
      udp.close()
      tcp.close()
    },
  }
}

interface Side {
  readonly room: ProgramRoom
  readonly asker: Ip
  readonly server: SocketAddress
  readonly clients: ClientPorts
  readonly clock: RoomClock
}

function serveConnection(connection: Connection, { room, server, clients, clock }: Side): void {
  const far: StreamEnd = { send: (bytes) => void connection.write(bytes), close: () => void connection.end() }
  const stream = room.stream(clients.anonymous(), server, far)
  if (stream === undefined) {
    connection.destroy()
    return
  }
  connection.setTimeout(IDLE_MS, () => connection.end())
  connection.on('data', (bytes) => {
    stream.send(bytes)
    clock.catchUp()
  })
  // A reset of the client's is no error of ours; 'close' follows.
  connection.on('error', () => {})
  connection.on('close', () => {
    stream.close()
    clock.catchUp()
  })
  clock.catchUp()
}

/** Each waiting client has a port of its own at the asker's address; the oldest gives way after 64,000 others. */
class ClientPorts {
  private readonly asker: Ip
  private readonly waiting = new Map<number, RemoteInfo>()
  private next = FIRST_PORT

  constructor(asker: Ip) {
    this.asker = asker
  }

  enter(client: RemoteInfo): SocketAddress {
    const from = this.anonymous()
    this.waiting.set(from.port, client)
    return from
  }

  anonymous(): SocketAddress {
    const port = this.next
    this.next = port === LAST_PORT ? FIRST_PORT : port + 1
    return { ip: this.asker, port }
  }

  take(port: number): RemoteInfo | undefined {
    const client = this.waiting.get(port)
    this.waiting.delete(port)
    return client
  }
}

/** Lets the room's time follow the real one. */
class RoomClock {
  private readonly room: ProgramRoom
  /** The real time at which the room's clock would stand at 0. */
  private readonly begun: bigint
  private wake: NodeJS.Timeout | undefined

  constructor(room: ProgramRoom) {
    this.room = room
    this.begun = process.hrtime.bigint() - BigInt(room.now)
  }

  catchUp(): void {
    this.room.advance(Number(process.hrtime.bigint() - this.begun))
    const due = this.room.due()
    clearTimeout(this.wake)
    if (due !== undefined)
      this.wake = setTimeout(() => this.catchUp(), Math.max(Math.ceil((due - this.room.now) / 1_000_000), 0))
  }

  stop(): void {
    clearTimeout(this.wake)
  }
}
