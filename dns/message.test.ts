import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ip } from '../packet/ip.ts'
import { type Message, NO_FLAGS, query, replyTo } from './message.ts'
import { decodeMessage } from './message-decode.ts'
import { encodeMessage } from './message-encode.ts'
import { encodeToFit } from './message-fit.ts'
import type { ResourceRecord } from './record.ts'
import { parseRecord, recordText } from './record-text.ts'

const record = (line: string): ResourceRecord => {
  const result = parseRecord(line)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}
const bytesOf = (message: Message, how?: 'compress' | 'plain') => {
  const result = encodeMessage(message, how)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}
const decoded = (bytes: Uint8Array) => {
  const result = decodeMessage(bytes)
  if (!result.ok) throw new Error(result.reason)
  return result.value
}
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const LINES = [
  'web.shop. 30 IN A 10.96.0.1',
  'web.shop. 30 IN AAAA fd00::1',
  'web.shop. 5 IN CNAME www.example.com.',
  'shop. 5 IN NS ns.dns.shop.',
  '1.0.96.10.in-addr.arpa. 5 IN PTR web.shop.',
  'old.shop. 5 IN DNAME new.shop.',
  'shop. 5 IN SOA ns.dns.shop. hostmaster.shop. 7 7200 1800 86400 30',
  '_http._tcp.web.shop. 5 IN SRV 0 33 80 web.shop.',
  'shop. 5 IN MX 10 mail.shop.',
  'shop. 5 IN TXT "v=spf1 -all" "two \\"strings\\""',
  'shop. 5 IN HINFO "cpu" "os"',
  'shop. 5 IN CAA 0 issue "ca.example.net"',
  'shop. 5 IN HTTPS 1 . alpn="h2,h3"',
  'shop. 5 IN TYPE65280 \\# 3 0a0b0c',
  'shop. 5 CH A 10.0.0.1',
]

