import fc from 'fast-check'
import { dump } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { memorySource } from './input/byte-source.ts'
import { load } from './load.ts'
import { codes, file, loadText, node, told } from './testing/load-text.ts'

const POD =
  'apiVersion: v1\nkind: Pod\nmetadata: {name: good, uid: u}\nspec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.244.1.9}\n'

describe('broken inputs: each is told with its place, and the rest is used', () => {
  const errors = (files: Record<string, string> | string) => {
    const loaded = loadText(files)
    return {
      pods: loaded.cluster.pods.map(({ meta }) => meta.name),
      told: told(loaded).filter((line) => !line.includes('cni-unknown')),
    }
  }
  it.each([
    [
      'a cut-off YAML',
      {
        'a.yaml': `apiVersion: v1\nitems:\n- ${POD.trim().replaceAll('\n', '\n  ')}\n- apiVersion: v1\n  kind: Pod\n  meta`,
      },
      ['good'],
      [
        'a.yaml:8 input-cut-off the list is cut off: its end is missing. 1 complete items were read, the last one is left out',
      ],
    ],
    [
      'a pod with IP 10.244.1',
      { 'a.yaml': `${POD}---\n${POD.replace('good', 'bad').replace('podIP: 10.244.1.9', 'podIP: 10.244.1')}` },
      ['bad', 'good'],
      ['a.yaml:11 pod-ip-invalid Pod default/bad: status.podIP "10.244.1" is not an IP address: IPv4 has four octets'],
    ],
    [
      'a Service port name that is too long',
      {
        'a.yaml': POD,
        'b.yaml': `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports:\n  - port: 80\n    name: ${'long-'.repeat(13)}x\n`,
      },
      ['good'],
      [
        `b.yaml:7 name-invalid Service default/s is invalid: spec.ports[0].name: Invalid value: "${'long-'.repeat(13)}x": must be no more than 63 characters`,
      ],
    ],
    [
      'two nodes with one podCIDR',
      { 'a.yaml': `${POD}---\n${node('n1', 1)}${node('n2', 1).replace('.181', '.182')}` },
      ['good'],
      ['a.yaml:9 pod-cidr-duplicate Node n2: podCIDR 10.244.1.0/24 is also that of Node n1'],
    ],
    [
      'two nodes of one name',
      { 'a.yaml': POD, 'b.yaml': node('n1', 1), 'c.yaml': node('n1', 2) },
      ['good'],
      ['c.yaml:1 object-twice Node n1 is in the input twice and differs; the later one is used'],
    ],
    ['an empty file', { 'a.yaml': POD, 'b.yaml': '' }, ['good'], ['b.yaml:1 file-empty the file is empty']],
    [
      'a binary file',
      { 'a.yaml': POD, 'b.bin': '\u0000\u0001\u0002' },
      ['good'],
      ['b.bin:1 file-binary a binary file, neither YAML nor JSON'],
    ],
    ['nothing at all', {}, [], ['no-objects there is no input']],
    ['no object', { 'a.yaml': '# nothing\n' }, [], ['a.yaml:1 no-objects the input holds no Kubernetes object']],
  ])('%s', (_, files, pods, messages) => expect(errors(files)).toEqual({ pods, told: messages }))

  it('an unknown CNI', () => {
    const loaded = loadText(`${POD}---\n{apiVersion: podwalk/v1alpha1, kind: Lab, spec: {cni: {name: flanel}}}`)
    expect(
      loaded.diagnostics
        .filter(({ code }) => code === 'cni-unknown')
        .map(({ at, suggestion }) => [at?.line, suggestion]),
    ).toEqual([[7, 'did you mean flannel?']])
  })

  it.each([
    [
      'of JSON',
      `{"kind":"List","apiVersion":"v1","items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"good"}},{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c"},"data":{"x":"${'a'.repeat(100e6)}"}}]}`,
      ['good'],
      [],
    ],
    ['of a word', 'a'.repeat(100e6), [], ['yaml-too-large:1', 'no-objects:1']],
    ['of brackets', '['.repeat(10e6), [], ['input-cut-off:1', 'no-objects:1']],
    ['of YAML brackets', `a: ${'['.repeat(10e6)}`, [], ['yaml-syntax:1', 'no-objects:1']],
  ])(
    'one line of 10 or 100 MB %s',
    (_, text, pods, expected) => {
      const loaded = loadText(text)
      expect(loaded.cluster.pods.map(({ meta }) => meta.name)).toEqual(pods)
      expect(codes(loaded).filter((code) => !code.startsWith('cni'))).toEqual(expected)
    },
    60_000,
  )

  it('two pods of one address, unless one has finished or shares its node', () => {
    const other = (name: string, more: string) =>
      `---\n${POD.replace('good', name).replace('uid: u', `uid: ${name}`).replace('phase: Running', more)}`
    const said = (text: string) => codes(loadText(POD + text)).filter((code) => code.startsWith('pod-ip'))
    expect(said(other('twin', 'phase: Running'))).toEqual(['pod-ip-duplicate:11'])
    expect(said(other('twin', 'phase: Succeeded'))).toEqual([])
    expect(said(other('twin', 'phase: Running').replace('nodeName: n1', 'nodeName: n1, hostNetwork: true'))).toEqual([])
  })

  it('two nodes of one address', () =>
    expect(
      codes(loadText(node('a1', 1) + node('a2', 2).replace('.182', '.181'))).filter((code) =>
        code.startsWith('node-ip'),
      ),
    ).toEqual(['node-ip-duplicate:3']))

  it('a podCIDR inside another', () =>
    expect(
      told(loadText(node('a1', 1).replace('10.244.1.0/24', '10.244.0.0/16') + node('a2', 2))).filter((line) =>
        line.includes('pod-cidr'),
      ),
    ).toEqual(['in.yaml:3 pod-cidr-duplicate Node a2: a part of podCIDR 10.244.2.0/24 is also that of Node a1']))
})

