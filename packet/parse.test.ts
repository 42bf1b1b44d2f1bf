import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emitFrame, emitIp } from './emit.ts'
import { ip } from './ip.ts'
import { mac } from './mac.ts'
import { type Frame, ICMP4, ICMP6, type IpPacket, type Transport, type Udp } from './packet.ts'
import { parseFrame, parseIpPacket } from './parse.ts'
import { must, parsed } from './parsed.ts'
import { captured, octetsOf } from './testing/captures.ts'

const packetIn = (name: string): IpPacket => must(parseFrame(captured(name))).payload as IpPacket
const none = new Uint8Array(0)
/** The data ping sends: octets that count up. */
const counting = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => from + i)

describe('the fields of captured frames', () => {
  test('ARP', () => {
    expect(must(parseFrame(captured('ARP reply')))).toEqual({
      dst: mac('02:00:00:00:0a:01'),
      src: mac('02:00:00:00:0a:02'),
      payload: {
        kind: 'arp',
        operation: 2,
        senderMac: mac('02:00:00:00:0a:02'),
        senderIp: ip('10.1.1.254'),
        targetMac: mac('02:00:00:00:0a:01'),
        targetIp: ip('10.1.1.1'),
      },
    } satisfies Frame)
  })

  test('IPv4 and TCP, with the options Linux sends', () => {
    expect(packetIn('TCP SYN')).toEqual({
      kind: 'ip',
      src: ip('10.1.1.1'),
      dst: ip('10.2.2.2'),
      ttl: 64,
      tos: 0,
      id: 0x35e5,
      dontFragment: true,
      flowLabel: 0,
      payload: {
        kind: 'tcp',
        srcPort: 32858,
        dstPort: 80,
        seq: 2500656309,
        ack: 0,
        flags: 2,
        window: 65280,
        urgent: 0,
        options: [
          { kind: 'mss', mss: 1360 },
          { kind: 'sackPermitted' },
          { kind: 'timestamps', value: 1980874125, echo: 0 },
          { kind: 'nop' },
          { kind: 'windowScale', shift: 10 },
        ],
        data: none,
      },
    } satisfies IpPacket)
  })

  test.each<[string, object]>([
    ['TCP data', { flags: 0x18, window: 64, data: new TextEncoder().encode('hello') }],
    ['TCP RST', { flags: 0x14, window: 0, options: [], ack: 395406679 }],
    ['UDP', { srcPort: 40347, dstPort: 53, noChecksum: false, payload: { kind: 'data', bytes: octetsOf('61736b') } }],
    ['echo request', { type: 8, code: 0, body: { kind: 'echo', id: 16502, seq: 1, data: counting(56) } }],
    ['echo reply over IPv6', { type: 129, code: 0, body: { kind: 'echo', id: 16543, seq: 1, data: counting(56) } }],
    [
      'neighbor solicitation',
      { body: { kind: 'neighborSolicitation', target: ip('fd01::fe'), sourceMac: mac('02:00:00:00:0a:01') } },
    ],
    [
      'duplicate address detection',
      {
        body: { kind: 'neighborSolicitation', target: ip('fe80::ff:fe00:a01'), options: octetsOf('0e0167c9c6cbb42f') },
      },
    ],
    [
      'neighbor advertisement',
      {
        body: {
          kind: 'neighborAdvertisement',
          target: ip('fd01::fe'),
          targetMac: mac('02:00:00:00:0a:02'),
          router: true,
          solicited: true,
          override: true,
        },
      },
    ],
    [
      'neighbor advertisement without an address',
      {
        body: {
          kind: 'neighborAdvertisement',
          target: ip('fd01::1'),
          router: false,
          solicited: true,
          override: false,
        },
      },
    ],
    ['router solicitation', { type: ICMP6.routerSolicitation, body: { kind: 'other' } }],
    [
      'redirect',
      { type: ICMP4.redirect, code: 1, body: { kind: 'redirect', gateway: ip('10.1.1.2'), quote: { length: 89 } } },
    ],
    [
      'IPv6 redirect',
      {
        type: 137,
        body: {
          kind: 'redirect',
          gateway: ip('fe80::ff:fe00:b01'),
          targetMac: mac('02:00:00:00:0b:01'),
          quote: { length: 104, packet: { payload: { kind: 'raw', protocol: 58, wholeLength: 69 } } },
        },
      },
    ],
    [
      'fragmentation needed, quoting 548 octets',
      {
        type: 3,
        code: 4,
        body: {
          kind: 'error',
          mtu: 1400,
          quote: { length: 548, packet: { dst: ip('10.2.2.2'), payload: { kind: 'raw', wholeLength: 1480 } } },
        },
      },
    ],
    [
      'port unreachable',
      {
        body: {
          kind: 'error',
          mtu: 0,
          quote: { length: 34, packet: { payload: { kind: 'udp', srcPort: 40534, dstPort: 5353 } } },
        },
      },
    ],
    ['VXLAN carrying ARP', { dstPort: 8472, payload: { kind: 'vxlan', vni: 1, frame: { payload: { kind: 'arp' } } } }],
    ['last fragment', { kind: 'raw', protocol: 1, bytes: counting(48, 2952 & 255) }],
  ])('%s', (name, payload) => {
    expect(packetIn(name).payload).toMatchObject(payload)
  })

  test('fragments', () => {
    expect(packetIn('last fragment')).toMatchObject({ id: 5737, fragment: { offset: 2960, more: false } })
    expect(packetIn('last IPv6 fragment')).toMatchObject({
      id: 3088102391,
      flowLabel: 0x297c2,
      fragment: { offset: 2896, more: false },
    })
  })
})

