import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { replicaSetsOf } from '../complete/workload-pods.ts'
import { findOne } from '../find-object.ts'
import type { InputFile } from '../input/item.ts'
import type { Labels, Meta, ServicePortSpec, Workload } from '../objects.ts'
import type { Draft, Found } from '../read/object-kinds.ts'
import type { PodDraft } from '../read/pod.ts'
import type { ServiceDraft } from '../read/service.ts'
import { readSnapshot, type Snapshot } from '../read/snapshot.ts'
import type { Change, NamedObject } from './parse-change.ts'
import { NOWHERE, objectKey } from './recorded-objects.ts'

/** The objects of an API server while it is told changes. */
export interface Objects {
  readonly byKey: Map<string, Found>
  /** Keys of objects that are not as they were. */
  readonly touched: Set<string>
  /** Namespaces and labels of pods that came, went, or changed: whose Services look again. */
  readonly stirred: { readonly namespace: string; readonly labels: Labels }[]
  /** Snapshots of the files that were applied. */
  readonly snapshots: Snapshot[]
  /** What pods do that are to go. */
  readonly pods: { goAtOnce: boolean }
}

export interface ChangeGiven {
  /** The files behind a name in a change. */
  readonly files: (name: string) => readonly InputFile[]
  /** Of names without one. */
  readonly namespace: string
}

type Kind<K extends Draft['kind']> = Extract<Draft, { kind: K }>

/** Tells the API server one change; what cannot be done is said. */
export function changeObjects(objects: Objects, change: Change, given: ChangeGiven): Parsed<undefined> {
  switch (change.kind) {
    case 'apply':
      return applyFiles(objects, change, given)
    case 'delete': {
      objects.pods.goAtOnce = change.wait
      for (const name of change.files)
        for (const { draft } of readSnapshot(given.files(name)).found) {
          const key = objectKey(draft)
          if (objects.byKey.has(key)) remove(objects, key)
        }
      for (const named of change.objects) {
        const found = find(objects, named, given)
        if (!found.ok) return found
        remove(objects, objectKey(found.value.draft))
      }
      return parsed(undefined)
    }
    case 'scale':
      return changeWorkload(objects, { named: change.object, given }, (workload) => ({
        ...workload,
        replicas: change.replicas,
      }))
    case 'restart':
      return changeWorkload(objects, { named: change.object, given }, restarted)
    case 'label':
      return relabel(objects, change, given)
    default:
      return change satisfies never
  }
}

// ------------------------------------------------------------------------------------------------ apply

function applyFiles(
  objects: Objects,
  { files, prune }: Extract<Change, { kind: 'apply' }>,
  given: ChangeGiven,
): Parsed<undefined> {
  const snapshot = readSnapshot(files.flatMap(given.files))
  objects.snapshots.push(snapshot)
  if (snapshot.found.length + snapshot.labs.length === 0)
    return refused(`${files.join(', ')} ${files.length === 1 ? 'holds' : 'hold'} no object that could be applied`)
  const applied = new Set(snapshot.found.map(({ draft }) => objectKey(draft)))
  const recorded = new Set(snapshot.found.flatMap((found) => (found.recorded ? [found.draft.kind] : [])))
  if (prune)
    for (const [key, { draft }] of [...objects.byKey])
      if (!applied.has(key) && !isBuiltIn(key) && (!isMade(draft) || recorded.has(draft.kind))) remove(objects, key)
  for (const found of snapshot.found) put(objects, found)
  return parsed(undefined)
}

/** What controllers make stands in snapshots, not in manifests: without a recorded one these say nothing of the kind. */
const isMade = ({ kind, meta }: Draft): boolean =>
  meta.owner !== undefined || kind === 'EndpointSlice' || kind === 'Endpoints'

/** What an API server makes by itself is in no manifest. */
const isBuiltIn = (key: string): boolean => key.startsWith('Namespace ') || / default\/kubernetes(-\w+)?$/.test(key)

