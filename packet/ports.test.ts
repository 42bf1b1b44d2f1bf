import { expect, test } from 'vitest'
import { ip } from './ip.ts'
import type { IpPacket } from './packet.ts'
import { parseFrame } from './parse.ts'
import { must } from './parsed.ts'
import { portsOf } from './ports.ts'
import { captured } from './testing/captures.ts'

const raw = (protocol: number, bytes: number[], offset?: number): IpPacket => ({
  kind: 'ip',
  src: ip('10.0.0.1'),
  dst: ip('10.0.0.2'),
  ttl: 64,
  tos: 0,
  id: 0,
  dontFragment: false,
  flowLabel: 0,
  ...(offset !== undefined && { fragment: { offset, more: true } }),
  payload: { kind: 'raw', protocol, bytes: Uint8Array.from(bytes) },
})

test.each([
  ['TCP SYN', { src: 32858, dst: 80 }],
  ['UDP over IPv6', { src: 54007, dst: 53 }],
  ['echo request', undefined],
  ['last fragment', undefined],
])('%s', (name, ports) => {
  expect(portsOf(must(parseFrame(captured(name))).payload as IpPacket)).toEqual(ports)
})

test.each<[string, IpPacket, object | undefined]>([
  ['a cut TCP packet', raw(6, [1, 2, 3, 4]), { src: 0x0102, dst: 0x0304 }],
  ['a first UDP fragment', raw(17, [1, 2, 3, 4], 0), { src: 0x0102, dst: 0x0304 }],
  ['a first SCTP fragment', raw(132, [1, 2, 3, 4], 0), { src: 0x0102, dst: 0x0304 }],
  ['a later fragment', raw(17, [1, 2, 3, 4], 8), undefined],
  ['too few octets', raw(6, [1, 2, 3]), undefined],
  ['a protocol without ports', raw(47, [1, 2, 3, 4]), undefined],
  ['IP in IP', { ...raw(6, []), payload: raw(6, [1, 2, 3, 4]) }, undefined],
])('%s', (_, packet, ports) => {
  expect(portsOf(packet)).toEqual(ports)
})