/** `capture` with octets from `at` on overwritten. */
function changed(capture: string, at: number, hex: string): Uint8Array {
  const bytes = captured(capture)
  bytes.set(octetsOf(hex), at)
  return bytes
}

const IP = 14
const V4 = IP + 20
const V6 = IP + 40

describe('what is wrong is said', () => {
  test.each<[string, Uint8Array, string]>([
    ['no frame', none, 'Ethernet: 0 octets, the header needs 14'],
    ['a short ARP', captured('ARP request').subarray(0, 41), 'ARP: 27 octets, it needs 28'],
    ['ARP for something else', changed('ARP request', IP, '0006'), 'ARP: it is not for IPv4 over Ethernet'],
    ['ARP with long addresses', changed('ARP request', IP + 4, '08'), 'ARP: it is not for IPv4 over Ethernet'],
    ['a short IPv4 header', captured('UDP').subarray(0, IP + 19), 'IPv4: 19 octets, the header needs 20'],
    ['IPv6 marked as IPv4', changed('UDP', IP, '60'), 'IPv4: the version field says 6'],
    ['an IPv4 header of 16', changed('UDP', IP, '44'), 'IPv4: header length 16 is under 20'],
    ['an IPv4 header beyond the end', changed('UDP', IP, '4f'), 'IPv4: header length 60, but 31 octets are there'],
    [
      'a total length under the header',
      changed('UDP', IP + 2, '0013'),
      "IPv4: total length 19 is under the header's 20",
    ],
    [
      'a total length beyond the end',
      changed('UDP', IP + 2, '0020'),
      'IPv4: the length says 12 octets of payload, but 11 are there',
    ],
    ['a short IPv6 header', captured('UDP over IPv6').subarray(0, IP + 39), 'IPv6: 39 octets, the header needs 40'],
    ['IPv4 marked as IPv6', changed('UDP over IPv6', IP, '45'), 'IPv6: the version field says 4'],
    [
      'a payload length beyond the end',
      changed('UDP over IPv6', IP + 4, '000c'),
      'IPv6: the length says 12 octets of payload, but 11 are there',
    ],
    [
      'a cut fragment header',
      captured('last IPv6 fragment').subarray(0, V6 + 7),
      'IPv6: the fragment header is cut off',
    ],
    [
      'a fragment header beyond the length',
      changed('last IPv6 fragment', IP + 4, '0007'),
      'IPv6: the fragment header is cut off',
    ],
    ['a short UDP header', changed('UDP', IP + 2, '001b'), 'UDP: 7 octets, the header needs 8'],
    ['a short UDP length', changed('UDP', V4 + 4, '000a'), 'UDP: length 10, but 11 octets are there'],
    ['a long UDP length', changed('UDP', V4 + 4, '000c'), 'UDP: length 12, but 11 octets are there'],
    ['a short TCP header', changed('TCP data', IP + 2, '0027'), 'TCP: 19 octets, the header needs 20'],
    ['a TCP header of 16', changed('TCP data', V4 + 12, '40'), 'TCP: header length 16 is under 20'],
    [
      'a TCP header beyond the end',
      changed('TCP data', V4 + 12, 'a0'),
      'TCP: header length 40, but 37 octets are there',
    ],
    ['a TCP option of length 0', changed('TCP SYN', V4 + 21, '00'), 'TCP: option 2 has a wrong length'],
    ['a TCP option of length 1', changed('TCP SYN', V4 + 21, '01'), 'TCP: option 2 has a wrong length'],
    ['a TCP option beyond the header', changed('TCP SYN', V4 + 21, '15'), 'TCP: option 2 has a wrong length'],
    ['a TCP option without a length', changed('TCP SYN', V4 + 37, '010102'), 'TCP: option 2 has a wrong length'],
    ['a short ICMP header', changed('echo request', IP + 2, '0017'), 'ICMP: 3 octets, the header needs 4'],
  ])('%s', (_, bytes, reason) => {
    expect(parseFrame(bytes)).toEqual({ ok: false, reason })
  })

  test.each<[string, string, string]>([
    ['no packet', '', 'IP: no octets'],
    ['version 5', '55', 'IP: the version field says 5'],
    [
      'SCTP without a chunk',
      ipv4Hex('84', '000100020000000300000000000400'),
      'SCTP: 15 octets, the header and a chunk need 16',
    ],
    ['an SCTP chunk of length 3', ipv4Hex('84', '00010002000000030000000006000003'), 'SCTP: chunk length 3 is under 4'],
    [
      'an SCTP chunk beyond the end',
      ipv4Hex('84', '00010002000000030000000006000005'),
      'SCTP: chunk length 5, but 4 octets are there',
    ],
    ['IPIP with nothing inside', ipv4Hex('04', ''), 'IPv4: 0 octets, the header needs 20'],
    ['IPv6 in IPv4 with IPv4 inside', ipv4Hex('29', '45'.padEnd(80, '0')), 'IPv6: the version field says 4'],
  ])('%s', (_, hex, reason) => {
    expect(parseIpPacket(octetsOf(hex))).toEqual({ ok: false, reason })
  })
})

