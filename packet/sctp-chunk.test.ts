import { expect, test } from 'vitest'
import { emitIp } from './emit.ts'
import { ip } from './ip.ts'
import type { IpPacket } from './packet.ts'
import { parseIpPacket } from './parse.ts'
import { type Chunk, chunksOf, sctpOf } from './sctp-chunk.ts'
import { addressOf, addressParameter, PARAMETER, readParameters, writeParameters } from './sctp-parameter.ts'
import { octetsOf } from './testing/captures.ts'

const ENDS = { srcPort: 0x1234, dstPort: 3868, tag: 0xa1b2c3d4 }

const packetOf = (chunks: readonly [Chunk, ...Chunk[]]): IpPacket => ({
  kind: 'ip',
  src: ip('10.0.0.1'),
  dst: ip('10.0.0.2'),
  ttl: 64,
  tos: 2,
  id: 0,
  dontFragment: true,
  flowLabel: 0,
  payload: sctpOf(ENDS, chunks),
})

const chunkOctets = (chunks: readonly [Chunk, ...Chunk[]]): string =>
  Buffer.from(emitIp(packetOf(chunks)).subarray(32)).toString('hex')

const DATA: Chunk = {
  kind: 'data',
  tsn: 0x01020304,
  stream: 1,
  sequence: 2,
  protocol: 46,
  bytes: octetsOf('616263'),
  begins: true,
  ends: true,
  unordered: false,
  immediate: false,
}
const SACK: Chunk = {
  kind: 'sack',
  cumulativeTsn: 0x0a0b0c0d,
  window: 106_489,
  gaps: [{ start: 2, end: 3 }],
  duplicates: [0x0a0b0c0c],
}

const EXCHANGES: readonly [string, readonly [Chunk, ...Chunk[]], string][] = [
  ['DATA is padded', [DATA], '0003001301020304000100020000002e61626300'],
  ['SACK with a gap and a duplicate', [SACK], '030000180a0b0c0d00019ff900010001000200030a0b0c0c'],
  [
    'COOKIE ACK with SACK and DATA after it',
    [{ kind: 'cookieAck' }, { ...SACK, gaps: [], duplicates: [] }, DATA],
    '0b000004030000100a0b0c0d00019ff9000000000003001301020304000100020000002e61626300',
  ],
  ['SHUTDOWN', [{ kind: 'shutdown', cumulativeTsn: 5 }], '0700000800000005'],
  ['SHUTDOWN ACK', [{ kind: 'shutdownAck' }], '08000004'],
  ['SHUTDOWN COMPLETE with the T bit', [{ kind: 'shutdownComplete', reflected: true }], '0e010004'],
  ['ABORT with the T bit', [{ kind: 'abort', reflected: true, causes: new Uint8Array(0) }], '06010004'],
  ['ABORT with a cause', [{ kind: 'abort', reflected: false, causes: octetsOf('000c0004') }], '06000008000c0004'],
  ['HEARTBEAT', [{ kind: 'heartbeat', body: octetsOf('00010005ff') }], '0400000900010005ff000000'],
  [
    'COOKIE ECHO before DATA',
    [{ kind: 'cookieEcho', cookie: octetsOf('aabb') }, DATA],
    `0a000006aabb0000${'0003001301020304000100020000002e61626300'}`,
  ],
  ['a type nobody knows', [{ kind: 'unknown', type: 0xc1, flags: 7, body: octetsOf('01') }], 'c107000501000000'],
]

test.each(EXCHANGES)('%s on the wire', (_, chunks, hex) => {
  expect(chunkOctets(chunks)).toBe(hex)
})

test.each(EXCHANGES)('%s is read back', (_, chunks) => {
  const parsed = parseIpPacket(emitIp(packetOf(chunks)))
  if (!parsed.ok || parsed.value.payload.kind !== 'sctp') throw new Error('no SCTP')
  expect(chunksOf(parsed.value.payload)).toEqual(chunks)
})

test('what cannot be a chunk ends the reading, and no length makes it throw', () => {
  const cut = (further: string) => chunksOf({ ...sctpOf(ENDS, [{ kind: 'cookieAck' }]), further: octetsOf(further) })
  expect(cut('0b000003').length).toBe(1)
  expect(cut('0b0000ff00000000').length).toBe(1)
  expect(cut('0b000004ff').length).toBe(2)
  expect(cut('0000000801020304')[1]?.kind).toBe('unknown')
  expect(cut('030000100000000000000000ffff0000')[1]?.kind).toBe('unknown')
})

test('parameters are padded but for the last, and read back', () => {
  const list = [
    addressParameter(ip('10.0.0.1')),
    addressParameter(ip('fd00::1')),
    { type: PARAMETER.supportedAddressTypes, value: octetsOf('0005') },
    { type: PARAMETER.ecnCapable, value: new Uint8Array(0) },
    { type: PARAMETER.stateCookie, value: octetsOf('01') },
  ]
  const octets = writeParameters(list)
  expect(Buffer.from(octets).toString('hex')).toBe(
    '000500080a000001' + '00060014fd000000000000000000000000000001' + '000c000600050000' + '80000004' + '0007000501',
  )
  expect(readParameters(octets)).toEqual(list)
  expect(readParameters(octets).map(addressOf)).toEqual([
    ip('10.0.0.1'),
    ip('fd00::1'),
    undefined,
    undefined,
    undefined,
  ])
  expect(writeParameters([])).toEqual(new Uint8Array(0))
})
