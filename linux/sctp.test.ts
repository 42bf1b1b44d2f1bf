import { describe, expect, it, test } from 'vitest'
import { emitIp } from '../packet/emit.ts'
import { formatIp, ip } from '../packet/ip.ts'
import { mac } from '../packet/mac.ts'
import type { IpPacket } from '../packet/packet.ts'
import { must } from '../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../packet/prefix.ts'
import { type Chunk, chunksOf, type InitChunk, sctpOf } from '../packet/sctp-chunk.ts'
import { addressOf, PARAMETER, readParameters } from '../packet/sctp-parameter.ts'
import { verifyIpChecksums } from '../packet/verify-checksums.ts'
import type { OpBody } from './op.ts'
import type { ProcessEvent, Syscall } from './process.ts'
import { type Cable, type TwoMachines, twoMachines } from './testing/two-machines.ts'

const FD = 3
const HELLO = new TextEncoder().encode('hello')
const Y4 = ip('10.0.0.2')
const PORT = 3868

const listen = (family: 4 | 6 = 6): Syscall[] => [
  { kind: 'socket', fd: FD, family, type: 'sctp' },
  { kind: 'bind', fd: FD, port: PORT },
  { kind: 'listen', fd: FD },
]

const dial = (to = Y4, more: readonly Syscall[] = []): Syscall[] => [
  { kind: 'socket', fd: FD, family: to.family, type: 'sctp' },
  ...more,
  { kind: 'connect', fd: FD, to: { ip: to, port: PORT } },
]

const close = (fd: number): Syscall => ({ kind: 'close', fd })

/** Sends back what comes, and hangs up after the peer has. */
const echo = (event: ProcessEvent): Syscall[] => {
  if (event.kind === 'data') return [{ kind: 'send', fd: event.fd, bytes: event.bytes }]
  return event.kind === 'closed' ? [close(event.fd)] : []
}

/** Says hello, hears the answer, hangs up. */
const greet = (event: ProcessEvent): Syscall[] => {
  if (event.kind === 'connected') return [{ kind: 'send', fd: FD, bytes: HELLO }]
  return event.kind === 'data' || event.kind === 'closed' ? [close(FD)] : []
}

function conversation(cable: Cable = {}, to = Y4, untilSeconds = 1200): TwoMachines {
  const both = twoMachines(cable)
  both.start('y', listen(), echo)
  both.start('x', dial(to), greet)
  both.run(untilSeconds)
  return both
}

const chunksIn = ({ payload }: IpPacket): readonly Chunk[] => (payload.kind === 'sctp' ? chunksOf(payload) : [])
const names = (packet: IpPacket): string =>
  chunksIn(packet)
    .map(({ kind }) => kind)
    .join('+') || packet.payload.kind
const line = ({ at, by, packet }: TwoMachines['sent'][number]): string => `${at / 1000} ${by} ${names(packet)}`
const told = ({ told }: TwoMachines): string[] =>
  told.map(({ at, by, event }) => `${at / 1000} ${by} ${event.kind}${event.kind === 'error' ? ` ${event.errno}` : ''}`)
const tagOf = ({ payload }: IpPacket): number => (payload.kind === 'sctp' ? payload.verificationTag : -1)
type Of<Kind> = Kind extends InitChunk['kind'] ? InitChunk : Extract<Chunk, { kind: Kind }>
const firstOf = <Kind extends Chunk['kind']>(both: TwoMachines, kind: Kind): Of<Kind> => {
  for (const { packet } of both.sent)
    for (const chunk of chunksIn(packet)) if (chunk.kind === kind) return chunk as Of<Kind>
  throw new Error(`no ${kind}`)
}

const IN_ORDER = [
  '0 x init',
  '0 y initAck',
  '0 x cookieEcho',
  '0 y cookieAck',
  '0 x data',
  '0 y sack',
  '0 y data',
  '0 x sack',
  '0 x shutdown',
  '0 y shutdownAck',
  '0 x shutdownComplete',
]