/** An IPv4 packet of protocol `protocol` around `payload`; its checksum is left out, for parse does not look. */
function ipv4Hex(protocol: string, payload: string): string {
  const total = (20 + payload.length / 2).toString(16).padStart(4, '0')
  return `4500${total}0000000040${protocol}00000a0000010a000002${payload}`
}

const payloadOf = (hex: string): Transport => must(parseIpPacket(octetsOf(hex))).payload

describe('what has no typed form stays octets', () => {
  const QUOTED = captured('UDP').subarray(IP)
  const quotedHex = Buffer.from(QUOTED).toString('hex')

  test.each<[string, string, string]>([
    ['echo of 3 octets', '08000000aabbcc', 'other'],
    ['an error that quotes nothing', '0300000000000000', 'other'],
    ['an error that quotes less than a header', `0300000000000000${quotedHex.slice(0, 38)}`, 'other'],
    ['an error that quotes a whole packet', `0303000000000000${quotedHex}`, 'error'],
    ['an error with octets after the packet (RFC 4884)', `0303000000000000${quotedHex}00`, 'other'],
    ['an error with a length of its own (RFC 4884)', `0303000000080000${quotedHex}`, 'other'],
    ['an MTU where none belongs', `03030000000005dc${quotedHex}`, 'other'],
    ['an MTU where it belongs', `03040000000005dc${quotedHex}`, 'error'],
    ['an MTU with more before it', `03040000000105dc${quotedHex}`, 'other'],
    ['an error that quotes IPv6', `0303000000000000${'60'.padEnd(80, '0')}`, 'other'],
    ['parameter problem', `0c00000004000000${quotedHex}`, 'other'],
    ['source quench', `0400000000000000${quotedHex}`, 'error'],
    ['a redirect that quotes nothing', '050000000a000001', 'other'],
  ])('ICMP: %s', (_, hex, kind) => {
    const bytes = octetsOf(ipv4Hex('01', hex))
    const packet = must(parseIpPacket(bytes))
    expect(packet.payload).toMatchObject({ kind: 'icmp', body: { kind } })
    expect(Buffer.from(emitIp(packet).subarray(24)).toString('hex')).toBe(hex.slice(8))
  })

  const ndp = (name: string, at: number, hex: string) =>
    (must(parseFrame(changed(name, V6 + at, hex))).payload as IpPacket).payload

  test.each<[string, Transport]>([
    ['a solicitation with a reserved bit', ndp('neighbor solicitation', 4, '80')],
    ['an advertisement with a reserved bit', ndp('neighbor advertisement', 7, '01')],
    ['an option of length 0', ndp('neighbor solicitation', 25, '00')],
    ['an option beyond the end', ndp('neighbor solicitation', 25, '02')],
    ['a redirect with a reserved bit', ndp('IPv6 redirect', 4, '01')],
    ['a redirect for another destination', ndp('IPv6 redirect', 24, 'fe')],
    ['a redirect of another option', ndp('IPv6 redirect', 40 + 8, '05')],
    ['a redirect whose option ends early', ndp('IPv6 redirect', 40 + 9, '0d')],
  ])('ICMPv6: %s', (_, payload) => {
    expect(payload).toMatchObject({ kind: 'icmp', body: { kind: 'other' } })
  })

  test('the link-layer address of the other message is an option like any', () => {
    expect(ndp('neighbor solicitation', 24, '02')).toMatchObject({
      body: { kind: 'neighborSolicitation', options: octetsOf('0201020000000a01') },
    })
  })

  test.each<[string, string, Transport]>([
    ['ICMPv6 in IPv4', ipv4Hex('3a', '8000'), { kind: 'raw', protocol: 58, bytes: octetsOf('8000') }],
    ['an unknown protocol', ipv4Hex('2f', '0800'), { kind: 'raw', protocol: 47, bytes: octetsOf('0800') }],
  ])('%s', (_, hex, payload) => {
    expect(payloadOf(hex)).toEqual(payload)
  })

  const vxlan = (header: string, port = '2118') =>
    ipv4Hex('11', `1234${port}${(16 + ETHERNET.length / 2).toString(16).padStart(4, '0')}0000${header}${ETHERNET}`)
  const ETHERNET = '02000000000102000000000288b5aabb'

  test.each<[string, string, string]>([
    ['plain', vxlan('0800000000000100'), 'vxlan'],
    ['on port 4789', vxlan('0800000000000100', '12b5'), 'vxlan'],
    ['on another port', vxlan('0800000000000100', '2119'), 'data'],
    ['without the I flag', vxlan('0000000000000100'), 'data'],
    ['with another flag', vxlan('8800000000000100'), 'data'],
    ['with a reserved octet', vxlan('0800000000000101'), 'data'],
    ['with a frame that cannot be read', vxlan('0800000000000100').replace('88b5', '0800'), 'data'],
    ['with too little for a frame', ipv4Hex('11', '123421180015000008000000000001000200000000'), 'data'],
  ])('VXLAN %s', (_, hex, kind) => {
    expect(payloadOf(hex)).toMatchObject({ kind: 'udp', payload: { kind } })
  })

  const sctpHeader = '000100020000000300000000'
  test.each<[string, string, object]>([
    ['INIT with flags', `${sctpHeader}01010014${'0'.repeat(32)}`, { kind: 'other', type: 1, flags: 1 }],
    ['INIT too short', `${sctpHeader}01000010${'0'.repeat(24)}`, { kind: 'other', type: 1 }],
    ['ABORT with a cause', `${sctpHeader}0600000800010004`, { kind: 'other', type: 6, body: octetsOf('00010004') }],
    ['a chunk of 5', `${sctpHeader}0a00000501000000`, { kind: 'other', type: 10, body: octetsOf('01') }],
  ])('SCTP %s', (_, hex, chunk) => {
    expect(payloadOf(ipv4Hex('84', hex))).toMatchObject({ kind: 'sctp', chunk })
  })
})

