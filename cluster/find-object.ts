import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { type Cluster, keyOf } from './cluster.ts'
import type { ObjectKind } from './endpoint-name.ts'
import { editDistance } from './nearest.ts'
import type { Meta, Pod } from './objects.ts'

/** An object by kind and name; in `namespace`, or wherever it is alone of that name. */
export interface Wanted {
  readonly namespace: string | undefined
  readonly name: string
  /** Looked into first where no namespace is said. */
  readonly fallback: string
}

/** Finds one object, or says which ones it could be. */
export function findOne<T extends { readonly meta: Meta }>(
  kind: string,
  objects: readonly T[],
  wanted: Wanted,
): Parsed<T> {
  const { namespace, name, fallback } = wanted
  const named = objects.filter((object) => object.meta.name === name)
  const exact = named.find(
    (object) => object.meta.namespace === (namespace ?? fallback) || object.meta.namespace === '',
  )
  if (exact !== undefined) return parsed(exact)
  if (namespace === undefined && named.length === 1 && named[0] !== undefined) return parsed(named[0])
  if (named.length > 1 && namespace === undefined)
    return refused(
      `there are several of that name: ${named.map((object) => `${kind}/${keyOf(object.meta)}`).join(', ')}. Say which`,
    )
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`
  const near = nearNames(name, objects)
  const hint =
    near.length === 0
      ? objects.length === 0
        ? `; the input has no ${kind} at all`
        : ''
      : `. Did you mean ${near.map((object) => `${kind}/${keyOf(object.meta)}`).join(' or ')}?`
  return refused(`there is no ${kind} ${name}${where}${hint}`)
}

/** Up to three objects whose names differ by little, or begin alike. */
function nearNames<T extends { readonly meta: Meta }>(name: string, objects: readonly T[]): readonly T[] {
  const exact = objects.filter((object) => object.meta.name === name)
  if (exact.length > 0) return exact.slice(0, 3)
  return objects
    .map((object) => ({
      object,
      distance: object.meta.name.startsWith(name) ? 1 : editDistance(name, object.meta.name),
    }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(name.length / 4)))
    .sort((x, y) => x.distance - y.distance)
    .slice(0, 3)
    .map(({ object }) => object)
}

const WORKLOAD_KIND: Partial<Record<ObjectKind, string>> = { deploy: 'Deployment', sts: 'StatefulSet', ds: 'DaemonSet' }

/** A pod, or the first running pod of a workload. */
export function findPod(cluster: Cluster, object: ObjectKind, wanted: Wanted): Parsed<Pod> {
  const kind = WORKLOAD_KIND[object]
  if (kind === undefined) return findOne('pod', cluster.pods, wanted)
  const workload = findOne(
    object,
    cluster.workloads.filter((candidate) => candidate.kind === kind),
    wanted,
  )
  if (!workload.ok) return workload
  const { namespace, name } = workload.value.meta
  const pods = cluster.pods.filter((pod) => pod.meta.namespace === namespace && belongsTo(cluster, pod, kind, name))
  const running = pods.find((pod) => pod.phase === 'Running' && pod.ips.length > 0) ?? pods[0]
  return running === undefined ? refused(`${kind} ${namespace}/${name} has no pod`) : parsed(running)
}

function belongsTo(cluster: Cluster, pod: Pod, kind: string, name: string): boolean {
  const { owner } = pod.meta
  if (owner === undefined) return false
  if (owner.kind === kind) return owner.name === name
  if (owner.kind !== 'ReplicaSet') return false
  const set = cluster.workloads.find(
    (workload) =>
      workload.kind === 'ReplicaSet' &&
      workload.meta.namespace === pod.meta.namespace &&
      workload.meta.name === owner.name,
  )
  return set === undefined
    ? owner.name.replace(/-[^-]+$/, '') === name
    : set.meta.owner?.kind === kind && set.meta.owner.name === name
}