describe('loading never throws', () => {
  it('whatever bytes it gets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void load([{ name: 'f', bytes }])),
      { numRuns: 300 },
    )
  })

  const wrong = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.constant([]),
    fc.constant({}),
    fc.constant([null]),
    fc.constant(['x']),
    fc.constant([{}]),
  )
  const KINDS = [
    [
      'v1',
      'Pod',
      {
        nodeName: 'n',
        hostNetwork: true,
        containers: [{ name: 'c', ports: [{ containerPort: 80 }] }],
        dnsConfig: { searches: ['a'] },
        tolerations: [{}],
        affinity: {},
      },
    ],
    [
      'v1',
      'Service',
      {
        ports: [{ port: 80 }],
        selector: { a: 'b' },
        clusterIP: '10.96.0.9',
        clusterIPs: ['10.96.0.9'],
        ipFamilies: ['IPv4'],
        externalIPs: ['1.1.1.1'],
        type: 'NodePort',
      },
    ],
    ['v1', 'Node', { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'], taints: [{ key: 'a' }] }],
    [
      'networking.k8s.io/v1',
      'NetworkPolicy',
      {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: 80 }] }],
        policyTypes: ['Ingress'],
      },
    ],
    ['apps/v1', 'Deployment', { replicas: 2, selector: {}, template: { metadata: { labels: {} }, spec: {} } }],
    ['apps/v1', 'StatefulSet', { replicas: 2, serviceName: 'x', ordinals: { start: 1 }, template: {} }],
    ['batch/v1', 'Job', { parallelism: 2, template: {} }],
    [
      'podwalk/v1alpha1',
      'Lab',
      {
        networks: [{ name: 'a', cidr: '10.0.0.0/24' }],
        nodes: { a: { mtu: 1500 } },
        faults: [{ kind: 'nodeDown', node: 'a' }],
        podCIDRs: ['10.0.0.0/16'],
        cni: { name: 'calico' },
      },
    ],
    ['crd.projectcalico.org/v1', 'IPPool', { cidr: '10.0.0.0/16', blockSize: 26 }],
  ] as const

  /** The paths of everything in a value. */
  function pathsIn(value: unknown): (string | number)[][] {
    if (typeof value !== 'object' || value === null) return [[]]
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
    return [[], ...entries.flatMap(([key, entry]) => pathsIn(entry).map((path) => [key, ...path]))]
  }
  function replaced(value: unknown, [key, ...rest]: readonly (string | number)[], by: unknown): unknown {
    if (key === undefined) return by
    const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>
    copy[key] = replaced(copy[key], rest, by)
    return copy
  }
  const objects = KINDS.map(([apiVersion, kind, spec]) => ({
    apiVersion,
    kind,
    metadata: { name: 'x', labels: { a: 'b' } },
    spec,
  }))
  const mutation = fc.constantFrom(...objects.flatMap((object) => pathsIn(object).map((path) => ({ object, path }))))

  it('whatever stands at whatever place', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(mutation, wrong), { minLength: 1, maxLength: 6 }), (changes) => {
        const items = changes.map(([{ object, path }, by]) => replaced(object, path, by))
        const loaded = load([file('f.json', JSON.stringify([...items, ...objects]))])
        for (const { at } of loaded.diagnostics) if (at !== undefined) expect(at.line).toBeGreaterThan(0)
      }),
      { numRuns: 400 },
    )
  })
})

