import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { type Edns, query, replyTo } from '../message.ts'
import { decodeMessage } from '../message-decode.ts'
import { encodeMessage } from '../message-encode.ts'
import { RCODE, type ResourceRecord, rcodeName } from '../record.ts'
import { recordText } from '../record-text.ts'
import { answer, type Exchange } from './answer.ts'
import { standingServers } from './standing-servers.ts'

const SECOND = 1_000_000_000

const FILES: Readonly<Record<string, string>> = {
  '/db': `@ 5 IN SOA ns admin 7 1 2 3 4
@ 60 IN NS ns
v4 600 IN A 192.0.2.1
www 60 IN CNAME v4
sub 60 IN NS ns.sub
ns.sub 60 IN A 192.0.2.2
*.w 60 IN A 192.0.2.3
x.ent.w 60 IN A 192.0.2.4
`,
}

function start(text: string) {
  const standing = standingServers({
    corefile: { name: 'Corefile', text, folder: '/' },
    world: { api: undefined, file: (path) => FILES[path], addresses: () => [ip('10.244.0.2')], hostname: 'coredns' },
    draw: () => 0,
  })
  if (!standing.ok) throw new Error(standing.reason)
  return standing.value
}

interface Asked {
  readonly name: string
  readonly type?: string
  readonly client?: string
  readonly edns?: Edns
}

const NO_EDNS: Edns = { size: 1232, version: 0, dnssecOk: false, options: [] }

/** rcode, flags and answers of a reply; `none` where nothing comes. */
function ask({ servers: [server] }: ReturnType<typeof start>, asked: Asked, exchange?: Exchange): string {
  const { name, type = 'A', client = '10.244.1.7', edns } = asked
  const bytes = encodeMessage(query(1, { name, type }, edns && { edns }))
  if (!server || !bytes.ok) throw new Error('no query')
  const arrival = { bytes: bytes.value, client: { ip: ip(client), port: 4000 }, transport: 'udp' } as const
  const reply = answer(server, arrival, exchange)
  if (!reply) return 'none'
  const decoded = decodeMessage(reply)
  if (!decoded.ok) throw new Error(decoded.reason)
  const { flags, rcode, answers, edns: opt } = decoded.value
  const words = [
    rcodeName(rcode),
    flags.authoritative ? 'aa' : '',
    opt ? `edns=${opt.size}` : '',
    ...answers.map(recordText),
  ]
  return words.filter((word) => word !== '').join(' ')
}

/** A zone file, and the plugins in front of it. */
const before = (stanzas: string) => `z.test {\n${stanzas}\n file /db\n}\n`

describe('plugins in front of a zone', () => {
  it.each([
    ['', { name: 'v4.z.test.' }, 'NOERROR aa v4.z.test. 600 IN A 192.0.2.1'],
    ['', { name: 'a.w.z.test.' }, 'NOERROR aa a.w.z.test. 60 IN A 192.0.2.3'],
    ['', { name: 'y.ent.w.z.test.' }, 'NXDOMAIN aa'],
    ['', { name: 'h.sub.z.test.' }, 'NOERROR'],
    ['dns64 {\n allow_ipv4\n}', { name: 'v4.z.test.', type: 'AAAA' }, 'NOERROR v4.z.test. 5 IN AAAA 64:ff9b::c000:201'],
    ['dns64', { name: 'v4.z.test.', type: 'AAAA' }, 'NOERROR aa'],
    ['rewrite ttl suffix z.test 10-20', { name: 'v4.z.test.' }, 'NOERROR aa v4.z.test. 20 IN A 192.0.2.1'],
    ['rewrite type MX A', { name: 'v4.z.test.', type: 'MX' }, 'NOERROR aa v4.z.test. 600 IN A 192.0.2.1'],
    [
      'rewrite cname exact v4.z.test. a.w.z.test.',
      { name: 'www.z.test.' },
      'NOERROR aa www.z.test. 60 IN CNAME a.w.z.test. a.w.z.test. 60 IN A 192.0.2.3',
    ],
    [
      'rewrite continue name exact one.z.test two.z.test\n rewrite name exact two.z.test v4.z.test',
      { name: 'one.z.test.' },
      'NOERROR aa one.z.test. 600 IN A 192.0.2.1',
    ],
    ['header {\n response clear aa\n}', { name: 'v4.z.test.' }, 'NOERROR v4.z.test. 600 IN A 192.0.2.1'],
    ['acl {\n drop net 10.244.0.0/16\n}', { name: 'v4.z.test.' }, 'none'],
    ['acl {\n block net 10.9.0.0/16\n}', { name: 'v4.z.test.' }, 'NOERROR aa v4.z.test. 600 IN A 192.0.2.1'],
    ['acl {\n block net 10.9.0.0/16\n}', { name: 'v4.z.test.', client: '10.9.1.1' }, 'REFUSED edns=4096'],
    ['bufsize 600', { name: 'v4.z.test.', edns: NO_EDNS }, 'NOERROR aa edns=600 v4.z.test. 600 IN A 192.0.2.1'],
    ['any', { name: 'v4.z.test.', type: 'ANY' }, 'NOERROR v4.z.test. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"'],
    [
      'hosts {\n 10.0.0.1 v4.z.test\n fallthrough\n}',
      { name: 'v4.z.test.' },
      'NOERROR aa v4.z.test. 3600 IN A 10.0.0.1',
    ],
    ['template IN A {\n match ^v\n}', { name: 'v4.z.test.' }, 'NOERROR aa'],
    ['template IN A {\n match ^v\n}', { name: 'x.z.test.' }, 'SERVFAIL'],
    ['template IN A {\n match ^v\n fallthrough\n}', { name: 'x.z.test.' }, 'NXDOMAIN aa'],
  ] as const)('%j asked %j', (stanzas, asked, expected) => {
    expect(ask(start(before(stanzas)), asked)).toBe(expected)
  })
})

