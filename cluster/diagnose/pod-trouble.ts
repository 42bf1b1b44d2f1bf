import type { KubeNode, Pod, WaitingContainer } from '../objects.ts'

/** What is wrong with a pod, if anything: the first of these that holds, the most telling first. */
export interface PodTrouble {
  readonly code:
    | 'pod-evicted'
    | 'pod-terminating'
    | 'pod-unschedulable'
    | 'pod-crashing'
    | 'pod-image'
    | 'pod-starting'
    | 'pod-node-down'
    | 'pod-unready'
    | 'pod-failed'
  /** Follows the pod's name: `is not ready: container web fails its readiness probe`. */
  readonly text: string
  readonly todo: string
}

const CRASHES = new Set([
  'CrashLoopBackOff',
  'Error',
  'OOMKilled',
  'StartError',
  'RunContainerError',
  'ContainerCannotRun',
])
const IMAGES = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
])
const STARTS = new Set(['ContainerCreating', 'PodInitializing'])

export function podTrouble(pod: Pod, node: KubeNode | undefined): PodTrouble | undefined {
  const { condition } = pod
  if (condition === undefined || pod.phase === 'Succeeded') return undefined
  return (
    evicted(pod) ??
    terminating(pod) ??
    (pod.phase === 'Failed' ? failed(pod) : undefined) ??
    unscheduled(pod) ??
    waiting(pod) ??
    unready(pod, node)
  )
}

const logs = ({ meta }: Pod, more = ''): string => `kubectl logs -n ${meta.namespace} ${meta.name}${more}`
const describe = ({ meta }: Pod): string => `kubectl describe pod -n ${meta.namespace} ${meta.name}`

function evicted(pod: Pod): PodTrouble | undefined {
  const { condition, meta } = pod
  if (pod.phase === 'Failed' && condition?.reason === 'Evicted')
    return {
      code: 'pod-evicted',
      text: 'was evicted by its node; it is no endpoint any more',
      todo: `find out which resource ran short: ${describe(pod)}`,
    }
  const by = condition?.disruption
  if (by === undefined || meta.deletionTimestamp === undefined) return undefined
  return {
    code: 'pod-evicted',
    text: `is being evicted (${by})${stillServing(pod)}`,
    todo:
      by === 'DeletionByTaintManager'
        ? 'its node has a NoExecute taint; nobody confirms the end while the node does not answer'
        : 'nothing, if its replacement runs; no new connection goes to it while another endpoint is ready',
  }
}

function terminating(pod: Pod): PodTrouble | undefined {
  const until = pod.meta.deletionTimestamp
  if (until === undefined) return undefined
  return {
    code: 'pod-terminating',
    text: `is shutting down, until ${until} at most${stillServing(pod)}`,
    todo: 'nothing, if its replacement runs; no new connection goes to it while another endpoint is ready',
  }
}

const stillServing = (pod: Pod): string => (pod.ready ? '; it still serves' : '; it no longer serves')

function failed(pod: Pod): PodTrouble {
  const reason = pod.condition?.reason
  return {
    code: 'pod-failed',
    text: `has failed${reason === undefined ? exitOf(pod.condition?.waiting ?? []) : ` (${reason})`}; it is no endpoint`,
    todo: logs(pod),
  }
}

const exitOf = (containers: readonly WaitingContainer[]): string => {
  const code = containers.find(({ exitCode }) => exitCode !== undefined)?.exitCode
  return code === undefined ? '' : ` (exit code ${code})`
}

function unscheduled(pod: Pod): PodTrouble | undefined {
  const why = pod.condition?.unschedulable
  if (why === undefined) return undefined
  return {
    code: 'pod-unschedulable',
    text: `has no node: ${why.replace(/\.\s.*$/s, '')}`,
    todo: `look at its requests, selectors and tolerations: ${describe(pod)}`,
  }
}

function waiting(pod: Pod): PodTrouble | undefined {
  for (const container of pod.condition?.waiting ?? []) {
    const { name, reason, restarts } = container
    if (CRASHES.has(reason))
      return {
        code: 'pod-crashing',
        text: `is crashing: container ${name} is in ${reason}${restarts === 0 ? '' : ` after ${restarts} restarts`}${exitOf([container])}`,
        todo: logs(pod, ` -c ${name} --previous`),
      }
    if (IMAGES.has(reason))
      return {
        code: 'pod-image',
        text: `cannot get its image: container ${name} is in ${reason}`,
        todo: `mend the image's name, its registry or the pull secret: ${describe(pod)}`,
      }
    if (STARTS.has(reason) || (reason !== '' && pod.phase === 'Pending'))
      return {
        code: 'pod-starting',
        text: `is not running yet: container ${name} is in ${reason}`,
        todo: `if it stays so: ${describe(pod)}`,
      }
  }
  return undefined
}

function unready(pod: Pod, node: KubeNode | undefined): PodTrouble | undefined {
  if (pod.ready) return undefined
  if (node !== undefined && !node.ready)
    return {
      code: 'pod-node-down',
      text: `is not ready: its node ${node.meta.name} is down`,
      todo: `look at the node: kubectl describe node ${node.meta.name}`,
    }
  const probing = (pod.condition?.waiting ?? []).map(({ name }) => name)
  const who = probing.length === 0 ? '' : `: container${probing.length === 1 ? '' : 's'} ${probing.join(', ')}`
  const hasProbe = pod.spec.containers.some(
    ({ name, hasReadinessProbe }) => hasReadinessProbe && probing.includes(name),
  )
  const runs = hasProbe ? ' does not pass its readiness probe' : probing.length === 0 ? '' : ' is not ready'
  if (pod.phase === 'Pending' && probing.length === 0)
    return { code: 'pod-starting', text: 'is not running yet', todo: `if it stays so: ${describe(pod)}` }
  return {
    code: 'pod-unready',
    text: `is not ready${who}${runs}`,
    todo: describe(pod),
  }
}
