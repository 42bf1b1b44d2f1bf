import fc, { type Arbitrary } from 'fast-check'
import { type Family, type Ip, ipv4, ipv6 } from '../ip.ts'
import { lengthOfIp } from '../length.ts'
import type { Mac } from '../mac.ts'
import {
  type Arp,
  type Frame,
  ICMP4,
  ICMP6,
  type Icmp,
  type IcmpBody,
  type IpPacket,
  type Quote,
  type RawPayload,
  type Sctp,
  type SctpChunk,
  type Tcp,
  type TcpOption,
  type Udp,
} from '../packet.ts'

/** Every packet that has one wire form, in that form: what parse answers for it is the very value. */

const bits = (n: number): Arbitrary<number> => fc.integer({ min: 0, max: 2 ** n - 1 })
const word = bits(32)
const port = bits(16)
const octets = (maxLength: number): Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })

export const arbitraryFamily: Arbitrary<Family> = fc.constantFrom(4, 6)
export const arbitraryIp = (family: Family): Arbitrary<Ip> =>
  family === 4
    ? fc.oneof(word, fc.constantFrom(0, 0xffffffff, 0x7f000001)).map(ipv4)
    : fc
        .tuple(...[0, 1, 2, 3].map(() => fc.oneof(word, fc.constantFrom(0, 1, 0xffff, 0xffff0000, 0xffffffff))))
        .map(([a = 0, b = 0, c = 0, d = 0]) => ipv6(a, b, c, d))
export const arbitraryMac = bits(48) as Arbitrary<number> as Arbitrary<Mac>

export const arbitraryArp: Arbitrary<Arp> = fc.record({
  kind: fc.constant('arp' as const),
  operation: bits(16),
  senderMac: arbitraryMac,
  senderIp: arbitraryIp(4),
  targetMac: arbitraryMac,
  targetIp: arbitraryIp(4),
})

const NOP: TcpOption = { kind: 'nop' }

const tcpOption: Arbitrary<TcpOption> = fc.oneof(
  fc.constant(NOP),
  bits(16).map((mss) => ({ kind: 'mss' as const, mss })),
  bits(8).map((shift) => ({ kind: 'windowScale' as const, shift })),
  fc.constant({ kind: 'sackPermitted' as const }),
  fc.tuple(word, word).map(([value, echo]) => ({ kind: 'timestamps' as const, value, echo })),
  fc
    .tuple(fc.integer({ min: 9, max: 255 }), octets(8))
    .map(([type, bytes]) => ({ kind: 'other' as const, type, bytes })),
)

const OPTION_LENGTH = { nop: 1, mss: 4, windowScale: 3, sackPermitted: 2, timestamps: 10 }
const optionLength = (option: TcpOption): number =>
  option.kind === 'other' ? 2 + option.bytes.length : OPTION_LENGTH[option.kind]

/** At most 40 octets of options, filled up to whole words with nops, as Linux does. */
const tcpOptions: Arbitrary<readonly TcpOption[]> = fc.array(tcpOption, { maxLength: 6 }).map((options) => {
  const kept: TcpOption[] = []
  let length = 0
  for (const option of options) {
    if (length + optionLength(option) > 40) break
    length += optionLength(option)
    kept.push(option)
  }
  return [...kept, ...Array<TcpOption>(-length & 3).fill(NOP)]
})

export const arbitraryTcp: Arbitrary<Tcp> = fc.record({
  kind: fc.constant('tcp' as const),
  srcPort: port,
  dstPort: port,
  seq: word,
  ack: word,
  flags: bits(12),
  window: bits(16),
  urgent: bits(16),
  options: tcpOptions,
  data: octets(64),
})

export const arbitraryUdp: Arbitrary<Udp> = fc.record({
  kind: fc.constant('udp' as const),
  srcPort: port,
  dstPort: port.filter((p) => p !== 4789 && p !== 8472),
  noChecksum: fc.boolean(),
  payload: octets(64).map((bytes) => ({ kind: 'data' as const, bytes })),
})

const arbitraryVxlan = (frame: Arbitrary<Frame>): Arbitrary<Udp> =>
  fc.record({
    kind: fc.constant('udp' as const),
    srcPort: port,
    dstPort: fc.constantFrom(4789, 8472),
    noChecksum: fc.boolean(),
    payload: fc.record({ kind: fc.constant('vxlan' as const), vni: bits(24), frame }),
  })