describe('an answer and a later failure in the cache', () => {
  const upstream =
    (rcode: number, answers: readonly ResourceRecord[] = []): Exchange =>
    (effect) => {
      const asked = decodeMessage(effect.bytes)
      const bytes = asked.ok ? encodeMessage({ ...replyTo(asked.value, rcode), answers }) : asked
      return bytes.ok ? { kind: 'reply', bytes: bytes.value } : { kind: 'timeout' }
    }
  const A: ResourceRecord = { name: 'a.test.', ttl: 30, class: 'IN', type: 'A', address: ip('192.0.2.9') }

  it('the answer is served as long as it lives', () => {
    const standing = start('. {\n forward . 192.0.2.53\n cache {\n  prefetch 1 1m 90%\n }\n}\n')
    expect(ask(standing, { name: 'a.test.' }, upstream(RCODE.NOERROR, [A]))).toBe('NOERROR a.test. 30 IN A 192.0.2.9')
    standing.around.now = 10 * SECOND
    // Fetched again beside the answer, in vain.
    expect(ask(standing, { name: 'a.test.' }, upstream(RCODE.SERVFAIL))).toBe('NOERROR a.test. 20 IN A 192.0.2.9')
    expect(ask(standing, { name: 'a.test.' }, upstream(RCODE.SERVFAIL))).toBe('NOERROR a.test. 20 IN A 192.0.2.9')
    standing.around.now = 31 * SECOND
    expect(ask(standing, { name: 'a.test.' }, upstream(RCODE.SERVFAIL))).toBe('SERVFAIL')
  })

  it('aliases that lead nowhere are not kept', () => {
    const standing = start('. {\n forward . 192.0.2.53\n cache\n}\n')
    const alias: ResourceRecord = { name: 'a.test.', ttl: 30, class: 'IN', type: 'CNAME', target: 'b.test.' }
    ask(standing, { name: 'a.test.' }, upstream(RCODE.NOERROR, [alias]))
    expect(ask(standing, { name: 'a.test.' }, upstream(RCODE.NOERROR, [A]))).toBe('NOERROR a.test. 30 IN A 192.0.2.9')
  })

  it('a background refresh asks over TCP', () => {
    const standing = start('. {\n forward . 192.0.2.53\n cache {\n  serve_stale\n }\n}\n')
    const transports: string[] = []
    const heard: Exchange = (effect) => {
      transports.push(effect.transport)
      return upstream(RCODE.NOERROR, [A])(effect)
    }
    ask(standing, { name: 'a.test.' }, heard)
    standing.around.now = 40 * SECOND
    expect(ask(standing, { name: 'a.test.' }, heard)).toBe('NOERROR a.test. 0 IN A 192.0.2.9')
    expect(transports).toEqual(['udp', 'tcp'])
  })
})
