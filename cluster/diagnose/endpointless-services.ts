import { isFinished } from '../build-index.ts'
import { keyOf } from '../cluster.ts'
import type { Endpoint, Service } from '../objects.ts'
import { formatSelector } from '../selector.ts'
import type { Diagnostic } from '../source.ts'
import { counted, type DiagnoseContext, nameOf, noteOf, placeOf } from './context.ts'
import { podTrouble } from './pod-trouble.ts'

/** Services that nothing answers for: no endpoint, or none that takes traffic. */
export function endpointlessServices(context: DiagnoseContext): Diagnostic[] {
  return context.cluster.services.flatMap((service) => {
    if (service.type === 'ExternalName') return []
    const slices = context.cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []
    const endpoints = slices.flatMap((slice) => slice.endpoints)
    if (endpoints.length > 0) return unusable(context, service, endpoints)
    return service.selector === undefined ? [unselected(context, service)] : unlisted(context, service)
  })
}

function unselected(context: DiagnoseContext, service: Service): Diagnostic {
  return {
    severity: 'warning',
    code: 'service-without-endpoints',
    message: `${nameOf(service)} has no selector, and no EndpointSlice or Endpoints of it is in the input`,
    ...placeOf(context, service),
    object: nameOf(service),
    suggestion: `kubectl get endpointslices,endpoints -n ${service.meta.namespace} -o yaml; if there are none, give it a selector or endpoints`,
  }
}

/** Pods are selected, and none is an endpoint: each lacks an address or a node that exists. */
function unlisted(context: DiagnoseContext, service: Service): Diagnostic[] {
  const { namespace } = service.meta
  const pods = context.selected(namespace, service.selector ?? {}).filter((pod) => !isFinished(pod))
  const [pod] = pods
  if (pod === undefined) return []
  return [
    {
      severity: 'error',
      code: 'service-without-endpoints',
      message: `${nameOf(service)} has no endpoint: it selects ${counted(pods.length, 'pod')}, none of them with an address on a node that is there`,
      ...placeOf(context, service, ['spec', 'selector']),
      notes: pods
        .slice(0, 3)
        .map((one) =>
          noteOf(
            context,
            one,
            `${nameOf(one)} ${podTrouble(one, context.cluster.index.node.get(one.spec.nodeName))?.text ?? (one.ips.length === 0 ? 'has no address' : `is on node ${one.spec.nodeName}, which is not in the input`)}`,
          ),
        ),
      object: nameOf(service),
      suggestion: `kubectl describe pod -n ${namespace} ${pod.meta.name}`,
    },
  ]
}

const selectorFlag = ({ selector }: Service): string =>
  selector === undefined ? '' : ` -l ${formatSelector({ matchLabels: selector, matchExpressions: [] })}`

/** kube-proxy falls back to endpoints that shut down and still serve (KEP-1669). */
function unusable(context: DiagnoseContext, service: Service, endpoints: readonly Endpoint[]): Diagnostic[] {
  if (endpoints.some(({ ready }) => ready)) return []
  const draining = endpoints.some(({ serving, terminating }) => serving && terminating)
  return [
    {
      severity: draining ? 'warning' : 'error',
      code: 'service-without-ready-endpoints',
      message: draining
        ? `${nameOf(service)} has only endpoints that are shutting down`
        : `${nameOf(service)} has no ready endpoint: ${service.headless ? 'its name has no address' : 'connections to it are refused'}`,
      ...placeOf(context, service),
      notes: endpoints.slice(0, 3).flatMap(({ targetRef }) => {
        const pod =
          targetRef?.kind === 'Pod'
            ? context.cluster.index.pod.get(`${targetRef.namespace || service.meta.namespace}/${targetRef.name}`)
            : undefined
        if (pod === undefined) return []
        const trouble = podTrouble(pod, context.cluster.index.node.get(pod.spec.nodeName))
        return [noteOf(context, pod, `${nameOf(pod)} ${trouble?.text ?? (pod.ready ? 'is ready' : 'is not ready')}`)]
      }),
      object: nameOf(service),
      suggestion: draining
        ? 'see that new pods become ready before these are gone'
        : `kubectl get pods -n ${service.meta.namespace}${selectorFlag(service)}`,
    },
  ]
}
