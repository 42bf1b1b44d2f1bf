import { describe, expect, it } from 'vitest'
import type { Cluster } from '../cluster/cluster.ts'
import { load } from '../cluster/load.ts'
import { ip } from '../packet/ip.ts'
import { partyOf } from './party.ts'
import { describeVerdict, evaluate, policiesSelecting } from './policy.ts'
import type { Flow } from './rule-match.ts'

const POD = (name: string, address: string, labels: string, more = '') => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${name.startsWith('x-') ? 'x' : 'default'}, labels: { ${labels} } }
spec: { nodeName: node1, ${more} containers: [{ name: c, ports: [{ name: web, containerPort: 8080 }, { name: dns, containerPort: 8080, protocol: UDP }] }] }
status: { phase: Running, podIPs: [{ ip: ${address} }, { ip: "fd00::${address.split('.')[3]}" }] }
`

const PODS = [
  `apiVersion: v1
kind: Node
metadata: { name: node1 }
status: { addresses: [{ type: InternalIP, address: 192.168.40.181 }, { type: InternalIP, address: 192.168.41.181 }] }
`,
  POD('db', '10.244.1.2', 'role: db'),
  POD('front', '10.244.1.3', 'role: front'),
  POD('other', '10.244.1.4', 'role: other'),
  POD('x-front', '10.244.1.5', 'role: front'),
  POD('host', '192.168.40.181', 'role: front', 'hostNetwork: true,'),
].join('')

const policy = (spec: string, name = 'p') => `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: default }
spec: ${spec}
`

function clusterWith(...policies: readonly string[]): Cluster {
  const { cluster, diagnostics } = load([
    { name: 'test.yaml', bytes: new TextEncoder().encode(PODS + policies.join('')) },
  ])
  const errors = diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)
  expect(errors.filter((code) => code !== 'required')).toEqual([])
  return cluster
}

const flow = (cluster: Cluster, from: string, to: string, what: Partial<Flow> = {}): Flow => ({
  from: partyOf(cluster, ip(from)),
  to: partyOf(cluster, ip(to)),
  protocol: 'TCP',
  port: 8080,
  ...what,
})

const [DB, FRONT, OTHER, X_FRONT, NODE, OUTSIDE] = [
  '10.244.1.2',
  '10.244.1.3',
  '10.244.1.4',
  '10.244.1.5',
  '192.168.40.181',
  '203.0.113.9',
]
const toDb =
  '{ podSelector: { matchLabels: { role: db } }, ingress: [{ from: [{ podSelector: { matchLabels: { role: front } } }], ports: [{ port: web }] }] }'

describe('evaluate', () => {
  const cluster = clusterWith(policy(toDb, 'db-allow'))

  it.each([
    ['the pod that the rule names', FRONT, DB, {}, true],
    ['another pod', OTHER, DB, {}, false],
    ['a pod of that label in another namespace', X_FRONT, DB, {}, false],
    ['somebody outside', OUTSIDE, DB, {}, false],
    ['the node of the pod, and with it pods on its host network', NODE, DB, {}, true],
    ['another address of its node', '192.168.41.181', DB, {}, true],
    ['the pod itself', DB, DB, {}, true],
    ['its other address', 'fd00::3', 'fd00::2', {}, true],
    ['a port that the rule does not name', FRONT, DB, { port: 8081 }, false],
    ['the named port of another protocol', FRONT, DB, { protocol: 'UDP' as const }, false],
    ['a pod that no policy selects', OTHER, FRONT, {}, true],
    ['an answer is not asked about: the pod may open connections itself', DB, OTHER, {}, true],
  ])('ingress from %s', (_, from, to, what, allowed) => {
    expect(evaluate(cluster, flow(cluster, from, to, what)).allowed).toBe(allowed)
  })

  it('isolates pods only', () => {
    expect(evaluate(cluster, flow(cluster, FRONT, OUTSIDE)).ingress).toMatchObject({ pod: undefined, isolated: false })
    expect(evaluate(cluster, flow(cluster, FRONT, DB)).ingress.isolated).toBe(true)
    expect(evaluate(cluster, flow(cluster, FRONT, DB)).egress.isolated).toBe(false)
  })

  it('names the first rule that allows, by policy and place', () => {
    const two = clusterWith(
      policy('{ podSelector: {}, ingress: [] }', 'a-deny'),
      policy(
        '{ podSelector: {}, ingress: [{ ports: [{ port: 1 }] }, { from: [{ ipBlock: { cidr: 10.244.1.0/24, except: [10.244.1.4/32] } }] }, {}] }',
        'b-allow',
      ),
    )
    const by = (from: string) => evaluate(two, flow(two, from, DB)).ingress.by
    expect([by(FRONT)?.policy.meta.name, by(FRONT)?.rule]).toEqual(['b-allow', 1])
    expect([by(OTHER)?.policy.meta.name, by(OTHER)?.rule]).toEqual(['b-allow', 2])
    expect(evaluate(two, flow(two, FRONT, DB)).ingress.selecting.map(({ meta }) => meta.name)).toEqual([
      'a-deny',
      'b-allow',
    ])
  })

  it('needs both ends to allow', () => {
    const both = clusterWith(
      policy(toDb, 'db-allow'),
      policy('{ podSelector: { matchLabels: { role: front } }, policyTypes: [Egress] }', 'quiet'),
    )
    const got = evaluate(both, flow(both, FRONT, DB))
    expect([got.ingress.allowed, got.egress.allowed, got.allowed]).toEqual([true, false, false])
  })

  it.each([
    ['no types and no egress: ingress alone', '{ podSelector: {} }', [1, 0]],
    ['no types and egress rules: both', '{ podSelector: {}, egress: [{}] }', [1, 1]],
    ['an empty egress list adds nothing', '{ podSelector: {}, egress: [] }', [1, 0]],
    ['types as given', '{ podSelector: {}, policyTypes: [Egress], ingress: [{}] }', [0, 1]],
  ])('isolates by %s', (_, spec, [ingress, egress]) => {
    const one = clusterWith(policy(spec))
    const db = one.index.pod.get('default/db')!
    expect(policiesSelecting(one, db, 'ingress')).toHaveLength(ingress!)
    expect(policiesSelecting(one, db, 'egress')).toHaveLength(egress!)
  })

  it('never isolates a pod on the host network', () => {
    const all = clusterWith(policy('{ podSelector: {} }'))
    expect(policiesSelecting(all, all.index.pod.get('default/host')!, 'ingress')).toEqual([])
  })

  it.each([
    ['a rule with ports leaves it open', '{ podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }', false, true],
    ['a rule without ports allows it', '{ podSelector: {}, ingress: [{}] }', true, false],
    ['no rule forbids it', '{ podSelector: {}, ingress: [] }', false, false],
    [
      'a rule for others does not leave it open',
      '{ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { a: b } } }], ports: [{ port: 80 }] }] }',
      false,
      false,
    ],
  ])('of ICMP: %s', (_, spec, allowed, open) => {
    const one = clusterWith(policy(spec))
    const got = evaluate(one, flow(one, FRONT, DB, { protocol: 'other', port: 0 }))
    expect([got.allowed, got.undefinedBySpec]).toEqual([allowed, open])
  })

  it('matches nobody with a peer that holds nothing', () => {
    const broken = clusterWith(policy('{ podSelector: {}, ingress: [{ from: [{}] }] }'))
    expect(evaluate(broken, flow(broken, FRONT, DB)).allowed).toBe(false)
  })
})

describe('a verdict in words', () => {
  const cluster = clusterWith(policy(toDb, 'db-allow'))
  it.each([
    [FRONT, DB, {}, 'ingress rule 1 of db-allow allows it'],
    [OTHER, DB, {}, 'default/db is isolated for ingress (db-allow) and no rule allows default/other on TCP/8080'],
    [
      OUTSIDE,
      DB,
      { protocol: 'other' as const },
      'default/db is isolated for ingress (db-allow) and no rule allows this address on this protocol',
    ],
    [NODE, DB, {}, 'the node of default/db may always talk with it, whatever db-allow says'],
    [DB, DB, {}, 'default/db talks to itself, whatever db-allow says'],
    [DB, FRONT, {}, 'no policy selects default/front for ingress'],
    [DB, OUTSIDE, {}, 'policies have no say about the ingress of an address outside the pod network'],
  ])('%s to %s', (from, to, what, words) => {
    const asked = flow(cluster, from, to, what)
    expect(describeVerdict(asked, evaluate(cluster, asked).ingress)).toBe(words)
  })
})
