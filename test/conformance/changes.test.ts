import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { changeByWords } from '../../cluster/change/change-cluster.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { load } from '../../cluster/load.ts'
import { type AcrossOptions, askAcross, type Phase, traceAcross } from '../../engine/ask-across.ts'
import { type Built, build } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { type Question, readQuestion } from '../../engine/question.ts'
import { must } from '../../packet/parsed.ts'

/**
 * One client asks, the cluster changes, and it asks again by the socket it kept: who gets the second question depends
 * on kube-proxy's mode and release.
 */

const LAB = join(import.meta.dirname, '..', '..', 'topologies', 'textbook-flannel-vxlan', 'lab.yaml')
const MORE = join(import.meta.dirname, 'changes.yaml')
const file = (path: string) => ({ name: path, bytes: new Uint8Array(readFileSync(path)) })

const NEWEST = 'v1.36.3'

interface Way {
  readonly version?: string
  readonly mode?: string
  /** YAML that `apply -f more.yaml` reads. */
  readonly applied?: string
}

function clusterOf(version: string): Cluster {
  return load([file(LAB), file(MORE)], { lab: { versions: { kubernetes: version } } }).cluster
}

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** Clusters before and after each change. */
function states(words: readonly string[], { version = NEWEST, mode, applied = '' }: Way): readonly Built[] {
  const options = mode === undefined ? {} : { proxyMode: mode }
  const clusters = [clusterOf(version)]
  for (const change of words) {
    const before = clusters.at(-1) as Cluster
    const files = () => [{ name: 'more.yaml', bytes: bytesOf(applied) }]
    clusters.push(must(changeByWords(before, change, { files, earlier: clusters.slice(0, -1) })).cluster)
  }
  return clusters.map((cluster) => build(cluster, options))
}

function across(
  question: Question,
  words: readonly string[],
  way: Way & AcrossOptions = {},
): readonly [Conversation, ...Conversation[]] & { readonly phases: readonly Phase[] } {
  const built = states(words, way)
  const [first] = built
  const phases = traceAcross(built, must(readQuestion(first as Built, question)), way)
  return Object.assign(phases.flatMap(({ walks }) => walks) as unknown as readonly [Conversation, ...Conversation[]], {
    phases,
  })
}

/** `delivered dns-…`, `rejected ECONNREFUSED`, `dropped`. */
function end({ disposition, server, outcome }: Conversation): string {
  if (server !== undefined) return `${disposition.kind} ${server.netns.replace('default/', '')}`
  return outcome.kind === 'failed' ? `${disposition.kind} ${outcome.errno}` : disposition.kind
}

const podsOf = (built: Built | undefined, label: string): readonly string[] =>
  (built?.cluster.pods ?? []).filter(({ meta }) => meta.name.startsWith(label)).map(({ meta }) => meta.name)

const DNS: Question = { from: 'pod/client', to: 'svc/dns:53' }
const WEB: Question = { from: 'pod/client', to: 'http://10.99.198.177' }

/** Every mode in releases between which something changed. */
const WAYS: readonly (readonly [string, string])[] = [
  ['v1.20.15', 'iptables'],
  ['v1.25.16', 'userspace'],
  ['v1.28.15', 'iptables'],
  ['v1.31.14', 'iptables'],
  ['v1.32.13', 'iptables'],
  ['v1.33.13', 'iptables'],
  [NEWEST, 'iptables'],
  ['v1.31.14', 'nftables'],
  ['v1.33.13', 'nftables'],
  [NEWEST, 'nftables'],
  ['v1.20.15', 'ipvs'],
  ['v1.31.14', 'ipvs'],
  [NEWEST, 'ipvs'],
]

