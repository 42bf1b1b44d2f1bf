import { keyOf } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import { podNetns } from '../../cni/pod-netns.ts'
import { podRoot } from '../../dns/pod/files.ts'
import type { Built } from '../../engine/build.ts'
import { runningPods } from '../../engine/compile-node.ts'
import type { Guest } from './materialise.ts'
import { type Materialised, materialise } from './materialise.ts'
import { readmeText } from './readme.ts'
import { standInHosts } from './stand-in-hosts.ts'

export interface ClusterOptions {
  readonly prefix: string
  readonly bgp?: 'routes' | 'bird'
}

/** A whole cluster as files to be run: every machine of its underlay, what stands on it, and a README. */
export function materialiseCluster(built: Built, options: ClusterOptions): Materialised {
  const hosts = [...built.underlay.machines.keys()].map((name) => ({ name, ops: built.opsOf(name) ?? [] }))
  const blockedUdpPorts = new Map(built.underlay.segments.map((one) => [one.name, one.blockedUdpPorts]))
  const pods = built.cluster.nodes.flatMap((node) => runningPods(built.cluster, node))
  const guests = pods
    .filter((pod) => pod.spec.hostNetwork)
    .map((pod): Guest => ({ host: pod.spec.nodeName, name: keyOf(pod.meta), root: podRoot(pod) }))
  const made = materialise(hosts, { ...options, blockedUdpPorts, guests })
  const files = new Map(made.files)
  for (const pod of pods) addStandInHosts(files, built, pod, made)
  files.set('README.md', readmeText(built, made))
  return { ...made, files }
}

function addStandInHosts(files: Map<string, string>, built: Built, pod: Pod, made: Materialised): void {
  const place = [...made.places].find(([, at]) => at.host === pod.spec.nodeName && at.netns === podNetns(pod))
  if (place === undefined) return
  const path = `files/${place[0]}${podRoot(pod)}/etc/hosts`
  files.set(path, `${files.get(path) ?? ''}${standInHosts(built.cluster, pod.meta.namespace)}`)
}
