import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { EndpointSlice, Protocol, Service, Endpoint as SliceEndpoint } from '../cluster/objects.ts'
import { type Family, formatIp } from '../packet/ip.ts'
import { type Endpoint, endpointOf, familyName } from './endpoint.ts'
import { isProxied, type ServicePort, servicePort } from './service-port.ts'
import { type ProxyFeatures, proxyFeatures } from './versions.ts'

/**
 * All service ports of a cluster in one family, with their endpoints: what does not depend on the node. Made once per
 * cluster and shared by every node and proxy mode.
 */
export interface ServiceMap {
  readonly family: Family
  /**
   * By name, then protocol. kube-proxy visits them in the random order of a Go map; a fixed order is the only one
   * that can be compared.
   */
  readonly ports: readonly ServicePort[]
  /** Endpoints of all ports, whatever their condition. */
  readonly totalEndpoints: number
}

const made = new WeakMap<Cluster, Map<string, ServiceMap>>()

/** @param version of kube-proxy: `v1.36.3`. */
export function serviceMap(cluster: Cluster, family: Family, version: string): ServiceMap {
  const features = proxyFeatures(version)
  const key = `${family} ${JSON.stringify(features)}`
  const ofCluster = made.get(cluster) ?? new Map<string, ServiceMap>()
  made.set(cluster, ofCluster)
  const known = ofCluster.get(key)
  if (known !== undefined) return known
  const ports = cluster.services.filter(isProxied).flatMap((service) => {
    const endpoints = endpointsByPort(slicesOf(cluster, service), family, features)
    return service.ports.flatMap((spec) => {
      const own = endpoints.get(portKey(spec.name, spec.protocol)) ?? []
      return servicePort(service, spec, { family, endpoints: own, features }) ?? []
    })
  })
  ports.sort((x, y) => byText(x.name, y.name) || byText(x.protocol, y.protocol))
  const map = { family, ports, totalEndpoints: ports.reduce((sum, port) => sum + port.endpoints.length, 0) }
  ofCluster.set(key, map)
  return map
}

/** kube-proxy's informer leaves out slices of headless Services. */
const HEADLESS_LABEL = 'service.kubernetes.io/headless'

export function slicesOf(cluster: Cluster, service: Service): readonly EndpointSlice[] {
  const slices = cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []
  return slices.filter((slice) => slice.meta.labels[HEADLESS_LABEL] === undefined)
}

/** A slice's port belongs to the service port of the same name and the same protocol. */
const portKey = (name: string, protocol: Protocol): string => `${name}/${protocol}`

/**
 * The endpoints of a Service by port (pkg/proxy/endpointslicecache.go addEndpoints). The same `ip:port` counts once:
 * the entry read last wins unless it is terminating, so that a pod that got the address of a dying one is preferred.
 * Until 1.35 it was the first, or the last one on the node itself.
 */
function endpointsByPort(
  slices: readonly EndpointSlice[],
  family: Family,
  features: ProxyFeatures,
): ReadonlyMap<string, readonly Endpoint[]> {
  const found = new Map<string, Map<string, Endpoint>>()
  for (const slice of slices) {
    if (slice.addressType !== familyName(family)) continue
    for (const port of slice.ports) {
      // A nil port would mean "all ports"; kube-proxy does not support it.
      if (port.name === undefined || port.port === undefined || port.port === 0) continue
      const key = portKey(port.name, port.protocol)
      const endpoints = found.get(key) ?? new Map<string, Endpoint>()
      found.set(key, endpoints)
      for (const entry of features.sortsSliceEndpoints ? sortedEntries(slice) : slice.endpoints) {
        const endpoint = endpointOf(slice, entry, port.port)
        if (endpoint === undefined) continue
        const twin = endpoints.get(endpoint.text)
        if (twin === undefined) endpoints.set(endpoint.text, endpoint)
        else if (!features.prefersLastingTwin)
          endpoints.set(endpoint.text, { ...twin, twins: [...(twin.twins ?? []), endpoint] })
        else if (!endpoint.terminating) endpoints.set(endpoint.text, endpoint)
      }
    }
  }
  return new Map([...found].map(([key, endpoints]) => [key, sortEndpoints([...endpoints.values()])]))
}

const sortedEntries = (slice: EndpointSlice): readonly SliceEndpoint[] =>
  slice.endpoints
    .map((entry) => ({ entry, text: entry.addresses.map(formatIp).join() }))
    .sort((x, y) => byText(x.text, y.text))
    .map(({ entry }) => entry)

/** As text, so `10.244.1.10:80` comes before `10.244.1.2:80`. */
export const sortEndpoints = (endpoints: Endpoint[]): readonly Endpoint[] =>
  endpoints.sort((x, y) => byText(x.text, y.text))

const byText = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0)
