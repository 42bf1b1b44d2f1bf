import { keyOf } from '../cluster.ts'
import type { Service } from '../objects.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, placeOf } from './context.ts'

/** Services that only use endpoints on the same node, where some nodes have none. */
export function localPolicies(context: DiagnoseContext): Diagnostic[] {
  const { cluster } = context
  return cluster.services.flatMap((service) =>
    policiesOf(service).flatMap(({ field, who }): Diagnostic[] => {
      const endpoints = (cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []).flatMap(
        (slice) => slice.endpoints,
      )
      if (!endpoints.some(({ ready }) => ready)) return []
      const having = new Set(endpoints.filter(({ ready }) => ready).map(({ nodeName }) => nodeName))
      const lacking = cluster.nodes.map(({ meta }) => meta.name).filter((name) => !having.has(name))
      if (lacking.length === 0) return []
      const names = lacking.length > MOST_NAMES ? `${lacking.length} nodes` : lacking.join(', ')
      return [
        {
          severity: 'note',
          code: 'local-policy-without-endpoint',
          message: `${nameOf(service)} has ${field}: Local and no ready endpoint on ${names}: ${who}`,
          ...placeOf(context, service, ['spec', field]),
          object: nameOf(service),
          suggestion: `${field}: Cluster, or a pod on each of these nodes`,
        },
      ]
    }),
  )
}

const MOST_NAMES = 4

function policiesOf(service: Service): { field: string; who: string }[] {
  if (service.type === 'ExternalName' || service.headless) return []
  const outside = service.type !== 'ClusterIP' || service.externalIPs.length > 0
  return [
    ...(service.internalTrafficPolicy === 'Local'
      ? [{ field: 'internalTrafficPolicy', who: 'pods there do not reach it' }]
      : []),
    ...(outside && service.externalTrafficPolicy === 'Local'
      ? [{ field: 'externalTrafficPolicy', who: 'packets from outside are dropped there' }]
      : []),
  ]
}
