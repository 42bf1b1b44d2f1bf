import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { load } from '../../cluster/load.ts'
import type { Pod } from '../../cluster/objects.ts'
import { ownCasesFolder } from './cases-folder.ts'
import { asSet, endpointsShape, type Recorded, type Recording, serviceShape, sliceShape } from './controller-shapes.ts'
import { type ControllersCase, type ControllersFile, replayControllers } from './controllers.ts'

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(join(ownCasesFolder('controllers-fresh'), name), 'utf8')) as T

type Refused = readonly { readonly kind: string; readonly name: string; readonly message: string }[]

/** The words behind "is invalid:", several of them in brackets, as the API server says them. */
const reasonOf = (message: string): string =>
  // What goes wrong with a health check's port is an internal error of the API server, without a field.
  message
    .replace(/^Internal error occurred: /, 'is invalid: spec.healthCheckNodePort: Internal error: ')
    .replace(/^.*?is invalid: /, '')

function reasonsOf({ refused }: Record<string, unknown>): readonly string[] {
  const list = refused as readonly { readonly name: string; readonly messages: readonly string[] }[]
  return list.map(({ name, messages }) => {
    const reasons = messages.map(reasonOf)
    return `${name}: ${reasons.length > 1 ? `[${reasons.join(', ')}]` : reasons[0]}`
  })
}

describe('slices, Endpoints and Services of random manifests', () => {
  const file = read<ControllersFile>('slices.json')
  const cases = file.cases as readonly Recorded[]
  it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => {
    const ours = replayControllers(file, one) as unknown as Recorded
    const compared = (shape: (recording: Recording) => unknown, list: readonly Recording[] = []) =>
      asSet(list.map(shape))
    expect(compared((service) => serviceShape(one, service), ours.services)).toEqual(
      compared((service) => serviceShape(one, service), one.services),
    )
    expect(compared(sliceShape, ours.endpointSlices)).toEqual(compared(sliceShape, one.endpointSlices))
    expect(compared(endpointsShape, ours.endpoints)).toEqual(compared(endpointsShape, one.endpoints))
  })
})

describe('addresses and node ports that several Services ask for', () => {
  const { clusters } = read<ControllersFile>('slices.json')
  const { cases } = read<{ readonly cases: readonly (ControllersCase & { readonly refused: Refused })[] }>(
    'allocations.json',
  )
  it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => {
    const ours = replayControllers({ clusters, cases: [one] }, one)
    expect([...reasonsOf(ours)].sort()).toEqual(
      one.refused.map(({ name, message }) => `${name}: ${reasonOf(message)}`).sort(),
    )
  })
})

describe('refused in the words of a real API server', () => {
  interface Refusal {
    readonly object: { readonly kind: string; readonly metadata: { readonly name: string } }
    readonly refused: readonly string[]
  }
  const { clusters } = read<ControllersFile>('slices.json')
  const single = clusters.single!
  const cidrs = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'k' },
    spec: { cidrs: single.serviceCIDRs },
  }
  const cases = read<readonly Refusal[]>('refusals.json')

  it.each(cases.map((one) => [`${one.object.kind} ${one.object.metadata.name.slice(0, 20)}`, one] as const))(
    '%s',
    (_, { object, refused }) => {
      const items = [...single.nodes, cidrs, object]
      const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
      const { diagnostics } = load([{ name: 'in.json', bytes }], { refused: 'drop' })
      const ours = diagnostics.flatMap((one) => (one.refused === true ? [reasonOf(one.message)] : []))
      expect([...new Set(ours)].sort()).toEqual([...new Set(refused)].sort())
    },
  )
})

describe('pods of workloads', () => {
  interface WorkloadCase {
    readonly name: string
    readonly namespace: string
    readonly nodes: readonly object[]
    readonly applied: readonly { readonly metadata: object }[]
    readonly pods: readonly RecordedPod[]
  }
  interface RecordedPod {
    readonly name?: string
    readonly owner?: string
    readonly node?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly hostname?: string
    readonly subdomain?: string
  }
  /** Where a pod of a DaemonSet runs is no choice; where another runs may be a tie. */
  const shapeOf = ({
    name = '',
    owner = '',
    node = '',
    labels = {},
    annotations = {},
    hostname = '',
    subdomain = '',
  }: RecordedPod) => {
    const { 'topology.kubernetes.io/zone': _, 'pod-template-hash': __, ...own } = labels
    const place = owner.startsWith('DaemonSet') ? node : node !== ''
    return { name, owner, place, labels: own, annotations, hostname, subdomain }
  }
  const ownerOf = ({ owner }: Pod['meta']): string | undefined =>
    owner &&
    (owner.kind === 'ReplicaSet'
      ? `ReplicaSet ${owner.name.replace(/-[0-9a-z]+$/, '')}`
      : `${owner.kind} ${owner.name}`)
  const ours = ({ meta, spec }: Pod): RecordedPod => {
    const owner = ownerOf(meta)
    return {
      ...(owner === undefined || owner.startsWith('StatefulSet') ? { name: meta.name } : {}),
      ...(owner === undefined ? {} : { owner }),
      node: spec.nodeName,
      labels: meta.labels,
      annotations: meta.annotations,
      hostname: spec.hostname,
      subdomain: spec.subdomain,
    }
  }
  it.each(read<readonly WorkloadCase[]>('workloads.json').map((one) => [one.name, one] as const))('%s', (_, one) => {
    const namespaced = one.applied.map((object) => ({
      ...object,
      metadata: { ...object.metadata, namespace: one.namespace },
    }))
    const bytes = new TextEncoder().encode(
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...one.nodes, ...namespaced] }),
    )
    const { cluster } = load([{ name: 'in.json', bytes }], { refused: 'drop' })
    expect(asSet(cluster.pods.map((pod) => shapeOf(ours(pod))))).toEqual(asSet(one.pods.map(shapeOf)))
  })
})