describe('a conversation', () => {
  test.each([
    ['IPv4', Y4],
    ['IPv6', ip('fd00::2')],
  ])('over %s goes through every chunk of RFC 9260 once', (_, to) => {
    const both = conversation({}, to)
    expect(both.sent.map(line)).toEqual(IN_ORDER)
    expect(told(both)).toEqual(['0 y accepted', '0 x connected', '0 y data', '0 x data', '0 y closed'])
    expect(both.sent.flatMap(({ packet }) => verifyIpChecksums(emitIp(packet)))).toEqual([])
    expect([...both.ns('x').state.sockets.sockets.values()]).toEqual([])
    expect([...both.ns('y').state.sockets.sockets.values()].map(({ sctp }) => sctp?.state)).toEqual(['listen'])
  })

  it('carries the tag that the other end has offered, and none in the INIT', () => {
    const both = conversation()
    const [mine, theirs] = [firstOf(both, 'init').initiateTag, firstOf(both, 'initAck').initiateTag]
    expect(both.sent.map(({ packet }) => tagOf(packet))).toEqual(
      both.sent.map(({ by }, i) => (i === 0 ? 0 : by === 'x' ? theirs : mine)),
    )
    expect(mine).not.toBe(theirs)
  })

  it('offers 10 streams of 65535 and a window of half a receive buffer; the answer takes the smaller numbers', () => {
    const both = conversation()
    expect(firstOf(both, 'init')).toMatchObject({
      receiverWindow: 106_496,
      outboundStreams: 10,
      inboundStreams: 65_535,
    })
    expect(firstOf(both, 'initAck')).toMatchObject({ receiverWindow: 106_496, outboundStreams: 10, inboundStreams: 10 })
    expect(firstOf(both, 'sack')).toMatchObject({ window: 106_491, gaps: [], duplicates: [] })
  })

  it('says ECT(0) and DF, and counts identifications from 1 once the socket knows its peer', () => {
    const packets = conversation().sent.map(({ by, packet }) => ({ by, ...packet }))
    expect(packets.every(({ tos, dontFragment }) => tos === 2 && dontFragment)).toBe(true)
    expect(packets.filter(({ by }) => by === 'x').map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5])
    expect(packets.filter(({ by }) => by === 'y').map(({ id }) => id)).toEqual([0, 0, 0, 0, 0])
  })

  it('is made of parameters as Linux sends them', () => {
    const both = conversation()
    const types = (parameters: Uint8Array) => readParameters(parameters).map(({ type }) => type)
    const { supportedAddressTypes, ecnCapable, forwardTsn, stateCookie } = PARAMETER
    expect(types(firstOf(both, 'init').parameters)).toEqual([supportedAddressTypes, ecnCapable, forwardTsn])
    expect(types(firstOf(both, 'initAck').parameters).slice(-3)).toEqual([stateCookie, ecnCapable, forwardTsn])
    // 32 of a signature, 4 of padding, and 144 with the INIT of 36 and two addresses of 28 in whole 32s.
    expect(firstOf(both, 'cookieEcho').cookie.length).toBe(36 + 224)
  })

  it('puts data that is written at once behind the cookie', () => {
    const both = twoMachines()
    both.start('y', listen(), echo)
    both.start('x', [...dial(), { kind: 'send', fd: FD, bytes: HELLO }], (event) =>
      event.kind === 'data' ? [close(FD)] : [],
    )
    both.run(10)
    expect(both.sent.map(line).slice(0, 6)).toEqual([
      '0 x init',
      '0 y initAck',
      '0 x cookieEcho+data',
      '0 y cookieAck+sack',
      '0 y data',
      '0 x sack',
    ])
  })

  it('cuts a long message into chunks, which arrive as one', () => {
    const long = Uint8Array.from({ length: 5000 }, (_, i) => i & 255)
    const both = twoMachines()
    both.start('y', listen())
    both.start('x', dial(), (event) =>
      event.kind === 'connected' ? [{ kind: 'send', fd: FD, bytes: long }, close(FD)] : [],
    )
    both.run(10)
    const sizes = both.sent.flatMap(({ packet }) =>
      chunksIn(packet).flatMap((chunk) => (chunk.kind === 'data' ? [chunk.bytes.length] : [])),
    )
    expect(sizes).toEqual([1452, 1452, 1452, 644])
    const data = both.told.find(({ event }) => event.kind === 'data')?.event
    expect(data?.kind === 'data' && data.bytes).toEqual(long)
    expect(both.sent.map(line).slice(-3)).toEqual(['0.2 x shutdown', '0.2 y shutdownAck', '0.2 x shutdownComplete'])
  })

  it('acknowledges the first data at once, then every second packet or after 200 ms', () => {
    const both = twoMachines()
    both.start('y', listen())
    let left = 3
    both.start('x', dial(), (event) => {
      if (event.kind !== 'connected' && event.kind !== 'timer') return []
      const send: Syscall = { kind: 'send', fd: FD, bytes: HELLO }
      return left-- > 0 ? [send, { kind: 'timer', id: 'next', afterNs: 1e9 }] : []
    })
    both.run(20)
    expect(both.sent.map(line).slice(4)).toEqual([
      '0 x data',
      '0 y sack',
      '1 x data',
      '1.2 y sack',
      '2 x data',
      '2.2 y sack',
    ])
  })
})

