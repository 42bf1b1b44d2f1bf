import { describe, expect, it, vi } from 'vitest'
import { load } from '../load.ts'
import { tarOf } from '../testing/archives.ts'
import { memorySource } from './byte-source.ts'
import type { InputFile } from './item.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const below = (files: Readonly<Record<string, string>>): InputFile[] =>
  Object.entries(files).map(([name, text]) => ({ name: `in/${name}`, source: memorySource(bytes(text)), below: 'in' }))

const pod = (name: string) => ({
  metadata: { name, namespace: 'shop', uid: name },
  spec: { nodeName: 'n1' },
  status: { phase: 'Running', podIP: '10.244.1.9' },
})
const typed = (kind: string, items: readonly unknown[]) =>
  JSON.stringify({ kind: `${kind}List`, apiVersion: 'v1', items })
const NODE = {
  metadata: { name: 'n1', uid: 'n' },
  status: { addresses: [{ type: 'InternalIP', address: '192.168.40.181' }] },
}
const full = (kind: string, object: object) => JSON.stringify({ kind, apiVersion: 'v1', ...object })

describe('how a snapshot was collected is told by its files', () => {
  it.each([
    [
      'cluster-info-dump',
      'in/d',
      {
        'd/nodes.json': typed('Node', [NODE]),
        'd/shop/pods.json': typed('Pod', [pod('a')]),
        'd/shop/replication-controllers.json': typed('ReplicationController', []),
        'd/shop/a/logs.txt': 'apiVersion: [\n',
      },
      ['log in/d/shop/a/logs.txt'],
    ],
    [
      'must-gather',
      'in/quay-io-x',
      {
        'quay-io-x/cluster-scoped-resources/core/nodes/n1.yaml': full('Node', NODE),
        'quay-io-x/namespaces/shop/core/pods.yaml': `---\napiVersion: v1\nitems:\n- ${full('Pod', pod('a'))}\nkind: PodList\nmetadata:\n  resourceVersion: "1"\n`,
        'quay-io-x/namespaces/shop/pods/a/a.yaml': `---\n${full('Pod', pod('a'))}\n`,
        'quay-io-x/namespaces/shop/pods/a/web/web/logs/current.log': '{"kind":"Pod"',
        'quay-io-x/timestamp': '2026-11-21 15:00:00\n',
      },
      ['log in/quay-io-x/namespaces/shop/pods/a/web/web/logs/current.log', 'no-object-file in/quay-io-x/timestamp'],
    ],
    [
      'support-bundle',
      'in/support-bundle-1',
      {
        'support-bundle-1/version.yaml':
          'apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\nmetadata: {name: x}\n',
        'support-bundle-1/cluster-resources/nodes.json': JSON.stringify([NODE]),
        'support-bundle-1/cluster-resources/pods/shop.json': JSON.stringify([pod('a')]),
        'support-bundle-1/cluster-resources/pods/logs/shop/a/web.txt': 'started\n',
        'support-bundle-1/analysis.json': '[{"name":"x","severity":"warn"}]',
      },
      [
        'kind-missing in/support-bundle-1/analysis.json',
        'log in/support-bundle-1/cluster-resources/pods/logs/shop/a/web.txt',
        'kind-not-read in/support-bundle-1/version.yaml',
      ],
    ],
    [
      'velero',
      'in',
      {
        'metadata/version': '1.1.0',
        'resources/nodes/cluster/n1.json': full('Node', NODE),
        'resources/pods/namespaces/shop/a.json': full('Pod', pod('a')),
        'resources/pods/v1-preferredversion/namespaces/shop/a.json': full('Pod', pod('a')),
      },
      ['no-object-file in/metadata/version'],
    ],
  ])('%s', (kind, root, files, skipped) => {
    const archive = tarOf(Object.entries(files).map(([name, content]) => ({ name, content })))
    for (const inputs of [below(files as Record<string, string>), [{ name: 'in.tar', bytes: archive }]]) {
      const { cluster, input, diagnostics } = load(inputs)
      expect(cluster.pods.map(({ meta }) => meta.name)).toEqual(['a'])
      expect(cluster.nodes.map(({ meta }) => meta.name)).toEqual(['n1'])
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
      const plain = (name: string) => name.replace(/^in\.tar!?/, 'in/').replace(/\/$/, '')
      expect(input.layouts.map((layout) => `${layout.kind} ${plain(layout.root)}`)).toEqual([`${kind} ${root}`])
      expect(input.skipped.map(({ code, at }) => `${code} ${plain(at.file)}`)).toEqual(skipped)
    }
  })
})

it('a velero backup whose pods have no status says so', () => {
  const { status: _, ...bare } = pod('a')
  const codes = (object: object) =>
    load(
      below({
        'resources/pods/namespaces/shop/a.json': full('Pod', object),
        'resources/nodes/cluster/n1.json': full('Node', NODE),
      }),
    ).diagnostics.map(({ code, at }) => `${code} ${at?.file}:${at?.line}`)
  expect(codes(bare)).toContain('status-stripped in/resources/pods/namespaces/shop/a.json:1')
  expect(codes(pod('a')).join()).not.toContain('status-stripped')
})

