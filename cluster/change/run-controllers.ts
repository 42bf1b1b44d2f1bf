import { isFinished } from '../build-index.ts'
import { MANAGED_BY, SLICE_CONTROLLER } from '../complete/endpoint-slices.ts'
import { MIRRORING_CONTROLLER } from '../complete/mirrored-slices.ts'
import { keyOfWorkload, ownerKey } from '../complete/workload-pods.ts'
import type { Meta, Workload } from '../objects.ts'
import { labelsMatch } from '../selector.ts'
import { type Objects, podsOf, remove, workloadsOf } from './change-objects.ts'

/** What controllers still do when the garbage is collected: pods to be made, and slices to be written anew. */
export interface Work {
  readonly missing: ReadonlyMap<string, number>
  readonly rewritten: ReadonlySet<string>
}

/** The controllers' answer to a change: what is left over goes, and what is missing is counted. */
export function runControllers(objects: Objects, before: Pick<Objects, 'byKey'>): Work {
  const old = new Map(workloadsOf(before).map((workload) => [keyOfWorkload(workload), workload]))
  rollOut(objects, old)
  collectGarbage(objects, old)
  const missing = reconcileReplicas(objects, { old, before })
  return { missing, rewritten: rewriteSlices(objects, before) }
}

const sameTemplate = (x: Workload, y: Workload): boolean => JSON.stringify(x.template) === JSON.stringify(y.template)

/**
 * A workload with another template makes its pods anew; a Deployment by another ReplicaSet. Recorded ReplicaSets that
 * stay get the number that their Deployment wants.
 */
function rollOut(objects: Objects, old: ReadonlyMap<string, Workload>): void {
  for (const workload of workloadsOf(objects)) {
    const then = old.get(keyOfWorkload(workload))
    if (then === undefined) continue
    if (workload.kind === 'Deployment') {
      for (const [key, { draft }] of objects.byKey) {
        if (draft.kind !== 'ReplicaSet' || ownerKey(draft.meta) !== keyOfWorkload(workload)) continue
        if (!sameTemplate(workload, then)) remove(objects, key)
        else if (draft.replicas > 0 && workload.replicas !== then.replicas) {
          const found = objects.byKey.get(key)
          if (found !== undefined)
            objects.byKey.set(key, { ...found, draft: { ...draft, replicas: workload.replicas } })
        }
      }
    } else if ((workload.kind === 'StatefulSet' || workload.kind === 'DaemonSet') && !sameTemplate(workload, then))
      for (const pod of podsOf(objects))
        if (ownerKey(pod.meta) === keyOfWorkload(workload)) removePod(objects, pod.meta)
  }
}

const removePod = (objects: Objects, { namespace, name }: Meta): void => remove(objects, `Pod ${namespace}/${name}`)

/** What belongs to something that is gone goes too. */
function collectGarbage(objects: Objects, old: ReadonlyMap<string, Workload>): void {
  for (;;) {
    const there = new Set(workloadsOf(objects).map(keyOfWorkload))
    const orphans = [...objects.byKey].filter(([, { draft }]) => {
      const owner = ownerKey(draft.meta)
      const isLeaving = draft.kind === 'Pod' && draft.meta.deletionTimestamp !== undefined
      return owner !== undefined && old.has(owner) && !there.has(owner) && !isLeaving
    })
    if (orphans.length === 0) break
    for (const [key] of orphans) remove(objects, key)
  }
  for (const [key, { draft }] of objects.byKey) {
    const { kind, meta } = draft
    const service = kind === 'EndpointSlice' ? draft.serviceName : kind === 'Endpoints' ? meta.name : ''
    const owner = `Service ${meta.namespace}/${service}`
    if (service !== '' && objects.touched.has(owner) && !objects.byKey.has(owner)) remove(objects, key)
  }
}

/**
 * How many pods each controller lacks that has something to do: its workload is new or was changed, or a pod of it went.
 * Those that are too many go.
 */
