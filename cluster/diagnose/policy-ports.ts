import { isFinished } from '../build-index.ts'
import { targetPortOn } from '../complete/endpoint-slices.ts'
import type { Labels, NetworkPolicy, Pod, PolicyPeer, PolicyPort, Service, ServicePortSpec } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, noteOf, placeOf, selecting } from './context.ts'

/**
 * NetworkPolicies that name the port of a Service where they mean that of its pods: a policy sees packets after
 * kube-proxy has put the pod's port in.
 */
export function policiesOfServicePorts(context: DiagnoseContext): Diagnostic[] {
  const services = new Map<string, SelectingService[]>()
  for (const service of selecting(context)) {
    const group = services.get(service.meta.namespace)
    if (group === undefined) services.set(service.meta.namespace, [service])
    else group.push(service)
  }
  return context.cluster.networkPolicies.flatMap((policy) => {
    const own = receiversOf(context, policy, { podSelector: policy.podSelector })
    const nobody =
      context.cluster.pods.length > 0 && !context.podsIn(policy.meta.namespace).some(own.includes)
        ? [selectsNobody(context, policy)]
        : []
    const found = (['ingress', 'egress'] as const).flatMap((direction) =>
      policy[direction].flatMap((rule, i) => {
        if (!rule.ports.some(({ port }) => typeof port === 'number')) return []
        const receivers = direction === 'ingress' ? [own] : rule.peers.map((peer) => receiversOf(context, policy, peer))
        return rule.ports.flatMap((port, k) => {
          const meant = servicePortOf(context, services, { port, receivers })
          return meant === undefined
            ? []
            : [mistaken(context, { policy, path: ['spec', direction, i, 'ports', k, 'port'], port, ...meant })]
        })
      }),
    )
    return [...nobody, ...found]
  })
}

type SelectingService = Service & { readonly selector: Labels }

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

/** The pods that a peer means. */
interface Receivers {
  readonly namespaces: ReadonlySet<string>
  /** Of a pod of these namespaces. */
  readonly includes: (pod: Pod) => boolean
}

/** A block of addresses means no pod. */
function receiversOf({ cluster }: DiagnoseContext, policy: NetworkPolicy, peer: PolicyPeer): Receivers {
  const { podSelector, namespaceSelector } = peer
  if (podSelector === undefined && namespaceSelector === undefined)
    return { namespaces: new Set(), includes: () => false }
  const selected =
    namespaceSelector === undefined
      ? [policy.meta.namespace]
      : cluster.namespaces
          .filter(({ meta }) => selectorMatches(namespaceSelector, meta.labels))
          .map(({ meta }) => meta.name)
  return {
    namespaces: new Set(selected),
    includes: (pod) => !isFinished(pod) && (podSelector === undefined || selectorMatches(podSelector, pod.meta.labels)),
  }
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
function servicePortOf(
  context: DiagnoseContext,
  services: ReadonlyMap<string, readonly SelectingService[]>,
  { port, receivers }: { readonly port: PolicyPort; readonly receivers: readonly Receivers[] },
): Meant | undefined {
  for (const { namespaces, includes } of receivers)
    for (const namespace of namespaces)
      for (const service of services.get(namespace) ?? []) {
        const meant = mistakenIn(context, service, { port, includes })
        if (meant === undefined) continue
        // Somebody else may be meant, who does listen there.
        return receivers.some((one) => hasListener(context, one, port)) ? undefined : meant
      }
  return undefined
}

function mistakenIn(
  context: DiagnoseContext,
  service: SelectingService,
  { port, includes }: { readonly port: PolicyPort; readonly includes: (pod: Pod) => boolean },
): Meant | undefined {
  for (const servicePort of service.ports) {
    if (servicePort.protocol !== port.protocol || !covers(port, servicePort.port)) continue
    for (const pod of context.selected(service.meta.namespace, service.selector)) {
      const target = includes(pod) ? targetPortOn(pod, servicePort) : undefined
      if (target !== undefined && !covers(port, target)) return { service, servicePort, pod, target }
    }
  }
  return undefined
}

const hasListener = (context: DiagnoseContext, { namespaces, includes }: Receivers, port: PolicyPort): boolean =>
  [...namespaces].some((namespace) => context.podsIn(namespace).some((pod) => includes(pod) && declares(pod, port)))

const declares = ({ spec }: Pod, port: PolicyPort): boolean =>
  spec.containers.some(({ ports }) =>
    ports.some(({ containerPort, protocol }) => protocol === port.protocol && covers(port, containerPort)),
  )

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