describe('what was asked for and not given', () => {
  const errors = [
    'Error from server (Forbidden): networkpolicies.networking.k8s.io is forbidden: User "dev" cannot list resource "networkpolicies" in API group "networking.k8s.io" at the cluster scope',
    'error: the server doesn\'t have a resource type "adminnetworkpolicies"',
    'Error from server (NotFound): configmaps "coredns-custom" not found',
  ].join('\n')
  const snap = {
    'pods.json': JSON.stringify({
      kind: 'List',
      apiVersion: 'v1',
      items: [{ kind: 'Pod', apiVersion: 'v1', ...pod('a') }],
    }),
    'ingresses.json': '{"apiVersion":"v1","items":[],"kind":"List"}',
    'nodes.json': typed('Node', []),
    'services.yaml': 'apiVersion: v1\nitems: []\nkind: ServiceList\n',
    'errors.txt': errors,
  }
  const { input, diagnostics } = load(below(snap))

  it('an empty list: there is none', () =>
    expect(input.empty.map(({ kind, at }) => `${kind} ${at.file}:${at.line}`)).toEqual([
      'AdminNetworkPolicy in/errors.txt:2',
      'Ingress in/ingresses.json:1',
      'Node in/nodes.json:1',
      'Service in/services.yaml:1',
    ]))
  it('a refusal: nothing is known', () => {
    expect(input.lacking.find(({ kind }) => kind === 'NetworkPolicy')).toEqual({
      kind: 'NetworkPolicy',
      why: 'notAllowed',
      collect: 'kubectl get networkpolicies -A -o yaml',
      at: { file: 'in/errors.txt', line: 1 },
    })
    expect(diagnostics.filter(({ code }) => code === 'collector-refused').map(({ at }) => at?.line)).toEqual([1])
  })
  it('no file: it was not found', () =>
    expect(input.lacking.filter(({ why }) => why === 'notFound').map(({ kind }) => kind)).toEqual([
      'ConfigMap',
      'EndpointSlice',
      'Namespace',
    ]))
  it('the file of errors is no input', () =>
    expect(input.skipped.map(({ code, at }) => `${code} ${at.file}`)).toEqual(['collector-errors in/errors.txt']))
  it('a support bundle has its errors in JSON', () => {
    const bundle = {
      'b/cluster-resources/pods/shop.json': JSON.stringify([pod('a')]),
      'b/cluster-resources/services-errors.json':
        '{"shop":"services is forbidden: User \\"x\\" cannot list resource \\"services\\" in API group \\"\\" in the namespace \\"shop\\""}',
    }
    expect(
      load(below(bundle))
        .input.lacking.filter(({ why }) => why === 'notAllowed')
        .map(({ kind }) => kind),
    ).toEqual(['Service'])
  })
})

describe('the inventory', () => {
  it('says of each file what it is and holds', () => {
    const { input } = load([
      {
        name: 'b.yaml',
        bytes: bytes(
          'kind: Widget\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\n---\nkind: Lease\n---\nkind: Widget\n',
        ),
      },
      { name: 'a.json', bytes: bytes(typed('Pod', [pod('x'), pod('y')])) },
      { name: 'c', bytes: bytes(`${typed('Pod', [])}\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: a}\n`) },
    ])
    expect(input.files).toEqual([
      {
        name: 'a.json',
        form: 'json',
        packing: [],
        bytes: bytes(typed('Pod', [pod('x'), pod('y')])).length,
        kinds: { Pod: 2 },
      },
      { name: 'b.yaml', form: 'yaml', packing: [], bytes: 95, kinds: { Lease: 1, Pod: 1, Widget: 2 } },
      { name: 'c', form: 'mixed', packing: [], bytes: 97, kinds: { Pod: 1 } },
    ])
    expect(input.skipped).toEqual([
      { at: { file: 'b.yaml', line: 1 }, code: 'kind-not-read', reason: 'kind Widget is not read', count: 2 },
      { at: { file: 'b.yaml', line: 7 }, code: 'kind-not-read', reason: 'kind Lease is not read', count: 1 },
    ])
  })

  it('names the logs of a dump that was printed', () => {
    const text = `${typed('Pod', [pod('a')])}\n==== START logs for container web of pod shop/a ====\nkind: Pod\n==== END logs for container web of pod shop/a ====\n${typed('Node', [NODE])}\n`
    const { input, cluster } = load([{ name: 'dump.txt', bytes: bytes(text) }])
    expect(input.skipped.map(({ code, reason, at }) => `${code} ${at.line} ${reason}`)).toEqual([
      'log 2 a log: web of pod shop/a',
    ])
    expect([cluster.pods.length, cluster.nodes.length]).toEqual([1, 1])
  })

  it('logs of a dump in YAML, and one that does not end', () => {
    const text = `kind: Node\napiVersion: v1\nmetadata: {name: n1}\n==== START logs for container web of pod shop/a ====\nkind: Pod\n==== END logs for container web of pod shop/a ====\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: p}\n==== START logs for container web of pod shop/a ====\nkind: Pod\n`
    const { input, cluster } = load([{ name: 'dump.txt', bytes: bytes(text) }])
    expect(input.skipped.map(({ at }) => at.line)).toEqual([4, 11])
    expect([cluster.pods.length, cluster.nodes.length]).toEqual([1, 1])
  })
})

