import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emitFrame, emitIp } from './emit.ts'
import { ip } from './ip.ts'
import type { Frame, IpPacket } from './packet.ts'
import { arbitraryFrame, arbitraryPacket } from './testing/arbitrary.ts'
import { CAPTURES, captured, octetsOf } from './testing/captures.ts'
import { verifyChecksums, verifyIpChecksums } from './verify-checksums.ts'

/** UDP over IPv6 without a checksum is the one thing that emit writes as told and a checker must refuse. */
const lacksUdpChecksum = (bad: readonly string[]) => bad.every((line) => line.endsWith('IPv6 needs one'))

test('what emit writes is right at every depth', () => {
  fc.assert(
    fc.property(arbitraryFrame(2), (frame) => {
      expect(verifyChecksums(emitFrame(frame))).toSatisfy(lacksUdpChecksum)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(arbitraryPacket(), (packet) => {
      expect(verifyIpChecksums(emitIp(packet))).toSatisfy(lacksUdpChecksum)
    }),
  )
})

test.each([
  { frame: 'TCP data', at: 24, bad: ['IPv4 header'] },
  { frame: 'TCP data', at: 14 + 8, bad: ['IPv4 header'] },
  { frame: 'TCP data', at: 14 + 20 + 16, bad: ['TCP'] },
  { frame: 'TCP data', at: 14 + 20 + 33, bad: ['TCP'] },
  { frame: 'TCP data', at: 14 + 15, bad: ['IPv4 header', 'TCP'] },
  { frame: 'TCP SYN ACK over IPv6', at: 14 + 10, bad: ['TCP'] },
  { frame: 'UDP', at: 14 + 20 + 10, bad: ['UDP'] },
  { frame: 'UDP over IPv6', at: 14 + 40 + 10, bad: ['UDP'] },
  { frame: 'echo request', at: 14 + 20 + 4, bad: ['ICMP'] },
  { frame: 'neighbor solicitation', at: 14 + 40 + 20, bad: ['ICMPv6'] },
  { frame: 'port unreachable', at: 14 + 20 + 8 + 8, bad: ['ICMP', 'in ICMP: IPv4 header'] },
  { frame: 'VXLAN carrying an echo request', at: 14 + 20 + 8 + 8 + 14 + 10, bad: ['UDP', 'in VXLAN: IPv4 header'] },
  { frame: 'VXLAN carrying an echo request', at: 14 + 20 + 8 + 8 + 14 + 20 + 9, bad: ['UDP', 'in VXLAN: ICMP'] },
])('octet $at of "$frame" changed: $bad', ({ frame, at, bad }) => {
  const bytes = captured(frame)
  bytes[at] = (bytes[at] as number) ^ 0x10
  expect(verifyChecksums(bytes).map((line) => line.replace(/ checksum.*/, ''))).toEqual(bad)
})

test('no octet after an IPv4 header changes unnoticed', () => {
  for (const { name, hex, layers } of CAPTURES) {
    if (!layers[1]?.startsWith('IPv4') || layers[1].includes('fragment')) continue
    const bytes = octetsOf(hex)
    for (let at = 14; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(verifyChecksums(changed), `${name} ${at}`).not.toEqual([])
    }
  }
})

const packet = (family: 4 | 6, payload: IpPacket['payload']): IpPacket => ({
  kind: 'ip',
  src: ip(family === 4 ? '10.0.0.1' : 'fd00::1'),
  dst: ip(family === 4 ? '10.0.0.2' : 'fd00::2'),
  ttl: 64,
  tos: 0,
  id: 0,
  dontFragment: false,
  flowLabel: 0,
  payload,
})

const udpTo = (dstPort: number, family: 4 | 6) =>
  packet(family, {
    kind: 'udp',
    srcPort: 1,
    dstPort,
    noChecksum: true,
    payload: { kind: 'data', bytes: new Uint8Array(3) },
  })

test.each([
  [4, 53, []],
  [6, 53, ['UDP checksum is missing, IPv6 needs one']],
  [6, 4789, []],
] as const)('IPv%i UDP to port %i without a checksum: %j', (family, port, bad) => {
  expect(verifyIpChecksums(emitIp(udpTo(port, family)))).toEqual(bad)
})

const sctp = packet(4, {
  kind: 'sctp',
  srcPort: 1,
  dstPort: 2,
  verificationTag: 3,
  chunk: { kind: 'abort', flags: 0 },
})

test('a wrong SCTP checksum, alone and inside IPIP, and what cannot be read', () => {
  const bytes = emitIp(sctp)
  bytes[25] = 9
  expect(verifyIpChecksums(bytes)).toEqual(['SCTP checksum is wrong'])
  const tunnelled = emitIp(packet(6, sctp))
  tunnelled[40 + 25] = 9
  expect(verifyIpChecksums(tunnelled)).toEqual(['in IPIP: SCTP checksum is wrong'])
  expect(verifyIpChecksums(emitIp(packet(4, packet(6, sctp))))).toEqual([])
  expect(verifyIpChecksums(emitIp(sctp).subarray(0, 30))).toEqual(['IPv4: the packet is cut off'])
  expect(verifyIpChecksums(new Uint8Array(3))).toEqual(['IPv4: 3 octets, the header needs 20'])
  expect(verifyChecksums(new Uint8Array(3))).toEqual(['Ethernet: 3 octets'])
  const short: Frame = {
    dst: 1 as Frame['dst'],
    src: 2 as Frame['src'],
    payload: packet(4, { kind: 'raw', protocol: 6, bytes: new Uint8Array(5) }),
  }
  expect(verifyChecksums(emitFrame(short))).toEqual(['TCP: 5 octets have no checksum'])
})
