import type { PodTemplate, Workload } from '../objects.ts'
import { readMeta } from './meta.ts'
import { readLabelSelector } from './network-policy.ts'
import { child, children, flag, has, integer, note, oneOf, type Place, text } from './place.ts'
import { readPodTemplate } from './pod.ts'

/** Reads a Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or CronJob. `replicas` is what it wants to run. */
export function readWorkload(root: Place, kind: Workload['kind']): Omit<Workload, 'at' | 'assumed'> {
  const spec = child(root, 'spec')
  const job = kind === 'CronJob' ? child(child(spec, 'jobTemplate'), 'spec') : spec
  const template = readPodTemplate(child(job, 'template'))
  return {
    kind,
    meta: readMeta(root, 'namespaced'),
    replicas: mostPods(job, kind, { pods: replicasOf(root, job, kind), template }),
    selector: readLabelSelector(child(job, 'selector')),
    template,
    serviceName: kind === 'StatefulSet' ? text(spec, 'serviceName') : '',
    ordinalsStart: kind === 'StatefulSet' ? integer(child(spec, 'ordinals'), 'start', 0) : 0,
    ...ofKind(root, kind),
  }
}

function ofKind(root: Place, kind: Workload['kind']): Partial<Workload> {
  const spec = child(root, 'spec')
  switch (kind) {
    case 'Deployment':
      return flag(spec, 'paused') ? { paused: true } : {}
    case 'StatefulSet':
      return { podManagementPolicy: oneOf(spec, 'podManagementPolicy', MANAGEMENT) }
    case 'Job': {
      const finished = finishedAs(root)
      return {
        indexed: oneOf(spec, 'completionMode', COMPLETION) === 'Indexed',
        ...(finished === undefined ? {} : { finished }),
      }
    }
    case 'CronJob':
      return { schedule: text(spec, 'schedule') }
    default:
      return {}
  }
}

const MANAGEMENT = { values: ['OrderedReady', 'Parallel'], absent: 'OrderedReady' } as const
const COMPLETION = { values: ['NonIndexed', 'Indexed'], absent: 'NonIndexed' } as const

/** The condition that ends a Job (pkg/controller/job IsJobFinished). */
function finishedAs(root: Place): Workload['finished'] {
  const conditions = children(child(root, 'status'), 'conditions')
  return (['Complete', 'Failed'] as const).find((type) =>
    conditions.some((condition) => text(condition, 'type') === type && text(condition, 'status') === 'True'),
  )
}

/** Pods that are made for one workload: a slip of the finger asks for a billion, and no cluster has more of one. */
const MOST_PODS = 5000

/** Labels and annotations of all of them together; 40 of each pod where there are so many pods. */
const MOST_LABELS = 200_000

interface Wish {
  readonly pods: number
  readonly template: PodTemplate
}

function mostPods(spec: Place, kind: Workload['kind'], { pods, template }: Wish): number {
  const labels = Object.keys(template.labels).length + Object.keys(template.annotations).length
  const most = Math.min(MOST_PODS, Math.ceil(MOST_LABELS / Math.max(labels, 1)))
  if (pods <= most) return pods
  const text = `is ${pods}; no more than ${most} pods of one ${kind} are made`
  note(spec, kind === 'Job' ? 'parallelism' : 'replicas', { severity: 'warning', code: 'replicas-too-many', text })
  return most
}

function replicasOf(root: Place, spec: Place, kind: Workload['kind']): number {
  switch (kind) {
    case 'DaemonSet':
    case 'CronJob':
      return 0
    case 'Job':
      return activePods(root)
    default:
      return integer(spec, 'replicas', 1)
  }
}

/** How many pods of a Job run at once (pkg/controller/job manageJob): never more than are still to succeed. */
function activePods(root: Place): number {
  const spec = child(root, 'spec')
  if (flag(spec, 'suspend') || finishedAs(root) !== undefined) return 0
  const parallelism = integer(spec, 'parallelism', 1)
  const succeeded = integer(child(root, 'status'), 'succeeded', 0)
  // Without a number of completions the first success ends it: no further pod is made.
  if (!has(spec, 'completions')) return succeeded > 0 ? 0 : parallelism
  return Math.min(parallelism, Math.max(integer(spec, 'completions', 1) - succeeded, 0))
}