describe('one input, one cluster', () => {
  const text = (loaded: ReturnType<typeof load>) =>
    JSON.stringify({ ...loaded.cluster, index: undefined }, (key, value) => (key === 'at' ? undefined : value))
  const item = fc.record({
    kind: fc.constantFrom('Pod', 'Service', 'ConfigMap'),
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    namespace: fc.constantFrom('default', 'shop'),
    uid: fc.constantFrom(undefined, 'u1', 'u2'),
    label: fc.constantFrom('x', 'on', '12', '1e3', '~', 'é "quoted": {', '- a\n  b: |'),
    ip: fc.constantFrom('10.244.1.7', '10.244.1.8'),
  })
  const made = ({
    kind,
    name,
    namespace,
    uid,
    label,
    ip,
  }: {
    kind: string
    name: string
    namespace: string
    uid: string | undefined
    label: string
    ip: string
  }) => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace, annotations: { app: label }, ...(uid === undefined ? {} : { uid }) },
    ...(kind === 'ConfigMap' ? { data: { key: label } } : {}),
    ...(kind === 'Service' ? { spec: { selector: { app: 'x' }, ports: [{ port: 80, targetPort: 'http' }] } } : {}),
    ...(kind === 'Pod'
      ? {
          spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }] },
          ...(uid === undefined ? {} : { status: { phase: 'Running', podIP: ip } }),
        }
      : {}),
  })

  it('the order of the files does not matter, nor does that of their diagnostics', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 8 }), fc.nat(), (items, turn) => {
        const files = items.map((one, i) => file(`${i}.json`, JSON.stringify(made(one))))
        const turned = files.map((_, i) => files[(i * 5 + turn) % files.length]!)
        fc.pre(new Set(turned).size === files.length)
        const [one, other] = [load(files), load(turned)]
        expect(text(other)).toBe(text(one))
        expect(told(other)).toEqual(told(one))
      }),
    )
  })

  it('YAML and JSON of one object give one object', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 5 }), (items) => {
        const objects = items.map((one, i) => ({ ...made(one), metadata: { ...made(one).metadata, name: `o${i}` } }))
        const json = load([file('f', JSON.stringify({ kind: 'List', apiVersion: 'v1', items: objects }))])
        const yaml = load([file('f', dump({ apiVersion: 'v1', items: objects, kind: 'List' }))])
        const documents = load([file('f', objects.map((object) => dump(object)).join('---\n'))])
        expect(yaml.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
        expect(text(yaml)).toBe(text(json))
        expect(text(documents)).toBe(text(json))
      }),
    )
  })

  it('the same input gives the same bytes', () => {
    const once = () =>
      text(
        loadText(
          `${node('n1', 1)}${POD}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 3, template: {}}\n`,
        ),
      )
    expect(once()).toBe(once())
  })
})

