import { describe, expect, it } from 'vitest'
import { dnsApiView } from '../../dns/coredns/api-view.ts'
import { corednsProgram } from '../../dns/coredns/program.ts'
import { query } from '../../dns/message.ts'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import { rcodeName } from '../../dns/record.ts'
import { recordText } from '../../dns/record-text.ts'
import type { DnsStep } from '../../dns/step.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { smallCluster } from '../../dns/testing/small-cluster.ts'
import { UPSTREAM_BEHAVE_PATH, UPSTREAM_ZONE_PATH, upstreamDnsProgram } from '../../dns/upstream.ts'
import { seededDraw } from '../../linux/draw.ts'
import type { Program, Syscall } from '../../linux/process.ts'
import { formatIp, ip } from '../../packet/ip.ts'
import { type Machine, VirtualNetwork } from '../judge/virtual-network.ts'

const SECOND = 1_000_000_000
const MS = 1_000_000
const POD = '10.244.0.2'
const UPSTREAM = '192.0.2.53'
const OTHER = '192.0.2.54'

interface Setting {
  readonly network: VirtualNetwork
  readonly coredns: Machine
}

function setUp(
  corefile: string | undefined,
  options: {
    readonly files?: Record<string, string>
    readonly args?: Record<string, string>
    readonly upstream?: readonly {
      readonly ip: string
      readonly behave?: string
      readonly delayMs?: number
      readonly program?: typeof upstreamDnsProgram
    }[]
  } = {},
): Setting {
  const network = new VirtualNetwork()
  for (const one of options.upstream ?? [{ ip: UPSTREAM }])
    network.start({
      name: one.ip,
      addresses: [one.ip],
      program: one.program ?? upstreamDnsProgram,
      args: { delayMs: String(one.delayMs ?? 0) },
      files: {
        [UPSTREAM_ZONE_PATH]:
          '; the outside\nwww.example.com. 300 IN A 93.184.216.34\nalias.example.com. 60 IN CNAME www.example.com.\n',
        [UPSTREAM_BEHAVE_PATH]: one.behave ?? '',
      },
    })
  const draw = seededDraw(3)
  const coredns = network.start({
    name: 'coredns',
    addresses: [POD, '127.0.0.1'],
    visible: [POD],
    program: corednsProgram(dnsApiView(smallCluster())),
    args: { startup: 'done', ...options.args },
    files: {
      ...(corefile !== undefined && { '/etc/coredns/Corefile': corefile }),
      '/etc/resolv.conf': `nameserver ${UPSTREAM}\n`,
      ...options.files,
    },
    draw: (entry, choices) => draw({ host: 'coredns', netns: 'root', purpose: 'record-order', entry }, choices),
  })
  return { network, coredns }
}

const notesOf = ({ coredns }: Setting) => coredns.notes as readonly DnsStep[]

let clients = 0

/** Sends queries from one socket at once; what came back by name, and when. */
function ask(
  { network }: Setting,
  names: readonly string[],
  transport: 'udp' | 'tcp' = 'udp',
  port = 53,
): readonly string[] {
  const replies: string[] = []
  const bytes = names.map((name, i) => {
    const encoded = encodeMessage(query(100 + i, { name, type: 'A' }))
    if (!encoded.ok) throw new Error(encoded.reason)
    return encoded.value
  })
  const show = (message: Uint8Array) => {
    const decoded = decodeMessage(message)
    if (decoded.ok)
      replies.push(
        [
          rcodeName(decoded.value.rcode),
          ...decoded.value.answers.map((record) => recordText(record).split(' ').slice(3).join(' ')),
        ].join(' '),
      )
  }
  const stream = Buffer.concat(bytes.map(framed))
  // In two pieces, cut in the middle of a message.
  const pieces = [stream.subarray(0, 7), stream.subarray(7)]
  const program: Program<Uint8Array, never> = {
    name: 'client',
    start: () => ({
      state: new Uint8Array(0),
      syscalls: [
        { kind: 'socket', fd: 3, family: 4, type: transport },
        { kind: 'connect', fd: 3, to: { ip: ip(POD), port } },
        ...(transport === 'udp' ? bytes.map((one): Syscall => ({ kind: 'send', fd: 3, bytes: one })) : []),
      ],
    }),
    step: (state, event) => {
      if (event.kind === 'connected')
        return { state, syscalls: pieces.map((piece) => ({ kind: 'send', fd: 3, bytes: piece })) }
      if (event.kind === 'error') replies.push(event.errno)
      if (event.kind !== 'data') return { state, syscalls: [] }
      if (transport === 'udp') show(event.bytes)
      else {
        const { messages, rest } = unframed(Uint8Array.from([...state, ...event.bytes]))
        messages.forEach(show)
        return { state: rest, syscalls: [] }
      }
      return { state, syscalls: [] }
    },
  }
  const client = network.start({ name: `client${clients++}`, addresses: ['10.244.1.7'], program })
  const deadline = network.now + 20 * SECOND
  network.run({ until: deadline, done: () => replies.length >= names.length })
  client.exited = 0
  return replies
}

