import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { must } from '../../packet/parsed.ts'
import { type Cluster, keyOf } from '../cluster.ts'
import { load } from '../load.ts'
import { changeByWords } from './change-cluster.ts'
import { differencesOf } from './differences.ts'

const LAB = `
apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: small }
spec: { podCIDRs: [10.244.0.0/16], cni: { name: flannel } }
${['node1', 'node2']
  .map(
    (name, i) => `---
apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: 10.244.${i + 1}.0/24 }
status: { addresses: [{ type: InternalIP, address: 192.0.2.1${i} }], conditions: [{ type: Ready, status: "True" }] }
`,
  )
  .join('')}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: web, ports: [{ containerPort: 80 }] }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 2
  serviceName: db
  selector: { matchLabels: { app: db } }
  template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: db, image: db }] } }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent }
spec:
  selector: { matchLabels: { app: agent } }
  template: { metadata: { labels: { app: agent } }, spec: { containers: [{ name: agent, image: agent }] } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: alone, labels: { app: alone } }
spec: { nodeName: node1, containers: [{ name: main, image: main }] }
`

const file = (name: string, text: string) => ({ name, bytes: new TextEncoder().encode(text) })
const BEFORE = load([file('lab.yaml', LAB)]).cluster

const changed = (words: string, applied = '', before: Cluster = BEFORE, earlier: readonly Cluster[] = []): Cluster =>
  must(changeByWords(before, words, { files: (name) => [file(name, applied)], earlier })).cluster

const podsOf = ({ pods }: Cluster, start: string): readonly string[] =>
  pods
    .filter(({ meta }) => meta.name.startsWith(start))
    .map(({ meta, ips, spec }) => `${meta.name} ${ips.map(formatIp)} ${spec.nodeName}`)

const endpointsOf = (cluster: Cluster, service: string): readonly string[] =>
  (cluster.index.slicesOfService.get(`default/${service}`) ?? [])
    .flatMap(({ endpoints }) =>
      endpoints.map(({ addresses, ready }) => `${addresses.map(formatIp)}${ready ? '' : ' not ready'}`),
    )
    .sort()

const ipsOf = (cluster: Cluster, start: string): readonly string[] =>
  podsOf(cluster, start)
    .map((text) => text.split(' ')[1] ?? '')
    .sort()

const firstOf = (cluster: Cluster, start: string): string => podsOf(cluster, start)[0]?.split(' ')[0] ?? ''

describe('what stays as it was', () => {
  it('a change of nothing is none, object for object', () => {
    const after = changed('scale deploy/web --replicas=2')
    expect(differencesOf(BEFORE, after)).toEqual([])
    for (const kind of ['pods', 'services', 'endpointSlices', 'nodes', 'namespaces'] as const)
      expect(after[kind].map(({ at, assumed, meta }) => [keyOf(meta), at, assumed])).toEqual(
        BEFORE[kind].map(({ at, assumed, meta }) => [keyOf(meta), at, assumed]),
      )
    expect(after.facts).toBe(BEFORE.facts)
  })

  it('addresses, nodes and node ports', () => {
    const after = changed(
      'apply -f more.yaml',
      'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }',
    )
    const [old, now] = [BEFORE, after].map((cluster) => cluster.index.service.get('default/web'))
    expect(now?.clusterIPs).toEqual(old?.clusterIPs)
    expect(now?.ports[0]?.nodePort).toBe(old?.ports[0]?.nodePort)
    expect(now?.ports[0]?.targetPort).toBe(8080)
    expect(podsOf(after, '')).toEqual(podsOf(BEFORE, ''))
  })

  it('a manifest of a pod changes its labels, and not where it is', () => {
    const after = changed(
      'apply -f more.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata: { name: alone, labels: { app: web } }\nspec: { containers: [{ name: main, image: main }] }',
    )
    expect(podsOf(after, 'alone')).toEqual(podsOf(BEFORE, 'alone'))
    expect(endpointsOf(after, 'web')).toEqual([...endpointsOf(BEFORE, 'web'), ...ipsOf(BEFORE, 'alone')].sort())
  })
})

