import { describe, expect, it } from 'vitest'
import { RCODE } from '../../dns/record.ts'
import { lookupProgram } from '../../dns/resolver/program.ts'
import type { DnsStep } from '../../dns/step.ts'
import type { Program } from '../../linux/process.ts'
import { formatIp } from '../../packet/ip.ts'
import { VirtualNetwork } from '../judge/virtual-network.ts'
import { answererOf, type Behaviours } from './behaviours.ts'
import { nothing, scriptedServer } from './scripted-server.ts'

const MS = 1_000_000

const server = (behaviours: Behaviours, log: string[], closes: boolean): Program<null, never> =>
  scriptedServer({
    address: '127.0.0.2',
    answer: answererOf({ behaviours, log: (query) => log.push(query) }),
    ...(closes && { closesStream: () => log.push('closes') }),
  })

interface Row {
  readonly rule: string
  readonly server: Behaviours
  readonly name?: string
  readonly family?: '4' | '6'
  readonly resolvConf?: string
  readonly closesStreams?: boolean
  readonly queries: readonly string[]
  readonly result: string
  readonly seconds?: number
}

const CONF = 'nameserver 127.0.0.2\nsearch s1.test s2.test\noptions ndots:5'
const both = (...names: readonly string[]) => names.flatMap((name) => [`A ${name}`, `AAAA ${name}`])
const AGAIN = 'EAI_AGAIN'