const FORWARD = (to: string, block = '') => `.:53 {\n  errors\n  forward . ${to} {\n${block}\n}\n}\n`
const toUpstream = ({ network }: Setting, address = UPSTREAM) =>
  network.sent.filter((one) => one.from === 'coredns' && formatIp(one.to.ip) === address)

describe('CoreDNS as a process', () => {
  it('answers over UDP and TCP, several queries on one stream', () => {
    const setting = setUp('.:53 {\n  kubernetes cluster.local\n}\n')
    const names = ['kubernetes.default.svc.cluster.local.', 'kube-dns.kube-system.svc.cluster.local.']
    const expected = ['NOERROR A 10.96.0.1', 'NOERROR A 10.96.0.10']
    expect(ask(setting, names)).toEqual(expected)
    expect(ask(setting, names, 'tcp')).toEqual(expected)
  })

  it('listens on the port of the key, and on no other', () => {
    const setting = setUp('.:1053 {\n  kubernetes cluster.local\n}\n')
    expect(ask(setting, ['kubernetes.default.svc.cluster.local.'], 'udp', 1053)).toEqual(['NOERROR A 10.96.0.1'])
    expect(ask(setting, ['kubernetes.default.svc.cluster.local.'])).toEqual(['ECONNREFUSED'])
  })

  it.each([
    ['a wrong Corefile', '.:53 {\n  nosuch\n}\n', "Corefile:2 - Error during parsing: Unknown directive 'nosuch'"],
    ['no Corefile', undefined, 'Loading Caddyfile via flag: open /etc/coredns/Corefile: no such file or directory'],
  ])('%s: it ends, and says why', (_, corefile, text) => {
    const setting = setUp(corefile)
    expect(setting.coredns.exited).toBe(1)
    expect(notesOf(setting)).toMatchObject([{ kind: 'dns.server', event: 'failed', text }])
  })

  it('imports files, and tells a pattern that matches none', () => {
    const corefile = '.:53 {\n  import custom/*.override\n  import more/*.conf\n  kubernetes cluster.local\n}\n'
    const files = { '/etc/coredns/custom/a.override': 'forward . 192.0.2.53\n' }
    const setting = setUp(corefile, { files, args: { files: '/etc/coredns/custom/a.override' } })
    expect(ask(setting, ['www.example.com.'])).toEqual(['NOERROR A 93.184.216.34'])
    expect(
      notesOf(setting).flatMap((note) =>
        note.kind === 'dns.server' && note.event === 'notModelled' ? [note.text] : [],
      ),
    ).toEqual(['no file is known that matches import more/*.conf (Corefile:3)'])
  })

  it('what it does not emulate is told at the start', () => {
    const setting = setUp('.:53 {\n  health\n  erratic\n}\n')
    const texts = notesOf(setting).flatMap((note) =>
      note.kind === 'dns.server' && note.event === 'notModelled' ? [note.text] : [],
    )
    expect(texts).toEqual([
      'not modelled: health: the HTTP endpoint :8080 (Corefile:2)',
      'not modelled: plugin erratic (Corefile:3)',
    ])
  })
})

