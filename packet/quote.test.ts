import { describe, expect, test } from 'vitest'
import { emitIp } from './emit.ts'
import { ip } from './ip.ts'
import { lengthOfIp } from './length.ts'
import { mac } from './mac.ts'
import { ICMP4, ICMP6, type IpPacket } from './packet.ts'
import { parseIpPacket } from './parse.ts'
import { must } from './parsed.ts'
import { quote, quoteRoom } from './quote.ts'

const udp = (family: 4 | 6, length: number): IpPacket => ({
  kind: 'ip',
  src: ip(family === 4 ? '10.0.0.1' : 'fd00::1'),
  dst: ip(family === 4 ? '10.0.0.2' : 'fd00::2'),
  ttl: 1,
  tos: 0,
  id: family === 4 ? 7 : 0,
  dontFragment: false,
  flowLabel: 0,
  payload: {
    kind: 'udp',
    srcPort: 1000,
    dstPort: 53,
    noChecksum: false,
    payload: { kind: 'data', bytes: new Uint8Array(length).fill(0x61) },
  },
})

const unreachable = (about: IpPacket, room: number): IpPacket => ({
  kind: 'ip',
  src: about.dst,
  dst: about.src,
  ttl: 64,
  tos: 0xc0,
  id: 0,
  dontFragment: false,
  flowLabel: 0,
  payload: {
    kind: 'icmp',
    type: about.src.family === 4 ? ICMP4.unreachable : ICMP6.unreachable,
    code: 1,
    body: { kind: 'error', quote: quote(about, room), mtu: 0 },
  },
})

test.each([
  [4, 1500, 548],
  [4, 576, 548],
  [4, 500, 472],
  [6, 1500, 1232],
  [6, 1280, 1232],
] as const)('an IPv%i error over MTU %i has room for %i octets', (family, mtu, room) => {
  expect(quoteRoom(family, mtu)).toBe(room)
})

describe.each([4, 6] as const)('IPv%i', (family) => {
  const room = quoteRoom(family, 1500)
  const header = family === 4 ? 20 : 40

  test('a packet that fits is quoted whole and reads back as it was', () => {
    const about = udp(family, 100)
    expect(quote(about, room)).toEqual({ packet: about, length: header + 108 })
    const icmp = unreachable(about, room)
    expect(must(parseIpPacket(emitIp(icmp)))).toEqual(icmp)
  })

  test('a longer one is cut to the room, and what is left still knows its length and checksum', () => {
    const about = udp(family, 2000)
    const icmp = unreachable(about, room)
    const bytes = emitIp(icmp)
    expect(bytes.length).toBe(family === 4 ? 576 : 1280)
    expect(lengthOfIp(icmp)).toBe(bytes.length)
    expect(bytes.subarray(header + 8)).toEqual(emitIp(about).subarray(0, room))
    const again = must(parseIpPacket(bytes))
    expect(again.payload).toMatchObject({
      body: { quote: { length: room, packet: { payload: { kind: 'raw', protocol: 17, wholeLength: 2008 } } } },
    })
    expect(emitIp(again)).toEqual(bytes)
  })

  test('a fragment is quoted as the part it is', () => {
    const payload = { kind: 'raw', protocol: 17, bytes: new Uint8Array(16) } as const
    const icmp = unreachable({ ...udp(family, 0), fragment: { offset: 0, more: true }, payload }, room)
    expect(must(parseIpPacket(emitIp(icmp)))).toEqual(icmp)
  })
})

test('a quote longer than its packet is the packet', () => {
  const about = udp(4, 4)
  const icmp = unreachable(about, 548)
  const overlong = {
    ...icmp,
    payload: { ...icmp.payload, body: { kind: 'error', mtu: 0, quote: { packet: about, length: 999 } } },
  }
  expect(emitIp(overlong as IpPacket)).toEqual(emitIp(icmp))
})

test.each([
  ['whole', 61, 104],
  ['cut', 2000, 800],
] as const)('an IPv6 redirect about a packet, %s, quotes whole units of 8', (_, length, quoted) => {
  const about = udp(6, length)
  for (const targetMac of [undefined, mac('02:00:00:00:0b:01')]) {
    const redirect: IpPacket = {
      ...unreachable(about, 0),
      payload: {
        kind: 'icmp',
        type: ICMP6.redirect,
        code: 0,
        body: { kind: 'redirect', gateway: ip('fe80::1'), ...(targetMac && { targetMac }), quote: quote(about, 807) },
      },
    }
    const bytes = emitIp(redirect)
    expect(bytes.length).toBe(40 + 40 + (targetMac ? 8 : 0) + 8 + quoted)
    expect(bytes.subarray(bytes.length - quoted)).toEqual(emitIp(about).subarray(0, quoted))
    expect(emitIp(must(parseIpPacket(bytes)))).toEqual(bytes)
  }
})
