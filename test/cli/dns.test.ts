import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Check, Errors } from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { usualResolvers } from '../../dns/resolver/registry.ts'
import { dnsSchema } from '../../render/dns-schema.ts'
import { podwalk } from './run-podwalk.ts'

/** `podwalk dns`: a name, its queries, what would spare some; resolvers side by side; the planner. */

const dns = (...args: readonly string[]) => podwalk('dns', '--from', 'pod/client', ...args)

/** The textbook lab, with pods that have no IPv6. */
const WITHOUT_IPV6 = join(import.meta.dirname, 'without-ipv6.yaml')

describe('queries of one lookup', () => {
  test.each<[string, readonly string[], number, number]>([
    ['a name outside goes through the search list', ['cn.bing.com'], 8, 6],
    [
      'without IPv6 half of them',
      ['cn.bing.com', '-f', 'topologies/textbook-flannel-vxlan/lab.yaml', '-f', WITHOUT_IPV6],
      4,
      3,
    ],
    ['with its final dot none too many', ['cn.bing.com.'], 2, 0],
    ['a Service of the own namespace', ['my-nginx'], 2, 0],
    ['a Service with its namespace', ['my-nginx.default'], 4, 2],
  ])('%s', (_, args, queries, wasted) => {
    const [first = ''] = dns(...args).out.split('\n')
    expect(first).toMatch(/^✓ /)
    expect(first).toContain(`${queries} queries${wasted === 0 ? '' : `, ${wasted} wasted`}`)
  })
})

