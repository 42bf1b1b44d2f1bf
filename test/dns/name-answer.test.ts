import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Lab } from '../../cluster/lab.ts'
import { loadText } from '../../cluster/testing/load-text.ts'
import { type Built, build } from '../../engine/build.ts'
import { askName, type NameAnswer } from '../../engine/name-answer.ts'
import { type NameQuestion, readNameQuestion } from '../../engine/name-question.ts'
import { must } from '../../packet/parsed.ts'

/** Why a lookup takes the queries it takes, what would spare some, and what stands out: on the textbook lab, changed. */

const LAB = readFileSync(
  join(import.meta.dirname, '..', '..', 'topologies', 'textbook-flannel-host-gw', 'lab.yaml'),
  'utf8',
)

interface Changed {
  /** Texts of the lab that are something else. */
  readonly replace?: readonly (readonly [from: string, to: string])[]
  readonly more?: string
  readonly lab?: Lab
}

function textbook({ replace = [], more = '', lab = {} }: Changed = {}): Built {
  let text = LAB
  for (const [from, to] of replace) {
    if (!text.includes(from)) throw new Error(`the lab has no ${from}`)
    text = text.replace(from, to)
  }
  return build(loadText(`${text}\n---\n${more}`, { lab }).cluster)
}

const asked = (built: Built, question: Partial<NameQuestion> & { readonly name: string }, seed = 1): NameAnswer =>
  askName(built, must(readNameQuestion(built, { from: 'pod/client', ...question })), { seed })

const racing = (clash?: 'dropped' | 'kept'): Built =>
  textbook({ lab: { faults: [{ kind: 'conntrackRace', node: 'xianchaonode1', ...(clash && { clash }) }] } })

/** Seeds with which NAT sends the two queries to the same server, and to different ones. */
const SAME = 1
const APART = 2

describe('A and AAAA that race for conntrack', () => {
  it.each([
    ['glibc', SAME, 0, 2],
    ['glibc', APART, 5, 4],
    ['musl', APART, 2.5, 3],
    ['go', APART, 0, 2],
  ])('%s, seed %i: %d s, %i queries', (resolver, seed, seconds, queries) => {
    const { conversation, cost, why } = asked(racing(), { name: 'my-nginx', resolver }, seed)
    expect(conversation.outcome.kind).toBe('resolved')
    expect(conversation.durationNs / 1e9).toBeCloseTo(seconds, 1)
    expect(cost.queries).toBe(queries)
    expect(why.some((text) => text.includes('insert_failed'))).toBe(seconds > 0)
  })

  it.each([SAME, APART])('with a kernel that keeps both, seed %i: nothing is lost', (seed) => {
    const { conversation, cost } = asked(racing('kept'), { name: 'my-nginx' }, seed)
    expect([conversation.durationNs, cost.queries]).toEqual([0, 2])
  })

  it('what helps glibc', () => {
    const { fixes, lints } = asked(racing(), { name: 'my-nginx' }, APART)
    // It has happened: that it may is not told beside.
    expect(lints).toEqual([])
    expect(fixes.map(({ change, queries, durationNs }) => [change, queries, durationNs])).toEqual([
      ['dnsConfig option single-request-reopen', 2, 0],
      ['dnsConfig option single-request', 2, 0],
      ['dnsConfig option use-vc', 2, 0],
      ['NodeLocal DNSCache on the node', 2, 0],
    ])
  })

  it('musl reads none of the options', () => {
    const { fixes } = asked(racing(), { name: 'my-nginx', resolver: 'musl' }, APART)
    expect(fixes.map(({ change }) => change)).toEqual(['NodeLocal DNSCache on the node'])
  })

  it('is not there in IPVS mode for the cache that takes the address of the cluster DNS', () => {
    const built = racing()
    const ipvs = build(built.cluster, { proxyMode: 'ipvs' })
    expect(asked(ipvs, { name: 'cn.bing.com' }, APART).fixes.map(({ change }) => change)).not.toContain(
      'NodeLocal DNSCache on the node',
    )
  })

  it('is told where it is possible', () => {
    const lints = (built: Built, resolver: string) =>
      asked(built, { name: 'my-nginx', resolver }).lints.filter(({ code }) => code === 'race')
    expect(lints(textbook(), 'glibc')).toHaveLength(1)
    expect(lints(textbook(), 'go')).toEqual([])
    expect(
      lints(
        textbook({
          replace: [
            [
              'replicas: 2\n  selector: { matchLabels: { k8s-app: kube-dns',
              'replicas: 1\n  selector: { matchLabels: { k8s-app: kube-dns',
            ],
          ],
        }),
        'glibc',
      ),
    ).toEqual([])
    const single = textbook({ replace: [CLIENT_WITH('{ options: [{ name: single-request-reopen }] }')] })
    expect(lints(single, 'glibc')).toEqual([])
  })
})

