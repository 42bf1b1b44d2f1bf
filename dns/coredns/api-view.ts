import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { Endpoint, EndpointSlice, Labels, Namespace, OtherObject, Pod, Service } from '../../cluster/objects.ts'
import { formatIp, type Ip, ipKey, parseIp } from '../../packet/ip.ts'

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
  /** A service of the whole cluster set, and the slices imported for it (Multi-Cluster Services API). */
  serviceImport(namespace: string, name: string): ServiceImport | undefined
  importedSlicesOf(namespace: string, service: string): readonly EndpointSlice[]
  servicesWithIp(ip: Ip): readonly Service[]
  /** By an external address or one of a load balancer. */
  servicesWithExternalIp(ip: Ip): readonly Service[]
  endpointsWithIp(ip: Ip): readonly EndpointAt[]
  /** Pods by address in text, as CoreDNS compares. */
  podsWithIp(text: string): readonly Pod[]
}

/** What CoreDNS reads of a ServiceImport (multicluster.x-k8s.io/v1alpha1). */
export interface ServiceImport {
  readonly name: string
  readonly namespace: string
  readonly headless: boolean
  readonly ips: readonly Ip[]
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
}

/** Labels of imported slices: the service, and the cluster they come from. */
const IMPORTED_SERVICE = 'multicluster.kubernetes.io/service-name'
export const SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster'

export interface EndpointAt {
  readonly slice: EndpointSlice
  readonly endpoint: Endpoint
}

/** The objects a view is made of. */
export type DnsObjects = Pick<Cluster, 'namespaces' | 'services' | 'endpointSlices' | 'pods'> & {
  readonly others?: Cluster['others']
  /** Where the cluster has them already. */
  readonly index?: Pick<Cluster['index'], 'service' | 'slicesOfService'>
}

/** The view of a cluster. The reverse indexes are made when the first PTR or pod name asks for one. */
export function dnsApiView(objects: DnsObjects, serial?: number): DnsApiView {
  const namespaces = new Map(objects.namespaces.map((namespace) => [namespace.meta.name, namespace]))
  const services = objects.index?.service ?? new Map(objects.services.map((service) => [keyOf(service.meta), service]))
  const slices =
    objects.index?.slicesOfService ??
    grouped(objects.endpointSlices, (slice) => [`${slice.meta.namespace}/${slice.serviceName}`])
  const newest = lazy(() => newestTimestamp(objects))
  const imports = lazy(
    () => new Map((objects.others ?? []).flatMap(importOf).map((one) => [`${one.namespace}/${one.name}`, one])),
  )
  const importedSlices = lazy(() =>
    grouped(objects.endpointSlices, ({ meta }) => {
      const service = meta.labels[IMPORTED_SERVICE]
      return service === undefined ? [] : [`${meta.namespace}/${service}`]
    }),
  )
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
    get serial() {
      return serial ?? newest()
    },
    all: () => objects,
    namespace: (name: string) => namespaces.get(name)?.meta.labels,
    service: (namespace: string, name: string) => services.get(`${namespace}/${name}`),
    slicesOf: (namespace: string, service: string) => slices.get(`${namespace}/${service}`) ?? [],
    serviceImport: (namespace: string, name: string) => imports().get(`${namespace}/${name}`),
    importedSlicesOf: (namespace: string, service: string) => importedSlices().get(`${namespace}/${service}`) ?? [],
    servicesWithIp: (ip: Ip) => byClusterIp().get(ipKey(ip)) ?? [],
    servicesWithExternalIp: (ip: Ip) => byExternalIp().get(ipKey(ip)) ?? [],
    endpointsWithIp: (ip: Ip) => byEndpointIp().get(ipKey(ip)) ?? [],
    podsWithIp: (text: string) => byPodIp().get(text) ?? [],
  })
}

/** The view of the moment: another takes its place while the server runs. */
export const liveView = (current: () => DnsApiView): DnsApiView => ({
  get synced() {
    return current().synced
  },
  get serial() {
    return current().serial
  },
  all: () => current().all(),
  namespace: (name) => current().namespace(name),
  service: (namespace, name) => current().service(namespace, name),
  slicesOf: (namespace, service) => current().slicesOf(namespace, service),
  serviceImport: (namespace, name) => current().serviceImport(namespace, name),
  importedSlicesOf: (namespace, service) => current().importedSlicesOf(namespace, service),
  servicesWithIp: (ip) => current().servicesWithIp(ip),
  servicesWithExternalIp: (ip) => current().servicesWithExternalIp(ip),
  endpointsWithIp: (ip) => current().endpointsWithIp(ip),
  podsWithIp: (text) => current().podsWithIp(text),
})

/** A view before anything came: the API server does not answer. */
export const UNSYNCED_VIEW: DnsApiView = Object.freeze({
  synced: false,
  serial: 0,
  all: () => ({ namespaces: [], services: [], endpointSlices: [], pods: [] }),
  namespace: () => undefined,
  service: () => undefined,
  slicesOf: () => [],
  serviceImport: () => undefined,
  importedSlicesOf: () => [],
  servicesWithIp: () => [],
  servicesWithExternalIp: () => [],
  endpointsWithIp: () => [],
  podsWithIp: () => [],
})

/** An object of that kind, read without any check: the API server has none either but the schema. */
function importOf({ objectKind, meta, spec }: OtherObject): readonly ServiceImport[] {
  if (objectKind !== 'ServiceImport' || typeof spec !== 'object' || spec === null) return []
  const { type, ips, ports } = spec as Readonly<Record<string, unknown>>
  return [
    {
      name: meta.name,
      namespace: meta.namespace,
      headless: type === 'Headless',
      ips: listOf(ips).flatMap((text) => {
        const ip = typeof text === 'string' ? parseIp(text) : undefined
        return ip?.ok ? [ip.value] : []
      }),
      ports: listOf(ports).flatMap((port) => {
        if (typeof port !== 'object' || port === null) return []
        const { name = '', protocol = 'TCP', port: number } = port as Readonly<Record<string, unknown>>
        return [{ name: String(name), protocol: String(protocol), port: Number(number) }]
      }),
    },
  ]
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

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
  const texts = new Set<string>()
  for (const list of [services, endpointSlices, pods] as readonly (readonly (Namespace | Service)[])[])
    for (const { meta } of list) if (meta.creationTimestamp !== undefined) texts.add(meta.creationTimestamp)
  for (const text of texts) newest = Math.max(newest, Date.parse(text) || 0)
  return Math.floor(newest / 1000)
}
