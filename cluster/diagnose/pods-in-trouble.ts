import { keyOf } from '../cluster.ts'
import type { Labels, Pod, Service } from '../objects.ts'
import { labelsMatch } from '../selector.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, noteOf, placeOf, selecting } from './context.ts'
import { podTrouble } from './pod-trouble.ts'

/** Pods that take no traffic, or soon will not: with the Services that are behind it. */
export function podsInTrouble(context: DiagnoseContext): Diagnostic[] {
  const { cluster } = context
  const services = new Map<string, (Service & { readonly selector: Labels })[]>()
  for (const service of selecting(context)) {
    const group = services.get(service.meta.namespace)
    if (group === undefined) services.set(service.meta.namespace, [service])
    else group.push(service)
  }
  return cluster.pods.flatMap((pod) => {
    const trouble = podTrouble(pod, cluster.index.node.get(pod.spec.nodeName))
    if (trouble === undefined) return []
    const behind = (services.get(pod.meta.namespace) ?? []).filter(({ selector }) =>
      labelsMatch(selector, pod.meta.labels),
    )
    // What a finished Job leaves is nobody's endpoint; that a node is down is told of the node.
    if (behind.length === 0 && (trouble.code === 'pod-failed' || trouble.code === 'pod-node-down')) return []
    return [
      {
        severity: 'warning' as const,
        code: trouble.code,
        message: `${nameOf(pod)} ${trouble.text}`,
        ...placeOf(context, pod),
        notes: behind.map((service) => noteOf(context, service, consequence(context, service, pod))),
        object: nameOf(pod),
        suggestion: trouble.todo,
      },
    ]
  })
}

/** What it means for a Service: how many endpoints are left. */
function consequence({ cluster }: DiagnoseContext, service: Service, pod: Pod): string {
  const slices = cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []
  const [first] = slices
  const endpoints = slices
    .filter(({ addressType }) => addressType === first?.addressType)
    .flatMap((slice) => slice.endpoints)
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const own = endpoints.find(({ targetRef }) => targetRef?.kind === 'Pod' && targetRef.name === pod.meta.name)
  const state =
    own === undefined
      ? 'does not have it as an endpoint'
      : own.ready
        ? 'sends to it all the same (publishNotReadyAddresses)'
        : own.serving && own.terminating
          ? 'sends to it only when no endpoint is ready'
          : 'does not send to it'
  return `${nameOf(service)} ${state}: ${ready.length} of ${endpoints.length} endpoints ready`
}
