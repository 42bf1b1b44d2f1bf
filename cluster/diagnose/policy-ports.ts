import { isFinished } from '../build-index.ts'
import { targetPortOn } from '../complete/endpoint-slices.ts'
import type { NetworkPolicy, Pod, PolicyPeer, PolicyPort, Service, ServicePortSpec } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, noteOf, placeOf, selecting } from './context.ts'

/**
 * NetworkPolicies that name the port of a Service where they mean that of its pods: a policy sees packets after
 * kube-proxy has put the pod's port in.
 */
export function policiesOfServicePorts(context: DiagnoseContext): Diagnostic[] {
  const services = selecting(context)
  return context.cluster.networkPolicies.flatMap((policy) => {
    const own = pods(context, policy, { podSelector: policy.podSelector })
    const nobody = own.length === 0 && context.cluster.pods.length > 0 ? [selectsNobody(context, policy)] : []
    const found = (['ingress', 'egress'] as const).flatMap((direction) =>
      policy[direction].flatMap((rule, i) =>
        rule.ports.flatMap((port, k) => {
          const receivers = direction === 'ingress' ? own : rule.peers.flatMap((peer) => pods(context, policy, peer))
          const meant = typeof port.port === 'number' ? servicePortOf(services, port, receivers) : undefined
          return meant === undefined
            ? []
            : [mistaken(context, { policy, path: ['spec', direction, i, 'ports', k, 'port'], port, ...meant })]
        }),
      ),
    )
    return [...nobody, ...found]
  })
}

function selectsNobody(context: DiagnoseContext, policy: NetworkPolicy): Diagnostic {
  return {
    severity: 'note',
    code: 'policy-selects-nothing',
    message: `${nameOf(policy)} selects no pod`,
    ...placeOf(context, policy, ['spec', 'podSelector']),
    object: nameOf(policy),
    suggestion: `compare with: kubectl get pods -n ${policy.meta.namespace} --show-labels`,
  }
}

/** The pods that a peer means; none for a block of addresses. */
function pods({ cluster }: DiagnoseContext, policy: NetworkPolicy, peer: PolicyPeer): readonly Pod[] {
  const { podSelector, namespaceSelector } = peer
  if (podSelector === undefined && namespaceSelector === undefined) return []
  return cluster.pods.filter((pod) => {
    if (isFinished(pod)) return false
    const labels = cluster.index.namespace.get(pod.meta.namespace)?.meta.labels ?? {}
    const here =
      namespaceSelector === undefined
        ? pod.meta.namespace === policy.meta.namespace
        : selectorMatches(namespaceSelector, labels)
    return here && (podSelector === undefined || selectorMatches(podSelector, pod.meta.labels))
  })
}

interface Meant {
  readonly service: Service
  readonly servicePort: ServicePortSpec
  readonly pod: Pod
  readonly target: number
}

const covers = ({ port, endPort }: PolicyPort, number: number): boolean =>
  typeof port === 'number' && number >= port && number <= (endPort ?? port)

/** The Service whose port the rule has, while no receiver has a port that the rule allows. */
function servicePortOf(services: readonly Service[], port: PolicyPort, receivers: readonly Pod[]): Meant | undefined {
  const declares = (pod: Pod) =>
    pod.spec.containers.some(({ ports }) =>
      ports.some(({ containerPort, protocol }) => protocol === port.protocol && covers(port, containerPort)),
    )
  if (receivers.some(declares)) return undefined
  for (const service of services)
    for (const servicePort of service.ports) {
      if (servicePort.protocol !== port.protocol || !covers(port, servicePort.port)) continue
      for (const pod of receivers) {
        if (pod.meta.namespace !== service.meta.namespace || !matchesService(service, pod)) continue
        const target = targetPortOn(pod, servicePort)
        if (target !== undefined && !covers(port, target)) return { service, servicePort, pod, target }
      }
    }
  return undefined
}

const matchesService = ({ selector }: Service, pod: Pod): boolean =>
  selector !== undefined && Object.entries(selector).every(([key, value]) => pod.meta.labels[key] === value)

function mistaken(
  context: DiagnoseContext,
  of: Meant & { policy: NetworkPolicy; path: readonly (string | number)[]; port: PolicyPort },
): Diagnostic {
  const { policy, path, port, service, servicePort, pod, target } = of
  return {
    severity: 'warning',
    code: 'policy-service-port',
    message: `${nameOf(policy)} allows port ${port.port}, the port of ${nameOf(service)}; a policy sees the pods' own, ${target}`,
    ...placeOf(context, policy, path),
    notes: [
      noteOf(context, service, `port ${servicePort.port} of ${nameOf(service)} leads to ${target}`),
      noteOf(context, pod, `${nameOf(pod)} is one of its pods`),
    ],
    object: nameOf(policy),
    suggestion: `write port: ${target}`,
  }
}