function put(objects: Objects, found: Found): void {
  const key = objectKey(found.draft)
  const old = objects.byKey.get(key)
  const draft = old === undefined || found.recorded ? found.draft : merged(old.draft, found.draft)
  if (old !== undefined && JSON.stringify(old.draft) === JSON.stringify(draft)) return
  objects.byKey.set(key, { ...found, draft })
  objects.touched.add(key)
  for (const one of [old?.draft, draft]) if (one?.kind === 'Pod') stir(objects, one.meta)
}

const stir = ({ stirred }: Objects, { namespace, labels }: Meta): void => void stirred.push({ namespace, labels })

/** What stands in the API server and not in the manifest stays: addresses, node ports, what the kubelet reported. */
function merged(old: Draft, draft: Draft): Draft {
  if (old.kind === 'Service' && draft.kind === 'Service') return mergedService(old, draft)
  if (old.kind === 'Pod' && draft.kind === 'Pod') return mergedPod(old, draft)
  if (old.kind === 'Node' && draft.kind === 'Node')
    return draft.internalIPs.length > 0 ? draft : { ...old, meta: draft.meta, taints: draft.taints }
  return draft
}

function mergedService(old: Kind<'Service'>, draft: Kind<'Service'>): Draft {
  const isSameSort = !draft.headless && draft.type !== 'ExternalName'
  const keepsPorts = draft.type === 'NodePort' || draft.type === 'LoadBalancer'
  const ports = keepsPorts ? draft.ports.map((port) => withNodePort(port, old.ports)) : draft.ports
  const address: Partial<ServiceDraft> =
    isSameSort && draft.clusterIPs.length === 0
      ? {
          clusterIPs: old.clusterIPs,
          clusterIPTexts: old.clusterIPTexts,
          clusterIPGiven: true,
          clusterIPsGiven: old.clusterIPs.length,
        }
      : {}
  return {
    ...draft,
    ...address,
    ports,
    ...(isSameSort && draft.ipFamilies.length === 0 ? { ipFamilies: old.ipFamilies } : {}),
    ...(draft.healthCheckNodePort === 0 && draft.type === old.type && draft.externalTrafficPolicy === 'Local'
      ? { healthCheckNodePort: old.healthCheckNodePort }
      : {}),
    ...(draft.type === 'LoadBalancer' && draft.loadBalancerIngress.length === 0
      ? { loadBalancerIngress: old.loadBalancerIngress }
      : {}),
  }
}

function withNodePort(port: ServicePortSpec, before: readonly ServicePortSpec[]): ServicePortSpec {
  if (port.nodePort !== 0) return port
  const old = before.find((other) => other.port === port.port && other.protocol === port.protocol)
  return old === undefined ? port : { ...port, nodePort: old.nodePort }
}

/** A pod keeps its node and its address as long as it lives. */
function mergedPod(old: Kind<'Pod'>, draft: Kind<'Pod'>): Draft {
  if (draft.hasStatus) return { ...draft, ips: draft.ips.length > 0 ? draft.ips : old.ips }
  const { phase, ready, ips, hostIPs, condition } = old
  const spec = { ...draft.spec, nodeName: old.spec.nodeName }
  return { ...draft, spec, phase, ready, ips, hostIPs, hasStatus: true, ...(condition && { condition }) }
}

// ------------------------------------------------------------------------------------------------ other verbs

/** Takes an object away; a pod is only marked where nobody waits until it is gone. */
export function remove(objects: Objects, key: string): void {
  const found = objects.byKey.get(key)
  if (found === undefined) return
  objects.touched.add(key)
  const { draft } = found
  if (draft.kind !== 'Pod') return void objects.byKey.delete(key)
  stir(objects, draft.meta)
  if (objects.pods.goAtOnce || draft.meta.deletionTimestamp !== undefined) return void objects.byKey.delete(key)
  const leaving: Kind<'Pod'> = { ...draft, meta: { ...draft.meta, deletionTimestamp: SOME_TIME } }
  objects.byKey.set(key, { ...found, draft: leaving })
}

