import { describe, expect, test } from 'vitest'
import type { ProcessEvent, Program, Syscall } from '../linux/process.ts'
import { ip } from '../packet/ip.ts'
import { type OutsideEvents, ProgramRoom, type SeatView } from './program-room.ts'

/** A program that does what a script says at each event, and remembers the events. */
function scripted(first: readonly Syscall[], answer: (event: ProcessEvent) => readonly Syscall[] = () => []) {
  const events: ProcessEvent[] = []
  const program: Program = {
    name: 'scripted',
    start: () => ({ state: undefined, syscalls: first }),
    step: (state, event) => {
      events.push(event)
      return { state, syscalls: answer(event) }
    },
  }
  return { program, events }
}

const view = (own: string, ...services: readonly string[]): SeatView => ({
  host: 'h',
  netns: 'n',
  args: {},
  files: new Map(),
  addresses: [ip(own)],
  reachedAt: [own, ...services].map(ip),
})

const udp = (fd: number): Syscall => ({ kind: 'socket', fd, family: 4, type: 'udp' })
const tcp = (fd: number): Syscall => ({ kind: 'socket', fd, family: 4, type: 'tcp' })
const bytes = new Uint8Array([1, 2])
const echo = (event: ProcessEvent): readonly Syscall[] =>
  event.kind === 'data' ? [{ kind: 'send', fd: 3, bytes: event.bytes, ...(event.from && { to: event.from }) }] : []
const server = () => scripted([udp(3), { kind: 'bind', fd: 3, port: 53 }], echo)

describe('datagrams', () => {
  test.each([
    ['by its own address', '10.0.0.2'],
    ['by the address of a Service, which the answer carries', '10.96.0.10'],
  ])('a server is asked %s', (_, to) => {
    const room = new ProgramRoom()
    room.seat(server().program, view('10.0.0.2', '10.96.0.10'))
    const send: Syscall = { kind: 'send', fd: 3, bytes, to: { ip: ip(to), port: 53 } }
    const client = scripted([udp(3), send])
    room.seat(client.program, view('10.0.0.1'))
    room.settle()
    expect(client.events).toMatchObject([{ kind: 'data', fd: 3, bytes, from: { ip: ip(to), port: 53 } }])
  })

  test('a connected socket hears its peer only', () => {
    const room = new ProgramRoom()
    const client = scripted([udp(3), { kind: 'connect', fd: 3, to: { ip: ip('10.0.0.2'), port: 53 } }])
    room.seat(client.program, view('10.0.0.1'))
    for (const [from, port] of [
      ['10.0.0.2', 54],
      ['10.0.0.3', 53],
      ['10.0.0.2', 53],
    ] as const)
      room.datagram({ ip: ip(from), port }, { ip: ip('10.0.0.1'), port: 32_768 }, bytes)
    room.settle()
    expect(client.events).toMatchObject([{ from: { ip: ip('10.0.0.2'), port: 53 } }])
  })

  test('a port that nobody has is refused, an address that nobody has is silent', () => {
    const room = new ProgramRoom()
    room.seat(server().program, view('10.0.0.2'))
    const dial = (fd: number, to: string, port: number): readonly Syscall[] => [
      udp(fd),
      { kind: 'connect', fd, to: { ip: ip(to), port } },
      { kind: 'send', fd, bytes },
    ]
    const client = scripted([...dial(3, '10.0.0.2', 99), ...dial(4, '10.0.0.9', 53)])
    room.seat(client.program, view('10.0.0.1'))
    room.settle()
    expect(client.events).toEqual([{ kind: 'error', fd: 3, errno: 'ECONNREFUSED' }])
  })

  test('a guest is answered at the port it asked from', () => {
    const room = new ProgramRoom()
    room.seat(server().program, view('10.0.0.2'))
    const heard: number[] = []
    room.admit(ip('10.0.0.7'), { datagram: (port) => heard.push(port) })
    room.datagram({ ip: ip('10.0.0.7'), port: 4000 }, { ip: ip('10.0.0.2'), port: 53 }, bytes)
    room.settle()
    expect(heard).toEqual([4000])
  })

  test('what lies outside answers when it does', () => {
    const backs: ((answer: Uint8Array) => void)[] = []
    let stirred = 0
    const room = new ProgramRoom({ outside: { datagram: (_to, _bytes, back) => void backs.push(back) } })
    room.stirred = () => void stirred++
    const client = scripted([udp(3), { kind: 'send', fd: 3, bytes, to: { ip: ip('9.9.9.9'), port: 53 } }])
    room.seat(client.program, view('10.0.0.1'))
    room.settle()
    expect(client.events).toEqual([])
    backs[0]?.(bytes)
    room.settle()
    expect(stirred).toBe(1)
    expect(client.events).toMatchObject([{ kind: 'data', from: { ip: ip('9.9.9.9'), port: 53 } }])
  })
})

