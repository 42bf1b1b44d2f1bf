import { keyOf } from '../../../../cluster/cluster.ts'
import type { Service } from '../../../../cluster/objects.ts'
import type { Ip } from '../../../../packet/ip.ts'
import { joinName, labelsOf, leftOf, lowerName } from '../../../name.ts'
import { RCODE } from '../../../record.ts'
import { externalHosts, isServed } from '../../api-view.ts'
import type { ExternalSource } from '../../plugin.ts'
import type { Entry } from '../../service-backend.ts'
import {
  endpointName,
  isAskedPort,
  isExposed,
  isSelected,
  type KubernetesData,
  NO_PORT,
  objectOf,
  readyAddresses,
} from './records.ts'

type Found = ReturnType<ExternalSource['services']>

const NOTHING: Found = { entries: [], rcode: RCODE.NXDOMAIN }

/** What k8s_external serves of the cluster (plugin/kubernetes/external.go). */
export const externalSource = (data: KubernetesData): ExternalSource => ({
  services: (question, where) => findExternal(data, question, where),
  reverse: (ip) =>
    data.api
      .servicesWithExternalIp(ip)
      .filter(({ meta }) => data.options.namespaces.size === 0 || isExposed(data, meta.namespace))
      .filter(({ meta }) => isSelected(data.options.labels, meta))
      .map((service) => aliasOf(data, service)),
  addresses: (_zone, headless) => serverAddresses(data, headless),
  names: (headless) => externalNames(data, headless),
  // The time of the last change of an external address since the start; the first lists do not count (controller.go).
  serial: 0,
})

/** Services with an external address; headless ones and their endpoints too, where those are served. */
function* externalNames(data: KubernetesData, headless: boolean): Iterable<string> {
  for (const service of data.api.all().services) {
    const name = `${service.meta.name}.${service.meta.namespace}`
    yield name
    for (const port of service.ports) if (port.name !== '') yield `_${port.name}._${port.protocol}.${name}`
    if (!headless) continue
    for (const { endpoint, ip } of readyAddresses(data, service))
      yield `${endpointName(endpoint, ip, data.options)}.${name}`
  }
}

const aliasOf = ({ options }: KubernetesData, service: Service): Entry => ({
  host: { kind: 'alias', name: `${service.meta.name}.${service.meta.namespace}` },
  port: 0,
  ttl: options.ttl,
  owner: '',
  object: objectOf('Service', service),
})

/** Kubernetes.External: SERVICE.NAMESPACE below the zone, with an endpoint or a port and protocol in front. */
function findExternal(
  data: KubernetesData,
  { name, type }: { readonly name: string; readonly type: string },
  { zone, headless }: { readonly zone: string; readonly headless: boolean },
): Found {
  const labels = [...labelsOf(`${leftOf(name, zone)}.`)]
  const namespace = labels.pop()
  if (namespace === undefined) return { entries: [], rcode: RCODE.SERVFAIL }
  if (!isExposed(data, namespace)) return NOTHING
  const asked = { service: labels.pop(), endpoint: '', port: '', protocol: '' }
  if (asked.service === undefined) return { entries: [], rcode: RCODE.NOERROR }
  if (labels.length > 2) return NOTHING
  if (labels.length === 1) asked.endpoint = withoutUnderscore(labels[0])
  if (labels.length === 2) {
    asked.port = withoutUnderscore(labels[0])
    asked.protocol = withoutUnderscore(labels[1])
  }
  const service = data.api.service(namespace, asked.service)
  if (!service || !isSelected(data.options.labels, service.meta)) return NOTHING
  const hosts = externalHosts(service)
  const ofEndpoints = headless && hosts.length === 0 && (service.headless || asked.endpoint !== '')
  const entries = ofEndpoints
    ? endpointEntries(data, { service, asked, zone })
    : hosts.flatMap((host) => hostEntries(data, { service, asked, zone, host }))
  const rcode = entries.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN
  // A PTR question for a name only wants to know whether it exists.
  return type === 'PTR' ? { entries: [], rcode } : { entries, rcode }
}

const withoutUnderscore = (label = ''): string => (label.startsWith('_') ? label.slice(1) : label)

interface Asked {
  readonly service: Service
  readonly asked: { readonly endpoint: string; readonly port: string; readonly protocol: string }
  readonly zone: string
}

function endpointEntries(data: KubernetesData, { service, asked, zone }: Asked): readonly Entry[] {
  const { ttl } = data.options
  const { name, namespace } = service.meta
  return readyAddresses(data, service).flatMap(({ slice, endpoint, ip }) => {
    const host = endpointName(endpoint, ip, data.options)
    if (asked.endpoint !== '' && lowerName(asked.endpoint) !== lowerName(host)) return []
    const owner = joinName(host, name, namespace, zone)
    const object = { ...objectOf('EndpointSlice', slice), name: `EndpointSlice ${keyOf(slice.meta)}` }
    return (slice.ports.length > 0 ? slice.ports : [{ name: '', port: NO_PORT, protocol: '' }])
      .filter((port) => isAskedPort(asked, { name: port.name ?? '', protocol: port.protocol }))
      .map((port): Entry => ({ host: { kind: 'address', ip }, port: port.port ?? 0, ttl, owner, object }))
  })
}

function hostEntries(
  { options }: KubernetesData,
  { service, asked, zone, host }: Asked & { readonly host: { readonly ip?: Ip; readonly hostname?: string } },
): readonly Entry[] {
  const { name, namespace } = service.meta
  const owner = joinName(name, namespace, zone)
  const ports = service.ports.length > 0 ? service.ports : [{ name: '', protocol: '', port: NO_PORT }]
  return ports
    .filter((port) => isAskedPort(asked, port))
    .map(({ port }) => ({
      host: host.ip ? { kind: 'address', ip: host.ip } : { kind: 'alias', name: host.hostname ?? '' },
      port,
      ttl: options.ttl,
      owner,
      object: objectOf('Service', service),
    }))
}

/** Kubernetes.ExternalAddress: where the services are reached whose endpoint this server is, else itself (ns.go). */
function serverAddresses(data: KubernetesData, headless: boolean): readonly Ip[] {
  const { api, options } = data
  const local = data.localIps()
  const own = options.endpoints ? local.flatMap((ip) => api.endpointsWithIp(ip)) : []
  if (own.length === 0) return local
  return own.flatMap(({ slice }) => {
    const service = api.service(slice.meta.namespace, slice.serviceName)
    if (!service) return []
    if (headless && service.headless) return slice.endpoints.filter(isServed).flatMap((endpoint) => endpoint.addresses)
    return externalHosts(service).flatMap(({ ip }) => (ip ? [ip] : []))
  })
}