const SOME_TIME = '1970-01-01T00:00:00Z'

function find(objects: Objects, { kind, name, namespace }: NamedObject, given: ChangeGiven): Parsed<Found> {
  const some = [...objects.byKey.values()].filter(({ draft }) => draft.kind === kind)
  const list = some.map((found) => ({ meta: found.draft.meta, found }))
  const one = findOne(kind.toLowerCase(), list, { namespace, name, fallback: given.namespace })
  return one.ok ? parsed(one.value.found) : one
}

function changeWorkload(
  objects: Objects,
  { named, given }: { readonly named: NamedObject; readonly given: ChangeGiven },
  change: (workload: Omit<Workload, 'at' | 'assumed'>) => Omit<Workload, 'at' | 'assumed'>,
): Parsed<undefined> {
  const found = find(objects, named, given)
  if (!found.ok) return found
  const { draft } = found.value
  if (!('replicas' in draft)) return refused(`${named.kind} ${named.name} has no pods of its own`)
  objects.byKey.set(objectKey(draft), { ...found.value, draft: change(draft) })
  objects.touched.add(objectKey(draft))
  return parsed(undefined)
}

/** kubectl rollout restart: an annotation of the template changes, and so does everything that is made after it. */
function restarted<W extends Pick<Workload, 'template'>>(workload: W): W {
  const { template } = workload
  const before = Number(template.annotations[RESTARTED] ?? 0)
  return {
    ...workload,
    template: { ...template, annotations: { ...template.annotations, [RESTARTED]: `${before + 1}` } },
  }
}

const RESTARTED = 'kubectl.kubernetes.io/restartedAt'

function relabel(
  objects: Objects,
  { object, labels }: Extract<Change, { kind: 'label' }>,
  given: ChangeGiven,
): Parsed<undefined> {
  const found = find(objects, object, given)
  if (!found.ok) return found
  const { draft } = found.value
  const wanted: Record<string, string> = { ...draft.meta.labels }
  for (const [name, value] of Object.entries(labels))
    if (value === undefined) delete wanted[name]
    else wanted[name] = value
  // A pod that its controller no longer selects belongs to nobody; the controller makes another one.
  const { owner, ...rest } = draft.meta
  const left = draft.kind === 'Pod' && owner !== undefined && isLeft(objects, { ...draft.meta, labels: wanted })
  const meta: Meta = { ...(left ? rest : draft.meta), labels: wanted }
  const key = objectKey(draft)
  objects.byKey.set(key, { ...found.value, draft: { ...draft, meta } as Draft })
  objects.touched.add(key)
  if (draft.kind === 'Pod') {
    stir(objects, draft.meta)
    stir(objects, meta)
  }
  return parsed(undefined)
}

const isLeft = (objects: Objects, { owner, namespace, labels }: Meta): boolean => {
  const own = workloadsOf(objects).find(
    ({ kind, meta }) => kind === owner?.kind && meta.namespace === namespace && meta.name === owner.name,
  )
  return own !== undefined && Object.entries(own.selector.matchLabels).some(([key, value]) => labels[key] !== value)
}

/** The workloads, and the ReplicaSets that Deployments have made. */
export function workloadsOf({ byKey }: Pick<Objects, 'byKey'>): readonly Workload[] {
  const given = [...byKey.values()].flatMap(({ draft, at }): Workload[] =>
    'replicas' in draft ? [{ ...draft, assumed: false, ...(at === NOWHERE ? {} : { at }) }] : [],
  )
  return [...given, ...replicaSetsOf(given)]
}

export const podsOf = ({ byKey }: Pick<Objects, 'byKey'>): readonly ({ readonly kind: 'Pod' } & PodDraft)[] =>
  [...byKey.values()].flatMap(({ draft }) => (draft.kind === 'Pod' ? [draft] : []))