const sctpChunk: Arbitrary<SctpChunk> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('init' as const, 'initAck' as const),
    initiateTag: word,
    receiverWindow: word,
    outboundStreams: bits(16),
    inboundStreams: bits(16),
    initialTsn: word,
    parameters: octets(20),
  }),
  fc.record({ kind: fc.constant('abort' as const), flags: bits(8) }),
  fc.record({
    kind: fc.constant('other' as const),
    type: fc.integer({ min: 7, max: 255 }),
    flags: bits(8),
    body: octets(20),
  }),
)

export const arbitrarySctp: Arbitrary<Sctp> = fc
  .tuple(port, port, word, sctpChunk, fc.option(fc.uint8Array({ minLength: 4, maxLength: 20 })))
  .map(([srcPort, dstPort, verificationTag, chunk, further]) => ({
    kind: 'sctp',
    srcPort,
    dstPort,
    verificationTag,
    chunk,
    ...(further !== null && { further }),
  }))

type TransportOf = (family: Family) => Arbitrary<IpPacket['payload']>

/** Protocols that nothing here takes apart (150-250 is not assigned), and those of the other family's ICMP. */
const rawTransport: TransportOf = (family) =>
  fc
    .tuple(fc.oneof(fc.integer({ min: 150, max: 250 }), fc.constant(family === 4 ? 58 : 1)), octets(64))
    .map(([protocol, bytes]) => ({ kind: 'raw', protocol, bytes }))

const leafTransport: TransportOf = (family) => fc.oneof(arbitraryTcp, arbitraryUdp, arbitrarySctp, rawTransport(family))

/** A packet cut inside an ICMP error: its payload is raw and knows how long it was. */
const cutQuote = (family: Family): Arbitrary<Quote> =>
  fc
    .tuple(arbitraryPacketOf(family, rawTransport), octets(64), fc.integer({ min: 1, max: 1000 }))
    .map(([packet, bytes, cut]) => {
      const payload: RawPayload = { kind: 'raw', protocol: 6, bytes, wholeLength: bytes.length + cut }
      const quoted = { ...packet, payload }
      return { packet: quoted, length: lengthOfIp(quoted) }
    })

const wholeQuote = (family: Family): Arbitrary<Quote> =>
  arbitraryPacketOf(family, leafTransport).map((packet) => ({ packet, length: lengthOfIp(packet) }))

const quoteOf = (family: Family): Arbitrary<Quote> => fc.oneof(cutQuote(family), wholeQuote(family))

const echo: Arbitrary<IcmpBody> = fc.record({
  kind: fc.constant('echo' as const),
  id: bits(16),
  seq: bits(16),
  data: octets(64),
})

const errorOf = (family: Family, mtu: Arbitrary<number>): Arbitrary<IcmpBody> =>
  fc.record({ kind: fc.constant('error' as const), quote: quoteOf(family), mtu })

const icmp = (type: number | readonly number[], code: Arbitrary<number>, body: Arbitrary<IcmpBody>): Arbitrary<Icmp> =>
  fc.record({
    kind: fc.constant('icmp' as const),
    type: typeof type === 'number' ? fc.constant(type) : fc.constantFrom(...type),
    code,
    body,
  })

const noMtu = fc.constant(0)

const icmp4: Arbitrary<Icmp> = fc.oneof(
  icmp([ICMP4.echoRequest, ICMP4.echoReply], bits(8), echo),
  icmp([ICMP4.timeExceeded, 4], bits(8), errorOf(4, noMtu)),
  icmp(
    ICMP4.unreachable,
    bits(8).filter((code) => code !== 4),
    errorOf(4, noMtu),
  ),
  icmp(ICMP4.unreachable, fc.constant(4), errorOf(4, bits(16))),
  icmp(
    ICMP4.redirect,
    bits(8),
    fc.record({ kind: fc.constant('redirect' as const), gateway: arbitraryIp(4), quote: quoteOf(4) }),
  ),
  icmp(
    [12, 13, 40],
    bits(8),
    octets(20).map((bytes) => ({ kind: 'other', bytes })),
  ),
)

/** The redirected header holds whole units of 8 octets. */
const redirected: Arbitrary<Quote> = cutQuote(6).map(({ packet }) => {
  const payload = packet.payload as RawPayload
  const bytes = payload.bytes.subarray(0, payload.bytes.length & ~7)
  const cut = { ...packet, payload: { ...payload, bytes } }
  return { packet: cut, length: lengthOfIp(cut) }
})

const nonce = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Uint8Array.of(14, 1, ...bytes))

const without = (body: object): IcmpBody =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as unknown as IcmpBody

