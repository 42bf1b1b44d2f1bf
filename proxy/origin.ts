import { formatLocation, type SourceLocation } from '../cluster/source.ts'
import type { Origin } from '../linux/origin.ts'
import type { KubeProxyConfig } from './config.ts'
import type { Endpoint } from './endpoint.ts'
import type { ServicePort } from './service-port.ts'

/** Why kube-proxy wrote something, in every mode alike. */

/** For a service port as such. */
export function servicePortOrigin(port: ServicePort): Origin {
  const { meta } = port.service
  const named = port.spec.name === '' ? `port ${port.port}` : `port ${port.spec.name}`
  return {
    by: 'kube-proxy',
    for: `Service ${meta.namespace}/${meta.name} ${named}`,
    ...sourceOf(port.service.at),
  }
}

/** For one of its endpoints: the Service is named, and the slice is where to look. */
export function endpointOrigin(port: ServicePort, endpoint: Endpoint): Origin {
  const { slice, targetRef } = endpoint
  const target = targetRef === undefined ? '' : `, ${targetRef.kind} ${targetRef.namespace}/${targetRef.name}`
  return {
    by: 'kube-proxy',
    for: servicePortOrigin(port).for ?? '',
    reason: `endpoint ${endpoint.text}${target}, in EndpointSlice ${slice.meta.name}`,
    ...sourceOf(slice.at),
  }
}

/** For what no Service accounts for. */
export const proxyOrigin = ({ source }: Pick<KubeProxyConfig, 'source'>, reason: string): Origin => ({
  by: 'kube-proxy',
  reason,
  ...(source === undefined ? {} : { source }),
})

const sourceOf = (at: SourceLocation | undefined) => (at === undefined ? {} : { source: formatLocation(at) })
