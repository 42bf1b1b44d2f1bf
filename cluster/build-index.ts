import { type Ip, ipKey } from '../packet/ip.ts'
import { type Cluster, type ClusterIndex, keyOf } from './cluster.ts'
import type { Meta, Pod } from './objects.ts'

type Lists = Pick<
  Cluster,
  'nodes' | 'namespaces' | 'pods' | 'services' | 'configMaps' | 'endpointSlices' | 'networkPolicies'
>

/** Whether the pod's address is still its own: a finished pod's may belong to another pod by now. */
export const isFinished = (pod: Pick<Pod, 'phase'>): boolean => pod.phase === 'Succeeded' || pod.phase === 'Failed'

/** The indexes of a Cluster. Built once, when everything is in place. */
export function buildIndex(lists: Lists): ClusterIndex {
  return {
    node: byKey(lists.nodes),
    namespace: byKey(lists.namespaces),
    pod: byKey(lists.pods),
    service: byKey(lists.services),
    configMap: byKey(lists.configMaps),
    podsOnNode: groupBy(
      lists.pods.filter((pod) => pod.spec.nodeName !== ''),
      (pod) => pod.spec.nodeName,
    ),
    podByIp: podsByIp(lists.pods),
    slicesOfService: groupBy(
      lists.endpointSlices.filter((slice) => slice.serviceName !== ''),
      (slice) => `${slice.meta.namespace}/${slice.serviceName}`,
    ),
    policiesOfNamespace: groupBy(lists.networkPolicies, (policy) => policy.meta.namespace),
  }
}

const byKey = <T extends { readonly meta: Meta }>(objects: readonly T[]): ReadonlyMap<string, T> =>
  new Map(objects.map((object) => [keyOf(object.meta), object]))

function groupBy<T>(objects: readonly T[], key: (object: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const object of objects) {
    const group = groups.get(key(object))
    if (group === undefined) groups.set(key(object), [object])
    else group.push(object)
  }
  return groups
}

/** Where two live pods claim one address, the one that is ready, then the first by name, has it. */
function podsByIp(pods: readonly Pod[]): ReadonlyMap<number | string, Pod> {
  const owners = new Map<number | string, Pod>()
  for (const pod of pods) {
    if (pod.spec.hostNetwork || isFinished(pod)) continue
    for (const ip of pod.ips as readonly Ip[]) {
      const key = ipKey(ip)
      const owner = owners.get(key)
      if (owner === undefined || (pod.ready && !owner.ready)) owners.set(key, pod)
    }
  }
  return owners
}