describe('UDP, one socket', () => {
  test.each(WAYS)('%s %s: a pod that was replaced: the flow is deleted, the new pod answers', (version, mode) => {
    const words = ['rollout restart deploy/dns']
    const [before, after] = across(DNS, words, { version, mode })
    const [old, now] = states(words, { version, mode }).map((built) => podsOf(built, 'dns-')[0])
    expect(old).not.toBe(now)
    expect([before, after].map((one) => one && end(one))).toEqual([`delivered ${old}`, `delivered ${now}`])
  })

  test.each<[string, string, string]>([
    ['v1.20.15', 'iptables', 'rejected ECONNREFUSED'],
    ['v1.31.14', 'iptables', 'rejected ECONNREFUSED'],
    ['v1.31.14', 'nftables', 'rejected ECONNREFUSED'],
    ['v1.32.13', 'iptables', 'dropped'],
    [NEWEST, 'iptables', 'dropped'],
    [NEWEST, 'nftables', 'dropped'],
    // The director lets its connection go when the real server is gone (expire_nodest_conn), and drops the packet where
    // an old conntrack entry is in the way.
    ['v1.31.14', 'ipvs', 'rejected ECONNREFUSED'],
    [NEWEST, 'ipvs', 'dropped'],
  ])('%s %s: nobody serves any more', (version, mode, expected) => {
    const [, after] = across(DNS, ['scale deploy/dns --replicas=0'], { version, mode })
    expect(after && end(after)).toBe(expected)
    expect(after?.why.some(({ code }) => code === 'stale-flow')).toBe(expected === 'dropped' && mode !== 'ipvs')
  })

  test.each<[string, string]>([
    ['v1.31.14', 'iptables'],
    [NEWEST, 'iptables'],
    [NEWEST, 'nftables'],
    [NEWEST, 'ipvs'],
  ])('%s %s: nobody served when it was first asked, then somebody does', (version, mode) => {
    const words = ['scale deploy/dns --replicas=0', 'scale deploy/dns --replicas=1']
    const [, refused, after] = across(DNS, words, { version, mode, anew: true })
    expect(refused && end(refused)).toBe('rejected ECONNREFUSED')
    expect(after && end(after)).toMatch(/^delivered dns-/)
  })

  test.each<[string, string]>([
    [NEWEST, 'iptables'],
    [NEWEST, 'nftables'],
  ])('%s %s: a flow that was left astray is found when somebody serves again', (version, mode) => {
    const words = ['scale deploy/dns --replicas=0', 'scale deploy/dns --replicas=1']
    const [, astray, after] = across(DNS, words, { version, mode })
    expect(astray && end(astray)).toBe('dropped')
    expect(after && end(after)).toMatch(/^delivered dns-/)
  })

  test.each<[string, 'old' | 'new']>([
    ['v1.22.17', 'new'],
    ['v1.28.15', 'new'],
    ['v1.29.15', 'old'],
    ['v1.32.13', 'old'],
    [NEWEST, 'old'],
  ])(
    '%s: a pod on its way out keeps its flows as long as it serves, since 1.29: the %s one answers',
    (version, who) => {
      const old = podsOf(states([], { version })[0], 'dns-')[0]
      const [, after] = across(DNS, [`delete pod/${old} --wait=false`], { version })
      expect(after?.server?.netns === `default/${old}`).toBe(who === 'old')
      expect(after?.disposition.kind).toBe('delivered')
    },
  )

  const LATE = `
apiVersion: v1
kind: Service
metadata: { name: late, namespace: default }
spec: { clusterIP: 10.96.7.7, selector: { app: dns }, ports: [{ port: 53, protocol: UDP, targetPort: 5353 }] }`

  test.each(['v1.20.15', 'v1.31.14', 'v1.32.13', NEWEST])(
    '%s: an address that no Service had when it was first asked',
    (version) => {
      const question: Question = { from: 'pod/client', to: '10.96.7.7:53', protocol: 'udp' }
      const [before, after] = across(question, ['apply -f more.yaml'], { version, applied: LATE })
      expect(before.disposition.kind).not.toBe('delivered')
      expect(after && end(after)).toMatch(/^delivered dns-/)
    },
  )

  test.each(['v1.31.14', NEWEST])('%s: a nodePort: the flow on the entry node is deleted by that port', (version) => {
    const question: Question = { from: 'ext/laptop', to: '192.168.40.181:30053', protocol: 'udp' }
    const { phases, 1: after } = across(question, ['rollout restart deploy/dns'], { version })
    expect(after && end(after)).toMatch(/^delivered dns-/)
    const deleted = phases[1]?.change?.machines.flatMap((machine) => machine.deleted.map(({ command }) => command))
    expect(deleted?.some((command) => command?.startsWith('conntrack -D -p udp --dport 30053'))).toBe(true)
  })

  test.each<[string, string, string]>([
    ['v1.31.14', 'iptables', 'leftCluster'],
    ['v1.32.13', 'iptables', 'delivered'],
    [NEWEST, 'iptables', 'delivered'],
    [NEWEST, 'nftables', 'delivered'],
  ])('%s %s: a Service that was deleted goes on for who has a flow, since 1.32', (version, mode, expected) => {
    const [, after] = across(DNS, ['delete svc/dns'], { version, mode })
    expect(after?.disposition.kind).toBe(expected)
  })

  test.each<[boolean, string]>([
    [false, 'delivered'],
    [true, 'dropped'],
  ])('externalTrafficPolicy becomes Local: anew %s: %s', (anew, expected) => {
    const applied = readFileSync(MORE, 'utf8')
      .split('---\n')[1]
      ?.replace('type: NodePort', 'type: NodePort\n  externalTrafficPolicy: Local')
    const question: Question = { from: 'ext/laptop', to: '192.168.40.181:30053', protocol: 'udp' }
    const [, after] = across(question, ['apply -f more.yaml'], { applied: applied ?? '', anew })
    expect(after?.disposition.kind).toBe(expected)
  })

  test.each<[string, number]>([
    ['v1.31.14', 30053],
    [NEWEST, 30053],
  ])('%s: a nodePort that is given up goes on for who has a flow', (version, port) => {
    const applied = readFileSync(MORE, 'utf8')
      .split('---\n')[1]
      ?.replace(/type: NodePort/, 'type: ClusterIP')
      .replace(', nodePort: 30053', '')
    const question: Question = { from: 'ext/laptop', to: `192.168.40.181:${port}`, protocol: 'udp' }
    const [, after] = across(question, ['apply -f more.yaml'], { version, applied: applied ?? '' })
    expect(after?.disposition.kind).toBe('delivered')
    expect(after?.why).toMatchObject([{ code: 'stale-flow' }])
    const [, anew] = across(question, ['apply -f more.yaml'], { version, applied: applied ?? '', anew: true })
    expect(anew?.disposition.kind).not.toBe('delivered')
  })
})

