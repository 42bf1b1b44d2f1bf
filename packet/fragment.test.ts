import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emitIp } from './emit.ts'
import { fragmentIp, fragmentIpAs, reassemble } from './fragment.ts'
import { ip } from './ip.ts'
import { lengthOfIp } from './length.ts'
import type { IpPacket } from './packet.ts'
import { parseIpPacket } from './parse.ts'
import { must, parsed } from './parsed.ts'
import { arbitraryWholePacket } from './testing/arbitrary.ts'

const udp = (family: 4 | 6, length: number): IpPacket => ({
  kind: 'ip',
  src: ip(family === 4 ? '10.244.1.5' : 'fd00::5'),
  dst: ip(family === 4 ? '10.244.2.7' : 'fd00::7'),
  ttl: 64,
  tos: 0,
  id: 0x1234,
  dontFragment: false,
  flowLabel: 0,
  payload: {
    kind: 'udp',
    srcPort: 40000,
    dstPort: 53,
    noChecksum: false,
    payload: { kind: 'data', bytes: Uint8Array.from({ length }, (_, i) => i) },
  },
})

const shape = (parts: readonly IpPacket[]) =>
  parts.map((part) => [part.fragment?.offset, part.fragment?.more, lengthOfIp(part)])

describe('fragmentIp', () => {
  test.each([
    { rule: 'a packet of the MTU stays whole', packet: udp(4, 1472), mtu: 1500, parts: [[undefined, undefined, 1500]] },
    {
      rule: 'one octet more makes two parts, cut at a multiple of 8',
      packet: udp(4, 1473),
      mtu: 1500,
      parts: [
        [0, true, 1500],
        [1480, false, 21],
      ],
    },
    {
      rule: 'an MTU that leaves no multiple of 8 is not filled',
      packet: udp(4, 1473),
      mtu: 1450,
      parts: [
        [0, true, 1444],
        [1424, false, 77],
      ],
    },
    {
      rule: 'IPv6 loses 8 octets of each part to the fragment header',
      packet: udp(6, 1453),
      mtu: 1500,
      parts: [
        [0, true, 1496],
        [1448, false, 61],
      ],
    },
    {
      rule: 'IPv4 options stand in every part',
      packet: { ...udp(4, 1473), options: Uint8Array.of(1, 1, 1, 0) },
      mtu: 1500,
      parts: [
        [0, true, 1496],
        [1472, false, 33],
      ],
    },
    {
      rule: 'an MTU below any header still takes 8 octets a time',
      packet: udp(4, 8),
      mtu: 10,
      parts: [
        [0, true, 28],
        [8, false, 28],
      ],
    },
  ])('$rule', ({ packet, mtu, parts }) => {
    expect(shape(fragmentIp(packet, mtu))).toEqual(parts)
  })

  test('a part that is cut again keeps its place, and only the last of the last says "no more"', () => {
    const [first, last] = fragmentIp(udp(4, 2000), 1500) as [IpPacket, IpPacket]
    expect(shape(fragmentIp(first, 1000))).toEqual([
      [0, true, 996],
      [976, true, 524],
    ])
    expect(shape(fragmentIp(last, 300))).toEqual([
      [1480, true, 300],
      [1760, false, 268],
    ])
  })

  test('options without the copied flag become no-operations after the first part', () => {
    const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0)
    const [first, second] = fragmentIp({ ...udp(4, 1473), options }, 1500)
    expect(first?.options).toEqual(options)
    expect(second?.options).toEqual(Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0x94, 4, 0, 0))
  })
})

describe('fragmentIpAs', () => {
  test.each([
    { rule: 'the sizes it came in', packet: udp(4, 3000), sizes: [820, 1500, 748], mtu: 1500 },
    { rule: 'parts of just the MTU', packet: udp(4, 2952), sizes: [1500, 1500], mtu: 1500 },
    { rule: 'IPv6, with the fragment header counted', packet: udp(6, 3000), sizes: [1048, 1448, 656], mtu: 1500 },
  ])('$rule', ({ packet, sizes, mtu }) => {
    const parts = fragmentIpAs(packet, sizes, mtu) ?? []
    expect(parts.map(lengthOfIp)).toEqual(sizes)
    expect(reassemble(parts)).toEqual({ ...packet, id: packet.src.family === 4 ? packet.id : 0 })
  })

  test.each([
    { rule: 'an octet too few', packet: udp(4, 3000), sizes: [820, 1500, 747], mtu: 1500 },
    { rule: 'an octet too many', packet: udp(4, 3000), sizes: [820, 1500, 749], mtu: 1500 },
    { rule: 'a part over the MTU', packet: udp(4, 3000), sizes: [820, 1500, 748], mtu: 1499 },
    {
      rule: 'a part before the last that is no multiple of 8',
      packet: udp(4, 3000),
      sizes: [821, 1500, 747],
      mtu: 1500,
    },
    { rule: 'a part of a header alone', packet: udp(4, 3000), sizes: [820, 1500, 748, 20], mtu: 1500 },
  ])('not with $rule', ({ packet, sizes, mtu }) => {
    expect(fragmentIpAs(packet, sizes, mtu)).toBeUndefined()
  })
})

