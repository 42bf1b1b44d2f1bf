import type { Cluster } from '../cluster/cluster.ts'
import type { KubeNode, Pod } from '../cluster/objects.ts'
import { type Op, ROOT_NETNS } from '../linux/op.ts'
import { podOrigin } from './origin.ts'

/** The network namespace a pod's processes live in: its own, or the machine's for hostNetwork. */
export const podNetns = (pod: Pod): string =>
  pod.spec.hostNetwork ? ROOT_NETNS : `${pod.meta.namespace}/${pod.meta.name}`

/**
 * The pods of a node that have a network namespace of their own and an address in it: not hostNetwork, not
 * finished (their sandbox is gone although the API still shows an address), by name.
 */
export function networkedPods(cluster: Cluster, node: KubeNode): readonly Pod[] {
  const pods = cluster.index.podsOnNode.get(node.meta.name) ?? []
  return pods.filter(
    (pod) => !pod.spec.hostNetwork && pod.ips.length > 0 && pod.phase !== 'Succeeded' && pod.phase !== 'Failed',
  )
}

/** Its containers have ended: the sandbox is torn down and the address free for another. */
export const isFinished = (pod: Pod): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed'

/** `ip netns add`, `ip link set lo up`: what the runtime and the loopback plugin do before anything else. */
export function podNetnsOps(pod: Pod): Op[] {
  const netns = podNetns(pod)
  const origin = podOrigin('container runtime', pod)
  return [
    { kind: 'netns.add', netns, origin },
    { kind: 'link.set', name: 'lo', up: true, netns, origin: podOrigin('loopback (CNI plugin)', pod) },
  ]
}
