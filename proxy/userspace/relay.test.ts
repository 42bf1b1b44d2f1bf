import { describe, expect, it } from 'vitest'
import type { ProcessContext, ProcessEvent, Syscall } from '../../linux/process.ts'
import { ip } from '../../packet/ip.ts'
import { type RelayNote, type RelayState, relay } from './relay.ts'
import { emitRelayTable, parseRelayTable } from './relay-table.ts'

const socket = (text: string) => ({ ip: ip(text.split(':')[0] ?? ''), port: Number(text.split(':')[1]) })

function running(table: string) {
  const calls: Syscall[] = []
  const notes: RelayNote[] = []
  const clock = { now: 0 }
  const draws: number[] = []
  const context = (): ProcessContext => ({
    now: clock.now,
    host: 'node1',
    netns: 'root',
    args: { services: table },
    file: () => undefined,
    draw: () => draws.shift() ?? 0,
    addresses: () => [],
  })
  let state: RelayState
  const keep = (result: ReturnType<typeof relay.start>) => {
    state = result.state
    calls.push(...result.syscalls)
    notes.push(...(result.notes ?? []))
  }
  keep(relay.start(context()))
  return {
    calls,
    notes,
    clock,
    draws,
    state: () => state,
    happen: (event: ProcessEvent) => keep(relay.step(state, event, context())),
    /** What was called since the last time. */
    take: () => calls.splice(0),
  }
}

const accepted = (connection: number, peer: string, fd = 3): ProcessEvent => ({
  kind: 'accepted',
  fd,
  connection,
  local: socket('10.0.0.1:40000'),
  peer: socket(peer),
})
const bytes = (text: string) => new TextEncoder().encode(text)
const WEB = 'default/web tcp *:40000 0 10.1.0.1:80,10.1.0.2:80\n'
const DIAL = 500_000

describe('the table of services', () => {
  it('reads back what it writes, of both families', () => {
    const services = [
      { name: 'a/b:c', protocol: 'tcp', port: 1, boundTo: undefined, affinity: 0, endpoints: [socket('10.0.0.1:80')] },
      { name: 'a/d', protocol: 'udp', port: 2, boundTo: ip('fd00::1'), affinity: 9, endpoints: [] },
      {
        name: 'a/e',
        protocol: 'tcp',
        port: 3,
        boundTo: ip('10.0.0.9'),
        affinity: 0,
        endpoints: [{ ip: ip('fd00::2'), port: 8 }],
      },
    ] as const
    expect(parseRelayTable(emitRelayTable(services))).toEqual(services)
  })
  it('leaves out what it cannot read', () => expect(parseRelayTable('x\na tcp 1\nb icmp *:1 0 \n')).toEqual([]))
})

describe('TCP', () => {
  it('listens on a port for every service', () => {
    expect(running(`${WEB}default/dns udp 10.0.0.9:40001 0 \n`).calls).toEqual([
      { kind: 'socket', fd: 3, family: 4, type: 'tcp' },
      { kind: 'bind', fd: 3, port: 40000 },
      { kind: 'listen', fd: 3 },
      { kind: 'socket', fd: 4, family: 4, type: 'udp' },
      { kind: 'bind', fd: 4, port: 40001, ip: ip('10.0.0.9') },
    ])
  })

  it('dials for each client, in turn, from where chance puts the first', () => {
    const proxy = running(WEB)
    proxy.draws.push(1)
    for (const n of [1, 2, 3]) proxy.happen(accepted(1000 + n, `10.2.0.${n}:5000`))
    expect(proxy.notes.map((note) => note.kind === 'relay.dial' && note.to.ip.d & 255)).toEqual([2, 1, 2])
  })

  it('keeps what comes before the endpoint has answered, then copies both ways', () => {
    const proxy = running(WEB)
    proxy.happen(accepted(1001, '10.2.0.1:5000'))
    proxy.happen({ kind: 'data', fd: 1001, bytes: bytes('early') })
    proxy.take()
    proxy.happen({ kind: 'connected', fd: DIAL, local: socket('10.0.0.1:1'), peer: socket('10.1.0.1:80') })
    expect(proxy.take()).toEqual([
      { kind: 'cancelTimer', id: `${DIAL}` },
      { kind: 'send', fd: DIAL, bytes: bytes('early') },
    ])
    proxy.happen({ kind: 'data', fd: 1001, bytes: bytes('more') })
    proxy.happen({ kind: 'data', fd: DIAL, bytes: bytes('answer') })
    expect(proxy.take()).toEqual([
      { kind: 'send', fd: DIAL, bytes: bytes('more') },
      { kind: 'send', fd: 1001, bytes: bytes('answer') },
    ])
  })

  it.each([1001, DIAL])('the end of one side (%i) is the end of both', (fd) => {
    const proxy = running(WEB)
    proxy.happen(accepted(1001, '10.2.0.1:5000'))
    proxy.take()
    proxy.happen({ kind: 'closed', fd })
    expect(proxy.take()).toEqual([
      { kind: 'close', fd: 1001 },
      { kind: 'close', fd: DIAL },
    ])
    expect(proxy.state().relayed.size).toBe(0)
  })

  it('tries the next endpoint when a dial fails or takes too long: after 0.25, 0.5, 1 and 2 seconds it closes', () => {
    const proxy = running(WEB)
    proxy.happen(accepted(1001, '10.2.0.1:5000'))
    proxy.happen({ kind: 'error', fd: DIAL, errno: 'ECONNREFUSED' })
    proxy.happen({ kind: 'timer', id: `${DIAL + 1}` })
    proxy.happen({ kind: 'timer', id: `${DIAL + 2}` })
    const patience = proxy.take().flatMap((call) => (call.kind === 'timer' ? [call.afterNs] : []))
    expect(patience).toEqual([0.25e9, 0.5e9, 1e9, 2e9])
    proxy.happen({ kind: 'timer', id: `${DIAL + 3}` })
    expect(proxy.take()).toContainEqual({ kind: 'close', fd: 1001 })
    expect(proxy.notes.at(-1)).toMatchObject({ kind: 'relay.refuse', why: 'dialsFailed' })
    expect(proxy.notes.slice(0, 4).map((note) => note.kind === 'relay.dial' && note.to.ip.d & 255)).toEqual([
      1, 2, 1, 2,
    ])
  })

  it('a timer after the connection is there means nothing; an error then closes both', () => {
    const proxy = running(WEB)
    proxy.happen(accepted(1001, '10.2.0.1:5000'))
    proxy.happen({ kind: 'connected', fd: DIAL, local: socket('10.0.0.1:1'), peer: socket('10.1.0.1:80') })
    proxy.take()
    proxy.happen({ kind: 'timer', id: `${DIAL}` })
    expect(proxy.take()).toEqual([])
    proxy.happen({ kind: 'error', fd: DIAL, errno: 'ECONNRESET' })
    expect(proxy.take()).toEqual([
      { kind: 'close', fd: 1001 },
      { kind: 'close', fd: DIAL },
    ])
  })

  it('without endpoints the client is accepted, and closed at once', () => {
    const proxy = running('default/web tcp *:40000 0 \n')
    proxy.take()
    proxy.happen(accepted(1001, '10.2.0.1:5000'))
    expect(proxy.take()).toEqual([{ kind: 'close', fd: 1001 }])
    expect(proxy.notes).toMatchObject([{ kind: 'relay.refuse', why: 'noEndpoints' }])
  })
})