// Each row was run with the real glibc 2.36 (Debian 12) against such a server, but for those marked as read in its source.
const rows: readonly Row[] = [
  {
    rule: 'aliases alone end the search without an address',
    server: { 'x.s1.test.': ['CNAME y.other.'] },
    queries: both('x.s1.test.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'and for one family as no data',
    family: '4',
    server: { 'x.s1.test.': ['CNAME y.other.'] },
    queries: ['A x.s1.test.'],
    result: 'EAI_NODATA',
  },
  {
    rule: 'an alias on one side is enough to end it',
    server: { 'x.s1.test. AAAA': ['CNAME y.other.'] },
    queries: both('x.s1.test.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'an alias with its address',
    server: { 'x.s1.test. A': ['CNAME y.other.', 'y.other. 5 IN A 10.0.0.1'] },
    queries: both('x.s1.test.'),
    result: '10.0.0.1',
  },
  {
    rule: 'FORMERR leaves the list',
    server: { 'x.s1.test.': RCODE.FORMERR },
    queries: both('x.s1.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'no data anywhere is remembered',
    server: { 'x.s1.test.': [] },
    queries: both('x.s1.test.', 'x.s2.test.', 'x.'),
    result: 'EAI_NODATA',
  },
  {
    rule: 'no data beside NXDOMAIN is not',
    server: { 'x.s1.test. A': [] },
    queries: both('x.s1.test.', 'x.s2.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'NXDOMAIN beside no data is not',
    server: { 'x.s1.test. AAAA': [] },
    queries: both('x.s1.test.', 'x.s2.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'SERVFAIL beside NXDOMAIN goes on',
    server: { 'x.s1.test. A': RCODE.SERVFAIL },
    queries: both('x.s1.test.', 'x.s2.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'SERVFAIL beside an answer does not matter',
    server: { 'x.s1.test. A': RCODE.SERVFAIL, 'x.s1.test. AAAA': ['AAAA fd00::1'] },
    queries: both('x.s1.test.'),
    result: 'fd00::1',
  },
  {
    rule: 'REFUSED first, then SERVFAIL: twice, then out of the list',
    server: { 'x.s1.test. A': RCODE.REFUSED, 'x.s1.test. AAAA': RCODE.SERVFAIL },
    queries: both('x.s1.test.', 'x.s1.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'NOTIMP: twice, then out of the list',
    server: { 'x.s1.test.': RCODE.NOTIMP },
    queries: both('x.s1.test.', 'x.s1.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'a lame server: twice, then out of the list',
    server: { 'x.s1.test.': 'lame' },
    queries: both('x.s1.test.', 'x.s1.test.', 'x.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'a lame reply beside an answer does not matter',
    server: { 'x.s1.test. A': 'lame', 'x.s1.test. AAAA': ['AAAA fd00::1'] },
    queries: both('x.s1.test.'),
    result: 'fd00::1',
  },
  {
    rule: 'SERVFAIL everywhere in the list is remembered',
    server: { 'x.s1.test.': RCODE.SERVFAIL },
    queries: both('x.s1.test.', 'x.s1.test.', 'x.s2.test.', 'x.'),
    result: AGAIN,
  },
  {
    rule: 'single-request: SERVFAIL for A, AAAA is not asked',
    resolvConf: `${CONF} single-request attempts:1`,
    server: { 'x.s1.test. A': RCODE.SERVFAIL },
    queries: ['A x.s1.test.', ...both('x.s2.test.', 'x.')],
    result: AGAIN,
  },
  {
    rule: 'single-request: SERVFAIL for AAAA, A is used',
    resolvConf: `${CONF} single-request`,
    server: { 'x.s1.test. A': ['A 10.0.0.1'], 'x.s1.test. AAAA': RCODE.SERVFAIL },
    queries: both('x.s1.test.'),
    result: '10.0.0.1',
  },
  {
    rule: 'single-request: silence for A, then out of the list',
    resolvConf: `${CONF} single-request timeout:1 attempts:1`,
    server: { 'x.s1.test. A': 'drop' },
    queries: ['A x.s1.test.', ...both('x.')],
    result: 'EAI_NONAME',
    seconds: 1,
  },
  {
    rule: 'no-tld-query: a name without dots is not asked as it is',
    resolvConf: `${CONF} no-tld-query`,
    server: {},
    queries: both('x.s1.test.', 'x.s2.test.'),
    result: 'EAI_NONAME',
  },
  {
    rule: 'no-tld-query: one with dots is',
    resolvConf: `${CONF} no-tld-query`,
    name: 'x.y',
    server: {},
    queries: both('x.y.s1.test.', 'x.y.s2.test.', 'x.y.'),
    result: 'EAI_NONAME',
  },
  { rule: 'parts of an address are an address', name: '10.1', server: {}, queries: [], result: '10.0.0.1' },
  { rule: 'in octal and hexadecimal too', name: '010.0x1', server: {}, queries: [], result: '8.0.0.1' },
  {
    rule: 'five parts are a name',
    name: '1.2.3.4.5',
    family: '4',
    server: {},
    queries: ['A 1.2.3.4.5.s1.test.', 'A 1.2.3.4.5.s2.test.', 'A 1.2.3.4.5.'],
    result: 'EAI_NONAME',
  },
  {
    rule: 'a part over 255 makes a name',
    name: '256.1.1.1',
    family: '4',
    server: {},
    queries: ['A 256.1.1.1.s1.test.', 'A 256.1.1.1.s2.test.', 'A 256.1.1.1.'],
    result: 'EAI_NONAME',
  },
  {
    rule: 'an address of the other family',
    name: 'fd00::1',
    family: '4',
    server: {},
    queries: [],
    result: 'EAI_ADDRFAMILY',
  },
  { rule: 'an empty label is never asked', name: 'a..b', server: {}, queries: [], result: 'EAI_NONAME' },
  {
    rule: 'a label over 63 octets is never asked',
    name: 'a'.repeat(64),
    server: {},
    queries: [],
    result: 'EAI_NONAME',
  },
  { rule: 'an empty name', name: '', server: {}, queries: [], result: 'EAI_NONAME' },
  {
    rule: 'cut over UDP: both again over TCP',
    server: { 'x.s1.test. A': 'tc' },
    queries: ['A x.s1.test.', 'AAAA x.s1.test.', 'A x.s1.test. tcp', 'AAAA x.s1.test. tcp'],
    result: '10.0.0.1',
  },
  // Read in res_send.c: a stream that closes without a reply ends the server's turn, and with it the attempts.
  {
    rule: 'a stream that closes: no further attempt at this server',
    closesStreams: true,
    server: { 'x.s1.test. A': 'tc' },
    queries: [...both('x.s1.test.'), 'closes', ...both('x.')],
    result: 'EAI_NONAME',
  },
  {
    rule: 'enough dots: what was said of the name as it is counts',
    name: 'a.b.c.d.e.f',
    family: '4',
    server: { 'a.b.c.d.e.f.': [] },
    queries: ['A a.b.c.d.e.f.', 'A a.b.c.d.e.f.s1.test.', 'A a.b.c.d.e.f.s2.test.'],
    result: 'EAI_NODATA',
  },
  {
    rule: 'a last part that does not fit makes a name',
    name: '10.16777216',
    family: '4',
    server: {},
    queries: ['A 10.16777216.s1.test.', 'A 10.16777216.s2.test.', 'A 10.16777216.'],
    result: 'EAI_NONAME',
  },
  {
    rule: 'a reply with the id of no query is passed over',
    resolvConf: `${CONF} timeout:1 attempts:1`,
    family: '4',
    server: { 'x.s1.test.': 'wrongId' },
    queries: ['A x.s1.test.', 'A x.'],
    result: 'EAI_NONAME',
    seconds: 1,
  },
  {
    rule: 'and one to another question',
    resolvConf: `${CONF} timeout:1 attempts:1`,
    family: '4',
    server: { 'x.s1.test.': 'wrongName' },
    queries: ['A x.s1.test.', 'A x.'],
    result: 'EAI_NONAME',
    seconds: 1,
  },
]

describe('glibc getaddrinfo', () => {
  it.each(rows)(
    '$rule',
    ({
      server: behaviours,
      name = 'x',
      family,
      resolvConf = CONF,
      closesStreams = false,
      queries,
      result,
      seconds = 0,
    }) => {
      const network = new VirtualNetwork()
      const log: string[] = []
      network.start({ name: 'dns', addresses: ['127.0.0.2'], program: server(behaviours, log, closesStreams) })
      const client = network.start({
        name: 'client',
        addresses: ['10.244.1.7', 'fd00::7'],
        program: lookupProgram('glibc'),
        args: { name, family: family ?? 'unspec', addrConfig: 'false' },
        files: { '/etc/resolv.conf': `${resolvConf}\n` },
        draw: (_, choices) => (network.sent.length * 7919) % choices,
      })
      network.run({ done: () => client.exited !== undefined })
      expect(log).toEqual(queries)
      const last = client.notes.at(-1) as {
        readonly addresses: Parameters<typeof formatIp>[0][]
        readonly error?: string
      }
      expect(last.error?.split(':')[0] ?? last.addresses.map(formatIp).join(' ')).toBe(result)
      expect(network.now / (1000 * MS)).toBeCloseTo(seconds, 3)
    },
  )

  /** Which names are tried against such a server, and how it ends. */
  function against(program: Program<null, never>) {
    const network = new VirtualNetwork()
    network.start({ name: 'dns', addresses: ['127.0.0.2'], program })
    const client = network.start({
      name: 'client',
      addresses: ['10.244.1.7', 'fd00::7'],
      program: lookupProgram('glibc'),
      args: { name: 'x' },
      files: { '/etc/resolv.conf': `${CONF}\n` },
      draw: (_, choices) => 7 % choices,
    })
    network.run({ done: () => client.exited !== undefined })
    const notes = client.notes as readonly DnsStep[]
    return {
      candidates: notes.flatMap((note) => (note.kind === 'dns.candidate' ? [note.name] : [])),
      error: notes.flatMap((note) => (note.kind === 'dns.result' ? [note.error?.split(':')[0]] : [])),
      seconds: network.now / (1000 * MS),
    }
  }

  it('where nobody listens the search list is given up', () => {
    expect(against(nothing)).toEqual({ candidates: ['x.s1.test.'], error: [AGAIN], seconds: 0 })
  })

  it('and where nobody listens any more once one of two replies has come', () => {
    const whole = server({ 'x.s1.test. A': ['A 10.0.0.1'], 'x.s1.test. AAAA': 'drop' }, [], false)
    const leaves: Program<null, never> = {
      ...whole,
      step(state, event, context) {
        const { syscalls } = whole.step(state, event, context)
        return { state, syscalls: syscalls.length > 0 ? [...syscalls, { kind: 'close', fd: 3 }] : [] }
      },
    }
    expect(against(leaves)).toEqual({ candidates: ['x.s1.test.'], error: [AGAIN], seconds: 5 })
  })

  it('asks for the families it has an address of, and loopback does not count', () => {
    const log: string[] = []
    const network = new VirtualNetwork()
    network.start({ name: 'dns', addresses: ['127.0.0.2'], program: server({}, log, false) })
    const client = network.start({
      name: 'client',
      addresses: ['127.0.0.1', '::1', '10.244.1.7'],
      program: lookupProgram('glibc'),
      args: { name: 'x.' },
      files: { '/etc/resolv.conf': `${CONF}\n` },
      draw: (_, choices) => 7 % choices,
    })
    network.run({ done: () => client.exited !== undefined })
    expect(log).toEqual(['A x.'])
  })

  it('rotate begins at a drawn server and moves on with each name', () => {
    const network = new VirtualNetwork()
    for (const address of ['127.0.0.2', '127.0.0.3'])
      network.start({ name: address, addresses: [address], program: server({}, [], false) })
    const client = network.start({
      name: 'client',
      addresses: ['10.244.1.7'],
      program: lookupProgram('glibc'),
      args: { name: 'x', family: '4' },
      files: {
        '/etc/resolv.conf': 'nameserver 127.0.0.2\nnameserver 127.0.0.3\nsearch s1.test s2.test\noptions rotate\n',
      },
      draw: (entry, choices) => (entry === 'rotate' ? 1 : 7 % choices),
    })
    network.run({ done: () => client.exited !== undefined })
    const asked = network.sent.filter(({ from }) => from === 'client').map(({ to }) => formatIp(to.ip))
    expect(asked).toEqual(['127.0.0.3', '127.0.0.2', '127.0.0.3'])
  })
})