describe('what is lost is sent again', () => {
  const losing = (lost: (packet: IpPacket, nth: number) => boolean): Cable => ({
    pass: (packet, nth) => (lost(packet, nth) ? [] : [packet]),
  })
  const has = (kind: Chunk['kind']) => (packet: IpPacket) => chunksIn(packet).some((chunk) => chunk.kind === kind)

  it('INIT after 3 s, twice as long each time, at most a minute, nine in all; then it is ETIMEDOUT', () => {
    const both = conversation(losing(() => true))
    expect(both.sent.map(line)).toEqual([0, 3, 9, 21, 45, 93, 153, 213, 273].map((at) => `${at} x init`))
    expect(told(both)).toEqual(['333 x error ETIMEDOUT'])
  })

  it('COOKIE ECHO too, and the association that stands is not made twice', () => {
    let acks = 0
    const both = conversation(losing((packet) => has('cookieAck')(packet) && ++acks <= 2))
    expect(both.sent.map(line).slice(2, 8)).toEqual([
      '0 x cookieEcho',
      '0 y cookieAck',
      '3 x cookieEcho',
      '3 y cookieAck',
      '9 x cookieEcho',
      '9 y cookieAck',
    ])
    expect(told(both).filter((text) => text.includes('accepted'))).toEqual(['0 y accepted'])
  })

  it('a cookie that has expired on the way is answered with an ERROR, and a longer life asked for', () => {
    let echoes = 0
    const both = conversation(losing((packet) => has('cookieEcho')(packet) && ++echoes <= 5))
    expect(both.sent.map(line).slice(2, 13)).toEqual([
      '0 x cookieEcho',
      '3 x cookieEcho',
      '9 x cookieEcho',
      '21 x cookieEcho',
      '45 x cookieEcho',
      '93 x cookieEcho',
      '93 y error',
      '93 x init',
      '93 y initAck',
      '93 x cookieEcho',
      '93 y cookieAck',
    ])
    const second = both.sent.filter(({ packet }) => has('init')(packet))[1]?.packet as IpPacket
    const [init] = chunksIn(second)
    const life = init?.kind === 'init' ? readParameters(init.parameters).at(-1) : undefined
    expect(tagOf(second)).toBe(0)
    // 33 s too late, and twice that in milliseconds.
    expect(life).toEqual({ type: PARAMETER.cookiePreservative, value: Uint8Array.of(0, 1, 1, 0xd0) })
    expect(told(both)).toEqual(['93 y accepted', '93 x connected', '93 y data', '93 x data', '93 y closed'])
  })

  it('a cookie that was changed on its way is not ours', () => {
    const changed = (packet: IpPacket): IpPacket => {
      const [echo] = chunksIn(packet)
      if (packet.payload.kind !== 'sctp' || echo?.kind !== 'cookieEcho') return packet
      const cookie = echo.cookie.slice()
      cookie[40] = (cookie[40] ?? 0) ^ 1
      const { srcPort, dstPort, verificationTag: tag } = packet.payload
      return { ...packet, payload: sctpOf({ srcPort, dstPort, tag }, [{ ...echo, cookie }]) }
    }
    const both = conversation({ pass: (packet, nth) => [nth === 3 ? changed(packet) : packet] })
    expect(told(both)[0]).toBe('3 y accepted')
  })

  it('a cookie with a wrong tag makes no association', () => {
    const both = conversation({
      pass: (packet, nth) =>
        nth === 3 && packet.payload.kind === 'sctp'
          ? [{ ...packet, payload: { ...packet.payload, verificationTag: 1 } }]
          : [packet],
    })
    expect(told(both)[0]).toBe('3 y accepted')
  })

  it('DATA after the timeout, which doubles; after ten times without an answer the peer is given up with an ABORT', () => {
    const both = conversation(
      losing((_, nth) => nth > 4),
      Y4,
      900,
    )
    const mine = both.sent.filter(({ by }) => by === 'x')
    const at = (kind: Chunk['kind']) => mine.filter(({ packet }) => has(kind)(packet)).map(({ at }) => at / 1000)
    expect(at('data').slice(0, 3)).toEqual([0, 3, 9])
    // The first heartbeat is asked soon, as the path is doubted, and counts only once the next is due.
    expect(at('heartbeat')[0]).toBeLessThan(12)
    expect(at('data').length - 1 + at('heartbeat').length - 1).toBe(10)
    const end = both.told.find(({ by, event }) => by === 'x' && event.kind === 'error')
    expect(end?.event).toMatchObject({ errno: 'ETIMEDOUT' })
    expect(names(mine.at(-1)?.packet as IpPacket)).toBe('abort')
    expect(new TextDecoder().decode(firstOf(both, 'abort').causes.subarray(4))).toContain('exceeded its max_retrans')
  })

  it('a peer that answers heartbeats is not given up though it answers no data', () => {
    const both = conversation(losing(has('data')), Y4, 900)
    expect(told(both)).toEqual(['0 y accepted', '0 x connected'])
    expect(both.sent.filter(({ packet }) => has('data')(packet)).length).toBeGreaterThan(20)
  })

  it('SHUTDOWN and SHUTDOWN ACK by the timer of the end that waits', () => {
    const both = conversation(losing((packet, nth) => nth === 9 || (has('shutdownComplete')(packet) && nth < 14)))
    expect(both.sent.map(line).slice(8)).toEqual([
      '0 x shutdown',
      '1 x shutdown',
      '1 y shutdownAck',
      '1 x shutdownComplete',
      '2 y shutdownAck',
      '2 x shutdownComplete',
    ])
    const last = both.sent.at(-1)?.packet as IpPacket
    expect(chunksIn(last)).toEqual([{ kind: 'shutdownComplete', reflected: true }])
  })

  it('a hole is told with the next SACK, and filled before its time when three have passed over it', () => {
    const message = new Uint8Array(1450)
    let data = 0
    const both = twoMachines(losing((packet) => has('data')(packet) && ++data === 2))
    both.start('y', listen())
    let left = 6
    both.start('x', dial(), (event) => {
      if (event.kind !== 'connected' && event.kind !== 'timer') return []
      const send: Syscall = { kind: 'send', fd: FD, bytes: message }
      return left-- > 0 ? [send, { kind: 'timer', id: 'next', afterNs: 1e8 }] : []
    })
    both.run(3)
    const tsns = both.sent.flatMap(({ at, packet }) =>
      chunksIn(packet).flatMap((chunk) => (chunk.kind === 'data' ? [{ at, tsn: chunk.tsn }] : [])),
    )
    expect(tsns.filter(({ tsn }) => tsn === tsns[1]?.tsn).map(({ at }) => at)).toEqual([100, 400])
    const holes = both.sent.flatMap(({ packet }) =>
      chunksIn(packet).flatMap((chunk) => (chunk.kind === 'sack' ? [chunk.gaps.map(({ end }) => end)] : [])),
    )
    expect(holes).toContainEqual([2])
    expect(holes.at(-1)).toEqual([])
    expect(both.told.filter(({ event }) => event.kind === 'data').length).toBe(6)
  })

  it('what comes twice is told as a duplicate at once, and handed on once', () => {
    const both = conversation({ pass: (packet, nth) => (nth === 5 ? [packet, packet] : [packet]) })
    const sacks = both.sent.flatMap(({ packet }) => chunksIn(packet).filter(({ kind }) => kind === 'sack'))
    const { tsn } = firstOf(both, 'data')
    expect(sacks).toContainEqual({ kind: 'sack', cumulativeTsn: tsn, window: 106_491, gaps: [], duplicates: [tsn] })
    expect(told(both).filter((text) => text === '0 y data').length).toBe(1)
  })
})