describe('TCP, one connection', () => {
  const MODES = ['iptables', 'nftables', 'ipvs']

  /** The pod that the client is connected to. */
  const first = (way: Way): string => {
    const [before] = across(WEB, [], way)
    return before.server?.netns.replace('default/', '') ?? ''
  }

  test.each(MODES)('%s: goes on to a pod that is no endpoint any more, as long as it lives', (mode) => {
    const pod = first({ mode })
    const words = [`label pod/${pod} run-`]
    const [, kept] = across(WEB, words, { mode })
    expect([kept?.outcome.kind, kept?.server?.netns]).toEqual(['answered', `default/${pod}`])
    expect(kept?.why).toMatchObject([{ code: 'stale-flow' }])
    const [, anew] = across(WEB, words, { mode, anew: true })
    expect(anew?.disposition.kind).toBe('delivered')
    expect(anew?.server?.netns).not.toBe(`default/${pod}`)
  })

  test.each(['iptables', 'nftables'])('%s: affinity to an endpoint ends with it, also where it comes back', (mode) => {
    const question: Question = { from: 'pod/client', to: 'svc/sticky:80' }
    // The endpoint whose rule stands first: a list that lived on would be asked first.
    const pod = podsOf(states([], {})[0], 'my-nginx-').find((name) => name.endsWith('bnptm'))
    const serverOf = (seed: number) => across(question, [], { mode, seed })[0].server?.netns
    const seed = [1, 2, 3, 4, 5, 6, 7, 8].find((each) => serverOf(each) === `default/${pod}`) ?? 0
    const words = [`label pod/${pod} run-`, `label pod/${pod} run=my-nginx`]
    const [before, away, back] = across(question, words, { mode, anew: true, every: 20e9, seed })
    expect(before.server?.netns).toBe(`default/${pod}`)
    expect(away?.server?.netns).not.toBe(`default/${pod}`)
    expect(back?.server?.netns).toBe(away?.server?.netns)
  })

  test.each<[string, number, readonly number[]]>([
    ['until its last connection has ended a real server stays, with weight 0', 1, [0, 1, 1]],
    ['then it is deleted, within a minute', 300, [1, 1]],
  ])('ipvs: %s', (_, seconds, weights) => {
    const pod = first({ mode: 'ipvs' })
    const built = states([`label pod/${pod} run-`], { mode: 'ipvs' })
    const probe = must(readQuestion(built[0] as Built, WEB))
    const stages = built.map((one) => ({ built: one, probe }))
    const { network } = askAcross(stages, { times: 1, every: seconds * 1e9 })
    const { services } = network.hosts.get('xianchaonode1')?.netns.get('root')?.netfilterState.ipvs ?? {}
    const web = [...(services?.values() ?? [])].find(({ config }) => config.port === 80)
    expect(web?.destinations.map(({ weight }) => weight).sort()).toEqual(weights)
  })

  test('userspace: the relay goes on copying, and dials others for those who come', () => {
    const way = { mode: 'userspace', version: 'v1.25.16' }
    const [before, after] = across(WEB, ['rollout restart deploy/my-nginx'], { ...way, anew: true })
    expect([before.outcome.kind, after?.outcome.kind]).toEqual(['answered', 'answered'])
  })

  test.each(MODES)('%s: a pod that ends closes its connections, and the client dials another', (mode) => {
    const pod = first({ mode })
    const [, after] = across(WEB, [`delete pod/${pod}`], { mode })
    expect(after?.outcome.kind).toBe('answered')
    expect(after?.disposition.kind).toBe('delivered')
    expect(after?.server?.netns).not.toBe(`default/${pod}`)
  })

  test.each(MODES)('%s: affinity does not hold to an endpoint that is gone', (mode) => {
    const question: Question = { from: 'pod/client', to: 'svc/sticky:80' }
    const [before] = across(question, [], { mode })
    const pod = before.server?.netns ?? ''
    const [, after, again] = across(question, [`label pod/${pod.replace('default/', '')} run-`], {
      mode,
      anew: true,
      times: 2,
    })
    expect(after?.server?.netns).toBe(pod)
    expect(again?.server?.netns).not.toBe(pod)
    expect(again?.disposition.kind).toBe('delivered')
  })
})