describe('what receivers ignore is ignored', () => {
  test('Ethernet padding', () => {
    const padded = new Uint8Array(60)
    padded.set(captured('ARP request'))
    expect(parseFrame(padded)).toEqual(parseFrame(captured('ARP request')))
    padded.set(captured('UDP'))
    expect(parseFrame(padded)).toEqual(parseFrame(captured('UDP')))
  })

  test('the reserved bit of IPv4 and the reserved octet of an IPv6 fragment', () => {
    expect(parseFrame(changed('UDP', IP + 6, '80'))).toMatchObject({ value: { payload: { dontFragment: false } } })
    expect(parseFrame(changed('last IPv6 fragment', V6 + 1, 'ff'))).toEqual(parseFrame(captured('last IPv6 fragment')))
  })
})

test('eight packets within a packet are taken apart, of either family, and the ninth stays octets', () => {
  const kinds = (packet: IpPacket): string[] =>
    packet.payload.kind === 'ip' ? ['ip', ...kinds(packet.payload)] : [packet.payload.kind]
  for (const family of [4, 6] as const) {
    const wrap = (payload: Transport): IpPacket => ({ ...packetIn(family === 4 ? 'UDP' : 'UDP over IPv6'), payload })
    let nested = wrap(packetIn('UDP').payload)
    for (let i = 0; i < 8; i++) nested = wrap(nested)
    expect(kinds(must(parseIpPacket(emitIp(nested))))).toEqual([...Array<string>(8).fill('ip'), 'udp'])
    expect(kinds(must(parseIpPacket(emitIp(wrap(nested)))))).toEqual([...Array<string>(8).fill('ip'), 'raw'])
  }
})