const CLIENT = 'labels: { app: client } }\nspec:\n'
function CLIENT_WITH(dnsConfig: string): readonly [string, string] {
  return [CLIENT, `${CLIENT}  dnsConfig: ${dnsConfig}\n`]
}

const NODE =
  'xianchaonode1: { interface: ens33, mtu: 1500, gateway: 192.168.40.2, resolvConf: "nameserver 192.168.40.2" }'
/** The node has a search domain of its own, and the resolver outside more records. */
const withDomain = (domain: string, record: string): Changed => ({
  replace: [
    [NODE, NODE.replace('192.168.40.2" }', `192.168.40.2\\nsearch ${domain}" }`)],
    ['"cn.bing.com. 300', `"${record}", "cn.bing.com. 300`],
  ],
})

const service = (name: string, externalName: string): Changed => ({
  more: `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { type: ExternalName, externalName: ${externalName} }\n`,
})

describe('what stands out', () => {
  it.each<[string, Changed, Partial<NameQuestion> & { readonly name: string }, string, RegExp]>([
    [
      'a search domain with a wildcard',
      withDomain('corp.example', '*.corp.example. 60 IN A 203.0.113.99'),
      { name: 'cn.bing.com' },
      'captured',
      /^search domain corp\.example has a wildcard record: .* cn\.bing\.com itself is never asked for$/,
    ],
    [
      'a search domain that has the very name',
      withDomain('corp.example', 'cn.bing.com.corp.example. 60 IN A 203.0.113.99'),
      { name: 'cn.bing.com' },
      'captured',
      /^search domain corp\.example of the node answers cn\.bing\.com\.corp\.example\.:/,
    ],
    [
      'names of the search list that leave the cluster',
      withDomain('corp.example', 'x.corp.example. 60 IN A 203.0.113.99'),
      { name: 'cn.bing.com' },
      'leak',
      /^cn\.bing\.com\.corp\.example\. is asked of a server outside/,
    ],
    [
      'a search line that musl ignores',
      {
        replace: [
          CLIENT_WITH(
            `{ searches: [${'d'.repeat(60)}.example, ${'e'.repeat(60)}.example, ${'f'.repeat(60)}.example] }`,
          ),
        ],
      },
      { name: 'my-nginx' },
      'long-search',
      /^the search line has 2\d\d octets: musl ignores/,
    ],
    [
      'more domains than an old glibc takes',
      { replace: [CLIENT_WITH('{ searches: [a.example, b.example, c.example, d.example] }')] },
      { name: 'my-nginx' },
      'long-search',
      /^the search list has 7 domains: glibc before 2\.26/,
    ],
    [
      'an ExternalName without a dot',
      service('db', 'my-nginx'),
      { name: 'db' },
      'external-name',
      /which has no dot: .* write my-nginx\.default\.svc\.cluster\.local$/,
    ],
    [
      'an ExternalName that is a Service and its namespace',
      service('db', 'nginx-svc.nginx-ns'),
      { name: 'db' },
      'external-name',
      /a Service and its namespace: .* write nginx-svc\.nginx-ns\.svc\.cluster\.local$/,
    ],
    [
      'an ExternalName that ends in svc',
      service('db', 'nginx-svc.nginx-ns.svc'),
      { name: 'db' },
      'external-name',
      /which ends in svc: .* write nginx-svc\.nginx-ns\.svc\.cluster\.local$/,
    ],
    [
      'a server that asks itself',
      { replace: [['forward . /etc/resolv.conf', 'forward . 127.0.0.1']] },
      { name: 'cn.bing.com' },
      'loop',
      /asks itself/,
    ],
  ])('%s', (_, changed, question, code, text) => {
    const { lints } = asked(textbook(changed), question)
    expect(lints.filter((lint) => lint.code === code).map((lint) => lint.text)).toEqual([expect.stringMatching(text)])
  })

  it('nothing of a plain cluster but the race', () => {
    for (const name of ['my-nginx', 'cn.bing.com', 'client-svc', 'nosuch', 'kubernetes.default.svc'])
      expect(
        asked(textbook(), { name })
          .lints.map(({ code }) => code)
          .filter((code) => code !== 'race'),
      ).toEqual([])
  })
})