describe('out of the blue (RFC 9260 §8.4)', () => {
  const ABORTED = { kind: 'abort', causes: new Uint8Array(0) } as const
  const from = (chunk: Chunk, tag = 77): IpPacket => ({
    kind: 'ip',
    src: ip('10.0.0.1'),
    dst: Y4,
    ttl: 64,
    tos: 0,
    id: 0,
    dontFragment: true,
    flowLabel: 0,
    payload: sctpOf({ srcPort: 4000, dstPort: PORT, tag }, [chunk]),
  })
  /** What y answers a packet with that nobody there expects. */
  function answers(packet: IpPacket, listening: boolean): readonly (readonly [number, Chunk])[] {
    const both = twoMachines({
      pass: (sent, nth) => (nth === 1 ? [packet] : sent.dst.d === Y4.d ? [sent] : []),
    })
    if (listening) both.start('y', listen())
    both.start('x', dial())
    both.run(1)
    return both.sent
      .slice(1)
      .flatMap(({ packet: sent }) => chunksIn(sent).map((chunk) => [tagOf(sent), chunk] as const))
  }
  const INIT: Chunk = {
    kind: 'init',
    initiateTag: 99,
    receiverWindow: 5000,
    outboundStreams: 1,
    inboundStreams: 1,
    initialTsn: 1,
    parameters: new Uint8Array(0),
  }

  test.each<[string, Chunk, boolean, readonly (readonly [number, Chunk])[]]>([
    ['an INIT where nobody listens: ABORT with its own tag', INIT, false, [[99, { ...ABORTED, reflected: false }]]],
    ['an INIT with a tag', INIT, true, [[99, { ...ABORTED, reflected: false }]]],
    [
      'a SACK: ABORT with the T bit',
      { kind: 'sack', cumulativeTsn: 1, window: 1, gaps: [], duplicates: [] },
      true,
      [[77, { ...ABORTED, reflected: true }]],
    ],
    [
      'a COOKIE ECHO where nobody listens',
      { kind: 'cookieEcho', cookie: HELLO },
      false,
      [[77, { ...ABORTED, reflected: true }]],
    ],
    ['a cookie that is none of ours', { kind: 'cookieEcho', cookie: new Uint8Array(260) }, true, []],
    ['a SHUTDOWN ACK', { kind: 'shutdownAck' }, true, [[77, { kind: 'shutdownComplete', reflected: true }]]],
    ['a SHUTDOWN COMPLETE', { kind: 'shutdownComplete', reflected: false }, true, []],
    ['an ABORT', { kind: 'abort', reflected: false, causes: HELLO.subarray(0, 4) }, true, []],
    ['a COOKIE ACK', { kind: 'cookieAck' }, true, []],
  ])('%s', (_, chunk, listening, expected) => {
    expect(answers(from(chunk), listening)).toEqual(expected)
  })

  it('refuses a connection to a port that nobody serves', () => {
    const both = twoMachines()
    both.start('x', dial())
    both.run(10)
    expect(both.sent.map(line)).toEqual(['0 x init', '0 y abort'])
    expect(told(both)).toEqual(['0 x error ECONNREFUSED'])
  })

  test.each<[string, boolean]>([
    ['an ABORT with a wrong tag', false],
    ['one with the T bit and a tag that is not our own', true],
  ])('%s changes nothing', (_, reflected) => {
    const both = conversation({
      pass: (packet, nth) => {
        if (nth !== 6 || packet.payload.kind !== 'sctp') return [packet]
        const forged = sctpOf({ srcPort: PORT, dstPort: packet.payload.dstPort, tag: 1 }, [{ ...ABORTED, reflected }])
        return [{ ...packet, payload: forged }, packet]
      },
    })
    expect(both.sent.map(line)).toEqual(IN_ORDER)
  })

  it('a reset of an open association is told', () => {
    const both = conversation({
      pass: (packet, nth) => {
        if (nth !== 6 || packet.payload.kind !== 'sctp') return [packet]
        const { dstPort, verificationTag } = packet.payload
        return [
          {
            ...packet,
            payload: sctpOf({ srcPort: PORT, dstPort, tag: verificationTag }, [{ ...ABORTED, reflected: false }]),
          },
        ]
      },
    })
    expect(told(both)).toContain('0 x error ECONNRESET')
  })
})

