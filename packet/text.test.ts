import { describe, expect, test } from 'vitest'
import { fragmentIp } from './fragment.ts'
import { ip } from './ip.ts'
import { mac } from './mac.ts'
import type { Frame, Icmp, IpPacket, Transport } from './packet.ts'
import { quote } from './quote.ts'
import { layersOf, summaryOf } from './text.ts'

const none = new Uint8Array(0)

function packet(family: 4 | 6, payload: Transport): IpPacket {
  return {
    kind: 'ip',
    src: ip(family === 4 ? '10.244.1.5' : 'fd00::5'),
    dst: ip(family === 4 ? '10.244.2.7' : 'fd00::7'),
    ttl: 63,
    tos: 0,
    id: 4660,
    dontFragment: true,
    flowLabel: 0,
    payload,
  }
}

const frame = (payload: Frame['payload']): Frame => ({
  src: mac('52:54:00:00:00:01'),
  dst: mac('52:54:00:00:00:02'),
  payload,
})

const tcp = (flags: number, length = 0): Transport => ({
  kind: 'tcp',
  srcPort: 40000,
  dstPort: 80,
  seq: 0,
  ack: 0,
  flags,
  window: 0,
  urgent: 0,
  options: [],
  data: new Uint8Array(length),
})

const udp = (dstPort: number, length: number): Transport => ({
  kind: 'udp',
  srcPort: 51234,
  dstPort,
  noChecksum: false,
  payload: { kind: 'data', bytes: new Uint8Array(length) },
})

const icmp = (type: number, code: number, body: Icmp['body']): Transport => ({ kind: 'icmp', type, code, body })
const error = (about: IpPacket, room: number, mtu = 0): Icmp['body'] => ({
  kind: 'error',
  quote: quote(about, room),
  mtu,
})
const arp = (operation: number): Frame =>
  frame({
    kind: 'arp',
    operation,
    senderMac: mac('52:54:00:00:00:01'),
    senderIp: ip('10.244.1.2'),
    targetMac: mac('00:00:00:00:00:00'),
    targetIp: ip('10.244.1.1'),
  })

const tunnelled = frame(
  packet(4, { ...udp(8472, 0), payload: { kind: 'vxlan', vni: 1, frame: frame(packet(4, tcp(2))) } } as Transport),
)

describe('one line for all, and one for each header after the IP header', () => {
  test.each<[string, readonly string[], IpPacket]>([
    ['10.244.1.5:40000 > 10.244.2.7:80 TCP [SYN]', ['TCP 40000 > 80 [SYN]'], packet(4, tcp(2))],
    ['[fd00::5]:40000 > [fd00::7]:80 TCP [SYN, ACK]', ['TCP 40000 > 80 [SYN, ACK]'], packet(6, tcp(18))],
    [
      '10.244.1.5:40000 > 10.244.2.7:80 TCP [PSH, ACK] 78 bytes',
      ['TCP 40000 > 80 [PSH, ACK] 78 bytes'],
      packet(4, tcp(24, 78)),
    ],
    [
      '10.244.1.5:40000 > 10.244.2.7:80 TCP [FIN, RST, URG, ECE, CWR] 1 byte',
      ['TCP 40000 > 80 [FIN, RST, URG, ECE, CWR] 1 byte'],
      packet(4, tcp(0xe5, 1)),
    ],
    ['10.244.1.5:40000 > 10.244.2.7:80 TCP []', ['TCP 40000 > 80 []'], packet(4, tcp(0))],
    ['10.244.1.5:51234 > 10.244.2.7:53 UDP, 37 bytes', ['UDP 51234 > 53, 37 bytes'], packet(4, udp(53, 37))],
    [
      '10.244.1.5 > 10.244.2.7 ICMP 8/0 echo request id 7 seq 1',
      ['ICMP 8/0 echo request id 7 seq 1'],
      packet(4, icmp(8, 0, { kind: 'echo', id: 7, seq: 1, data: none })),
    ],
    [
      '10.244.1.5 > 10.244.2.7 ICMP 3/1 host unreachable',
      ['ICMP 3/1 host unreachable', 'about 10.244.1.5:40000 > 10.244.2.7:80 TCP [SYN]'],
      packet(4, icmp(3, 1, error(packet(4, tcp(2)), 548))),
    ],
    [
      'fd00::5 > fd00::7 ICMPv6 2/0 packet too big, mtu 1400',
      ['ICMPv6 2/0 packet too big, mtu 1400', 'about [fd00::5]:51234 > [fd00::7]:53 UDP, 1500 bytes'],
      packet(6, icmp(2, 0, error(packet(6, udp(53, 1500)), 1232, 1400))),
    ],
    [
      '10.244.1.5 > 10.244.2.7 ICMP 5/1 redirect host to 10.244.1.1',
      ['ICMP 5/1 redirect host to 10.244.1.1', 'about 10.244.1.5:51234 > 10.244.2.7:53 UDP, 0 bytes'],
      packet(4, icmp(5, 1, { kind: 'redirect', gateway: ip('10.244.1.1'), quote: quote(packet(4, udp(53, 0)), 548) })),
    ],
    [
      'fd00::5 > fd00::7 ICMPv6 135/0 neighbor solicitation, who has fd00::1',
      ['ICMPv6 135/0 neighbor solicitation, who has fd00::1'],
      packet(6, icmp(135, 0, { kind: 'neighborSolicitation', target: ip('fd00::1') })),
    ],
    [
      '10.244.1.5 > 10.244.2.7 ICMP 3/99 unreachable, 4 bytes',
      ['ICMP 3/99 unreachable, 4 bytes'],
      packet(4, icmp(3, 99, { kind: 'other', bytes: new Uint8Array(4) })),
    ],
    [
      '10.244.1.5 > 10.244.2.7 ICMP 77/0 message, 0 bytes',
      ['ICMP 77/0 message, 0 bytes'],
      packet(4, icmp(77, 0, { kind: 'other', bytes: none })),
    ],
    [
      '10.244.1.5:1 > 10.244.2.7:2 SCTP [INIT ACK]',
      ['SCTP 1 > 2 [INIT ACK]'],
      packet(4, {
        kind: 'sctp',
        srcPort: 1,
        dstPort: 2,
        verificationTag: 0,
        chunk: {
          kind: 'initAck',
          initiateTag: 0,
          receiverWindow: 0,
          outboundStreams: 0,
          inboundStreams: 0,
          initialTsn: 0,
          parameters: none,
        },
      }),
    ],
    [
      '10.244.1.5:1 > 10.244.2.7:2 SCTP [COOKIE ECHO]',
      ['SCTP 1 > 2 [COOKIE ECHO]'],
      packet(4, {
        kind: 'sctp',
        srcPort: 1,
        dstPort: 2,
        verificationTag: 0,
        chunk: { kind: 'other', type: 10, flags: 0, body: none },
      }),
    ],
    [
      '10.244.1.5 > 10.244.2.7 IPIP { [fd00::5]:40000 > [fd00::7]:80 TCP [SYN] }',
      ['IPv6 fd00::5 > fd00::7 hlim 63', 'TCP 40000 > 80 [SYN]'],
      packet(4, packet(6, tcp(2))),
    ],
    [
      '10.244.1.5 > 10.244.2.7 protocol 47, 1 byte',
      ['protocol 47, 1 byte'],
      packet(4, { kind: 'raw', protocol: 47, bytes: new Uint8Array(1) }),
    ],
    [
      '10.244.1.5:258 > 10.244.2.7:772 TCP, 4 of 40 bytes',
      ['TCP 258 > 772, 4 of 40 bytes'],
      packet(4, { kind: 'raw', protocol: 6, bytes: Uint8Array.of(1, 2, 3, 4), wholeLength: 40 }),
    ],
  ])('%s', (summary, layers, value) => {
    expect(summaryOf(value)).toBe(summary)
    expect(summaryOf(frame(value))).toBe(summary)
    expect(layersOf(value).slice(1)).toEqual(layers)
  })
})

