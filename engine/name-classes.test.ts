import { describe, expect, it } from 'vitest'
import { type Message, replyTo } from '../dns/message.ts'
import { decodeMessage } from '../dns/message-decode.ts'
import { encodeMessage } from '../dns/message-encode.ts'
import { ip } from '../packet/ip.ts'
import { must } from '../packet/parsed.ts'
import { type AskAtOnce, addressesAt, classOfName, placesOf } from './name-classes.ts'

const PLACE = { search: ['svc.test'], hosts: '127.0.0.1\tlocalhost\n10.0.0.9\tbox-g\n' }

/** A server that has these A records; of other names nothing. `change` is made to each of its replies. */
const serverOf =
  (
    records: Readonly<Record<string, readonly string[]>>,
    change: (reply: Message) => Message = (reply) => reply,
  ): AskAtOnce =>
  (bytes) => {
    const asked = must(decodeMessage(bytes))
    const [question = { name: '', type: '', class: '' }] = asked.questions
    const found = question.type === 'A' ? (records[question.name] ?? []) : []
    const rcode = records[question.name] === undefined ? 3 : 0
    const answers = found.map((address) => ({
      name: question.name,
      ttl: 5,
      class: 'IN',
      type: 'A' as const,
      address: ip(address),
    }))
    return must(encodeMessage(change({ ...replyTo(asked, rcode), answers })))
  }

const keyOf = (name: string, ask: AskAtOnce): string | undefined => classOfName(name, PLACE, ask)?.key

describe('the class of a name', () => {
  const one = serverOf({
    'web.svc.test.': ['10.0.0.1'],
    'shop.svc.test.': ['10.0.0.2'],
    'two.svc.test.': ['10.0.0.1', '10.0.0.2'],
  })

  it.each([
    ['what is found counts, not where it is', 'web', 'shop', true],
    ['how many addresses', 'web', 'two', false],
    ['whether there is any', 'web', 'nosuch', false],
    ['how many dots', 'nosuch', 'no.such', false],
    ['nothing else of a name', 'nosuch', 'nothing-either', true],
  ])('%s', (_, name, other, same) => {
    expect(keyOf(name, one) === keyOf(other, one)).toBe(same)
  })

  it('whether two steps of the search find the same', () => {
    const same = serverOf({ 'web.svc.test.': ['10.0.0.1'], 'web.': ['10.0.0.1'] })
    const others = serverOf({ 'web.svc.test.': ['10.0.0.1'], 'web.': ['10.0.0.2'] })
    expect(keyOf('web', same)).not.toBe(keyOf('web', others))
  })

  it.each(['AA', 'RA', 'rcode'])('what the replies say: %s', (what) => {
    const changed = serverOf({}, (reply) => ({
      ...reply,
      ...(what === 'rcode' ? { rcode: 2 } : {}),
      flags: { ...reply.flags, authoritative: what === 'AA', recursionAvailable: what === 'RA' },
    }))
    expect(keyOf('web', changed)).not.toBe(keyOf('web', serverOf({})))
  })

  it.each([
    ['an address', '10.0.0.1'],
    ['an address in disguise', '0x7f.1'],
    ['a final dot', 'web.'],
    ['an empty label', 'web..x'],
    ['upper case', 'Web'],
    ['a name that libraries know', 'printer.local'],
    ['a host of /etc/hosts', 'box-g'],
    ['a long name', `${'g'.repeat(60)}.${'h'.repeat(60)}`],
  ])('%s is looked up in earnest', (_, name) => {
    expect(keyOf(name, serverOf({}))).toBeUndefined()
  })

  it.each<[string, AskAtOnce]>([
    ['a reply that is cut', serverOf({}, (reply) => ({ ...reply, flags: { ...reply.flags, truncated: true } }))],
    ['a long reply', serverOf({ 'web.svc.test.': Array.from({ length: 20 }, (_, i) => `10.0.1.${i}`) })],
    ['a reply that takes time', () => undefined],
  ])('%s: the name is looked up in earnest', (_, ask) => {
    expect(keyOf('web', ask)).toBeUndefined()
  })
})

describe('what is found in a class', () => {
  const own = { key: '', found: ['', '', '10.0.0.1 10.0.0.2', 'fd00::1'] }

  it.each([
    ['of one family', '10.0.0.1 10.0.0.2', [2]],
    ['of the other', 'fd00::1', [3]],
    ['of both', '10.0.0.1 10.0.0.2 fd00::1', [2, 3]],
    ['of neither: not to be told of others', '10.0.0.1', undefined],
  ])('%s', (_, addresses, places) => {
    expect(placesOf(own, addresses)).toEqual(places)
    if (places !== undefined) expect(addressesAt(own.found, places)).toBe(addresses)
  })
})
