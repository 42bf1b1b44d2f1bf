import { expect, test } from 'vitest'
import { type IpPacket, protocolOf, TCP_FLAG } from './packet.ts'
import { parseFrame } from './parse.ts'
import { must } from './parsed.ts'
import { captured } from './testing/captures.ts'
import { summaryOf } from './text.ts'

const packetIn = (name: string): IpPacket => must(parseFrame(captured(name))).payload as IpPacket

test.each([
  ['TCP SYN', 6],
  ['UDP over IPv6', 17],
  ['echo request', 1],
  ['echo reply over IPv6', 58],
  ['last fragment', 1],
  ['last IPv6 fragment', 58],
  ['multicast listener report behind a hop-by-hop header', 0],
])('the protocol of "%s" is %i', (name, protocol) => {
  expect(protocolOf(packetIn(name))).toBe(protocol)
})

test.each([
  ['TCP SYN', 'UDP', 4],
  ['TCP SYN', 'UDP over IPv6', 41],
  ['UDP over IPv6', 'UDP', 4],
])('the protocol of "%s" around "%s" is %i', (outer, inner, protocol) => {
  expect(protocolOf({ ...packetIn(outer), payload: packetIn(inner) })).toBe(protocol)
})

test('each TCP flag has the name it is known by', () => {
  const syn = packetIn('TCP SYN')
  for (const [name, flag] of Object.entries(TCP_FLAG)) {
    const flagged = { ...syn, payload: { ...syn.payload, flags: flag } } as IpPacket
    expect(summaryOf(flagged)).toContain(`TCP [${name.toUpperCase()}]`)
  }
})