describe('forward', () => {
  it('asks the servers of resolv.conf as real packets, with the transport of the client', () => {
    const setting = setUp(FORWARD('/etc/resolv.conf'))
    expect(ask(setting, ['alias.example.com.'])).toEqual(['NOERROR CNAME www.example.com. A 93.184.216.34'])
    expect(ask(setting, ['www.example.com.'], 'tcp')).toEqual(['NOERROR A 93.184.216.34'])
    expect(toUpstream(setting).map(({ transport }) => transport)).toEqual(['udp', 'tcp'])
  })

  it.each([
    ['force_tcp', ['tcp']],
    ['prefer_udp', ['udp']],
  ])('%s decides the transport', (option, transports) => {
    const setting = setUp(FORWARD(UPSTREAM, option))
    ask(setting, ['www.example.com.'], option === 'prefer_udp' ? 'tcp' : 'udp')
    expect(toUpstream(setting).map(({ transport }) => transport)).toEqual(transports)
  })

  it('takes a socket again for ten seconds: the same source port', () => {
    const setting = setUp(FORWARD(UPSTREAM))
    ask(setting, ['www.example.com.'])
    setting.network.run({ until: setting.network.now + 9 * SECOND })
    ask(setting, ['www.example.com.'])
    setting.network.run({ until: setting.network.now + 11 * SECOND })
    ask(setting, ['www.example.com.'])
    const ports = toUpstream(setting).map(({ source }) => source.port)
    expect(ports[0]).toBe(ports[1])
    expect(ports[2]).not.toBe(ports[1])
  })

  it('queries at the same time have sockets of their own', () => {
    const setting = setUp(FORWARD(UPSTREAM), { upstream: [{ ip: UPSTREAM, delayMs: 20 }] })
    expect(ask(setting, ['www.example.com.', 'nx.example.com.'])).toHaveLength(2)
    const ports = toUpstream(setting).map(({ source }) => source.port)
    expect(new Set(ports).size).toBe(2)
    expect(setting.network.now).toBe(20 * MS)
  })

  it('over max_concurrent it refuses', () => {
    const setting = setUp(FORWARD(UPSTREAM, 'max_concurrent 1'), { upstream: [{ ip: UPSTREAM, delayMs: 20 }] })
    expect([...ask(setting, ['www.example.com.', 'alias.example.com.'])].sort()).toEqual([
      'NOERROR A 93.184.216.34',
      'REFUSED',
    ])
  })

  it('a silent upstream is asked twice, two seconds each, then SERVFAIL', () => {
    const setting = setUp(FORWARD(UPSTREAM), { upstream: [{ ip: UPSTREAM, behave: '* drop' }] })
    expect(ask(setting, ['www.example.com.'])).toEqual(['SERVFAIL'])
    expect(setting.network.now).toBe(4 * SECOND)
    const log = notesOf(setting).filter((note) => note.kind === 'dns.plugin' && note.plugin === 'errors')
    expect(log).toMatchObject([
      {
        detail: expect.stringMatching(
          /^\[ERROR\] plugin\/errors: 2 www\.example\.com\. A: read udp .*192\.0\.2\.53:53: i\/o timeout$/,
        ),
      },
    ])
  })

  it('an upstream where nobody listens costs no time; the other one answers', () => {
    const setting = setUp(FORWARD(`192.0.2.99 ${UPSTREAM}`, 'policy sequential'))
    expect(ask(setting, ['www.example.com.'])).toEqual(['NOERROR A 93.184.216.34'])
    expect(setting.network.now).toBe(0)
  })

  it('an upstream that failed too often is passed over until a probe comes back', () => {
    const setting = setUp(FORWARD(`${OTHER} ${UPSTREAM}`, 'policy sequential'), {
      upstream: [{ ip: UPSTREAM }, { ip: OTHER, behave: '* drop' }],
    })
    ask(setting, ['www.example.com.'])
    expect(setting.network.now).toBe(2 * SECOND)
    setting.network.run({ until: 6 * SECOND })
    const before = setting.network.now
    ask(setting, ['www.example.com.'])
    expect(setting.network.now).toBe(before)
  })

  it('round_robin goes around', () => {
    const setting = setUp(FORWARD(`${UPSTREAM} ${OTHER}`, 'policy round_robin'), {
      upstream: [{ ip: UPSTREAM }, { ip: OTHER }],
    })
    for (let i = 0; i < 4; i++) ask(setting, ['www.example.com.'])
    expect(
      setting.network.sent
        .filter(({ from }) => from === 'coredns')
        .flatMap(({ to }) => (to.port === 53 ? [formatIp(to.ip)] : [])),
    ).toEqual([OTHER, UPSTREAM, OTHER, UPSTREAM])
  })

  it('except hands names on', () => {
    const setting = setUp(FORWARD(UPSTREAM, 'except example.com'))
    expect(ask(setting, ['www.example.com.'])).toEqual(['SERVFAIL'])
    expect(toUpstream(setting)).toEqual([])
  })

  it('failover asks the next for a code', () => {
    const setting = setUp(FORWARD(`${OTHER} ${UPSTREAM}`, 'policy sequential\nfailover REFUSED'), {
      upstream: [{ ip: UPSTREAM }, { ip: OTHER, behave: '* REFUSED' }],
    })
    expect(ask(setting, ['www.example.com.'])).toEqual(['NOERROR A 93.184.216.34'])
  })

  it('next hands a code on to the plugin behind, which may be another forward', () => {
    const setting = setUp(`. {\n  forward . ${OTHER} {\n    next NXDOMAIN\n  }\n  forward . ${UPSTREAM}\n}\n`, {
      upstream: [{ ip: UPSTREAM }, { ip: OTHER, behave: 'www.example.com NXDOMAIN\nrefused.example.com REFUSED' }],
    })
    expect(ask(setting, ['www.example.com.'])).toEqual(['NOERROR A 93.184.216.34'])
    expect(ask(setting, ['refused.example.com.'])).toEqual(['REFUSED'])
  })

  it('a reply with another id is read past', () => {
    const forging: typeof upstreamDnsProgram = {
      ...upstreamDnsProgram,
      step(state, event, about) {
        const result = upstreamDnsProgram.step(state, event, about)
        const forged = (bytes: Uint8Array) =>
          bytes.map((octet, i) => (i === 0 ? octet ^ 1 : i === 3 ? octet | 5 : octet))
        return {
          ...result,
          syscalls: result.syscalls.flatMap((call): readonly Syscall[] =>
            call.kind === 'send' ? [{ ...call, bytes: forged(call.bytes) }, call] : [call],
          ),
        }
      },
    }
    const setting = setUp(FORWARD(UPSTREAM), { upstream: [{ ip: UPSTREAM, program: forging }] })
    expect(ask(setting, ['www.example.com.'])).toEqual(['NOERROR A 93.184.216.34'])
  })
})