describe('affinity', () => {
  const to = (proxy: ReturnType<typeof running>) =>
    proxy.notes.map((note) => (note.kind === 'relay.dial' ? note.to.ip.d & 255 : 0))
  it('brings a client back by its address, for the timeout from its last use', () => {
    const proxy = running('default/web tcp *:40000 100 10.1.0.1:80,10.1.0.2:80\n')
    const ask = (peer: string, seconds: number) => {
      proxy.clock.now = seconds * 1e9
      proxy.happen(accepted(1001 + proxy.notes.length, peer))
    }
    ask('10.2.0.1:1', 0)
    ask('10.2.0.1:2', 99)
    ask('10.2.0.2:1', 99)
    ask('10.2.0.1:3', 198)
    ask('10.2.0.1:4', 298)
    expect(to(proxy)).toEqual([1, 1, 2, 1, 1])
    ask('10.2.0.2:9', 298)
    expect(to(proxy).at(-1)).toBe(2)
  })
  it('does not hold to an endpoint that does not answer', () => {
    const proxy = running('default/web tcp *:40000 100 10.1.0.1:80,10.1.0.2:80\n')
    proxy.happen(accepted(1001, '10.2.0.1:1'))
    proxy.happen(accepted(1002, '10.2.0.1:2'))
    proxy.happen({ kind: 'error', fd: DIAL + 1, errno: 'ECONNREFUSED' })
    proxy.happen(accepted(1003, '10.2.0.1:3'))
    expect(to(proxy)).toEqual([1, 1, 2, 2])
  })
})

describe('UDP', () => {
  const DNS = 'default/dns udp *:40001 0 10.1.0.1:53,10.1.0.2:53\n'
  const datagram = (from: string, text: string): ProcessEvent => ({
    kind: 'data',
    fd: 3,
    bytes: bytes(text),
    from: socket(from),
  })
  it('gives every client a socket of its own, until it is quiet for 250 ms', () => {
    const proxy = running(DNS)
    proxy.take()
    proxy.happen(datagram('10.2.0.1:5', 'a'))
    expect(proxy.take()).toEqual([
      { kind: 'socket', fd: DIAL, family: 4, type: 'udp' },
      { kind: 'connect', fd: DIAL, to: socket('10.1.0.1:53') },
      { kind: 'send', fd: DIAL, bytes: bytes('a') },
      { kind: 'timer', id: `${DIAL}`, afterNs: 0.25e9 },
    ])
    proxy.happen(datagram('10.2.0.1:5', 'b'))
    expect(proxy.take()[0]).toEqual({ kind: 'send', fd: DIAL, bytes: bytes('b') })
    proxy.happen({ kind: 'data', fd: DIAL, bytes: bytes('c') })
    expect(proxy.take()[0]).toEqual({ kind: 'send', fd: 3, bytes: bytes('c'), to: socket('10.2.0.1:5') })
    proxy.happen(datagram('10.2.0.1:6', 'd'))
    expect(proxy.take()[1]).toEqual({ kind: 'connect', fd: DIAL + 1, to: socket('10.1.0.2:53') })
    proxy.happen({ kind: 'timer', id: `${DIAL}` })
    expect(proxy.take()).toEqual([{ kind: 'close', fd: DIAL }])
    proxy.happen(datagram('10.2.0.1:5', 'e'))
    expect(proxy.notes.filter((note) => note.kind === 'relay.dial')).toHaveLength(3)
  })
  it('without endpoints a datagram is forgotten', () => {
    const proxy = running('default/dns udp *:40001 0 \n')
    proxy.take()
    proxy.happen(datagram('10.2.0.1:5', 'a'))
    expect(proxy.take()).toEqual([])
  })
})
