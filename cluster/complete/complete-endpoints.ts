import type { Cluster } from '../cluster.ts'
import { keyOf } from '../cluster.ts'
import type { EndpointSlice, Endpoints, KubeNode, Meta, Pod, Service } from '../objects.ts'
import { computeSlices, MANAGED_BY, SLICE_CONTROLLER } from './endpoint-slices.ts'
import { computeEndpoints } from './endpoints.ts'
import type { Filling } from './filling.ts'
import type { Grouped } from './grouped.ts'
import { hintsOf } from './hints.ts'
import { kubernetesSlice } from './kubernetes-service.ts'
import { MIRRORING_CONTROLLER, mirrorEndpoints, slicesOfEndpoints } from './mirrored-slices.ts'
import type { Ongoing } from './ongoing.ts'

/** What was there before a change. */
export type Before = Pick<Cluster, 'endpointSlices' | 'endpoints'>

interface EndpointsInput {
  readonly groups: Grouped
  readonly nodes: readonly KubeNode[]
  readonly pods: readonly Pod[]
  readonly services: readonly Service[]
  readonly before: Before | undefined
  readonly ongoing: Ongoing | undefined
}

/**
 * The slices and Endpoints of the input; and for each Service that has no slice, those that the controllers would have
 * made. Where the input holds recorded slices, a recorded Service without one really has none.
 */
export function completeEndpoints(
  { groups, nodes, pods, services, before, ongoing }: EndpointsInput,
  filling: Filling,
): { endpointSlices: readonly EndpointSlice[]; endpoints: readonly Endpoints[] } {
  const given = groups.endpointSlices
  const recorded = given.some(({ meta }) => meta.uid !== undefined)
  // A slice by hand stands beside what the controllers make.
  const owned = new Set(
    given.flatMap(({ meta, serviceName }) => (isMade(meta) ? [`${meta.namespace}/${serviceName}`] : [])),
  )
  const endpoints = new Map(groups.endpoints.map((one) => [keyOf(one.meta), one]))
  const podsRecorded = pods.some(({ assumed }) => !assumed)
  const byNamespace = groupPods(pods)
  const node = new Map(nodes.map((one) => [one.meta.name, one]))
  const hints = hintsOf(nodes)
  const made = services.flatMap((service) => {
    const key = keyOf(service.meta)
    const hasNone = recorded && service.meta.uid !== undefined && ongoing?.rewritten.has(key) !== true
    if (owned.has(key) || hasNone) return []
    const written = endpoints.get(key)
    if (key === KUBERNETES && written === undefined)
      return given.some(({ meta }) => keyOf(meta) === KUBERNETES) ? [] : [kubernetesSlice(service, { nodes, pods })]
    // What the endpoints controller recorded is better than pods that are made up.
    if (written?.meta.uid !== undefined && !podsRecorded) return slicesOfEndpoints(written)
    if (isUncontrolled(service)) {
      const left = leftBehind(service, before)
      for (const one of left.endpoints) if (!endpoints.has(key)) endpoints.set(key, one)
      const hand = endpoints.get(key)
      return [...left.slices, ...(hand === undefined || service.selector !== undefined ? [] : mirrorEndpoints(hand))]
    }
    const own = byNamespace.get(service.meta.namespace) ?? []
    const computed = computeEndpoints(service, own)
    // Endpoints by hand for a Service with a selector are overwritten.
    if (computed !== undefined && written?.meta.uid === undefined) endpoints.set(key, computed)
    return computeSlices(service, { pods: own, node, hints })
  })
  for (const slice of made) assumeSlice(slice, filling)
  return { endpointSlices: [...given, ...made], endpoints: [...endpoints.values()] }
}

/** The Service of the API servers; the slice that they make of themselves is called as it is. */
const KUBERNETES = 'default/kubernetes'

/** Made by a controller: recorded, or printed and stripped of its uid. */
const isMade = ({ uid, labels }: Meta): boolean =>
  uid !== undefined || [SLICE_CONTROLLER, MIRRORING_CONTROLLER].includes(labels[MANAGED_BY] ?? '')

/** No controller looks after the Service's slices: they are made by hand, or were made before. */
const isUncontrolled = ({ selector, type }: Service): boolean => selector === undefined || type === 'ExternalName'

/** The controllers stop looking at a Service that lost its selector or became a name; they take nothing away. */
function leftBehind(
  service: Service,
  before: Before | undefined,
): { slices: readonly EndpointSlice[]; endpoints: readonly Endpoints[] } {
  if (before === undefined) return { slices: [], endpoints: [] }
  const key = keyOf(service.meta)
  return {
    slices: before.endpointSlices.filter(
      ({ meta, serviceName }) =>
        `${meta.namespace}/${serviceName}` === key && meta.labels[MANAGED_BY] === SLICE_CONTROLLER,
    ),
    endpoints: before.endpoints.filter(({ meta }) => keyOf(meta) === key),
  }
}

function groupPods(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const groups = new Map<string, Pod[]>()
  for (const pod of pods) {
    const group = groups.get(pod.meta.namespace)
    if (group === undefined) groups.set(pod.meta.namespace, [pod])
    else group.push(pod)
  }
  return groups
}

function assumeSlice(slice: EndpointSlice, filling: Filling): void {
  const { namespace } = slice.meta
  const name = `${namespace}/${slice.serviceName}`
  filling.assume({
    code: 'endpoints-computed',
    text: `the ${slice.addressType} endpoints of ${name} are those that the controllers would have made`,
    object: `Service ${name}`,
    set: 'EndpointSlices in the input',
    collect: `kubectl get endpointslices -n ${namespace} -o yaml`,
  })
}
