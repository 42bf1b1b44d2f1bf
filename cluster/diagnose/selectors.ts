import { isFinished } from '../build-index.ts'
import { nearest } from '../nearest.ts'
import type { Labels, Pod, Service, Workload } from '../objects.ts'
import { labelsMatch } from '../selector.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, noteOf, placeOf, selecting } from './context.ts'

/** Services that select no pod: with the pods that are nearest to what they look for. */
export function selectorsOfNothing(context: DiagnoseContext): Diagnostic[] {
  const { cluster } = context
  // Without pods and what makes pods nothing can be said about what a selector would find.
  if (cluster.pods.length === 0) return []
  return selecting(context).flatMap((service) => {
    const pods = context.selected(service.meta.namespace, service.selector)
    if (pods.some((pod) => !isFinished(pod))) return []
    return [pods.length > 0 ? onlyFinished(context, service, pods) : nothing(context, service)]
  })
}

function onlyFinished(context: DiagnoseContext, service: Service, pods: readonly Pod[]): Diagnostic {
  return {
    severity: 'warning',
    code: 'service-selects-finished',
    message: `${nameOf(service)} selects only pods that have finished`,
    ...placeOf(context, service, ['spec', 'selector']),
    notes: pods
      .slice(0, MOST_NOTES)
      .map((pod) => noteOf(context, pod, `${nameOf(pod)} has ${pod.phase.toLowerCase()}`)),
    object: nameOf(service),
    suggestion: 'who connects to it is refused; select pods that run',
  }
}

const MOST_NOTES = 3

function nothing(context: DiagnoseContext, service: Service & { readonly selector: Labels }): Diagnostic {
  const text = labelsText(service.selector)
  const base = {
    ...placeOf(context, service, ['spec', 'selector']),
    object: nameOf(service),
  }
  const idle = idleWorkload(context, service)
  if (idle !== undefined) {
    const atTimes = idle.kind === 'CronJob'
    return {
      severity: 'warning',
      code: atTimes ? 'service-selects-cronjob' : 'service-scaled-to-zero',
      message: `${nameOf(service)} has no pod: ${nameOf(idle)} ${atTimes ? `makes them at ${idle.schedule}` : 'is scaled to 0'}`,
      ...base,
      notes: [noteOf(context, idle, `${nameOf(idle)} makes its pods`)],
      suggestion: atTimes
        ? 'between its runs connections to the Service are refused'
        : `kubectl scale -n ${idle.meta.namespace} ${idle.kind.toLowerCase()}/${idle.meta.name} --replicas=1`,
    }
  }
  const { namespace } = service.meta
  // Perhaps nobody collected the pods of this namespace.
  if (context.podsIn(namespace).length === 0)
    return {
      severity: 'warning',
      code: 'service-selects-nothing',
      message: `${nameOf(service)} selects no pod: the input has none in namespace ${namespace}`,
      ...base,
      suggestion: `kubectl get pods -n ${namespace} -o yaml; if there are none, nothing answers for the Service`,
    }
  const near = nearPods(context, service)
  const elsewhere = near.length > 0 ? undefined : podElsewhere(context, service)
  return {
    severity: 'error',
    code: 'service-selects-nothing',
    message: `${nameOf(service)} selects no pod: none in namespace ${service.meta.namespace} has ${text}`,
    ...base,
    notes: [
      ...near.map(({ pod, why }) => noteOf(context, pod, `${nameOf(pod)} ${why}`)),
      ...(elsewhere === undefined
        ? []
        : [
            noteOf(
              context,
              elsewhere,
              `${nameOf(elsewhere)} has them, but a Service selects in its own namespace alone`,
            ),
          ]),
    ],
    suggestion: suggestionFor(near[0], service),
  }
}

const labelsText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

/** The workload that would make pods for the Service, if it were not scaled down or its time had come. */
function idleWorkload(
  { cluster }: DiagnoseContext,
  service: Service & { readonly selector: Labels },
): Workload | undefined {
  return cluster.workloads.find(
    (workload) =>
      workload.meta.namespace === service.meta.namespace &&
      isIdle(workload) &&
      labelsMatch(service.selector, workload.template.labels),
  )
}

function isIdle({ kind, replicas, meta }: Workload): boolean {
  switch (kind) {
    case 'CronJob':
      return true
    case 'Deployment':
    case 'StatefulSet':
      return replicas === 0
    case 'ReplicaSet':
      return replicas === 0 && meta.owner === undefined
    default:
      return false
  }
}

interface NearPod {
  readonly pod: Pod
  readonly why: string
  readonly key: string
  /** What the pod has instead, if it has the label at all. */
  readonly has: string | undefined
}

/** Pods of the namespace that lack one label of the selector, or have another value that is like it. */
function nearPods({ cluster }: DiagnoseContext, service: Service & { readonly selector: Labels }): readonly NearPod[] {
  const wanted = Object.entries(service.selector)
  const seen = new Set<string>()
  const found: NearPod[] = []
  for (const pod of cluster.pods) {
    if (pod.meta.namespace !== service.meta.namespace || isFinished(pod)) continue
    const wrong = wanted.filter(([key, value]) => labelOf(pod, key) !== value)
    const [first] = wrong
    if (wrong.length !== 1 || first === undefined) continue
    const [key, value] = first
    const has = labelOf(pod, key)
    // A selector of one label that a pod lacks is no near miss: every pod would be one.
    if (wanted.length === 1 && (has === undefined || nearest(has, [value]) === undefined)) continue
    // The pods of one workload miss alike.
    const alike = `${pod.meta.owner?.name ?? pod.meta.name} ${key}=${has ?? ''}`
    if (seen.has(alike)) continue
    seen.add(alike)
    found.push({ pod, key, has, why: has === undefined ? `has no label ${key}` : `has ${key}=${has}` })
    if (found.length === MOST_NOTES) break
  }
  return found
}

const labelOf = (pod: Pod, key: string): string | undefined =>
  Object.hasOwn(pod.meta.labels, key) ? pod.meta.labels[key] : undefined

/** A pod of another namespace that the selector would select. */
function podElsewhere({ cluster }: DiagnoseContext, service: Service & { readonly selector: Labels }): Pod | undefined {
  return cluster.pods.find((pod) => !isFinished(pod) && labelsMatch(service.selector, pod.meta.labels))
}

function suggestionFor(near: NearPod | undefined, service: Service): string {
  if (near === undefined)
    return `all labels of a selector must be on one pod; compare with: kubectl get pods -n ${service.meta.namespace} --show-labels`
  const wanted = `${near.key}=${service.selector?.[near.key] ?? ''}`
  return near.has === undefined
    ? `put ${wanted} on the pods' template, or take ${near.key} out of the selector`
    : `write ${near.key}: ${near.has} in the selector, or label the pods ${wanted}`
}