test('the headers of a tunnelled frame, outermost first', () => {
  expect(layersOf(tunnelled)).toEqual([
    'Ethernet 52:54:00:00:00:01 > 52:54:00:00:00:02',
    'IPv4 10.244.1.5 > 10.244.2.7 ttl 63',
    'UDP 51234 > 8472',
    'VXLAN vni 1',
    'Ethernet 52:54:00:00:00:01 > 52:54:00:00:00:02',
    'IPv4 10.244.1.5 > 10.244.2.7 ttl 63',
    'TCP 40000 > 80 [SYN]',
  ])
  expect(summaryOf(tunnelled)).toBe(
    '10.244.1.5:51234 > 10.244.2.7:8472 UDP VXLAN vni 1 { 10.244.1.5:40000 > 10.244.2.7:80 TCP [SYN] }',
  )
})

test.each([
  [arp(1), 'ARP who-has 10.244.1.1 tell 10.244.1.2'],
  [arp(2), 'ARP 10.244.1.2 is-at 52:54:00:00:00:01'],
  [arp(3), 'ARP operation 3 from 10.244.1.2 for 10.244.1.1'],
])('%#: %s', (value, line) => {
  expect(summaryOf(value)).toBe(line)
  expect(layersOf(value)).toEqual(['Ethernet 52:54:00:00:00:01 > 52:54:00:00:00:02', line])
})

test('another ethertype', () => {
  const value = frame({ kind: 'other', etherType: 0x8cc, bytes: none })
  expect(summaryOf(value)).toBe('type 0x08cc, 0 bytes')
  expect(layersOf(value)).toEqual(['Ethernet 52:54:00:00:00:01 > 52:54:00:00:00:02 type 0x08cc, 0 bytes'])
})

test.each([
  [4, 'IPv4 10.244.1.5 > 10.244.2.7 ttl 63 fragment id 4660 offset', 1480],
  [6, 'IPv6 fd00::5 > fd00::7 hlim 63 fragment id 4660 offset', 1448],
] as const)('IPv%i fragments', (family, line, step) => {
  const parts = fragmentIp(packet(family, udp(53, 1500)), 1500)
  expect(parts.map((part) => layersOf(part))).toEqual([
    [`${line} 0 more`, `UDP 51234 > 53, ${step} bytes of a fragment`],
    [`${line} ${step}`, `UDP, ${1508 - step} bytes of a fragment`],
  ])
})
