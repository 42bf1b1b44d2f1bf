import { buildIndex } from './build-index.ts'
import { type Cluster, keyOf } from './cluster.ts'
import type { ConfigMap, Pod } from './objects.ts'

/** The same cluster with another pod in the place of the one of that name: for questions that begin with "what if". */
export function withPod(cluster: Cluster, pod: Pod): Cluster {
  return reindexed({ ...cluster, pods: replaced(cluster.pods, pod) })
}

/** The same cluster with another ConfigMap in the place of the one of that name. */
export function withConfigMap(cluster: Cluster, map: ConfigMap): Cluster {
  return reindexed({ ...cluster, configMaps: replaced(cluster.configMaps, map) })
}

/** The same cluster with more objects in it. */
export function withObjects(cluster: Cluster, more: Partial<AddedObjects>): Cluster {
  const { pods = [], services = [], endpointSlices = [], configMaps = [] } = more
  return reindexed({
    ...cluster,
    pods: [...cluster.pods, ...pods],
    services: [...cluster.services, ...services],
    endpointSlices: [...cluster.endpointSlices, ...endpointSlices],
    configMaps: [...cluster.configMaps, ...configMaps],
  })
}

type AddedObjects = Pick<Cluster, 'pods' | 'services' | 'endpointSlices' | 'configMaps'>

function replaced<T extends Pod | ConfigMap>(objects: readonly T[], changed: T): readonly T[] {
  const key = keyOf(changed.meta)
  return objects.map((object) => (keyOf(object.meta) === key ? changed : object))
}

const reindexed = (cluster: Cluster): Cluster => ({ ...cluster, index: buildIndex(cluster) })