it('finds the line of a field of an object', () => {
  const { cluster, sources } = loadText(
    `${node('n1', 1)}${POD.replace('spec: {nodeName: n1}', 'spec:\n  nodeName: n1')}`,
  )
  expect(sources.locate(cluster.pods[0]!.at!, 'spec.nodeName')).toEqual({ file: 'in.yaml', line: 7, column: 3 })
})

describe('mistakes without number', () => {
  it('of one object are all placed, and it is parsed but once for that', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `  - ${i}\n`).join('')
    const loaded = loadText(`apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  externalIPs:\n${names}`)
    const places = loaded.diagnostics.filter(({ code }) => code === 'field-type').map(({ at }) => at?.line)
    expect(places.slice(0, 3)).toEqual([6, 7, 8])
    expect(places.length).toBe(5000)
  }, 20_000)

  it('of objects without number: of the first 2,000 the line of the field, of the others that of the object', () => {
    const pods = Array.from(
      { length: 2100 },
      (_, i) => `---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: p${i}\nspec:\n  nodeName: 5\n`,
    )
    const { diagnostics } = loadText(pods.join(''))
    const lines = diagnostics.filter(({ code }) => code === 'field-type').map(({ at }) => at?.line ?? 0)
    expect([lines.length, lines[0], lines[1999], lines[2000]]).toEqual([2100, 7, 7 * 1999 + 7, 7 * 2000 + 2])
  })
})

it.each([
  ['apps/v1', 'Deployment', 'replicas: 1000000000'],
  ['apps/v1', 'StatefulSet', 'replicas: 5001'],
  ['batch/v1', 'Job', 'parallelism: 1000000000'],
])(
  'a %s %s with %s makes 5,000 pods, and that is told',
  (apiVersion, kind, wish) => {
    const loaded = loadText(
      `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: d}\nspec:\n  ${wish}\n  template: {}\n`,
    )
    expect(loaded.cluster.pods.length).toBe(5000)
    expect(codes(loaded)).toContain('replicas-too-many:5')
  },
  20_000,
)

it.each([
  ['labels', 40, 5000],
  ['labels', 41, 4879],
  ['annotations', 2000, 100],
])(
  'a template of that many %s (%i) makes %i pods at most, however many are asked for',
  (where, count, pods) => {
    const many = Array.from({ length: count }, (_, i) => `k${i}: v`).join(', ')
    const loaded = loadText(
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 1000000000\n  template: {metadata: {${where}: {${many}}}}\n`,
    )
    expect(loaded.cluster.pods.length).toBe(pods)
  },
  20_000,
)

it.each([
  ['a file that was named', undefined, 'warning'],
  ['a file of a directory', 'dir/', 'note'],
])('an object without kind in %s', (_, below, severity) => {
  const bytes = new TextEncoder().encode('name: a\n')
  const { diagnostics } = load([
    { name: 'dir/values.yaml', source: memorySource(bytes), ...(below === undefined ? {} : { below }) },
  ])
  expect(diagnostics.flatMap((one) => (one.code === 'kind-missing' ? one.severity : []))).toEqual([severity])
})

it('many workloads of many pods make 20,000 in all, and each that has none is told', () => {
  const set = (i: number): string =>
    `---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s${i}}\nspec:\n  replicas: 4500\n  template: {}\n`
  const small =
    '---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: small}\nspec:\n  replicas: 2\n  template: {}\n'
  const loaded = loadText([1, 2, 3, 4, 5].map(set).join('') + small)
  expect(loaded.cluster.pods.length).toBe(4 * 4500 + 2)
  expect(codes(loaded).filter((code) => code.startsWith('pods-too-many'))).toEqual(['pods-too-many:30'])
}, 20_000)