describe('loop', () => {
  it('ends the process when its own question comes the third time', () => {
    const setting = setUp('. {\n  loop\n  forward . 127.0.0.1\n}\n', { args: { startup: '' } })
    setting.network.run({ done: () => setting.coredns.exited !== undefined })
    expect(setting.coredns.exited).toBe(1)
    expect(notesOf(setting).filter((note) => note.kind === 'dns.request')).toHaveLength(3)
  })
})

describe('a resolver outside', () => {
  it('keeps its delay, and behaves per name', () => {
    const behave = 'www.example.com SERVFAIL\nnx.example.com drop\n'
    const setting = setUp(FORWARD(UPSTREAM), { upstream: [{ ip: UPSTREAM, behave, delayMs: 30 }] })
    expect(ask(setting, ['www.example.com.'])).toEqual(['SERVFAIL'])
    expect(setting.network.now).toBe(30 * MS)
    expect(ask(setting, ['alias.example.com.'])).toEqual(['NOERROR CNAME www.example.com. A 93.184.216.34'])
  })

  it('tells what it cannot read', () => {
    const network = new VirtualNetwork()
    const machine = network.start({
      name: 'up',
      addresses: [UPSTREAM],
      program: upstreamDnsProgram,
      files: { [UPSTREAM_ZONE_PATH]: 'www A nonsense\n', [UPSTREAM_BEHAVE_PATH]: 'x explode\n' },
    })
    expect(machine.notes).toMatchObject([
      { kind: 'dns.server', text: '"www A nonsense": www. A: "nonsense" is not an IP address: IPv4 has four octets' },
      { text: expect.stringMatching(/^"explode" is not a behaviour: SERVFAIL, REFUSED/) },
    ])
  })
})
