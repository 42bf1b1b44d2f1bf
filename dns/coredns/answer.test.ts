import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { must } from '../../packet/parsed.ts'
import { type Message, query, replyTo } from '../message.ts'
import { decodeMessage } from '../message-decode.ts'
import { encodeMessage } from '../message-encode.ts'
import { RCODE, rcodeName } from '../record.ts'
import { parseRecord, recordText } from '../record-text.ts'
import { smallCluster } from '../testing/small-cluster.ts'
import { answer } from './answer.ts'
import { dnsApiView } from './api-view.ts'
import { loadCorefile } from './load.ts'
import { Server, type Surroundings } from './server.ts'

const SERVICES = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.96.0.50, clusterIPs: [10.96.0.50, "fd00::50"], ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: None, clusterIPs: [None], ports: [{ name: pg, port: 5432 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, namespace: shop, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
ports: [{ name: pg, port: 5432, protocol: TCP }]
endpoints:
  - { addresses: [10.244.1.9], hostname: db-0, conditions: { ready: true } }
  - { addresses: [10.244.1.10], conditions: { ready: true } }
  - { addresses: [10.244.1.11], conditions: { ready: false, serving: true, terminating: true } }
`

const cluster = smallCluster(SERVICES)

function serverWith(
  corefile: string,
  around: Partial<Surroundings> = {},
  objects = cluster,
): { server: Server; around: Surroundings; notModelled: readonly string[] } {
  const loaded = loadCorefile(
    { name: 'Corefile', text: corefile, folder: '/etc/coredns', read: () => undefined, env: new Map() },
    { api: dnsApiView(objects, 7), file: () => undefined, addresses: () => [ip('10.244.1.2')], hostname: 'coredns' },
  )
  if (!loaded.ok) throw new Error(loaded.reason)
  const surroundings: Surroundings = {
    host: 'node1',
    netns: 'coredns',
    families: [4],
    now: 0,
    draw: () => 0,
    ...around,
  }
  return {
    server: new Server(loaded.value.listeners[0]!, surroundings),
    around: surroundings,
    notModelled: loaded.value.notModelled.map(({ text }) => text),
  }
}

const PLAIN = '.:53 {\n  kubernetes cluster.local in-addr.arpa {\n    pods insecure\n  }\n}\n'

function ask(server: Server, name: string, type: string, cls = 'IN'): Message {
  const message = query(1, { name, type })
  const bytes = encodeMessage({ ...message, questions: [{ name, type, class: cls }] })
  if (!bytes.ok) throw new Error(bytes.reason)
  const reply = answer(server, { bytes: bytes.value, client: { ip: ip('10.244.1.7'), port: 40000 }, transport: 'udp' })
  const decoded = reply && decodeMessage(reply)
  if (!decoded?.ok) throw new Error('no reply')
  return decoded.value
}

const shown = ({ rcode, answers }: Message) => [
  rcodeName(rcode),
  ...answers.map((record) => recordText(record).split(' ').slice(3).join(' ')),
]

describe('answers without sockets', () => {
  const { server } = serverWith(PLAIN)

  it.each([
    ['web.shop.svc.cluster.local.', 'A', ['NOERROR', 'A 10.96.0.50']],
    ['web.shop.svc.cluster.local.', 'AAAA', ['NOERROR', 'AAAA fd00::50']],
    ['db.shop.svc.cluster.local.', 'A', ['NOERROR', 'A 10.244.1.9', 'A 10.244.1.10']],
    ['db.shop.svc.cluster.local.', 'AAAA', ['NOERROR']],
    ['db-0.db.shop.svc.cluster.local.', 'A', ['NOERROR', 'A 10.244.1.9']],
    ['10-244-1-11.db.shop.svc.cluster.local.', 'A', ['NXDOMAIN']],
    [
      '_pg._tcp.db.shop.svc.cluster.local.',
      'SRV',
      [
        'NOERROR',
        'SRV 0 50 5432 db-0.db.shop.svc.cluster.local.',
        'SRV 0 50 5432 10-244-1-10.db.shop.svc.cluster.local.',
      ],
    ],
    ['_pg._udp.db.shop.svc.cluster.local.', 'SRV', ['NXDOMAIN']],
    ['_http._tcp.db.shop.svc.cluster.local.', 'SRV', ['NXDOMAIN']],
    ['10-1-2-3.shop.pod.cluster.local.', 'A', ['NOERROR', 'A 10.1.2.3']],
    ['fd00--1.shop.pod.cluster.local.', 'AAAA', ['NOERROR', 'AAAA fd00::1']],
    ['10-1-2-3.none.pod.cluster.local.', 'A', ['NXDOMAIN']],
    ['shop.svc.cluster.local.', 'A', ['NOERROR']],
    ['none.svc.cluster.local.', 'A', ['NXDOMAIN']],
    ['9.1.244.10.in-addr.arpa.', 'PTR', ['NOERROR', 'PTR db-0.db.shop.svc.cluster.local.']],
    ['11.1.244.10.in-addr.arpa.', 'PTR', ['NXDOMAIN']],
    ['50.0.96.10.in-addr.arpa.', 'PTR', ['NOERROR', 'PTR web.shop.svc.cluster.local.']],
    ['www.example.com.', 'A', ['SERVFAIL']],
  ])('%s %s', (name, type, expected) => expect(shown(ask(server, name, type))).toEqual(expected))

  it('tells who answered, from which object and Corefile line', () => {
    const own = serverWith(PLAIN).server
    ask(own, 'web.shop.svc.cluster.local.', 'A')
    const notes = own.takenNotes()
    expect(notes.map(({ kind }) => kind)).toEqual(['dns.request', 'dns.plugin', 'dns.answer'])
    expect(notes[1]).toMatchObject({
      plugin: 'kubernetes',
      line: { file: 'Corefile', line: 2 },
      action: 'answered',
      object: 'Service shop/web',
      source: expect.stringMatching(/^in\.yaml:\d+$/),
    })
    expect(notes[2]).toMatchObject({ by: 'kubernetes', rcode: 'NOERROR', size: 86 })
  })

  it('says why a name does not exist', () => {
    const own = serverWith(PLAIN).server
    ask(own, '10-244-1-11.db.shop.svc.cluster.local.', 'A')
    expect(own.takenNotes()[1]).toMatchObject({
      detail: 'NXDOMAIN: no ready endpoint of Service shop/db is called 10-244-1-11',
    })
  })

  it('a real plugin that is not emulated is told with its line, an unknown one is an error', () => {
    expect(serverWith('.:53 {\n  kubernetes cluster.local\n  geoip /x\n}\n').notModelled).toEqual([
      'not modelled: plugin geoip (Corefile:3)',
    ])
    expect(() => serverWith('.:53 {\n  nosuch\n}\n')).toThrow(
      "Corefile:2 - Error during parsing: Unknown directive 'nosuch'",
    )
  })

  it('the longest zone of several blocks answers, whatever their order', () => {
    const { server: own } = serverWith('.:53 {\n  kubernetes cluster.local\n}\nshop.svc.cluster.local:53 {\n}\n')
    expect(shown(ask(own, 'web.shop.svc.cluster.local.', 'A'))).toEqual(['REFUSED'])
    expect(shown(ask(own, 'kubernetes.default.svc.cluster.local.', 'A'))).toEqual(['NOERROR', 'A 10.96.0.1'])
  })

  it('DS of a zone is asked of the zone above', () => {
    const { server: own } = serverWith('cluster.local {\n  kubernetes\n}\nsvc.cluster.local {\n  cancel\n}\n')
    expect(shown(ask(own, 'svc.cluster.local.', 'DS'))).toEqual(['NOERROR'])
    expect(shown(ask(own, 'svc.cluster.local.', 'A'))).toEqual(['SERVFAIL'])
    const { server: empty } = serverWith('cluster.local {\n  kubernetes\n}\nsvc.cluster.local {\n}\n')
    expect(shown(ask(empty, 'svc.cluster.local.', 'DS'))).toEqual(['REFUSED'])
  })

  it('a dot inside a label does not begin a zone', () => {
    const { server: own } = serverWith('cluster.local {\n  kubernetes\n}\n')
    expect(shown(ask(own, 'a\\.cluster.local.', 'A'))).toEqual(['REFUSED'])
    expect(shown(ask(own, 'a\\..cluster.local.', 'A'))).toEqual(['NXDOMAIN'])
  })

  it('other classes are refused, unless a plugin is for them', () => {
    expect(shown(ask(server, 'web.shop.svc.cluster.local.', 'A', 'CH'))).toEqual(['REFUSED'])
    const { server: own } = serverWith('.:53 {\n  kubernetes cluster.local\n  forward . 192.0.2.1\n}\n')
    expect(shown(ask(own, 'none.shop.svc.cluster.local.', 'A', 'CH'))).toEqual(['NXDOMAIN'])
  })

  it('a listener without a zone for the name refuses', () => {
    expect(shown(ask(serverWith('cluster.local:53 {\n}\n').server, 'www.example.com.', 'A'))).toEqual(['REFUSED'])
  })
})

describe('options of the kubernetes plugin', () => {
  const EMPTY = `apiVersion: v1
kind: Service
metadata: { name: idle, namespace: shop }
spec: { clusterIP: 10.96.0.60, clusterIPs: [10.96.0.60], ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-2, namespace: shop, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
ports: [{ name: pg, port: 5432, protocol: TCP }]
endpoints:
  - { addresses: [10.244.2.1], targetRef: { kind: Pod, namespace: shop, name: ${'p'.repeat(63)} } }
  - { addresses: [10.244.2.2], targetRef: { kind: Pod, namespace: shop, name: ${'q'.repeat(64)} } }
`
  const objects = smallCluster(`${SERVICES}---\n${EMPTY}`)
  const withOption = (option: string) =>
    serverWith(`. {\n  kubernetes cluster.local in-addr.arpa {\n    ${option}\n  }\n}\n`, {}, objects).server

  it('a service without ready endpoints does not exist if it is asked to be so', () => {
    expect(shown(ask(withOption(''), 'idle.shop.svc.cluster.local.', 'A'))).toEqual(['NOERROR', 'A 10.96.0.60'])
    const own = withOption('ignore empty_service')
    expect(shown(ask(own, 'idle.shop.svc.cluster.local.', 'A'))).toEqual(['NXDOMAIN'])
    expect(shown(ask(own, 'db.shop.svc.cluster.local.', 'A'))[0]).toBe('NOERROR')
  })

  it('an endpoint is called by its pod where that fits a label', () => {
    const own = withOption('endpoint_pod_names')
    const target = (name: string) => shown(ask(own, name, 'PTR'))[1]
    expect(target('1.2.244.10.in-addr.arpa.')).toBe(`PTR ${'p'.repeat(63)}.db.shop.svc.cluster.local.`)
    expect(target('2.2.244.10.in-addr.arpa.')).toBe('PTR 10-244-2-2.db.shop.svc.cluster.local.')
  })

  it('the SOA lives 300 seconds at most', () => {
    const [soa] = ask(withOption('ttl 3600'), 'none.shop.svc.cluster.local.', 'A').authorities
    expect(soa).toMatchObject({ type: 'SOA', ttl: 300, minimum: 3600 })
  })
})

describe('log', () => {
  const QUERIES: readonly (readonly [string, string])[] = [
    ['web.shop.svc.cluster.local.', 'A'],
    ['web.shop.svc.cluster.local.', 'MX'],
    ['none.shop.svc.cluster.local.', 'A'],
    ['www.example.com.', 'A'],
  ]

  it.each([
    ['log', ['NOERROR', 'NOERROR', 'NXDOMAIN', 'SERVFAIL']],
    ['log {\n class success\n }', ['NOERROR']],
    ['log {\n class denial\n }', ['NOERROR', 'NXDOMAIN']],
    ['log {\n class error\n }', ['SERVFAIL']],
    ['log {\n class error\n class success\n }', ['NOERROR', 'SERVFAIL']],
    ['log example.com', ['SERVFAIL']],
    ['log example.com shop.svc.cluster.local {\n class all\n }', ['NOERROR', 'NOERROR', 'NXDOMAIN', 'SERVFAIL']],
  ])('%j', (directive, rcodes) => {
    const { server } = serverWith(`. {\n ${directive}\n kubernetes cluster.local\n}\n`)
    for (const [name, type] of QUERIES) ask(server, name, type)
    const lines = server
      .takenNotes()
      .flatMap((note) => (note.kind === 'dns.plugin' && note.plugin === 'log' ? [note.detail] : []))
    expect(lines.map((line) => line.split('" ')[1]?.split(' ')[0])).toEqual(rcodes)
  })

  it.each([
    ['"{remote} {x} {/a/b}"', '[INFO] 10.244.1.7 {x} -'],
    ['"{name} {common"', '[INFO] kubernetes.default.svc.cluster.local. {common'],
    ['"} {type}"', '[INFO] } A'],
    ['"{combined}"', / 0s "0"$/],
  ])('format %s', (format, expected) => {
    const { server } = serverWith(`. {\n log . ${format}\n kubernetes cluster.local\n}\n`)
    ask(server, 'kubernetes.default.svc.cluster.local.', 'A')
    const lines = server
      .takenNotes()
      .flatMap((note) => (note.kind === 'dns.plugin' && note.plugin === 'log' ? [note.detail] : []))
    expect(lines).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)])
  })
})

describe('the cache over time', () => {
  const SECOND = 1_000_000_000
  const CACHED = '.:53 {\n  cache 30\n  kubernetes cluster.local {\n    ttl 30\n  }\n}\n'

  it('counts down, and asks again at the end', () => {
    const { server, around } = serverWith(CACHED)
    const ttl = () => ask(server, 'web.shop.svc.cluster.local.', 'A').answers[0]?.ttl
    expect(ttl()).toBe(30)
    around.now = 29.9 * SECOND
    expect(ttl()).toBe(1)
    around.now = 30 * SECOND
    expect(ttl()).toBe(30)
  })

  it('keeps denials too', () => {
    const { server, around } = serverWith(CACHED)
    const ttl = () => ask(server, 'none.shop.svc.cluster.local.', 'A').authorities[0]?.ttl
    expect(ttl()).toBe(30)
    around.now = 10 * SECOND
    expect(ttl()).toBe(20)
  })

  it('another type, DO or CD is another entry', () => {
    const { server, around } = serverWith(CACHED)
    ask(server, 'web.shop.svc.cluster.local.', 'A')
    around.now = 5 * SECOND
    expect(ask(server, 'web.shop.svc.cluster.local.', 'AAAA').answers[0]?.ttl).toBe(30)
    expect(ask(server, 'WEB.shop.svc.cluster.local.', 'A').answers[0]).toMatchObject({
      ttl: 25,
      name: 'web.shop.svc.cluster.local.',
    })
  })

  it('keeps a failure for a time of its own', () => {
    const { server, around } = serverWith('.:53 {\n  cache {\n    servfail 2s\n  }\n  kubernetes cluster.local\n}\n')
    const by = () => {
      server.takenNotes()
      expect(shown(ask(server, 'www.example.com.', 'A'))).toEqual(['SERVFAIL'])
      return server.takenNotes().flatMap((note) => (note.kind === 'dns.answer' ? [note.by] : []))
    }
    expect(by()).toEqual([undefined])
    around.now = 1.9 * SECOND
    expect(by()).toEqual(['cache'])
    around.now = 2 * SECOND
    expect(by()).toEqual([undefined])
  })

  it('asks ahead of the end for what is asked often', () => {
    const { server, around } = serverWith(
      '.:53 {\n  cache {\n    prefetch 2 1m 50%\n  }\n  kubernetes cluster.local {\n    ttl 30\n  }\n}\n',
    )
    const ttlAt = (seconds: number) => {
      around.now = seconds * SECOND
      return ask(server, 'web.shop.svc.cluster.local.', 'A').answers[0]?.ttl
    }
    expect([0, 14, 15, 16].map(ttlAt)).toEqual([30, 16, 15, 29])
    expect([44, 45, 46].map(ttlAt)).toEqual([1, 29, 28])
  })

  it('throws one out when it is full', () => {
    const { server } = serverWith(
      '.:53 {\n  cache {\n    success 256\n    denial 256\n  }\n  kubernetes cluster.local {\n    pods insecure\n  }\n}\n',
    )
    const name = (i: number) => `10-1-${i >> 8}-${i & 255}.shop.pod.cluster.local.`
    // 256 parts hold four items each at least.
    for (let i = 0; i <= 1024; i++) ask(server, name(i), 'A')
    server.takenNotes()
    ask(server, name(1024), 'A')
    ask(server, name(0), 'A')
    expect(
      server
        .takenNotes()
        .filter((note) => note.kind === 'dns.answer')
        .map((note) => note.by),
    ).toEqual(['cache', 'kubernetes'])
  })
})

describe('loadbalance', () => {
  it('shuffles by what is drawn', () => {
    const corefile = '.:53 {\n  loadbalance\n  kubernetes cluster.local\n}\n'
    const order = (draw: Surroundings['draw']) =>
      shown(ask(serverWith(corefile, { draw }).server, 'db.shop.svc.cluster.local.', 'A')).slice(1)
    expect(order(() => 0)).toEqual(['A 10.244.1.9', 'A 10.244.1.10'])
    expect(order((_, choices) => choices - 1)).toEqual(['A 10.244.1.10', 'A 10.244.1.9'])
  })

  it('leaves anything but NOERROR as it is', () => {
    const { server } = serverWith('. {\n  loadbalance\n  forward . 192.0.2.1\n}\n')
    const told = (rcode: number) => {
      const answers = ['x. 5 IN A 192.0.2.7', 'x. 5 IN CNAME y.'].map((text) => must(parseRecord(text)))
      const bytes = must(encodeMessage({ ...replyTo(query(1, { name: 'x.', type: 'A' })), rcode, answers }))
      const asked = must(encodeMessage(query(1, { name: 'x.', type: 'A' })))
      const client = { ip: ip('10.244.1.7'), port: 40000 }
      const reply = answer(server, { bytes: asked, client, transport: 'udp' }, () => ({ kind: 'reply', bytes }))
      return shown(must(decodeMessage(reply ?? new Uint8Array(0))))
    }
    expect(told(RCODE.NOERROR)).toEqual(['NOERROR', 'CNAME y.', 'A 192.0.2.7'])
    expect(told(RCODE.NXDOMAIN)).toEqual(['NXDOMAIN', 'A 192.0.2.7', 'CNAME y.'])
  })
})

describe('messages that are not queries', () => {
  const { server } = serverWith(PLAIN)
  const client = { ip: ip('10.244.1.7'), port: 40000 }
  const send = (bytes: Uint8Array) => answer(server, { bytes, client, transport: 'udp' })
  const sample = (() => {
    const bytes = encodeMessage(query(0x1234, { name: 'web.shop.svc.cluster.local.', type: 'A' }))
    return bytes.ok ? bytes.value : new Uint8Array(0)
  })()

  it('less than a header, or a reply: nothing comes back', () => {
    expect(send(sample.subarray(0, 11))).toBeUndefined()
    const reply = sample.slice()
    reply[2] = 0x81
    expect(send(reply)).toBeUndefined()
  })

  it('a cut question is a format error', () => {
    const reply = send(sample.subarray(0, 20))!
    expect(reply.length).toBe(12)
    expect(reply[3]! & 0xf).toBe(1)
  })

  it('whatever comes, nothing throws and every reply can be read', () => {
    const mutated = fc.tuple(
      fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(sample.length),
    )
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ minLength: 12, maxLength: 60 })), (input) => {
        let bytes: Uint8Array
        if (input instanceof Uint8Array) bytes = input
        else {
          bytes = sample.slice(0, input[1])
          for (const [at, value] of input[0]) if (at < bytes.length) bytes[at] = value
        }
        const reply = send(bytes)
        if (reply) expect(decodeMessage(reply).ok).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('Corefiles', () => {
  const pieces = [
    '.:53',
    '{',
    '}',
    '\n',
    ' ',
    'kubernetes',
    'cluster.local',
    'cache',
    '30',
    'forward',
    '.',
    '10.0.0.1',
    'pods',
    'verified',
    'import',
    'x',
    '(s)',
    '"',
    '\\',
    '#',
    'ttl',
    'errors',
    'fallthrough',
    'log',
    '{$A}',
    'health',
    ',',
    'prefetch',
    '10%',
    'max_concurrent',
    '-1',
    'disable',
    'success',
  ]

  it('of any words load or are refused with a reason', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (words) => {
        const loaded = loadCorefile(
          { name: 'Corefile', text: words.join(' '), folder: '/', read: () => undefined, env: new Map() },
          { api: undefined, file: () => undefined, addresses: () => [], hostname: 'x' },
        )
        if (!loaded.ok) expect(loaded.reason).not.toBe('')
      }),
      { numRuns: 5000 },
    )
  })
})