const icmp6: Arbitrary<Icmp> = fc.oneof(
  icmp([ICMP6.echoRequest, ICMP6.echoReply], bits(8), echo),
  icmp([ICMP6.unreachable, ICMP6.timeExceeded], bits(8), errorOf(6, noMtu)),
  icmp(ICMP6.tooBig, bits(8), errorOf(6, word)),
  icmp(
    ICMP6.redirect,
    bits(8),
    fc
      .record({
        kind: fc.constant('redirect' as const),
        gateway: arbitraryIp(6),
        targetMac: fc.option(arbitraryMac),
        quote: redirected,
      })
      .map(without),
  ),
  icmp(
    ICMP6.neighborSolicitation,
    bits(8),
    fc
      .record({
        kind: fc.constant('neighborSolicitation' as const),
        target: arbitraryIp(6),
        sourceMac: fc.option(arbitraryMac),
        options: fc.option(nonce),
      })
      .map(without),
  ),
  icmp(
    ICMP6.neighborAdvertisement,
    bits(8),
    fc
      .record({
        kind: fc.constant('neighborAdvertisement' as const),
        target: arbitraryIp(6),
        targetMac: fc.option(arbitraryMac),
        router: fc.boolean(),
        solicited: fc.boolean(),
        override: fc.boolean(),
        options: fc.option(nonce),
      })
      .map(without),
  ),
  icmp(
    [4, 133, 143, 200],
    bits(8),
    octets(20).map((bytes) => ({ kind: 'other', bytes })),
  ),
)

const anyTransport =
  (depth: number): TransportOf =>
  (family) =>
    fc.oneof(
      leafTransport(family),
      family === 4 ? icmp4 : icmp6,
      ...(depth === 0 ? [] : [arbitraryPacket(depth - 1), arbitraryVxlan(arbitraryFrame(depth - 1))]),
    )

function arbitraryPacketOf(family: Family, transport: TransportOf): Arbitrary<IpPacket> {
  const common = {
    kind: fc.constant('ip' as const),
    src: arbitraryIp(family),
    dst: arbitraryIp(family),
    ttl: bits(8),
    tos: bits(8),
  }
  const whole = fc.record({
    ...common,
    id: family === 4 ? bits(16) : fc.constant(0),
    dontFragment: family === 4 ? fc.boolean() : fc.constant(false),
    flowLabel: family === 4 ? fc.constant(0) : bits(20),
    payload: transport(family),
  })
  const part = fc.record({
    ...common,
    id: family === 4 ? bits(16) : word,
    dontFragment: family === 4 ? fc.boolean() : fc.constant(false),
    fragment: fc
      .record({ offset: bits(13).map((units) => units * 8), more: fc.boolean() })
      .filter(({ offset, more }) => offset > 0 || more),
    flowLabel: family === 4 ? fc.constant(0) : bits(20),
    payload: octets(64).map((bytes) => ({ kind: 'raw' as const, protocol: 17, bytes })),
  })
  const withOptions = fc
    .tuple(whole, fc.integer({ min: 1, max: 10 }))
    .chain(([packet, words]) =>
      fc
        .uint8Array({ minLength: 4 * words, maxLength: 4 * words })
        .map((options): IpPacket => ({ ...packet, options })),
    )
  return family === 4 ? fc.oneof(whole, part, withOptions) : fc.oneof(whole, part)
}

/** `depth`: how many packets may lie within packets. */
export function arbitraryPacket(depth = 1): Arbitrary<IpPacket> {
  return fc.oneof(arbitraryPacketOf(4, anyTransport(depth)), arbitraryPacketOf(6, anyTransport(depth)))
}

/** Packets that are whole, for cutting up. */
export const arbitraryWholePacket: Arbitrary<IpPacket> = arbitraryPacket(0).filter(
  (packet) => packet.fragment === undefined,
)

export function arbitraryFrame(depth = 1): Arbitrary<Frame> {
  return fc.record({
    dst: arbitraryMac,
    src: arbitraryMac,
    payload: fc.oneof(
      { weight: 8, arbitrary: arbitraryPacket(depth) },
      { weight: 1, arbitrary: arbitraryArp },
      {
        weight: 1,
        arbitrary: fc
          .tuple(
            bits(16).filter((type) => type !== 0x0800 && type !== 0x0806 && type !== 0x86dd),
            octets(40),
          )
          .map(([etherType, bytes]) => ({ kind: 'other' as const, etherType, bytes })),
      },
    ),
  })
}