function reconcileReplicas(
  objects: Objects,
  { old, before }: { readonly old: ReadonlyMap<string, Workload>; readonly before: Pick<Objects, 'byKey'> },
): ReadonlyMap<string, number> {
  const missing = new Map<string, number>()
  for (const workload of workloadsOf(objects)) {
    const key = keyOfWorkload(workload)
    if (!MAKES_PODS.has(workload.kind) || workload.finished !== undefined) continue
    const then = old.get(key)
    const isOwn = (meta: Meta) => ownerKey(meta) === key
    const had = alive(before).filter(({ meta }) => isOwn(meta)).length
    const own = alive(objects).filter(({ meta }) => isOwn(meta))
    const isChanged = then === undefined || then.replicas !== workload.replicas
    const wanted = isChanged && workload.kind !== 'DaemonSet' ? workload.replicas : had
    if (isChanged && workload.kind === 'DaemonSet' && then === undefined) missing.set(key, Number.MAX_SAFE_INTEGER)
    else if (own.length < wanted) missing.set(key, wanted - own.length)
    else for (const { meta } of [...own].reverse().slice(0, own.length - wanted)) removePod(objects, meta)
  }
  return missing
}

const MAKES_PODS: ReadonlySet<Workload['kind']> = new Set(['ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job'])

const alive = (objects: Pick<Objects, 'byKey'>) =>
  podsOf(objects).filter((pod) => pod.meta.deletionTimestamp === undefined && !isFinished(pod))

/** Takes away the slices that controllers made of pods or Endpoints that have changed: they write them anew. */
function rewriteSlices(objects: Objects, before: Pick<Objects, 'byKey'>): ReadonlySet<string> {
  const rewritten = new Set<string>()
  const made = workloadsOf(objects)
    .filter((workload) => objects.touched.has(keyOfWorkload(workload)) || isMadeAnew(objects, before, workload))
    .map(({ meta, template }) => ({ namespace: meta.namespace, labels: template.labels }))
  const stirred = [...objects.stirred, ...made]
  const given = new Set(
    [...objects.touched].flatMap((key) => {
      const draft = objects.byKey.get(key)?.draft
      return draft?.kind === 'EndpointSlice' ? [`${draft.meta.namespace}/${draft.serviceName}`] : []
    }),
  )
  for (const [key, { draft }] of objects.byKey) {
    if (draft.kind !== 'Service') continue
    const { selector, meta } = draft
    const name = `${meta.namespace}/${meta.name}`
    const isStirred =
      selector !== undefined &&
      stirred.some(({ namespace, labels }) => namespace === meta.namespace && labelsMatch(selector, labels))
    const isWritten = objects.touched.has(key) || objects.touched.has(`Endpoints ${name}`)
    if ((isStirred || isWritten) && !given.has(name)) rewritten.add(name)
  }
  for (const [key, { draft }] of objects.byKey) {
    if (draft.kind === 'EndpointSlice' && rewritten.has(`${draft.meta.namespace}/${draft.serviceName}`)) {
      const by = draft.meta.labels[MANAGED_BY]
      if (by === SLICE_CONTROLLER || by === MIRRORING_CONTROLLER) objects.byKey.delete(key)
    }
    const isMade = draft.kind === 'Endpoints' && !objects.touched.has(key) && hasSelector(objects, draft.meta)
    if (isMade && rewritten.has(`${draft.meta.namespace}/${draft.meta.name}`)) objects.byKey.delete(key)
  }
  return rewritten
}

function hasSelector({ byKey }: Objects, { namespace, name }: Meta): boolean {
  const service = byKey.get(`Service ${namespace}/${name}`)?.draft
  return service?.kind === 'Service' && service.selector !== undefined
}

const isMadeAnew = (_objects: Objects, before: Pick<Objects, 'byKey'>, workload: Workload): boolean =>
  workload.kind === 'ReplicaSet' && !workloadsOf(before).some((old) => keyOfWorkload(old) === keyOfWorkload(workload))
