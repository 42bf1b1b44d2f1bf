import type { Cluster } from '../cluster/cluster.ts'
import { udpForwarder } from '../cni/flannel/udp-forwarder.ts'
import type { Program } from '../linux/process.ts'
import type { Blueprint } from './blueprint.ts'
import { listener } from './listener.ts'

/** Everything that a `process.start` can name, for the nodes of a cluster. */
export function clusterPrograms(_cluster: Cluster): Blueprint['program'] {
  const programs: Readonly<Record<string, Program>> = {
    listener,
    'flanneld-udp': udpForwarder,
  }
  return (name) => (Object.hasOwn(programs, name) ? programs[name] : undefined)
}
