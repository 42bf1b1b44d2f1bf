import { formatIp } from '../../packet/ip.ts'
import type { Cluster } from '../cluster.ts'
import type { Pod, Service } from '../objects.ts'
import { type Found, kindOf } from '../read/object-kinds.ts'
import type { PodDraft } from '../read/pod.ts'
import type { ServiceDraft } from '../read/service.ts'
import type { SourceSpan } from '../source.ts'

/** Of objects that stand in no file; their marks are put back when the change is made. */
export const NOWHERE: SourceSpan = { file: '', line: 0, offset: 0, length: 0 }

/** An object by kind, namespace and name. */
export const objectKey = (
  object: Parameters<typeof kindOf>[0] & { meta: { namespace: string; name: string } },
): string => `${kindOf(object)} ${object.meta.namespace}/${object.meta.name}`

/**
 * The objects of a cluster as an API server would print them: with every address and node that was chosen. ReplicaSets
 * that were made up are left out, as their Deployments make them again.
 */
export function recordedObjects(cluster: Cluster): Map<string, Found> {
  const objects = new Map<string, Found>()
  for (const list of listsOf(cluster))
    for (const object of list) {
      if (object.kind === 'ReplicaSet' && object.assumed) continue
      const { at = NOWHERE, assumed: _, ...rest } = object
      const draft =
        object.kind === 'Pod' ? podDraft(object) : object.kind === 'Service' ? serviceDraft(object) : { ...rest }
      const found = { draft, at, recorded: object.meta.uid !== undefined, resourceVersion: 0 } as Found
      objects.set(objectKey(found.draft), found)
    }
  return objects
}

const podDraft = ({ at: _, assumed: __, ...pod }: Pod): PodDraft & Pick<Pod, 'kind'> => ({ ...pod, hasStatus: true })

const serviceDraft = ({ at: _, assumed: __, ...service }: Service): ServiceDraft & Pick<Service, 'kind'> => ({
  ...service,
  clusterIPGiven: true,
  clusterIPsGiven: service.clusterIPs.length,
  clusterIPTexts: service.headless ? ['None'] : service.clusterIPs.map(formatIp),
  addressesRefused: false,
  sessionAffinityTimeoutGiven: true,
})

/** Objects that the change has not touched are as they were, with their places and marks. */
export function withMarks(after: Cluster, before: Cluster, isTouched: (key: string) => boolean): Cluster {
  const marks = new Map<string, { readonly at?: SourceSpan; readonly assumed: boolean }>()
  for (const list of listsOf(before)) for (const object of list) marks.set(objectKey(object), object)
  const marked = <T extends { readonly at?: SourceSpan; readonly assumed: boolean }>(list: readonly T[]): T[] =>
    list.map((object) => {
      const key = objectKey(object as never)
      const known = isTouched(key) ? undefined : marks.get(key)
      const { at, ...rest } = object
      const place = known === undefined ? at : known.at
      return {
        ...rest,
        assumed: known?.assumed ?? object.assumed,
        ...(place === undefined || place === NOWHERE ? {} : { at: place }),
      } as unknown as T
    })
  return {
    ...after,
    nodes: marked(after.nodes),
    namespaces: marked(after.namespaces),
    pods: marked(after.pods),
    services: marked(after.services),
    endpointSlices: marked(after.endpointSlices),
    endpoints: marked(after.endpoints),
    configMaps: marked(after.configMaps),
    networkPolicies: marked(after.networkPolicies),
    workloads: marked(after.workloads),
    serviceCIDRs: marked(after.serviceCIDRs),
    others: marked(after.others),
  }
}

const listsOf = (cluster: Cluster) => [
  cluster.nodes,
  cluster.namespaces,
  cluster.pods,
  cluster.services,
  cluster.endpointSlices,
  cluster.endpoints,
  cluster.configMaps,
  cluster.networkPolicies,
  cluster.workloads,
  cluster.serviceCIDRs,
  cluster.others,
]