describe('streams', () => {
  const listening = [tcp(3), { kind: 'bind', fd: 3, port: 80 }, { kind: 'listen', fd: 3 }] as const

  test('there and back, and closed', () => {
    const room = new ProgramRoom()
    const far = scripted(listening, (event) =>
      event.kind === 'data'
        ? [
            { kind: 'send', fd: event.fd, bytes: event.bytes },
            { kind: 'close', fd: event.fd },
          ]
        : [],
    )
    room.seat(far.program, view('10.0.0.2'))
    const near = scripted([tcp(5), { kind: 'connect', fd: 5, to: { ip: ip('10.0.0.2'), port: 80 } }], (event) =>
      event.kind === 'connected' ? [{ kind: 'send', fd: 5, bytes }] : [],
    )
    room.seat(near.program, view('10.0.0.1'))
    room.settle()
    expect(far.events.map(({ kind }) => kind)).toEqual(['accepted', 'data'])
    expect(near.events).toMatchObject([
      { kind: 'connected' },
      { kind: 'data', fd: 5, bytes },
      { kind: 'closed', fd: 5 },
    ])
  })

  test('where nobody listens it is refused; a guest is told so', () => {
    const room = new ProgramRoom()
    room.seat(server().program, view('10.0.0.2'))
    const to = { ip: ip('10.0.0.2'), port: 80 }
    const near = scripted([tcp(5), { kind: 'connect', fd: 5, to }])
    room.seat(near.program, view('10.0.0.1'))
    room.settle()
    expect(near.events).toEqual([{ kind: 'error', fd: 5, errno: 'ECONNREFUSED' }])
    const end = { send: () => {}, close: () => {} }
    expect(room.stream({ ip: ip('10.0.0.7'), port: 1 }, to, end)).toBeUndefined()
  })
})

describe('streams to the outside', () => {
  const dial: readonly Syscall[] = [tcp(3), { kind: 'connect', fd: 3, to: { ip: ip('192.0.2.1'), port: 53 } }]
  function dialled(script = scripted(dial)) {
    let outside: OutsideEvents | undefined
    const sent: Uint8Array[] = []
    let stirs = 0
    const room = new ProgramRoom({
      outside: {
        datagram: () => undefined,
        stream: (_to, events) => {
          outside = events
          return { send: (octets) => void sent.push(octets), close: () => undefined }
        },
      },
    })
    room.stirred = () => void stirs++
    room.seat(script.program, view('10.0.0.1'))
    if (outside === undefined) throw new Error('not dialled')
    return { room, events: script.events, outside, sent, stirs: () => stirs }
  }

  test('there and back, and over: whoever moves the clock is woken each time', () => {
    const send = (event: ProcessEvent): readonly Syscall[] =>
      event.kind === 'connected' ? [{ kind: 'send', fd: 3, bytes }] : []
    const { room, events, outside, sent, stirs } = dialled(scripted(dial, send))
    for (const happens of [outside.opened, () => outside.heard(bytes), outside.ended]) {
      happens()
      room.settle()
    }
    expect(events.map(({ kind }) => kind)).toEqual(['connected', 'data', 'closed'])
    expect(sent).toEqual([bytes])
    expect(stirs()).toBe(3)
  })

  test('one that never was is refused', () => {
    const { room, events, outside } = dialled()
    outside.ended()
    room.settle()
    expect(events).toEqual([{ kind: 'error', fd: 3, errno: 'ECONNREFUSED' }])
  })

  test('a socket that was closed meanwhile hears nothing', () => {
    const shut = (event: ProcessEvent): readonly Syscall[] =>
      event.kind === 'connected' ? [{ kind: 'close', fd: 3 }] : []
    const { room, events, outside } = dialled(scripted(dial, shut))
    outside.opened()
    room.settle()
    outside.heard(bytes)
    room.settle()
    expect(events.map(({ kind }) => kind)).toEqual(['connected'])
  })
})

describe('time', () => {
  const timer = (id: string, afterNs: number): Syscall => ({ kind: 'timer', id, afterNs })

  test('timers fire in order, those set anew or cancelled do not', () => {
    const room = new ProgramRoom()
    const one = scripted([timer('late', 30), timer('early', 10), timer('never', 20), timer('again', 5)], (event) =>
      event.kind === 'timer' && event.id === 'early' ? [{ kind: 'cancelTimer', id: 'never' }, timer('again', 40)] : [],
    )
    room.seat(one.program, view('10.0.0.1'))
    expect(room.due()).toBe(5)
    room.advance(100)
    expect(one.events.map((event) => event.kind === 'timer' && event.id)).toEqual(['again', 'early', 'late', 'again'])
    expect(room.now).toBe(100)
    expect(room.due()).toBeUndefined()
  })

  test('a program that has ended or left hears nothing more', () => {
    const room = new ProgramRoom()
    const ended = scripted([timer('x', 10), { kind: 'exit', code: 3 }])
    expect(room.seat(ended.program, view('10.0.0.1')).exitCode).toBe(3)
    const left = scripted([timer('x', 10)])
    room.leave(room.seat(left.program, view('10.0.0.2')))
    room.advance(100)
    expect([...ended.events, ...left.events]).toEqual([])
  })
})
