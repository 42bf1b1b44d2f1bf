import type { Workload } from '../objects.ts'
import { readMeta } from './meta.ts'
import { readLabelSelector } from './network-policy.ts'
import { child, flag, has, integer, type Place, text } from './place.ts'
import { readPodTemplate } from './pod.ts'

/** Reads a Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or CronJob. `replicas` is what it wants to run. */
export function readWorkload(root: Place, kind: Workload['kind']): Omit<Workload, 'at' | 'assumed'> {
  const spec = child(root, 'spec')
  const job = kind === 'CronJob' ? child(child(spec, 'jobTemplate'), 'spec') : spec
  return {
    kind,
    meta: readMeta(root, 'namespaced'),
    replicas: replicasOf(job, kind),
    selector: readLabelSelector(child(job, 'selector')),
    template: readPodTemplate(child(job, 'template')),
    serviceName: kind === 'StatefulSet' ? text(spec, 'serviceName') : '',
    ordinalsStart: kind === 'StatefulSet' ? integer(child(spec, 'ordinals'), 'start', 0) : 0,
  }
}

function replicasOf(spec: Place, kind: Workload['kind']): number {
  switch (kind) {
    case 'DaemonSet':
    case 'CronJob':
      return 0
    case 'Job': {
      if (flag(spec, 'suspend')) return 0
      const parallelism = integer(spec, 'parallelism', 1)
      return has(spec, 'completions') ? Math.min(parallelism, integer(spec, 'completions', 1)) : parallelism
    }
    default:
      return integer(spec, 'replicas', 1)
  }
}