describe('the end', () => {
  it('asks for the acknowledgement of data at once that is sent after it was decided (RFC 7053)', () => {
    const both = twoMachines()
    both.start('y', listen())
    const sends: Syscall[] = [1, 2].map(() => ({ kind: 'send', fd: FD, bytes: HELLO }))
    both.start('x', dial(), (event) => (event.kind === 'connected' ? [...sends, close(FD)] : []))
    both.run(10)
    expect(both.sent.map(line).slice(4)).toEqual([
      '0 x data',
      '0 x data',
      '0 y sack',
      '0 y sack',
      '0 x shutdown',
      '0 y shutdownAck',
      '0 x shutdownComplete',
    ])
    const flags = both.sent.flatMap(({ packet }) =>
      chunksIn(packet).flatMap((chunk) => (chunk.kind === 'data' ? [chunk.immediate] : [])),
    )
    expect(flags).toEqual([false, true])
  })

  it('is an ABORT where data is left unread', () => {
    const both = twoMachines()
    both.start('y', listen(), (event) => (event.kind === 'data' ? [{ kind: 'send', fd: event.fd, bytes: HELLO }] : []))
    const send: Syscall = { kind: 'send', fd: FD, bytes: HELLO }
    const first = (event: ProcessEvent): readonly Syscall[] => (event.kind === 'connected' ? [send, send] : [])
    both.start('x', dial(), (event) => (event.kind === 'data' ? [{ kind: 'exit', code: 0 }] : first(event)))
    both.run(10)
    expect(both.sent.map(line).slice(4)).toEqual([
      '0 x data',
      '0 y sack',
      '0 x data',
      '0 y sack+data',
      '0 x sack',
      '0 y data',
      '0 x abort',
    ])
  })

  it('waits for the acknowledgement of data', () => {
    let sacks = 0
    const both = conversation({
      pass: (packet) => (chunksIn(packet).some(({ kind }) => kind === 'sack') && ++sacks === 1 ? [] : [packet]),
    })
    const order = both.sent.map(({ packet }) => names(packet))
    expect(order.indexOf('shutdown')).toBeGreaterThan(order.indexOf('sack'))
    expect(told(both).at(-1)).toMatch(/y closed$/)
  })
})