describe('the world goes on', () => {
  test('without a change nothing is other than with --repeat: the same entries, the same neighbours', () => {
    const [before, after] = across(DNS, ['scale deploy/dns --replicas=1'])
    expect([end(before), after && end(after)]).toEqual([end(before), end(before)])
    expect(after?.steps.some((step) => step.kind === 'conntrack.confirm')).toBe(false)
    expect(after?.steps.some((step) => step.kind === 'arp.send')).toBe(false)
  })

  test('a new pod is asked for by ARP, an old one is not', () => {
    const [, after] = across(DNS, ['rollout restart deploy/dns'])
    const asked = after?.steps.filter((step) => step.kind === 'arp.send' && step.host === 'xianchaonode2')
    expect(asked?.length).toBeGreaterThan(0)
    expect(after?.steps.some((step) => step.kind === 'arp.send' && step.netns === 'default/client')).toBe(false)
  })

  test('names are answered of what there is now', () => {
    const question: Question = { from: 'pod/client', to: 'late.default.svc.cluster.local:53', protocol: 'udp' }
    const applied =
      'apiVersion: v1\nkind: Service\nmetadata: { name: late }\nspec: { selector: { app: dns }, ports: [{ port: 53, protocol: UDP, targetPort: 5353 }] }'
    const [before, after] = across(question, ['apply -f more.yaml'], { applied, anew: true, every: 60e9 })
    expect([before.outcome.kind, after?.outcome.kind]).toEqual(['notResolved', 'answered'])
  })

  test('the same words give the same answers', () => {
    const twice = [1, 2].map(() => JSON.stringify(across(DNS, ['rollout restart deploy/dns'])[1]?.steps.length))
    expect(twice[0]).toBe(twice[1])
  })
})
