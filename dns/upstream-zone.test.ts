import { describe, expect, it } from 'vitest'
import { type Message, query } from './message.ts'
import { decodeMessage } from './message-decode.ts'
import { rcodeName } from './record.ts'
import { recordText } from './record-text.ts'
import { answerUpstream, upstreamZone } from './upstream-zone.ts'

const LINES = [
  '; comment',
  'example.com. 300 IN SOA ns.example.com. admin.example.com. 1 2 3 4 5',
  'www.example.com. 300 IN A 192.0.2.80',
  'WWW.example.com. 300 IN A 192.0.2.81',
  'a.b.example.com. 60 IN TXT "deep"',
  '*.wild.example.com. 60 IN A 192.0.2.90',
  'alias0.example.com. 60 IN CNAME www.example.com.',
  ...Array.from({ length: 10 }, (_, i) => `alias${i + 1}.example.com. 60 IN CNAME alias${i}.example.com.`),
  'self.example.com. 60 IN CNAME self.example.com.',
]
const BEHAVE = {
  'servfail.example.com': 'SERVFAIL',
  'drop.example.com.': 'drop',
  'tc.example.com.': 'tc',
  'none.example.com.': 'NXDOMAIN',
  'bare.example.com.': 'NXDOMAIN-bare',
  'wrong.example.com.': 'wrong-question',
}

function ask(name: string, type: string, transport: 'udp' | 'tcp' = 'udp'): Message | undefined {
  const reply = answerUpstream(upstreamZone(LINES, BEHAVE).zone, query(7, { name, type }), transport)
  if (!reply) return undefined
  const decoded = reply.ok ? decodeMessage(reply.value) : reply
  if (!decoded.ok) throw new Error(decoded.reason)
  return decoded.value
}

const shown = (message: Message | undefined) =>
  message && [
    rcodeName(message.rcode),
    ...message.answers.map((record) => recordText(record).split(' ').slice(3).join(' ')),
    ...message.authorities.map(({ type, name }) => `${type} of ${name}`),
  ]

describe('a resolver outside of the cluster', () => {
  it.each([
    ['www.example.com.', 'A', ['NOERROR', 'A 192.0.2.80', 'A 192.0.2.81']],
    ['www.example.com.', 'AAAA', ['NOERROR', 'SOA of example.com.']],
    ['b.example.com.', 'A', ['NOERROR', 'SOA of example.com.']],
    ['nosuch.example.com.', 'A', ['NXDOMAIN', 'SOA of example.com.']],
    ['nosuch.example.org.', 'A', ['NXDOMAIN', 'SOA of .']],
    ['x.y.wild.example.com.', 'A', ['NOERROR', 'A 192.0.2.90']],
    ['alias0.example.com.', 'CNAME', ['NOERROR', 'CNAME www.example.com.']],
    ['alias0.example.com.', 'A', ['NOERROR', 'CNAME www.example.com.', 'A 192.0.2.80', 'A 192.0.2.81']],
    ['servfail.example.com.', 'A', ['SERVFAIL']],
    ['drop.example.com.', 'A', undefined],
    ['none.example.com.', 'A', ['NXDOMAIN', 'SOA of example.com.']],
    ['bare.example.com.', 'A', ['NXDOMAIN']],
  ])('%s %s', (name, type, expected) => expect(shown(ask(name, type))).toEqual(expected))

  it('follows so many aliases and no more', () => {
    expect(ask('alias8.example.com.', 'A')?.answers).toHaveLength(11)
    expect(ask('alias9.example.com.', 'A')?.answers).toHaveLength(10)
    expect(ask('self.example.com.', 'A')?.answers).toHaveLength(10)
  })

  it('cuts a reply over UDP where it is told to', () => {
    expect(ask('tc.example.com.', 'A')?.flags.truncated).toBe(true)
    expect(ask('tc.example.com.', 'A', 'tcp')?.flags.truncated).toBe(false)
  })

  it('answers another question where it is told to', () => {
    expect(ask('wrong.example.com.', 'A')?.questions[0]?.name).toBe('wrong.example.')
  })

  it('tells which lines it cannot read', () => {
    expect(upstreamZone(['www.example.com. 300 IN A nine', 'ok. 1 IN A 192.0.2.1'], { 'a.': 'sulk' }).problems).toEqual(
      [
        expect.stringMatching(/^"www\.example\.com\. 300 IN A nine": /),
        expect.stringMatching(/^"sulk" is not a behaviour: SERVFAIL, /),
      ],
    )
  })
})