describe('messages', () => {
  it('a query in octets: RFC 1035 §4.1', () => {
    expect(hex(bytesOf(query(0x1234, { name: 'a.bc.', type: 'AAAA' })))).toBe(
      '123401000001000000000000' + '01610262630000' + '1c0001',
    )
  })

  it('an OPT stands at the end: RFC 6891 §6.1.2', () => {
    const edns = { size: 1232, version: 0, dnssecOk: true, options: [{ code: 10, bytes: Uint8Array.of(1, 2) }] }
    const bytes = bytesOf(query(1, { name: '.', type: 'NS' }, { edns }))
    expect(hex(bytes).slice(-34)).toBe('000029' + '04d0' + '00008000' + '0006' + '000a00020102')
    expect(decoded(bytes).edns).toEqual(edns)
  })

  it.each(LINES)('record %s goes out and comes back', (line) => {
    const message: Message = { ...replyTo(query(1, { name: 'shop.', type: 'ANY' })), answers: [record(line)] }
    for (const how of ['plain', 'compress'] as const)
      expect(recordText(decoded(bytesOf(message, how)).answers[0]!)).toBe(line)
  })

  it('the letters of a name stay as they are', () => {
    expect(decoded(bytesOf(query(1, { name: 'WeB.Shop.', type: 'A' }))).questions[0]?.name).toBe('WeB.Shop.')
  })

  it('an extended rcode takes its upper bits from the OPT', () => {
    const message: Message = {
      ...query(1, { name: '.', type: 'A' }),
      rcode: 16,
      edns: { size: 0, version: 0, dnssecOk: false, options: [] },
    }
    expect(decoded(bytesOf(message)).rcode).toBe(16)
  })

  it('a name that cannot be written is refused, not mangled', () => {
    const wrong = {
      ...replyTo(query(1, { name: 'a.', type: 'A' })),
      answers: [{ ...record(LINES[2]!), target: 'a..b.' } as ResourceRecord],
    }
    expect(encodeMessage(wrong)).toEqual({ ok: false, reason: '"a..b." has an empty label' })
  })

  it('every record and flag comes back, compressed or not', () => {
    const records = fc.array(fc.constantFrom(...LINES.map(record)), { maxLength: 6 })
    const flags = fc.record(
      Object.fromEntries(Object.keys(NO_FLAGS).map((key) => [key, fc.boolean()])) as Record<
        keyof typeof NO_FLAGS,
        fc.Arbitrary<boolean>
      >,
    )
    const arbitrary = fc.record({
      id: fc.nat(0xffff),
      opcode: fc.nat(15),
      rcode: fc.nat(15),
      flags,
      answers: records,
      authorities: records,
      additionals: records,
    })
    fc.assert(
      fc.property(arbitrary, fc.constantFrom('plain', 'compress'), (parts, how) => {
        const message: Message = { ...parts, questions: [{ name: 'web.shop.', type: 'A', class: 'IN' }] }
        expect(decoded(bytesOf(message, how))).toEqual(message)
      }),
    )
  })

  it('no octets make decoding throw or hang', () => {
    const start = bytesOf(
      { ...replyTo(query(1, { name: 'web.shop.', type: 'A' })), answers: LINES.map(record) },
      'compress',
    )
    const mutation = fc.array(fc.tuple(fc.nat(start.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(mutation, fc.nat(start.length), (changes, length) => {
        const bytes = start.slice(0, length)
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        decodeMessage(bytes)
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeMessage(bytes)),
      { numRuns: 2000 },
    )
  })

  it('a pointer that does not lead backwards is refused', () => {
    const bytes = bytesOf(query(1, { name: 'a.', type: 'A' }))
    bytes.set([0xc0, 12], 12)
    expect(decodeMessage(bytes)).toEqual({ ok: false, reason: 'a compression pointer does not lead backwards' })
  })
})

describe('a reply cut to what the client takes', () => {
  const reply = (count: number, name = 'my-headless-31-letters.default.svc.cluster.local.'): Message => ({
    ...replyTo(query(1, { name, type: 'A' })),
    answers: Array.from({ length: count }, (_, i) => ({
      name,
      ttl: 5,
      class: 'IN',
      type: 'A' as const,
      address: ip(`10.244.1.${i}`),
    })),
  })
  const fitted = (message: Message, size: number, over?: number) => {
    const result = encodeToFit(message, size, over)
    if (!result.ok) throw new Error(result.reason)
    return result.value
  }

  it('is not compressed while it fits', () => {
    const { bytes, message } = fitted(reply(6), 512)
    expect(bytes.length).toBe(12 + 54 + 6 * 64)
    expect(message.flags.truncated).toBe(false)
  })

  it('is compressed when it does not', () => {
    expect(fitted(reply(7), 512).bytes.length).toBe(12 + 54 + 7 * 16)
  })

  it('then loses records from the end, and says so', () => {
    const { bytes, message } = fitted(reply(40), 512)
    expect(message.answers).toHaveLength(27)
    expect(bytes.length).toBe(12 + 54 + 27 * 16)
    expect(message.flags.truncated).toBe(true)
  })

  it('a record that ends exactly at the limit is kept', () => {
    const { bytes, message } = fitted(reply(30, `${'a'.repeat(30)}.`), 512)
    expect(bytes.length).toBe(512)
    expect(message.answers).toHaveLength(29)
    expect(message.flags.truncated).toBe(true)
  })

  it('under 512 the client takes 512 all the same', () =>
    expect(fitted(reply(6), 100).message.flags.truncated).toBe(false))

  it('the OPT is never cut', () => {
    const edns = { size: 512, version: 0, dnssecOk: false, options: [] }
    const { bytes, message } = fitted({ ...reply(40), edns }, 512)
    expect(message.edns).toEqual(edns)
    expect(message.answers).toHaveLength(27)
    expect(bytes.length).toBe(12 + 54 + 27 * 16 + 11)
  })

  it('over 1480 octets it is compressed although it fits', () => {
    expect(fitted(reply(25), 4096, 1480).bytes.length).toBe(12 + 54 + 25 * 16)
    expect(fitted(reply(20), 4096, 1480).bytes.length).toBe(12 + 54 + 20 * 64)
  })

  it('names in SRV data stand whole, and can be pointed to', () => {
    const message: Message = {
      ...replyTo(query(1, { name: 'x.', type: 'SRV' })),
      answers: [record('x. 5 IN SRV 0 1 80 host.shop.')],
      additionals: [record('host.shop. 5 IN A 10.0.0.1')],
    }
    const bytes = bytesOf(message, 'compress')
    expect(bytes.length).toBe(12 + 7 + (2 + 10 + 6 + 11) + (2 + 10 + 4))
    expect(decoded(bytes)).toEqual(message)
  })
})
