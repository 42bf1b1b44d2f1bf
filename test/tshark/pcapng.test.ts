import { describe, expect, test } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { captured } from '../../packet/testing/captures.ts'
import { LINK_TYPE, renderPcapng } from '../../render/pcapng.ts'
import { type DissectOptions, dissect, tsharkVersion } from './tshark.ts'

const version = tsharkVersion()
if (version === undefined && process.env.CI)
  throw new Error('tshark is not installed, and CI must not skip its verdict')
if (version === undefined) console.warn('skipped: tshark is not installed')

const file = renderPcapng({
  interfaces: [
    { name: 'node1/eth0', description: 'node1, root namespace', linkType: LINK_TYPE.ethernet },
    { name: 'node1/flannel0', description: 'tun', linkType: LINK_TYPE.raw },
  ],
  names: [
    { ip: ip('10.1.1.1'), name: 'web-0.default' },
    { ip: ip('10.2.2.2'), name: 'db.default.svc' },
    { ip: ip('fd01::1'), name: 'web-0.default' },
  ],
  packets: [
    { interface: 0, atNs: 0, bytes: captured('UDP'), comment: 'hop 1: sent by web-0 — “first”', direction: 'out' },
    { interface: 1, atNs: 1_500_000_001, bytes: captured('UDP over IPv6').subarray(14), direction: 'in' },
    { interface: 0, atNs: 127_000_000_000, bytes: captured('TCP SYN') },
  ],
})

const FIELDS = [
  'frame.interface_name',
  'frame.interface_description',
  'frame.time_epoch',
  'frame.comment',
  'frame.packet_flags_direction',
  'frame.len',
  'frame.cap_len',
]
const OPTIONS: DissectOptions = { depth: 'everything', fragments: 'alone' }

describe.skipIf(version === undefined)(`${version} opens the file`, () => {
  test('interfaces, times to the nanosecond, comments and directions', () => {
    const rows = dissect(file, FIELDS, OPTIONS).map((row) => FIELDS.map((field) => row[field]?.join('; ')))
    expect(rows).toEqual([
      [
        'node1/eth0',
        'node1, root namespace',
        '1577836800.000000000',
        'hop 1: sent by web-0 — “first”',
        '0x00000002',
        '45',
        '45',
      ],
      ['node1/flannel0', 'tun', '1577836801.500000001', '', '0x00000001', '51', '51'],
      ['node1/eth0', 'node1, root namespace', '1577836927.000000000', '', '', '74', '74'],
    ])
  })

  test('names of addresses, where the reader asks for them', () => {
    const rows = dissect(file, ['ip.src_host', 'ip.dst_host', 'ipv6.src_host'], { ...OPTIONS, names: 'from the file' })
    expect(rows.map((row) => Object.values(row).flat())).toEqual([
      ['web-0.default', 'db.default.svc'],
      ['web-0.default'],
      ['web-0.default', 'db.default.svc'],
    ])
  })

  test('an empty capture is a capture', () => {
    expect(dissect(renderPcapng({ interfaces: [], packets: [], names: [] }), FIELDS, OPTIONS)).toEqual([])
  })
})
