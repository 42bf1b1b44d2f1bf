import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { Endpoint, EndpointSlice, Labels, Namespace, Pod, Service } from '../../cluster/objects.ts'
import { formatIp, type Ip, ipKey } from '../../packet/ip.ts'

/** What CoreDNS has watched of the API: read-only; another view can take its place while the server runs. */
export interface DnsApiView {
  /** False while the first lists have not come. */
  readonly synced: boolean
  /** Unix time of the last change, the SOA serial; 0 where it is not known. */
  readonly serial: number
  /** Everything at once, for lists. */
  all(): DnsObjects
  namespace(name: string): Labels | undefined
  service(namespace: string, name: string): Service | undefined
  slicesOf(namespace: string, service: string): readonly EndpointSlice[]
  servicesWithIp(ip: Ip): readonly Service[]
  /** By an external address or one of a load balancer. */
  servicesWithExternalIp(ip: Ip): readonly Service[]
  endpointsWithIp(ip: Ip): readonly EndpointAt[]
  /** Pods by address in text, as CoreDNS compares. */
  podsWithIp(text: string): readonly Pod[]
}

export interface EndpointAt {
  readonly slice: EndpointSlice
  readonly endpoint: Endpoint
}

/** The objects a view is made of. */
export type DnsObjects = Pick<Cluster, 'namespaces' | 'services' | 'endpointSlices' | 'pods'>

/** The view of a cluster. The reverse indexes are made when the first PTR or pod name asks for one. */
export function dnsApiView(objects: DnsObjects, serial: number = newestTimestamp(objects)): DnsApiView {
  const namespaces = new Map(objects.namespaces.map((namespace) => [namespace.meta.name, namespace]))
  const services = new Map(objects.services.map((service) => [keyOf(service.meta), service]))
  const slices = grouped(objects.endpointSlices, (slice) => [`${slice.meta.namespace}/${slice.serviceName}`])
  const byClusterIp = lazy(() => grouped(objects.services, (service) => service.clusterIPs.map(ipKey)))
  const byExternalIp = lazy(() =>
    grouped(objects.services, (service) => externalHosts(service).flatMap((host) => (host.ip ? [ipKey(host.ip)] : []))),
  )
  const byEndpointIp = lazy(() =>
    grouped(allEndpoints(objects.endpointSlices), ({ endpoint }) => endpoint.addresses.map(ipKey)),
  )
  const byPodIp = lazy(() => grouped(objects.pods.filter(isListed), (pod) => pod.ips.map(formatIp)))
  return Object.freeze({
    synced: true,
    serial,
    all: () => objects,
    namespace: (name: string) => namespaces.get(name)?.meta.labels,
    service: (namespace: string, name: string) => services.get(`${namespace}/${name}`),
    slicesOf: (namespace: string, service: string) => slices.get(`${namespace}/${service}`) ?? [],
    servicesWithIp: (ip: Ip) => byClusterIp().get(ipKey(ip)) ?? [],
    servicesWithExternalIp: (ip: Ip) => byExternalIp().get(ipKey(ip)) ?? [],
    endpointsWithIp: (ip: Ip) => byEndpointIp().get(ipKey(ip)) ?? [],
    podsWithIp: (text: string) => byPodIp().get(text) ?? [],
  })
}

/** A view before anything came: the API server does not answer. */
export const UNSYNCED_VIEW: DnsApiView = Object.freeze({
  synced: false,
  serial: 0,
  all: () => ({ namespaces: [], services: [], endpointSlices: [], pods: [] }),
  namespace: () => undefined,
  service: () => undefined,
  slicesOf: () => [],
  servicesWithIp: () => [],
  servicesWithExternalIp: () => [],
  endpointsWithIp: () => [],
  podsWithIp: () => [],
})

/** Pods that CoreDNS drops as they come: finished, unknown, or on their way out (object/pod.go). */
const isListed = (pod: Pod): boolean =>
  pod.phase !== 'Succeeded' &&
  pod.phase !== 'Failed' &&
  pod.phase !== 'Unknown' &&
  pod.meta.deletionTimestamp === undefined

/** Where a service is reached from outside: its external addresses, then those of load balancers (object/service.go). */
export const externalHosts = (service: Service): readonly { readonly ip?: Ip; readonly hostname?: string }[] => [
  ...service.externalIPs.map((ip) => ({ ip })),
  ...service.loadBalancerIngress,
]

/** Only ready endpoints are kept (object/endpoint.go): serving and terminating do not matter. */
export const isServed = (endpoint: Endpoint): boolean => endpoint.ready

function allEndpoints(slices: readonly EndpointSlice[]): readonly EndpointAt[] {
  return slices.flatMap((slice) => slice.endpoints.filter(isServed).map((endpoint) => ({ slice, endpoint })))
}

function grouped<Item, Key>(
  items: readonly Item[],
  keys: (item: Item) => readonly Key[],
): ReadonlyMap<Key, readonly Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items)
    for (const key of new Set(keys(item))) {
      const group = groups.get(key)
      if (group) group.push(item)
      else groups.set(key, [item])
    }
  return groups
}

function lazy<Value>(make: () => Value): () => Value {
  let value: Value | undefined
  return () => {
    value ??= make()
    return value
  }
}

/** The newest creation among the objects, in seconds; 0 where none is dated. */
function newestTimestamp({ services, endpointSlices, pods }: DnsObjects): number {
  let newest = 0
  for (const { meta } of [...services, ...endpointSlices, ...pods] as readonly (Namespace | Service)[]) {
    const time = meta.creationTimestamp === undefined ? Number.NaN : Date.parse(meta.creationTimestamp)
    if (time > newest) newest = time
  }
  return Math.floor(newest / 1000)
}
