import { describe, expect, it } from 'vitest'
import { loadText } from '../testing/load-text.ts'

/** Nodes a1 and a2 in zone a, b1 in zone b, x without a zone. */
const NODES = ['a1', 'a2', 'b1', 'x']
const nodes = (spec: Readonly<Record<string, string>> = {}, status: Readonly<Record<string, string>> = {}): string =>
  NODES.map((name, i) => {
    const zone = name === 'x' ? '' : `topology.kubernetes.io/zone: ${name[0]}, `
    return `{apiVersion: v1, kind: Node, metadata: {name: ${name}, labels: {${zone}kubernetes.io/hostname: ${name}}}, spec: ${spec[name] ?? '{}'}, status: {addresses: [{type: InternalIP, address: 192.168.1.${i + 1}}]${status[name] ?? ''}}}\n---\n`
  }).join('')

const podOf = (name: string, of: { labels?: string; spec?: string; at?: string; namespace?: string }): string =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: ${of.namespace ?? 'default'}, labels: ${of.labels ?? '{app: x}'}}, spec: {${of.at === undefined ? '' : `nodeName: ${of.at}, `}${of.spec ?? ''}}}\n---\n`

const deployment = (replicas: number, spec: string): string =>
  `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: ${replicas}, template: {metadata: {labels: {app: x, version: v1}}, spec: {${spec}}}}}\n---\n`

/** Nodes of the pods that were not placed by hand, sorted; `-` for one that fits nowhere. */
function placesOf(text: string): string[] {
  const { cluster } = loadText(text)
  return cluster.pods
    .filter(({ meta }) => !meta.name.startsWith('there'))
    .map(({ spec }) => spec.nodeName || '-')
    .sort()
}

const ZONE = 'topology.kubernetes.io/zone'
const HOST = 'kubernetes.io/hostname'
const term = (key: string, more = '') => `{topologyKey: ${key}, labelSelector: {matchLabels: {app: x}}${more}}`
const required = (side: string, terms: string) =>
  `affinity: {${side}: {requiredDuringSchedulingIgnoredDuringExecution: [${terms}]}}`
const preferred = (side: string, weighted: string) =>
  `affinity: {${side}: {preferredDuringSchedulingIgnoredDuringExecution: [${weighted}]}}`
const spread = (more: string) =>
  `topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: x}}, ${more}}]`

describe('pods of a Deployment', () => {
  it.each([
    ['spread over zones first, then over nodes', 4, '', ['a1', 'a2', 'b1', 'x']],
    [
      'anti-affinity by host: one to a node, the others wait',
      5,
      required('podAntiAffinity', term(HOST)),
      ['-', 'a1', 'a2', 'b1', 'x'],
    ],
    [
      'anti-affinity by zone: one to a zone; a node without a zone keeps nobody off',
      5,
      required('podAntiAffinity', term(ZONE)),
      ['a1', 'b1', 'x', 'x', 'x'],
    ],
    ['affinity by zone: all where the first is', 3, required('podAffinity', term(ZONE)), ['a1', 'a1', 'a2']],
    [
      'affinity to pods that do not exist: nowhere',
      2,
      required('podAffinity', '{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: other}}}'),
      ['-', '-'],
    ],
    ['affinity without a selector: nowhere', 1, required('podAffinity', `{topologyKey: ${HOST}}`), ['-']],
    [
      'spread over zones by at most one; a node without the key takes none',
      4,
      spread(`topologyKey: ${ZONE}`),
      ['a1', 'a2', 'b1', 'b1'],
    ],
    ['spread over hosts by at most one', 5, spread(`topologyKey: ${HOST}`), ['a1', 'a2', 'b1', 'b1', 'x']],
    [
      'spread that wants three domains and has two: only one pod each',
      4,
      spread(`topologyKey: ${ZONE}, minDomains: 3`),
      ['-', '-', 'a1', 'b1'],
    ],
    [
      'a node that the selector excludes does not count as a domain',
      3,
      `nodeSelector: {${ZONE}: a}, ${spread(`topologyKey: ${HOST}`)}`,
      ['a1', 'a1', 'a2'],
    ],
    [
      'unless the constraint ignores selectors',
      3,
      `nodeSelector: {${ZONE}: a}, ${spread(`topologyKey: ${HOST}, nodeAffinityPolicy: Ignore`)}`,
      ['-', 'a1', 'a2'],
    ],
    [
      'a spread that is only wished for never stops a pod',
      3,
      spread(`topologyKey: ${ZONE}`).replace('DoNotSchedule', 'ScheduleAnyway'),
      ['a1', 'a2', 'b1'],
    ],
    [
      'spread by version counts pods of that version alone',
      2,
      spread(`topologyKey: ${ZONE}, matchLabelKeys: [version]`),
      ['a1', 'b1'],
    ],
  ] as const)('%s', (_, replicas, spec, expected) =>
    expect(placesOf(nodes() + deployment(replicas, spec))).toEqual(expected),
  )
})

describe('pods that are there already', () => {
  it.each([
    ['attract', podOf('there', { at: 'b1' }), required('podAffinity', term(ZONE)), 'b1'],
    [
      'do not attract from another namespace',
      podOf('there', { at: 'b1', namespace: 'other' }),
      required('podAffinity', term(ZONE, ', namespaces: [default]')),
      'a1',
    ],
    [
      'attract from a namespace that is named',
      podOf('there', { at: 'b1', namespace: 'other' }),
      required('podAffinity', term(ZONE, ', namespaces: [other]')),
      'b1',
    ],
    [
      'attract from namespaces that are selected',
      podOf('there', { at: 'b1', namespace: 'other' }),
      required('podAffinity', term(ZONE, ', namespaceSelector: {}')),
      'b1',
    ],
    [
      'attract from those selected by label',
      podOf('there', { at: 'b1', namespace: 'other' }),
      required('podAffinity', term(ZONE, ', namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}')),
      'b1',
    ],
    [
      'repel by their own anti-affinity',
      podOf('there', { at: 'a1', labels: '{app: y}', spec: required('podAntiAffinity', term(ZONE)) }),
      '',
      'b1',
    ],
    [
      'repel whom they select alone',
      podOf('there', {
        at: 'a1',
        labels: '{app: y}',
        spec: required('podAntiAffinity', term(ZONE).replace('app: x', 'app: z')),
      }),
      '',
      'a2',
    ],
    [
      'must all match: two terms, one pod each',
      podOf('there', { at: 'a1', labels: '{app: y}' }) + podOf('there2', { at: 'b1', labels: '{tier: z}' }),
      required(
        'podAffinity',
        `{topologyKey: ${HOST}, labelSelector: {matchLabels: {app: y}}}, {topologyKey: ${HOST}, labelSelector: {matchLabels: {tier: z}}}`,
      ),
      '-',
    ],
    [
      'attract by preference',
      podOf('there', { at: 'x' }),
      preferred('podAffinity', `{weight: 5, podAffinityTerm: ${term(HOST)}}`),
      'x',
    ],
    [
      'repel by preference',
      podOf('there', { at: 'a1' }),
      preferred('podAntiAffinity', `{weight: 5, podAffinityTerm: ${term(ZONE)}}`),
      'b1',
    ],
    [
      'node affinity by preference',
      '',
      preferred(
        'nodeAffinity',
        `{weight: 5, preference: {matchExpressions: [{key: ${HOST}, operator: In, values: [x]}]}}`,
      ),
      'x',
    ],
    [
      'the heavier preference wins',
      '',
      preferred(
        'nodeAffinity',
        `{weight: 5, preference: {matchExpressions: [{key: ${HOST}, operator: In, values: [x]}]}}, {weight: 6, preference: {matchExpressions: [{key: ${HOST}, operator: In, values: [b1]}]}}`,
      ),
      'b1',
    ],
  ])('%s', (_, there, spec, expected) =>
    expect(placesOf(nodes() + there + podOf('p', { spec, labels: '{app: x}' }))).toEqual([expected]),
  )
})

describe('spread constraints count', () => {
  const there = (...at: readonly string[]) =>
    at.map((node, i) => podOf(`there${i}`, { at: node, labels: '{app: x, version: v0}' })).join('')
  const one = (spec: string, labels = '{app: x, version: v1}') => podOf('p', { spec, labels })
  it.each([
    [
      'pods that others own, where they only wish',
      there('a1', 'a2', 'x'),
      spread(`topologyKey: ${ZONE}`).replace('DoNotSchedule', 'ScheduleAnyway'),
      {},
      'b1',
    ],
    [
      'a node without the key last, where they only wish',
      there('a1', 'b1'),
      spread(`topologyKey: ${ZONE}`).replace('DoNotSchedule', 'ScheduleAnyway'),
      {},
      'a2',
    ],
    [
      'pods of another version not at all',
      there('a1', 'b1', 'b1'),
      spread(`topologyKey: ${ZONE}, matchLabelKeys: [version]`),
      {},
      'a2',
    ],
    ['and all of them without that', there('a1', 'b1', 'b1'), spread(`topologyKey: ${ZONE}`), {}, 'a2'],
    [
      'domains that a taint closes',
      there('a1', 'a1'),
      spread(`topologyKey: ${ZONE}`),
      { b1: '{taints: [{key: k, effect: NoSchedule}]}' },
      '-',
    ],
    [
      'not where taints are honoured',
      there('a1', 'a1'),
      spread(`topologyKey: ${ZONE}, nodeTaintsPolicy: Honor`),
      { b1: '{taints: [{key: k, effect: NoSchedule}]}' },
      'a2',
    ],
    [
      'only nodes that have every key: x has no zone, so its host is no domain',
      there('a1', 'a2', 'b1'),
      `topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule, topologyKey: ${HOST}, labelSelector: {matchLabels: {app: x}}}, {maxSkew: 9, whenUnsatisfiable: DoNotSchedule, topologyKey: ${ZONE}, labelSelector: {matchLabels: {app: x}}}]`,
      {},
      'a1',
    ],
  ])('%s', (_, others, spec, tainted, expected) =>
    expect(placesOf(nodes(tainted) + others + one(spec))).toEqual([expected]),
  )
})

it('the first of a group must match every term of its own', () => {
  const two = required(
    'podAffinity',
    `${term(HOST)}, {topologyKey: ${HOST}, labelSelector: {matchLabels: {app: other}}}`,
  )
  expect(placesOf(nodes() + podOf('p', { spec: two }))).toEqual(['-'])
})

it('a pod whose node is not in the input is told so', () => {
  const told = (spec: string) =>
    loadText(nodes() + podOf('p', { spec }))
      .diagnostics.filter(({ code }) => code === 'pod-unschedulable')
      .map(({ message }) => message)
  expect(told('nodeName: gone')).toEqual(['Pod default/p: its node gone is not in the input; it stays Pending'])
  expect(told('nodeSelector: {disk: none}')).toEqual(['Pod default/p: no node takes it; it stays Pending'])
})

describe('nodes', () => {
  const full = { a1: ', allocatable: {cpu: "1", memory: 1Gi, pods: "2"}' }
  it.each([
    ['softly tainted: the last choice', nodes({ a1: '{taints: [{key: k, effect: PreferNoSchedule}]}' }), '', ['a2']],
    [
      'with memory for it',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, containers: [{resources: {requests: {memory: 1Gi}}}]',
      ['a1'],
    ],
    [
      'without',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, containers: [{resources: {requests: {memory: 1025Mi}}}]',
      ['-'],
    ],
    [
      'a limit stands for a request',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, containers: [{resources: {limits: {cpu: 1001m}}}]',
      ['-'],
    ],
    [
      'a quantity may be a number',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, containers: [{resources: {requests: {cpu: 2}}}]',
      ['-'],
    ],
    [
      'containers add up',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, containers: [{resources: {requests: {cpu: 600m}}}, {resources: {requests: {cpu: 500m}}}]',
      ['-'],
    ],
    [
      'init containers do not',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, initContainers: [{resources: {requests: {cpu: 600m}}}], containers: [{resources: {requests: {cpu: 600m}}}]',
      ['a1'],
    ],
    [
      'sidecars do',
      nodes({}, full),
      'nodeSelector: {kubernetes.io/hostname: a1}, initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 600m}}}], containers: [{resources: {requests: {cpu: 600m}}}]',
      ['-'],
    ],
    [
      'a pod that is told its node asks nobody',
      nodes({}, full),
      'nodeName: a1, containers: [{resources: {requests: {memory: 4Gi}}}]',
      ['a1'],
    ],
  ])('%s', (_, given, spec, expected) => expect(placesOf(given + podOf('p', { spec }))).toEqual(expected))

  it('take no more pods than they can', () =>
    expect(placesOf(nodes({}, full) + deployment(3, 'nodeSelector: {kubernetes.io/hostname: a1}'))).toEqual([
      '-',
      'a1',
      'a1',
    ]))

  it('fill up with what their pods request', () =>
    expect(
      placesOf(
        nodes({}, full) +
          deployment(
            2,
            'nodeSelector: {kubernetes.io/hostname: a1}, containers: [{resources: {requests: {memory: 600Mi}}}]',
          ),
      ),
    ).toEqual(['-', 'a1']))
})

describe('a StatefulSet whose pods fit nowhere', () => {
  const set = (policy: string) =>
    `${nodes()}{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {replicas: 3, serviceName: s${policy}, template: {spec: {nodeSelector: {disk: none}}}}}`
  it.each([
    ['ordered: the second is never made', '', ['s-0']],
    ['parallel: all wait', ', podManagementPolicy: Parallel', ['s-0', 's-1', 's-2']],
  ])('%s', (_, policy, expected) =>
    expect(loadText(set(policy)).cluster.pods.map(({ meta }) => meta.name)).toEqual(expected),
  )
})

describe('Jobs', () => {
  const job = (spec: string, status = '{}') =>
    `${nodes()}{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {${spec}}, status: ${status}}`
  it.each([
    ['one pod', '', '{}', 1],
    ['as many at once as it says', 'parallelism: 3', '{}', 3],
    ['never more than are still to succeed', 'parallelism: 3, completions: 4', '{succeeded: 2}', 2],
    ['a work queue makes no further pod after the first success', 'parallelism: 3', '{succeeded: 1}', 0],
    ['complete', 'parallelism: 3', '{conditions: [{type: Complete, status: "True"}]}', 0],
    ['failed', '', '{conditions: [{type: Failed, status: "True"}]}', 0],
    ['not yet failed', '', '{conditions: [{type: Failed, status: "False"}]}', 1],
    ['suspended', 'suspend: true', '{}', 0],
  ])('%s', (_, spec, status, expected) => expect(loadText(job(spec, status)).cluster.pods.length).toBe(expected))

  it('an indexed one numbers its pods in name, label, annotation and hostname', () => {
    const [first, second] = loadText(job('completionMode: Indexed, completions: 2, parallelism: 2')).cluster.pods
    expect(first!.meta.name).toMatch(/^j-0-[a-z0-9]{5}$/)
    expect(second!.meta.name).toMatch(/^j-1-[a-z0-9]{5}$/)
    expect(second!.spec.hostname).toBe('j-1')
    expect(second!.meta.labels['batch.kubernetes.io/job-completion-index']).toBe('1')
    expect(second!.meta.annotations['batch.kubernetes.io/job-completion-index']).toBe('1')
  })

  it('a CronJob has no pod until its time', () => {
    const { cluster } = loadText(
      `${nodes()}{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {}}}}}}`,
    )
    expect(cluster.pods).toEqual([])
    expect(cluster.workloads.map(({ kind, schedule }) => [kind, schedule])).toEqual([['CronJob', '0 3 * * *']])
  })
})

it('a DaemonSet pins its pods to their nodes by name', () => {
  const { cluster } = loadText(
    `${nodes()}{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ds}, spec: {template: {spec: {nodeSelector: {topology.kubernetes.io/zone: b}}}}}`,
  )
  expect(cluster.pods.map(({ spec }) => [spec.nodeName, spec.affinity])).toEqual([
    [
      'b1',
      {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b1'] }] }],
          },
        },
      },
    ],
  ])
})

describe('what one workload asks is not answered for another', () => {
  const named = (name: string, of: { namespace?: string; labels: string; replicas: number }, spec: string): string =>
    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}, namespace: ${of.namespace ?? 'default'}}, spec: {replicas: ${of.replicas}, template: {metadata: {labels: ${of.labels}}, spec: {${spec}}}}}\n---\n`
  const app = (value: string) => `labelSelector: {matchLabels: {app: ${value}}}`
  const off = (value: string, more = '', key = HOST) =>
    required('podAntiAffinity', `{topologyKey: ${key}, ${app(value)}${more}}`)
  const even = (value: string, more = '') =>
    `topologySpreadConstraints: [{maxSkew: 1, topologyKey: ${HOST}, whenUnsatisfiable: DoNotSchedule, ${app(value)}${more}}]`
  const three = ['1', '2', '3'].map((i) => podOf(`there-${i}`, { at: 'a1', labels: '{app: x, v: one}' })).join('')
  const own = ', matchLabelKeys: [v]'
  const each = ['a1', 'a2', 'b1', 'x']
  const twice = each.flatMap((name) => [name, name])
  it.each([
    [
      'anti-affinity to other labels',
      named('d1', { labels: '{app: x}', replicas: 4 }, off('x')) +
        named('d2', { labels: '{app: y}', replicas: 4 }, off('y')),
      twice,
    ],
    [
      'anti-affinity to other values of its own',
      named('d1', { labels: '{app: x, v: one}', replicas: 4 }, off('x', own)) +
        named('d2', { labels: '{app: x, v: two}', replicas: 4 }, off('x', own)),
      twice,
    ],
    [
      'anti-affinity in another namespace',
      named('d1', { labels: '{app: x}', replicas: 4 }, off('x')) +
        named('d2', { namespace: 'other', labels: '{app: x}', replicas: 4 }, off('x')),
      twice,
    ],
    [
      'anti-affinity by another key',
      podOf('there', { at: 'a1', labels: '{app: q}' }) +
        named('d1', { labels: '{app: x}', replicas: 3 }, off('q')) +
        named('d2', { labels: '{app: y}', replicas: 2 }, off('q', '', ZONE)),
      ['a2', 'b1', 'b1', 'x', 'x'],
    ],
    [
      'affinity by two keys',
      podOf('there', { at: 'a1', labels: '{app: q}' }) +
        named(
          'd',
          { labels: '{app: x}', replicas: 2 },
          required('podAffinity', `{topologyKey: ${ZONE}, ${app('q')}}, {topologyKey: ${HOST}, ${app('q')}}`),
        ),
      ['a1', 'a1'],
    ],
    [
      'spreading in another namespace',
      three +
        named('d1', { labels: '{app: x}', replicas: 1 }, `${even('x')}, nodeSelector: {${HOST}: a2}`) +
        named('d2', { namespace: 'other', labels: '{app: x}', replicas: 4 }, even('x')),
      ['a1', 'a2', 'a2', 'b1', 'x'],
    ],
    [
      'spreading by other values of its own',
      three +
        named('d1', { labels: '{app: x, v: one}', replicas: 1 }, `${even('x', own)}, nodeSelector: {${HOST}: a2}`) +
        named('d2', { labels: '{app: x, v: two}', replicas: 4 }, even('x', own)),
      ['a1', 'a2', 'a2', 'b1', 'x'],
    ],
    [
      'spreading of other labels',
      three +
        named('d1', { labels: '{app: x}', replicas: 1 }, `${even('x')}, nodeSelector: {${HOST}: a2}`) +
        named('d2', { labels: '{app: y}', replicas: 4 }, even('y')),
      ['a1', 'a2', 'a2', 'b1', 'x'],
    ],
  ])('%s', (_, text, expected) => expect(placesOf(nodes() + text)).toEqual(expected))
})