describe('an association that is kept', () => {
  it('sends a HEARTBEAT where nothing else is sent for half a minute, and hears it answered', () => {
    const both = twoMachines()
    both.start('y', listen())
    both.start('x', dial())
    both.run(70)
    const beats = both.sent.filter(({ packet }) => names(packet).startsWith('heartbeat'))
    expect(beats.map(({ packet }) => names(packet)).filter((name) => name === 'heartbeat').length).toBe(
      beats.filter(({ packet }) => names(packet) === 'heartbeatAck').length,
    )
    const mine = beats
      .filter(({ by, packet }) => by === 'x' && names(packet) === 'heartbeat')
      .map(({ at }) => at / 1000)
    expect(mine[0]).toBeGreaterThanOrEqual(31.5)
    expect(mine[0]).toBeLessThan(34.5)
  })

  it('gives a silent peer up', () => {
    let open = true
    const both = twoMachines({ pass: (packet) => (open ? [packet] : []) })
    both.start('y', listen())
    both.start('x', dial())
    open = false
    both.run(1200)
    expect(told(both)).toContainEqual(expect.stringMatching(/x error ETIMEDOUT$/))
  })

  it('begins anew when the peer does, from the same port', () => {
    const both = twoMachines()
    both.start('y', listen(), echo)
    const bind: Syscall = { kind: 'bind', fd: FD, port: 4000 }
    both.start('x', dial(Y4, [bind]))
    both.run(1)
    both.ns('x').state.sockets.sockets.clear()
    both.start('x', dial(Y4, [bind]), greet)
    both.run(2)
    expect(told(both)).toEqual(['0 y accepted', '0 x connected', '1 x connected', '1 y data', '1 x data', '1 y closed'])
  })
})