test('what a fix is worth is what asking again costs', () => {
  const { out } = dns('cn.bing.com', '-o', 'wide')
  const fixes = [...out.matchAll(/^(?:Fix {3}| {6})(.*) \((\d+) quer/gm)].map((match) => [match[1], match[2]])
  expect(fixes).toEqual([
    ['write "cn.bing.com."', '2'],
    ['dnsConfig option ndots:2', '2'],
    ['autopath @kubernetes in the Corefile, with pods verified', '2'],
    ['NodeLocal DNSCache on the node', '8'],
  ])
  expect(dns('cn.bing.com.').out).not.toContain('Fix')
})

test('a name that is not there has no fix, and exits with 1', () => {
  const ran = dns('nosuch')
  expect(ran.code).toBe(1)
  expect(ran.out).toMatch(/^✗ nosuch: Name or service not known \(EAI_NONAME\) {2}8 queries\n/)
  expect(ran.out).not.toContain('Fix')
})

test('--explain tells candidates, plugins and decisions', () => {
  const { out } = dns('my-nginx.default', '--explain', '-o', 'wide')
  expect(out).toContain('my-nginx.default.default.svc.cluster.local.: 1 dots, ndots is 5: search domain 1 of 3')
  expect(out).toContain('kubernetes  answered: NXDOMAIN')
  expect(out).toContain('try the next search domain')
})

describe('json', () => {
  const document = (...args: readonly string[]) => JSON.parse(dns(...args, '-o', 'json').out)
  const complaints = (value: unknown): readonly unknown[] =>
    Check(dnsSchema, value) ? [] : [...Errors(dnsSchema, value)].flat()

  test.each([
    ['NameAnswer', ['my-nginx']],
    ['NameAnswer', ['my-nginx', '-v']],
    ['NameAnswer', ['nosuch', '--resolver', 'musl']],
    ['NameAnswer', ['my-nginx', 'SRV', '--resolver', 'dig']],
    ['ResolverComparison', ['my-nginx', '--resolver', 'all']],
    ['NamePlans', ['--plan', 'cn.bing.com', 'my-nginx.default']],
  ])('%s: %j', (kind, args) => {
    const told = document(...args)
    expect(told.kind).toBe(kind)
    expect(complaints(told)).toEqual([])
  })

  test('an answer has its conversation, what it cost, why, fixes and lints', () => {
    const told = document('cn.bing.com')
    expect(told).toMatchObject({ name: 'cn.bing.com', resolver: 'glibc', cost: { queries: 8, wasted: 6 } })
    expect(told.conversation.lookup.queries).toHaveLength(8)
    expect(told.why).toEqual(['2 dots < ndots 5, so the search list goes first.'])
    expect(told.fixes[0]).toEqual({ change: 'write "cn.bing.com."', queries: 2, durationNs: 0 })
    expect(told.lints.map(({ code }: { code: string }) => code)).toEqual(['race'])
  })

  test('a plan has the dnsConfig to write', () => {
    const [plan] = document('--plan', 'cn.bing.com', 'my-nginx', 'my-nginx.default').plans
    expect(plan).toMatchObject({ workload: 'Pod default/client', pod: 'default/client', ndots: 5, best: 2 })
    expect(plan.dnsConfig).toEqual({ options: [{ name: 'ndots', value: '2' }] })
  })

  test('the schema is printed, and sees what is wrong', () => {
    expect(JSON.parse(podwalk('schema', 'dns').out)).toEqual(JSON.parse(JSON.stringify(dnsSchema)))
    const told = document('my-nginx')
    for (const wrong of [
      { ...told, kind: 'Trace' },
      { ...told, cost: {} },
      { ...told, fixes: [{}] },
      { ...told, why: 1 },
    ])
      expect(complaints(wrong)).not.toEqual([])
  })
})

test('from a workload: its name is told, and its pod asks', () => {
  const { out } = podwalk('dns', '--from', 'deploy/my-nginx', '--plan', 'my-nginx.default')
  expect(out).toMatch(/^Deployment default\/my-nginx {2}1 name: /)
  expect(podwalk('dns', '--from', 'deploy/my-nginx', 'my-nginx').out).toMatch(/^✓ my-nginx -> 10\.99\.198\.177/)
})

test('-v opens the way of a query, to a CoreDNS pod and back', () => {
  const { out } = dns('my-nginx', '-v', '-o', 'wide')
  expect(out).toMatch(/^QUERY {2}10\.244\.1\.2:\d+ > 10\.96\.0\.10:53 UDP/m)
  expect(out).toMatch(/DNAT destination 10\.96\.0\.10:53 -> 10\.244\.(0\.2|2\.5):53/)
  expect(out).toMatch(/^ANSWER {2}10\.244\.(0\.2|2\.5):53 > 10\.244\.1\.2:\d+ UDP/m)
  expect(dns('my-nginx').out).not.toMatch(/^QUERY/m)
})

describe('resolvers side by side', () => {
  const { out, code } = dns('my-nginx.default', '--resolver', 'all')
  const rows = out.split('\n')

  test('each has its row', () => {
    expect(rows.slice(2, 2 + usualResolvers.length).map((row) => row.split(' ')[0])).toEqual([...usualResolvers])
  })

  test('they differ as the real ones do', () => {
    const row = (name: string): string => rows.find((line) => line.startsWith(`${name} `)) ?? ''
    expect(row('glibc')).toMatch(/ 4 +2 +0 s +10\.99\.198\.177 +a b$/)
    expect(row('musl')).toMatch(/10\.99\.198\.177/)
    // busybox searches only for names without a dot, node's resolve and dig never.
    for (const name of ['busybox', 'node', 'dig']) expect(row(name)).not.toMatch(/10\.99\.198\.177/)
    expect(code).toBe(1)
  })

  test('some of them, in the order asked for', () => {
    const some = dns('my-nginx', '--resolver', 'go,musl').out.split('\n')
    expect([some[2], some[3]].map((line) => line?.split(' ')[0])).toEqual(['go', 'musl'])
  })
})

test('as dig prints it', () => {
  const { out, code } = dns('my-nginx.default.svc.cluster.local', '-o', 'dig')
  expect(code).toBe(0)
  expect(out).toMatch(/^\n; <<>> DiG 9/)
  expect(out).toContain('my-nginx.default.svc.cluster.local. 30 IN A\t10.99.198.177')
})

describe('the planner', () => {
  test('the cheapest ndots that breaks nothing', () => {
    const { out } = dns('--plan', 'cn.bing.com', 'my-nginx', 'my-nginx.default')
    expect(out).toContain('ndots:2 spares')
    expect(out).toMatch(/musl +6, 1 break/)
    expect(out).toContain('breaks my-nginx.default (musl): 10.99.198.177 becomes EAI_NONAME')
    expect(out).toContain('- { name: ndots, value: "2" }')
  })

  test('what costs nothing is kept', () => {
    expect(dns('--plan', 'my-nginx').out).toContain('keep ndots:5')
  })

  test('from a log, for each workload', () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwalk-log-'))
    const path = join(folder, 'coredns.log')
    const line = (name: string, from: string): string =>
      `[INFO] ${from}:43421 - 5 "A IN ${name}. udp 51 false 512" NXDOMAIN qr,aa,rd 100 0.0002s\n`
    const searched = [
      'cn.bing.com.default.svc.cluster.local',
      'cn.bing.com.svc.cluster.local',
      'cn.bing.com.cluster.local',
    ]
    writeFileSync(
      path,
      [...searched, 'cn.bing.com'].map((name) => line(name, '10.244.1.2')).join('') + line('x', '10.9.9.9'),
    )
    const { out, code } = podwalk('dns', '--from-log', path)
    rmSync(folder, { recursive: true })
    expect(code).toBe(0)
    expect(out).toMatch(/^Pod default\/client {2}1 name: ndots:2 spares 75 % of the queries\n/)
  })

  test.each<[string, readonly string[], RegExp]>([
    ['no name', ['--plan'], /which names\?/],
    ['a log without a query', ['--from-log', 'README.md'], /no line of CoreDNS's log plugin/],
    ['a log that is not there', ['--from-log', '/no/such.log'], /cannot be read/],
  ])('%s is said', (_, args, words) => {
    const ran = dns(...args)
    expect(ran.err).toMatch(words)
    expect(ran.code).toBe(2)
  })
})

test.each<[string, readonly string[], RegExp]>([
  ['no name', [], /which name\?/],
  ['a word too many', ['a', 'A', 'b'], /"b" is one word too many/],
  ['a resolver spelled wrong', ['a', '--resolver', 'mussl'], /"mussl" is not known; did you mean musl\?/],
  ['a name that is none', ['a b'], /"a b" is no DNS name/],
])('wrong: %s', (_, args, words) => {
  const ran = dns(...args)
  expect(ran.err).toMatch(words)
  expect(ran).toMatchObject({ code: 2, out: '' })
})

test('nobody asks', () => {
  expect(podwalk('dns', 'my-nginx').err).toMatch(/who asks\? --from is not given/)
})