describe('controllers', () => {
  it('replace a pod under another name, at an address that nobody had', () => {
    const gone = firstOf(BEFORE, 'web-')
    const after = changed(`delete pod/${gone}`)
    expect(podsOf(after, 'web-')).toHaveLength(2)
    expect(firstOf(after, gone)).toBe('')
    const used = new Set(ipsOf(BEFORE, ''))
    expect(ipsOf(after, 'web-').filter((ip) => !used.has(ip))).toHaveLength(1)
    expect(endpointsOf(after, 'web')).toEqual(ipsOf(after, 'web-'))
  })

  it('give no name and no address twice, however often something changes', () => {
    const one = changed('rollout restart deploy/web')
    const two = changed('rollout restart deploy/web', '', one, [BEFORE])
    const all = [BEFORE, one, two].flatMap((cluster) => podsOf(cluster, 'web-'))
    expect(new Set(all.map((text) => text.split(' ')[0])).size).toBe(6)
    expect(new Set(all.map((text) => text.split(' ')[1])).size).toBe(6)
  })

  it('a pod on its way out is replaced at once, and listed as such', () => {
    const leaving = firstOf(BEFORE, 'web-')
    const after = changed(`delete pod/${leaving} --wait=false`)
    expect(podsOf(after, 'web-')).toHaveLength(3)
    expect(endpointsOf(after, 'web').filter((text) => text.endsWith('not ready'))).toHaveLength(1)
    expect(differencesOf(BEFORE, after).map(({ verb, object }) => `${verb} ${object.split('/')[0]}`)).toEqual([
      'terminating pod',
      'created pod',
      'configured endpoints',
    ])
    const gone = changed(`delete pod/${leaving}`, '', after, [BEFORE])
    expect(podsOf(gone, 'web-')).toHaveLength(2)
  })

  it.each<[string, number]>([
    ['scale deploy/web --replicas=0', 0],
    ['scale deploy/web --replicas=5', 5],
    ['delete deploy/web', 0],
  ])('%s: %i pods, and as many endpoints', (words, count) => {
    const after = changed(words)
    expect(podsOf(after, 'web-')).toHaveLength(count)
    expect(endpointsOf(after, 'web')).toEqual(ipsOf(after, 'web-'))
  })

  it('a StatefulSet gives the same name to the next, with another address', () => {
    const after = changed('delete pod/db-0')
    expect(podsOf(after, 'db-').map((text) => text.split(' ')[0])).toEqual(['db-0', 'db-1'])
    expect(ipsOf(after, 'db-0')).not.toEqual(ipsOf(BEFORE, 'db-0'))
    expect(podsOf(changed('scale sts/db --replicas=1'), 'db-').map((text) => text.split(' ')[0])).toEqual(['db-0'])
  })

  it('a DaemonSet has one pod on the same node again', () => {
    const after = changed(`delete pod/${firstOf(BEFORE, 'agent-')}`)
    const nodes = (cluster: Cluster) =>
      podsOf(cluster, 'agent-')
        .map((text) => text.split(' ')[2])
        .sort()
    expect(nodes(after)).toEqual(nodes(BEFORE))
    expect(podsOf(after, 'agent-')).not.toEqual(podsOf(BEFORE, 'agent-'))
  })

  it('a pod that is labelled out of its Deployment lives on, and another takes its place', () => {
    const pod = firstOf(BEFORE, 'web-')
    const after = changed(`label pod/${pod} app-`)
    expect(podsOf(after, 'web-')).toHaveLength(3)
    expect(endpointsOf(after, 'web')).toHaveLength(2)
    expect(endpointsOf(after, 'web')).not.toContain(ipsOf(BEFORE, pod)[0])
  })

  it('slices and Endpoints go with their Service', () => {
    const after = changed('delete svc/web')
    expect(endpointsOf(after, 'web')).toEqual([])
    expect(after.endpoints.some(({ meta }) => meta.name === 'web')).toBe(false)
  })

  it('--prune: the files are all that there is', () => {
    const after = changed(
      'apply -f after.yaml --prune',
      LAB.replace(/---\napiVersion: apps\/v1\nkind: DaemonSet[\s\S]*?(?=---)/, ''),
    )
    expect(podsOf(after, 'agent-')).toEqual([])
    expect(podsOf(after, 'web-')).toEqual(podsOf(BEFORE, 'web-'))
    expect(after.index.service.has('default/kubernetes')).toBe(true)
  })
})

describe('what cannot be', () => {
  it.each<[string, RegExp]>([
    ['delete pod/alon', /there is no pod alon.*Did you mean pod\/default\/alone/],
    ['scale pod/alone --replicas=2', /no pods of its own/],
    ['apply -f empty.yaml', /holds no object/],
  ])('%s', (words, reason) => {
    const result = changeByWords(BEFORE, words, { files: (name) => [file(name, '')] })
    expect(result.ok ? '' : result.reason).toMatch(reason)
  })
})