describe('addresses in an INIT', () => {
  const dummy = (...addresses: readonly string[]): OpBody[] => [
    { kind: 'link.add', name: 'dummy0', mac: mac('02:00:00:00:00:dd'), mtu: 1500, type: { kind: 'dummy' } },
    { kind: 'link.set', name: 'dummy0', up: true },
    ...addresses.map(
      (text): OpBody => ({ kind: 'addr.add', link: 'dummy0', address: must(parseInterfaceAddress(text)) }),
    ),
  ]
  const toldIn = (parameters: Uint8Array): string[] =>
    readParameters(parameters)
      .flatMap((one) => addressOf(one) ?? [])
      .map(formatIp)

  test.each<[string, { x: string[]; more: string[]; to: string; told: string[] }]>([
    ['one of the family: none is told', { x: ['10.0.0.1/24'], more: [], to: '10.0.0.2', told: [] }],
    [
      'to a private address: private and public ones, neither loopback nor link-local',
      {
        x: ['10.0.0.1/24'],
        more: ['169.254.20.10/32', '192.0.2.7/32', '10.96.0.10/32'],
        to: '10.0.0.2',
        told: ['10.0.0.1', '192.0.2.7', '10.96.0.10'],
      },
    ],
    [
      'to a public address: public ones alone',
      { x: ['192.0.2.1/24'], more: ['10.0.0.9/32', '192.0.2.7/32'], to: '192.0.2.2', told: ['192.0.2.1', '192.0.2.7'] },
    ],
    [
      'to a public address from behind a NAT: all that are not loopback',
      { x: ['10.0.0.1/24'], more: ['10.96.0.10/32'], to: '192.0.2.2', told: ['10.0.0.1', '10.96.0.10'] },
    ],
    [
      'an IPv6 socket: of both families, but private IPv4 is narrower than a unique local address',
      {
        x: ['fd00::1/64', '10.0.0.1/24'],
        more: ['192.0.2.7/32', 'fe80::5/64'],
        to: 'fd00::2',
        told: ['fd00::1', '192.0.2.7'],
      },
    ],
    [
      'an IPv4 socket tells no IPv6 address',
      { x: ['10.0.0.1/24', 'fd00::1/64'], more: ['10.96.0.10/32'], to: '10.0.0.2', told: ['10.0.0.1', '10.96.0.10'] },
    ],
  ])('%s', (_, { x, more, to, told }) => {
    const both = twoMachines({ x, y: [`${to}/${to.includes(':') ? 64 : 24}`], ops: { x: dummy(...more) } })
    both.start('x', dial(ip(to)))
    expect(toldIn(firstOf(both, 'init').parameters)).toEqual(told)
  })

  it('a listening IPv6 socket answers with those of both families whatever the client speaks', () => {
    const both = conversation()
    expect(toldIn(firstOf(both, 'initAck').parameters)).toEqual(['10.0.0.2', 'fd00::2'])
    expect(toldIn(firstOf(conversation({}, ip('fd00::2')), 'initAck').parameters)).toEqual([])
  })

  it('too many addresses for one packet: IP cuts it, and it may be cut on its way', () => {
    const many = Array.from({ length: 200 }, (_, i) => `10.96.0.${i + 1}/32`)
    const both = twoMachines({ y: ['10.0.0.2/24'], x: ['10.0.0.1/24'], ops: { x: dummy(...many) } })
    both.start('y', listen(), echo)
    both.start('x', dial(), greet)
    both.run(10)
    expect(both.sent[0]?.packet.fragment).toEqual({ offset: 0, more: true })
    expect(both.sent[0]?.packet.dontFragment).toBe(false)
    expect(both.sent[0]?.packet.id).toBeGreaterThan(0)
    expect(both.sent[1]?.packet.id).toBe(both.sent[0]?.packet.id)
    expect(told(both)).toEqual(['0 y accepted', '0 x connected', '0 y data', '0 x data', '0 y closed'])
  })

  it('an answer from another address of the peer belongs to the INIT that it was told in', () => {
    const both = twoMachines({
      x: ['10.0.0.1/24'],
      y: ['10.0.0.2/24'],
      ops: {
        y: dummy('10.9.9.9/32'),
        x: [
          {
            kind: 'route.replace',
            route: { type: 'unicast', destination: prefix('10.9.9.9/32'), dev: 'eth0', protocol: 'static' },
          },
          { kind: 'neigh.replace', link: 'eth0', ip: ip('10.9.9.9'), mac: mac('02:00:00:00:00:0b') },
        ],
      },
    })
    both.start('y', listen(), echo)
    both.start('x', dial(ip('10.9.9.9')), greet)
    both.run(10)
    expect(both.sent.slice(0, 2).map(({ packet }) => formatIp(packet.src))).toEqual(['10.0.0.1', '10.0.0.2'])
    expect(told(both)).toContain('0 x connected')
  })
})

