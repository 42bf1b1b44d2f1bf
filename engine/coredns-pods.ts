import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import { formatLocation } from '../cluster/source.ts'
import { podNetns } from '../cni/pod-netns.ts'
import type { Op } from '../linux/op.ts'

/** Ports that CoreDNS itself serves in its pod. */
export const COREDNS_PORTS = [53]

/** Whether a pod runs CoreDNS: by its image, as the labels of a cluster's DNS vary. */
export function isCoreDns(pod: Pod): boolean {
  return pod.spec.containers.some(
    (container) => /(^|\/)coredns(:|@|$)/.test(container.image) || container.name === 'coredns',
  )
}

/** The Corefile of a CoreDNS pod: ConfigMap `coredns` of its namespace (kubeadm), else one that has a Corefile. */
export function corefileOf(cluster: Cluster, pod: Pod): ConfigMap | undefined {
  const usual = cluster.index.configMap.get(`${pod.meta.namespace}/coredns`)
  if (usual?.data.Corefile !== undefined) return usual
  return cluster.configMaps.find((map) => map.meta.namespace === pod.meta.namespace && map.data.Corefile !== undefined)
}

/** The ConfigMap of the cluster's CoreDNS: of the first pod that runs one. */
export function corefileMap(cluster: Cluster): ConfigMap | undefined {
  const pod = cluster.pods.find(isCoreDns)
  return pod === undefined ? undefined : corefileOf(cluster, pod)
}

/**
 * Mounts the Corefile and starts CoreDNS in its pod. It has long been up when a question is asked: what its plugins do
 * at the start (`loop` asks its upstream) is no part of the walk.
 */
export function coreDnsOps(cluster: Cluster, pod: Pod): Op[] {
  const map = corefileOf(cluster, pod)
  const netns = podNetns(pod)
  const origin = { by: 'kubelet', for: `Pod ${keyOf(pod.meta)}` }
  const started: Op = {
    kind: 'process.start',
    netns,
    name: 'coredns',
    program: 'coredns',
    args: { conf: '/etc/coredns/Corefile', startup: 'done' },
    origin,
  }
  if (map === undefined) return [started]
  const source = map.at === undefined ? {} : { source: formatLocation({ file: map.at.file, line: map.at.line }) }
  const mounted: Op = {
    kind: 'file.write',
    netns,
    path: '/etc/coredns/Corefile',
    text: map.data.Corefile ?? '',
    origin: { by: 'kubelet', for: `ConfigMap ${keyOf(map.meta)}`, ...source },
  }
  return [mounted, started]
}
