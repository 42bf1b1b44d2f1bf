import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ip } from '../packet/ip.ts'
import { type CaptureFile, LINK_TYPE, renderPcapng } from './pcapng.ts'

interface Block {
  readonly type: number
  readonly body: DataView
}

/** The blocks of a file, by a reading of its own: both lengths must agree and be whole words. */
function blocksOf(file: Uint8Array): readonly Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const blocks: Block[] = []
  let at = 0
  while (at < file.length) {
    const length = view.getUint32(at + 4, true)
    expect(length % 4).toBe(0)
    expect(view.getUint32(at + length - 4, true)).toBe(length)
    blocks.push({
      type: view.getUint32(at, true),
      body: new DataView(file.buffer, file.byteOffset + at + 8, length - 12),
    })
    at += length
  }
  return blocks
}

/** Code and value of each option from `at` on; the end mark must be the last thing. */
function optionsOf({ body }: Block, at: number): readonly (readonly [number, Uint8Array])[] {
  const options: [number, Uint8Array][] = []
  let next = at
  while (next < body.byteLength) {
    const code = body.getUint16(next, true)
    const length = body.getUint16(next + 2, true)
    if (code === 0) {
      expect([length, next + 4]).toEqual([0, body.byteLength])
      return options
    }
    options.push([code, new Uint8Array(body.buffer, body.byteOffset + next + 4, length)])
    next += 4 + ((length + 3) & ~3)
  }
  expect(options).toEqual([])
  return options
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes)

const ONE: CaptureFile = {
  interfaces: [{ name: 'eth0', description: '', linkType: 1 }],
  packets: [{ interface: 0, atNs: 0, bytes: Uint8Array.of(1, 2, 3, 4, 5) }],
  names: [],
}

describe('renderPcapng', () => {
  test('writes section, interfaces, names, packets, in that order', () => {
    const both = {
      ...ONE,
      interfaces: [...ONE.interfaces, ...ONE.interfaces],
      names: [{ ip: ip('10.0.0.1'), name: 'a' }],
    }
    expect(blocksOf(renderPcapng(both)).map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 1, 4, 6])
    expect(blocksOf(renderPcapng(ONE)).map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 6])
  })

  test('the section header says the byte order, version 1.0 and no length', () => {
    const [section] = blocksOf(renderPcapng(ONE)) as [Block]
    expect(section.body.getUint32(0, true)).toBe(0x1a2b3c4d)
    expect([section.body.getUint16(4, true), section.body.getUint16(6, true)]).toEqual([1, 0])
    expect(section.body.getBigInt64(8, true)).toBe(-1n)
    expect(optionsOf(section, 16).map(([code, value]) => [code, text(value)])).toEqual([[4, 'podwalk']])
  })

  test.each([
    ['ethernet', 1],
    ['raw', 101],
  ] as const)('an interface of link type %s has number %i, no snap length, nanoseconds', (kind, number) => {
    const interfaces = [{ name: 'n/eth0', description: 'what', linkType: LINK_TYPE[kind] }]
    const block = blocksOf(renderPcapng({ ...ONE, interfaces })).find(({ type }) => type === 1) as Block
    expect([block.body.getUint16(0, true), block.body.getUint32(4, true)]).toEqual([number, 0])
    const [name, description, resolution] = optionsOf(block, 8)
    expect([name?.[0], text(name?.[1])]).toEqual([2, 'n/eth0'])
    expect([description?.[0], text(description?.[1])]).toEqual([3, 'what'])
    expect([resolution?.[0], [...(resolution?.[1] ?? [])]]).toEqual([9, [9]])
  })

  test.each([
    [0, 1577836800000000000n],
    [1, 1577836800000000001n],
    [127_000_000_001, 1577836927000000001n],
    [Number.MAX_SAFE_INTEGER, 1577836800000000000n + 9007199254740991n],
  ])('%i ns on the virtual clock is %i', (atNs, stamp) => {
    const packets = [{ interface: 0, atNs, bytes: new Uint8Array(1) }]
    const block = blocksOf(renderPcapng({ ...ONE, packets })).at(-1) as Block
    expect((BigInt(block.body.getUint32(4, true)) << 32n) | BigInt(block.body.getUint32(8, true))).toBe(stamp)
  })

  test('packets come back whole, with comment and direction', () => {
    const packets = fc.array(
      fc.record({
        bytes: fc.uint8Array({ maxLength: 40 }),
        comment: fc.option(fc.string({ unit: 'grapheme', minLength: 1 })),
        direction: fc.option(fc.constantFrom('in' as const, 'out' as const)),
      }),
    )
    fc.assert(
      fc.property(packets, (list) => {
        const file = renderPcapng({
          ...ONE,
          packets: list.map(({ bytes, comment, direction }, i) => ({
            interface: 0,
            atNs: i,
            bytes,
            ...(comment !== null && { comment }),
            ...(direction !== null && { direction }),
          })),
        })
        const read = blocksOf(file)
          .filter(({ type }) => type === 6)
          .map((block) => {
            const length = block.body.getUint32(12, true)
            expect(block.body.getUint32(16, true)).toBe(length)
            const options = new Map(optionsOf(block, 20 + ((length + 3) & ~3)))
            const flags = options.get(2)?.[0]
            const comment = options.get(1)
            return {
              bytes: new Uint8Array(block.body.buffer, block.body.byteOffset + 20, length),
              comment: comment === undefined ? null : text(comment),
              direction: flags === undefined ? null : flags === 1 ? 'in' : 'out',
            }
          })
        expect(read).toEqual(list)
      }),
    )
  })

  test('names stand behind their address, of either family, and end with a zero', () => {
    const names = [
      { ip: ip('10.0.0.1'), name: 'web' },
      { ip: ip('fd00::1'), name: 'db' },
    ]
    const block = blocksOf(renderPcapng({ ...ONE, names })).find(({ type }) => type === 4) as Block
    expect(optionsOf(block, 0).map(([code, value]) => [code, [...value]])).toEqual([
      [1, [10, 0, 0, 1, ...Buffer.from('web'), 0]],
      [2, [0xfd, ...Array<number>(14).fill(0), 1, ...Buffer.from('db'), 0]],
    ])
  })

  test('a text longer than an option can be is cut between characters', () => {
    const comment = `a${'€'.repeat(30_000)}`
    const block = blocksOf(
      renderPcapng({ ...ONE, packets: [{ interface: 0, atNs: 0, bytes: new Uint8Array(0), comment }] }),
    ).at(-1)
    const kept = text(optionsOf(block as Block, 20)[0]?.[1])
    expect(comment.startsWith(kept)).toBe(true)
    expect(kept.length).toBeGreaterThan(21_000)
  })

  test('the same capture gives the same file', () => {
    expect(Buffer.from(renderPcapng(ONE)).toString('hex')).toBe(
      [
        '0a0d0d0a2c0000004d3c2b1a01000000ffffffffffffffff04000700706f6477616c6b00000000002c000000',
        '010000002c00000001000000000000000200040065746830030000000900010009000000000000002c000000',
        '060000002800000000000000359ae51500008ab90500000005000000010203040500000028000000',
      ].join(''),
    )
  })
})