describe('ICMP errors', () => {
  const error = (
    packet: IpPacket,
    [type, code]: readonly [number, number],
    change = (quoted: IpPacket) => quoted,
  ): IpPacket => ({
    ...packet,
    src: packet.dst,
    dst: packet.src,
    payload: {
      kind: 'icmp',
      type,
      code,
      body: { kind: 'error', quote: { packet: change(packet), length: 68 }, mtu: 0 },
    },
  })

  function answeredWith(
    icmp: readonly [number, number],
    change?: (quoted: IpPacket) => IpPacket,
    to = Y4,
  ): TwoMachines {
    const both = twoMachines({ pass: (packet) => (packet.payload.kind === 'sctp' ? [] : [packet]) })
    both.start('x', dial(to))
    const init = both.sent[0]?.packet as IpPacket
    both.inject('x', error(init, icmp, change))
    both.run(400)
    return both
  }

  it('port unreachable, as REJECT sends it, is not listened to: INIT goes on until its time is up', () => {
    expect(told(answeredWith([3, 3]))).toEqual(['333 x error ETIMEDOUT'])
    expect(told(answeredWith([1, 4], undefined, ip('fd00::2')))).toEqual(['333 x error ETIMEDOUT'])
  })

  it('protocol unreachable ends the attempt', () => {
    expect(told(answeredWith([3, 2]))).toEqual(['0 x error ENOPROTOOPT'])
    expect(told(answeredWith([4, 1], undefined, ip('fd00::2')))).toEqual(['0 x error ENOPROTOOPT'])
  })

  it('but not where it quotes the INIT of another', () => {
    const other = (quoted: IpPacket): IpPacket => {
      const { payload } = quoted
      if (payload.kind !== 'sctp' || payload.chunk.kind !== 'init') return quoted
      return { ...quoted, payload: { ...payload, chunk: { ...payload.chunk, initiateTag: 5 } } }
    }
    expect(told(answeredWith([3, 2], other))).toEqual(['333 x error ETIMEDOUT'])
  })

  it('nor where the quote ends before the tag', () => {
    const cut = (quoted: IpPacket): IpPacket => ({
      ...quoted,
      payload: { kind: 'raw', protocol: 132, bytes: emitIp(quoted).subarray(20, 28), wholeLength: 48 },
    })
    expect(told(answeredWith([3, 2], cut))).toEqual(['333 x error ETIMEDOUT'])
    const more = (quoted: IpPacket): IpPacket => ({
      ...quoted,
      payload: { kind: 'raw', protocol: 132, bytes: emitIp(quoted).subarray(20, 40), wholeLength: 48 },
    })
    expect(told(answeredWith([3, 2], more))).toEqual(['0 x error ENOPROTOOPT'])
  })
})

it('a destination without a route is no error of connect: INITs are lost', () => {
  const both = twoMachines()
  both.start('x', dial(ip('172.16.0.1')))
  both.run(400)
  expect(both.sent).toEqual([])
  expect(told(both)).toEqual(['333 x error ETIMEDOUT'])
})