describe('reassemble', () => {
  test('parts in any order, some twice, give the packet back', () => {
    const cases = fc.tuple(arbitraryWholePacket, fc.integer({ min: 60, max: 200 }), fc.nat())
    fc.assert(
      fc.property(cases, ([original, mtu, turn]) => {
        const packet = { ...original, id: original.src.family === 4 ? original.id : 77 }
        const parts = fragmentIp(packet, mtu)
        fc.pre(parts.length > 1)
        for (const part of parts) expect(parseIpPacket(emitIp(part))).toEqual(parsed(part))
        const at = turn % parts.length
        const shuffled = [...parts.slice(at), ...parts.slice(0, at), parts[at] as IpPacket].reverse()
        expect(reassemble(shuffled)).toEqual(original)
      }),
      { numRuns: 300 },
    )
  })

  const [a, b, c] = fragmentIp(udp(4, 4000), 1500) as [IpPacket, IpPacket, IpPacket]
  test.each([
    { rule: 'nothing from nothing', parts: [] },
    { rule: 'the first part missing', parts: [b, c] },
    { rule: 'a middle part missing', parts: [a, c] },
    { rule: 'the last part missing', parts: [a, b] },
    { rule: 'a part of another packet', parts: [a, b, { ...c, id: 9 }] },
    { rule: 'a part from elsewhere', parts: [a, b, { ...c, src: ip('10.0.0.9') }] },
    { rule: 'a part to elsewhere', parts: [a, b, { ...c, dst: ip('10.0.0.9') }] },
    {
      rule: 'a part of another protocol',
      parts: [a, b, { ...c, payload: { kind: 'raw', protocol: 6, bytes: new Uint8Array(8) } }],
    },
    { rule: 'overlapping parts', parts: [a, b, c, { ...b, fragment: { offset: 1472, more: true } }] },
    { rule: 'something after the last part', parts: [a, { ...b, fragment: { offset: 1480, more: false } }, c] },
    { rule: 'a part that is no fragment', parts: [a, b, c, udp(4, 8)] },
    { rule: 'parts with and without ECN', parts: [a, b, { ...c, tos: 2 }] },
    {
      rule: 'more than 65,535 octets',
      parts: Array.from({ length: 46 }, (_, i) => ({ ...a, fragment: { offset: i * 1480, more: i < 45 } })),
    },
  ] as { rule: string; parts: IpPacket[] }[])('does not join: $rule', ({ parts }) => {
    expect(reassemble(parts)).toBeUndefined()
  })

  test.each([
    { marks: [2, 2, 3], tos: 3 },
    { marks: [2, 1, 2], tos: 2 },
    { marks: [3, 3, 3], tos: 3 },
    { marks: [0xb8, 0xb8, 0xb8], tos: 0xb8 },
  ])('ECN marks $marks join to $tos', ({ marks, tos }) => {
    const parts = [a, b, c].map((part, i) => ({ ...part, tos: marks[i] ?? 0 }))
    expect(reassemble(parts)?.tos).toBe(tos)
  })

  test('DF stays where the largest part had it', () => {
    const df = (...which: boolean[]) => [a, b, c].map((part, i) => ({ ...part, dontFragment: which[i] ?? false }))
    expect(reassemble(df(true, true, true))?.dontFragment).toBe(true)
    expect(reassemble(df(false, false, true))?.dontFragment).toBe(false)
  })

  test('a payload that is not well formed stays octets', () => {
    const raw = { kind: 'raw', protocol: 17, bytes: new Uint8Array(16) } as const
    const whole: IpPacket = { ...udp(4, 0), payload: raw }
    expect(reassemble(fragmentIp(whole, 28))).toEqual(whole)
  })

  test('a fragment that is the whole packet is read as a packet', () => {
    const atomic: IpPacket = { ...udp(6, 4), fragment: { offset: 0, more: false } }
    expect(must(parseIpPacket(emitIp(atomic)))).toEqual(atomic)
  })
})