describe('Secrets', () => {
  const SENTINEL = 'czNjcjN0LXRoYXQtbm9ib2R5LXJlYWRz'
  const secret = {
    apiVersion: 'v1',
    data: { password: SENTINEL },
    kind: 'Secret',
    metadata: { name: 's', annotations: { x: `{"data":"${SENTINEL}"}` } },
    stringData: { other: SENTINEL },
    type: 'Opaque',
  }
  const configMap = { apiVersion: 'v1', data: { a: 'kind: Secret' }, kind: 'ConfigMap', metadata: { name: 'c' } }
  const items = [configMap, secret]
  const indented = `apiVersion: v1\ndata:\n  password: ${SENTINEL}\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  other: |\n    ${SENTINEL}\n`
  it.each([
    ['JSON', JSON.stringify(secret)],
    ['a List of JSON', JSON.stringify({ apiVersion: 'v1', items, kind: 'List' }, undefined, 4)],
    ['a List with its kind first', JSON.stringify({ kind: 'List', items })],
    ['a SecretList', JSON.stringify({ kind: 'SecretList', apiVersion: 'v1', items: [{ data: { a: SENTINEL } }] })],
    [
      'a SecretList that tells its kind late',
      JSON.stringify({ items: [{ data: { a: SENTINEL } }], kind: 'SecretList' }),
    ],
    ['JSON lines', items.map((item) => JSON.stringify(item)).join('\n')],
    ['an escaped kind', JSON.stringify(secret).replace('"Secret"', '"\\u0053ecret"')],
    ['an escaped key', JSON.stringify(secret).replace('"kind"', '"\\u006bind"')],
    ['YAML', indented],
    ['YAML with a quoted kind', indented.replace('kind: Secret', 'kind: "Secret" # really')],
    ['documents of YAML', `kind: ConfigMap\nmetadata: {name: c}\n---\n${indented}---\n${indented}`],
    ['a List of YAML', `apiVersion: v1\nitems:\n- ${indented.trimEnd().replaceAll('\n', '\n  ')}\nkind: List\n`],
    ['a SecretList of YAML', `apiVersion: v1\nitems:\n- data:\n    a: ${SENTINEL}\nkind: SecretList\n`],
    [
      'KYAML',
      `---\n{\n  apiVersion: "v1",\n  items: [{\n    apiVersion: "v1",\n    data: {\n      password: "${SENTINEL}",\n    },\n    kind: "Secret",\n  }],\n  kind: "List",\n}\n`,
    ],
    ['YAML in brackets', `{apiVersion: v1, data: {a: ${SENTINEL}}, kind: Secret}\n`],
    ['YAML with an anchor before it', `kind: &kind Secret\nmetadata: {name: s}\ndata: {a: ${SENTINEL}}\n`],
  ])('%s: their data never becomes a value', (_, text) => {
    const parse = vi.spyOn(JSON, 'parse')
    const decode = vi.spyOn(TextDecoder.prototype, 'decode')
    const { cluster, input } = load([{ name: 'f', bytes: bytes(text) }])
    const parsed = parse.mock.calls.some(([json]) => json.includes(SENTINEL))
    const decoded = decode.mock.results.filter(({ value }) => String(value).includes(SENTINEL)).length
    parse.mockRestore()
    decode.mockRestore()
    expect(cluster.inventory.skipped.Secret).toBeGreaterThan(0)
    expect(JSON.stringify([cluster, input], (key, value) => (key === 'index' ? undefined : value))).not.toContain(
      SENTINEL,
    )
    expect(parsed).toBe(false)
    expect(decoded).toBe(0)
    expect(input.skipped.filter(({ code }) => code === 'secret').length).toBe(1)
  })
})

it('tells how far it is', () => {
  const told: string[] = []
  const items = Array.from({ length: 9000 }, (_, i) => ({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: `c${i}` },
    data: { x: 'y'.repeat(4000) },
  }))
  load([{ name: 'large.json', bytes: bytes(JSON.stringify({ kind: 'List', items })) }], {
    progress: ({ file, bytes: read, objects }) => void told.push(`${file} ${read >= 16e6} ${objects > 1000}`),
  })
  expect(told).toEqual(['large.json true true', 'large.json true true'])
})
