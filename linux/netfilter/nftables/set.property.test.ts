import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ip } from '../../../packet/ip.ts'
import { readTypes } from './data-type.ts'
import type { Data, Operand } from './expression.ts'
import type { NftElementLine } from './object.ts'
import { parseKey } from './parse-set.ts'
import { makeSet, matchesOperand } from './set.ts'

/** An element is found by the text of its key, however it is spelled: as the one that a linear search finds. */

const origin = { by: 'test' } as const
const FIELDS = {
  ipv4_addr: {
    texts: ['10.0.0.1', '10.0.0.2', '10.0.0.0/30', '10.0.0.2-10.0.0.9', '10.0.0.3/32', '10.0.0.999'],
    data: [ip('10.0.0.1'), ip('10.0.0.2'), ip('10.0.0.3'), ip('10.0.0.5'), ip('fd00::1')],
  },
  ipv6_addr: {
    texts: ['fd00::1', 'FD00::1', 'fd00:0::2', 'fd00::/126', '::ffff:10.0.0.1'],
    data: [ip('fd00::1'), ip('fd00::2'), ip('::ffff:10.0.0.1')],
  },
  inet_proto: { texts: ['tcp', 'udp', '6', '132', 'icmp'], data: [6, 17, 132, 1, 99] },
  inet_service: { texts: ['80', '080', '0x50', '81', '80-90'], data: [80, 81, 85, 443] },
  mark: { texts: ['0x1', '0x00000001', '1', '2'], data: [1, 2, 3] },
  ifname: { texts: ['eth0', '"eth0"', '"veth*"'], data: ['eth0', 'veth1', 'lo'] },
} as const satisfies Record<string, { texts: readonly string[]; data: readonly Data[] }>

const anyType = fc.constantFrom(
  'ipv4_addr . inet_proto . inet_service',
  'ipv6_addr . inet_proto . inet_service',
  'inet_proto . inet_service',
  'ipv4_addr',
  'ipv6_addr',
  'mark',
  'ifname',
)

const anyCase = anyType.chain((type) => {
  const fields = (readTypes(type) ?? []).map((name) => FIELDS[name as keyof typeof FIELDS])
  return fc.record({
    type: fc.constant(type),
    texts: fc.uniqueArray(
      fc.tuple(...fields.map(({ texts }) => fc.constantFrom<string>(...texts))).map((parts) => parts.join(' . ')),
      { maxLength: 12 },
    ),
    keys: fc.array(fc.tuple(...fields.map(({ data }) => fc.constantFrom<Data>(...data))), {
      minLength: 1,
      maxLength: 8,
    }),
  })
})

const holds = (key: readonly Operand[], data: readonly Data[]): boolean =>
  key.every((operand, i) => matchesOperand(operand, data[i] ?? 0))

test('what is found by its text holds the key, and nothing does where nothing is found', () => {
  let found = 0
  fc.assert(
    fc.property(anyCase, ({ type, texts, keys }) => {
      const lines = new Map(texts.map((key): [string, NftElementLine] => [key, { of: 'set', set: 's', key, origin }]))
      const set = makeSet('ip t s', { kind: 'set', name: 's', type, origin }, lines)
      const types = readTypes(type) ?? []
      const parsed = texts.flatMap((text) => {
        const key = parseKey(text, types)
        return key === undefined ? [] : [{ text, key }]
      })
      for (const key of keys) {
        const fitting = parsed.filter((one) => holds(one.key, key))
        const exact = fitting.filter((one) => one.key.every(({ kind }) => kind === 'value'))
        const element = set.find(key)
        if (element !== undefined) found++
        // An exact element is found before a range.
        const expected = (exact.length > 0 ? exact : fitting).map(({ text }) => text)
        if (expected.length === 0) expect(element).toBeUndefined()
        else expect(expected).toContain(element?.line.key)
      }
    }),
    { numRuns: 3_000, seed: 5 },
  )
  expect(found).toBeGreaterThan(1_000)
})
