import { expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'
import { emitIp } from './emit.ts'
import { ip } from './ip.ts'
import type { IpPacket, SctpChunk } from './packet.ts'
import { octetsOf } from './testing/captures.ts'

const packet = (chunk: SctpChunk, further?: Uint8Array): IpPacket => ({
  kind: 'ip',
  src: ip('10.0.0.1'),
  dst: ip('10.0.0.2'),
  ttl: 64,
  tos: 0,
  id: 0,
  dontFragment: false,
  flowLabel: 0,
  payload: {
    kind: 'sctp',
    srcPort: 0x1234,
    dstPort: 3868,
    verificationTag: 0xa1b2c3d4,
    chunk,
    ...(further && { further }),
  },
})

const init = (kind: 'init' | 'initAck', parameters: string): SctpChunk => ({
  kind,
  initiateTag: 0x01020304,
  receiverWindow: 0x0001a000,
  outboundStreams: 10,
  inboundStreams: 0xffff,
  initialTsn: 0x0a0b0c0d,
  parameters: octetsOf(parameters),
})

const INIT_FIELDS = '010203040001a000000affff0a0b0c0d'

test.each<[string, IpPacket, string]>([
  ['INIT', packet(init('init', '')), `01000014${INIT_FIELDS}`],
  [
    'INIT ACK whose last parameter needs padding',
    packet(init('initAck', 'c000000400070005ff')),
    `0200001d${INIT_FIELDS}c000000400070005ff000000`,
  ],
  ['ABORT', packet({ kind: 'abort', flags: 1 }), '06010004'],
  [
    'COOKIE ECHO of 3 octets with a chunk after it',
    packet({ kind: 'other', type: 10, flags: 0, body: octetsOf('aabbcc') }, octetsOf('0b000004')),
    '0a000007aabbcc000b000004',
  ],
])('%s on the wire', (_, value, chunks) => {
  const bytes = emitIp(value).subarray(20)
  const crc = crc32c(octetsOf(`12340f1ca1b2c3d400000000${chunks}`))
  // RFC 9260 §6.8 and Appendix A: the least significant octet goes first.
  const checksum = [crc, crc >>> 8, crc >>> 16, crc >>> 24].map((octet) => (octet & 255).toString(16).padStart(2, '0'))
  expect(Buffer.from(bytes).toString('hex')).toBe(`12340f1ca1b2c3d4${checksum.join('')}${chunks}`)
})
