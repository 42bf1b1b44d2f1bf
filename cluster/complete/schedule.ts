import type { ContainerPort, KubeNode, Namespace, PodSpec } from '../objects.ts'
import { byText } from '../order.ts'
import { fits, isTolerated, nodeLabel, preference } from './node-selection.ts'
import type { Candidate, Placed } from './placed.ts'
import { neighbourhood } from './pod-affinity.ts'
import { tallyOf } from './tally.ts'
import { spread } from './topology-spread.ts'

/**
 * The part of kube-scheduler that decides where a made-up pod runs. Its filters decide whether a node takes a pod at
 * all: nodeName, nodeSelector, required node affinity, taints, cordon, requested CPU and memory, number of pods, ports
 * of the host, spread constraints, pod affinity and anti-affinity. Of those left, what the pod prefers counts first, then the node and zone
 * with the fewest pods of the same owner (weighed as podtopologyspread does by default), the fewest pods, and the first
 * name. The real scheduler weighs more, and draws lots.
 */
export interface Scheduler {
  /** The node for a pod; undefined where it fits nowhere. */
  readonly place: (pod: Candidate) => KubeNode | undefined
  /** Counts a pod that is on its node already. */
  readonly occupy: (nodeName: string, pod: Candidate) => void
}

interface Load {
  pods: number
  milliCpu: number
  memory: number
  readonly ofOwner: Map<string, number>
  readonly hostPorts: HostPort[]
}

export function scheduler(nodes: readonly KubeNode[], namespaces: readonly Namespace[] = []): Scheduler {
  const byName = new Map(nodes.map((node) => [node.meta.name, node]))
  const loads = new Map<string, Load>()
  const placed: Placed[] = []
  const tally = tallyOf(placed)
  const spreading = spread({ nodes, placed, tally })
  const neighbourly = neighbourhood({ placed, tally, namespaces })
  const inZone = new Map<string, number>()
  const zones = new Set(nodes.map((node) => nodeLabel(node, ZONE)))
  const weight = { node: Math.log(nodes.length + 2), zone: Math.log(zones.size + 2) }
  const loadOf = (name: string): Load => {
    const known = loads.get(name)
    if (known !== undefined) return known
    const load = { pods: 0, milliCpu: 0, memory: 0, ofOwner: new Map<string, number>(), hostPorts: [] }
    loads.set(name, load)
    return load
  }
  const occupy = (nodeName: string, pod: Candidate): void => {
    const load = loadOf(nodeName)
    load.pods++
    load.milliCpu += pod.spec.requests?.milliCpu ?? 0
    load.memory += pod.spec.requests?.memory ?? 0
    load.hostPorts.push(...hostPortsOf(pod.spec))
    load.ofOwner.set(pod.owner, (load.ofOwner.get(pod.owner) ?? 0) + 1)
    const node = byName.get(nodeName)
    if (node === undefined) return
    placed.push({ ...pod, node })
    const zone = zoneKey(node, pod)
    inZone.set(zone, (inZone.get(zone) ?? 0) + 1)
  }
  return {
    occupy,
    place(pod) {
      if (pod.spec.gated === true && pod.spec.nodeName === '') return undefined
      const apart = spreading(pod)
      const near = neighbourly(pod)
      const wanted = hostPortsOf(pod.spec)
      const takes = (node: KubeNode): boolean =>
        fits(node, pod.spec) &&
        (pod.spec.nodeName !== '' ||
          (hasRoom(node, loadOf(node.meta.name), pod.spec) &&
            wanted.every((port) => !loadOf(node.meta.name).hostPorts.some((taken) => collide(port, taken))) &&
            apart.allows(node) &&
            near.allows(node)))
      const scored = nodes.filter(takes).map((node) => {
        const load = loadOf(node.meta.name)
        return {
          node,
          worth: near.worth(node) + preference(node, pod.spec) - avoided(node, pod.spec),
          cost: apart.cost(node),
          siblings:
            (load.ofOwner.get(pod.owner) ?? 0) * weight.node + (inZone.get(zoneKey(node, pod)) ?? 0) * weight.zone,
          pods: load.pods,
        }
      })
      scored.sort(
        (x, y) =>
          y.worth - x.worth ||
          x.cost - y.cost ||
          x.siblings - y.siblings ||
          x.pods - y.pods ||
          byText(x.node.meta.name, y.node.meta.name),
      )
      const best = scored[0]?.node
      if (best !== undefined) occupy(best.meta.name, pod)
      return best
    },
  }
}

const ZONE = 'topology.kubernetes.io/zone'

const zoneKey = (node: KubeNode, { owner }: Candidate): string => `${nodeLabel(node, ZONE) ?? ''}\0${owner}`

type HostPort = Pick<ContainerPort, 'protocol' | 'hostPort' | 'hostIP'>

const NONE: readonly HostPort[] = []

/** Ports of the host that a pod takes (pkg/scheduler/framework/plugins/nodeports); sidecars keep theirs too. */
function hostPortsOf({ containers, initContainers }: PodSpec): readonly HostPort[] {
  const running = initContainers.some(({ sidecar }) => sidecar)
    ? [...containers, ...initContainers.filter(({ sidecar }) => sidecar)]
    : containers
  return running.some(({ ports }) => ports.some(({ hostPort }) => hostPort > 0))
    ? running.flatMap(({ ports }) => ports.filter(({ hostPort }) => hostPort > 0))
    : NONE
}

const isAny = (hostIP: string): boolean => hostIP === '' || hostIP === '0.0.0.0'

const collide = (x: HostPort, y: HostPort): boolean =>
  x.hostPort === y.hostPort &&
  x.protocol === y.protocol &&
  (x.hostIP === y.hostIP || isAny(x.hostIP) || isAny(y.hostIP))

/** NodeResourcesFit; a node that does not tell what it has takes everything. A pod that asks for none always fits. */
function hasRoom(node: KubeNode, load: Load, { requests }: PodSpec): boolean {
  if (load.pods + 1 > (node.allocatablePods ?? Number.POSITIVE_INFINITY)) return false
  const { milliCpu, memory } = requests ?? { milliCpu: 0, memory: 0 }
  return (
    (milliCpu === 0 || load.milliCpu + milliCpu <= (node.allocatableMilliCpu ?? Number.POSITIVE_INFINITY)) &&
    (memory === 0 || load.memory + memory <= (node.allocatableMemory ?? Number.POSITIVE_INFINITY))
  )
}

/** Soft taints that a pod does not tolerate: as heavy as anything it can prefer. */
const avoided = (node: KubeNode, spec: PodSpec): number =>
  node.taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(taint, spec.tolerations)).length *
  SOFT_TAINT

const SOFT_TAINT = 100