test('eight frames within a frame are taken apart, and the ninth stays octets', () => {
  const tunnel = must(parseFrame(captured('VXLAN carrying ARP')))
  const outer = tunnel.payload as IpPacket
  const wrap = (frame: Frame): Frame => ({
    ...tunnel,
    payload: { ...outer, payload: { ...(outer.payload as Udp), payload: { kind: 'vxlan', vni: 1, frame } } },
  })
  const depth = (frame: Frame): number => {
    const payload = (frame.payload as IpPacket).payload as Udp | undefined
    return payload?.payload.kind === 'vxlan' ? 1 + depth(payload.payload.frame) : 0
  }
  let nested = must(parseFrame(captured('ARP request')))
  for (let i = 1; i <= 10; i++) {
    nested = wrap(nested)
    expect(depth(must(parseFrame(emitFrame(nested))))).toBe(Math.min(i, 8))
  }
})

test('an error so deep that its quote would be the ninth stays octets', () => {
  const error = packetIn('port unreachable')
  const wrap = (payload: Transport): IpPacket => ({ ...packetIn('UDP'), payload })
  const innermost = (packet: IpPacket): Transport =>
    packet.payload.kind === 'ip' ? innermost(packet.payload) : packet.payload
  let nested = error
  for (let i = 0; i <= 8; i++) {
    const body = innermost(must(parseIpPacket(emitIp(nested))))
    expect(body).toMatchObject({ body: { kind: i < 8 ? 'error' : 'other' } })
    nested = wrap(nested)
  }
})

test('no input throws, however deep packets lie in packets', () => {
  const nested = new Uint8Array(20 * 3000)
  for (let at = 0; at < nested.length; at += 20) {
    const left = nested.length - at
    nested.set([0x45, 0, left >>> 8, left, 0, 0, 0, 0, 64, 4, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], at)
  }
  const outermost = must(parseIpPacket(nested))
  expect(parseIpPacket(emitIp(outermost))).toEqual(parsed(outermost))
})

test('any octets give a frame or a reason, and the frame survives emit and parse', () => {
  const headers = fc.constantFrom('0800', '86dd', '0806', '88b5').map((type) => octetsOf(`${'02'.repeat(12)}${type}`))
  const versions = fc.constantFrom(none, octetsOf('45'), octetsOf('60'), octetsOf('46'))
  const octets = fc.tuple(headers, versions, fc.uint8Array({ maxLength: 120 }))
  const mutated = fc
    .tuple(
      fc.constantFrom(...['TCP SYN', 'IPv6 redirect', 'VXLAN carrying an echo request', 'TTL exceeded']),
      fc.nat(),
      fc.uint8Array({ maxLength: 3 }),
    )
    .map(([name, at, bytes]) => {
      const frame = captured(name)
      frame.set(bytes, at % (frame.length - 3))
      return frame
    })
  fc.assert(
    fc.property(
      fc.oneof(
        octets.map((parts) => Uint8Array.from(parts.flatMap((part) => [...part]))),
        mutated,
      ),
      (bytes) => {
        const frame = parseFrame(bytes)
        if (!frame.ok) expect(frame.reason).toMatch(/^\w+: /)
        else expect(parseFrame(emitFrame(frame.value))).toEqual(frame)
      },
    ),
    { numRuns: 3000 },
  )
})