describe('as a real scheduler and real controllers did', () => {
  const daemons = (spec: string): string =>
    `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d}, spec: {template: {metadata: {labels: {app: d}}, spec: {${spec}}}}}\n---\n`
  const port = (more: string) => `containers: [{name: c, ports: [{containerPort: 80, ${more}}]}]`
  const replicas = (name: string, count: number, spec: string) =>
    `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: ${name}}, spec: {replicas: ${count}, template: {metadata: {labels: {app: ${name}}}, spec: {${spec}}}}}\n---\n`
  const small = { a1: ', allocatable: {pods: "1"}', a2: ', allocatable: {pods: "1"}', b1: ', allocatable: {pods: "1"}' }
  const none = { x: ', allocatable: {pods: "0"}', ...small }

  it.each([
    ['no node is looked for while there are gates', deployment(2, 'schedulingGates: [{name: a/b}]'), ['-', '-']],
    ['nor for pods of a DaemonSet', daemons('schedulingGates: [{name: a/b}]'), ['-', '-', '-', '-']],
    ['no gate is no gate', deployment(1, 'schedulingGates: []'), ['a1']],
    [
      'pods of a DaemonSet are scheduled too: by anti-affinity',
      podOf('there', { at: 'a1', labels: '{app: x}' }) + daemons(required('podAntiAffinity', term(ZONE))),
      ['-', '-', 'b1', 'x'],
    ],
    ['a paused Deployment makes no pods', deployment(2, '').replace('spec: {', 'spec: {paused: true, '), []],
    ['one port of the host on a node', replicas('r', 5, port('hostPort: 8080')), ['-', 'a1', 'a2', 'b1', 'x']],
    [
      'the same port of another protocol or address is another',
      podOf('there', { at: 'a1', spec: port('hostPort: 8080, hostIP: 10.0.0.1') }) +
        replicas('r', 1, `${port('hostPort: 8080, protocol: UDP')}, nodeSelector: {${HOST}: a1}`) +
        replicas('s', 1, `${port('hostPort: 8080, hostIP: 10.0.0.2')}, nodeSelector: {${HOST}: a1}`) +
        replicas('t', 1, `${port('hostPort: 8080, hostIP: 10.0.0.1')}, nodeSelector: {${HOST}: a1}`) +
        replicas('u', 1, `${port('hostPort: 8080')}, nodeSelector: {${HOST}: a1}`),
      ['-', '-', 'a1', 'a1'],
    ],
    [
      'a sidecar keeps its port of the host',
      replicas(
        'r',
        2,
        `nodeSelector: {${HOST}: a1}, initContainers: [{name: s, restartPolicy: Always, ports: [{containerPort: 80, hostPort: 81}]}]`,
      ),
      ['-', 'a1'],
    ],
    [
      'anti-affinity to other values than its own',
      podOf('there', { at: 'a1', labels: '{app: x, version: v2}' }) +
        podOf('there2', { at: 'a2', labels: '{app: x, version: v1}' }) +
        deployment(4, required('podAntiAffinity', term(HOST, ', mismatchLabelKeys: [version]'))),
      ['a2', 'b1', 'b1', 'x'],
    ],
  ])('%s', (_, text, expected) => expect(placesOf(nodes() + text)).toEqual(expected))

  it.each([
    ['b, a', replicas('b', 3, '') + replicas('a', 3, ''), 'b'],
    ['a, b', replicas('a', 3, '') + replicas('b', 3, ''), 'a'],
    ['a, a pod', replicas('a', 3, '') + podOf('pod', { labels: '{app: pod}' }), 'a'],
  ])('who stands first in the input takes the places that all want: %s', (_, text, first) => {
    const { cluster } = loadText(nodes({}, none) + text)
    const placed = cluster.pods.filter(({ spec }) => spec.nodeName !== '')
    expect(new Set(placed.map(({ meta }) => meta.labels.app))).toEqual(new Set([first]))
  })

  it('the subdomain of a StatefulSet is its Service', () => {
    const text =
      '{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {serviceName: other, replicas: 1, template: {spec: {subdomain: mine}}}}\n'
    expect(loadText(text).cluster.pods.map(({ spec }) => spec.subdomain)).toEqual(['other'])
  })
})
