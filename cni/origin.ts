import { keyOf } from '../cluster/cluster.ts'
import type { ConfigMap, KubeNode, OtherObject, Pod, Workload } from '../cluster/objects.ts'
import { formatLocation } from '../cluster/source.ts'
import type { Origin } from '../linux/origin.ts'

type Located = KubeNode | Pod | ConfigMap | Workload | OtherObject

/** `api.yaml:12`, or undefined for an object that was made up. */
export const sourceOf = (object: Located): string | undefined =>
  object.at === undefined ? undefined : formatLocation({ file: object.at.file, line: object.at.line })

/** `Node node1 (nodes.yaml:3)`. */
export function describe(object: Located): string {
  const kind = object.kind === 'Other' ? object.objectKind : object.kind
  const source = sourceOf(object)
  return source === undefined ? `${kind} ${keyOf(object.meta)}` : `${kind} ${keyOf(object.meta)} (${source})`
}

/** An origin with the object's place in the input; `reason` where the entry does not speak for itself. */
export function originOf(by: string, what: string, object?: Located, reason?: string): Origin {
  const source = object === undefined ? undefined : sourceOf(object)
  return {
    by,
    for: what,
    ...(reason === undefined ? {} : { reason }),
    ...(source === undefined ? {} : { source }),
  }
}

export const podOrigin = (by: string, pod: Pod, reason?: string): Origin =>
  originOf(by, `Pod ${keyOf(pod.meta)}`, pod, reason)
