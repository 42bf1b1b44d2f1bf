import { keyOf } from '../../../../cluster/cluster.ts'
import type { Endpoint, EndpointSlice, LabelSelector, Meta, Pod, Service } from '../../../../cluster/objects.ts'
import { selectorMatches } from '../../../../cluster/selector.ts'
import { formatLocation, type SourceSpan } from '../../../../cluster/source.ts'
import { formatIp, type Ip, ipv4, parseIp } from '../../../../packet/ip.ts'
import { isSubdomain, joinName, leftOf, lowerName } from '../../../name.ts'
import { type DnsApiView, type EndpointAt, isServed, SOURCE_CLUSTER } from '../../api-view.ts'
import { type Entries, type Entry, type EntryObject, emptyNode, entries, nameError } from '../../service-backend.ts'
import { addressOfReverse, isReverse } from '../../zones.ts'
import type { KubernetesOptions } from './options.ts'
import { type KubernetesName, parseKubernetesName } from './question.ts'

/** What the plugin reads from. */
export interface KubernetesData {
  readonly options: KubernetesOptions
  readonly api: DnsApiView
  /** The addresses CoreDNS itself listens on. */
  readonly localIps: () => readonly Ip[]
}

/** The version of the DNS schema that `dns-version.<zone>` tells (kubernetes/dns docs/specification.md). */
const SCHEMA_VERSION = '1.1.0'
const SCHEMA_TTL = 28800
/** A service or slice without ports counts as one with this port: it has addresses, but no SRV record. */
export const NO_PORT = -1

/** Kubernetes.Services of plugin/kubernetes/kubernetes.go. `name` is lower case, `zone` as in the query. */
export function findEntries(
  data: KubernetesData,
  question: { readonly name: string; readonly type: string },
  zone: string,
): Entries {
  const { name, type } = question
  const { ttl } = data.options
  if (type === 'TXT') return findText(data, name, zone)
  if (type === 'NS')
    return entries(
      nameServers(data, zone).map(({ name: owner, ip }) => ({ host: { kind: 'address', ip }, port: 0, ttl, owner })),
    )
  if (name === `ns.dns.${zone}`)
    return entries(
      nameServers(data, zone).map(({ ip }) => ({ host: { kind: 'address', ip }, port: 0, ttl, owner: name })),
    )
  const found = findRecords(data, name, zone)
  if (found.kind === 'nameError' || type !== 'SRV') return found
  return entries(
    found.entries.filter((entry) => entry.host.kind !== 'alias'),
    found.why,
  )
}

/** The only text is the version of the schema; a name that has other records has no text, any other does not exist. */
function findText(data: KubernetesData, name: string, zone: string): Entries {
  if (leftOf(name, zone) === 'dns-version')
    return entries([{ host: { kind: 'text', text: SCHEMA_VERSION }, port: 0, ttl: SCHEMA_TTL, owner: name }])
  const found = findRecords(data, name, zone)
  if (found.kind === 'nameError') return found
  return found.isObject ? entries([], 'it has records, but no text') : nameError('it has no records at all')
}

function findRecords(data: KubernetesData, name: string, zone: string): Entries {
  const { options, api } = data
  const asked = parseKubernetesName(name, lowerName(zone), styleOf(options, zone))
  if (!asked) return nameError('not a name of a service or pod')
  if (asked.kind === '') return emptyNode('the zone has no such record')
  if (isReverse(name)) return nameError('not an address')
  if (!isExposed(data, asked.namespace)) {
    const there = api.namespace(asked.namespace) !== undefined
    return nameError(there ? `namespace ${asked.namespace} is not exposed` : `no namespace ${asked.namespace}`)
  }
  if (asked.kind === 'pod' && options.pods === 'disabled') return nameError('pod names are disabled')
  if (asked.service === '') return emptyNode(`namespace ${asked.namespace} exists, and has no record itself`)
  if (asked.kind === 'pod') return findPods(data, asked, zone)
  return isMulticluster(options, zone) ? findImported(data, asked, zone) : findServices(data, asked, zone)
}

/** Which names a zone has. */
export const styleOf = (options: KubernetesOptions, zone: string): 'zonal' | 'plain' | 'multicluster' =>
  isMulticluster(options, zone) ? 'multicluster' : options.zonal ? 'zonal' : 'plain'

export const isMulticluster = ({ multiclusterZones }: KubernetesOptions, zone: string): boolean =>
  multiclusterZones.some((own) => isSubdomain(own, zone))

export function isExposed({ options, api }: KubernetesData, namespace: string): boolean {
  const labels = api.namespace(namespace)
  if (labels === undefined) return false
  if (options.namespaces.size > 0 && !options.namespaces.has(namespace)) return false
  return options.namespaceLabels === undefined || selectorMatches(options.namespaceLabels, labels)
}

function findPods(
  { options, api }: KubernetesData,
  { namespace, service: dashed }: KubernetesName,
  zone: string,
): Entries {
  const isV4 = (dashed.match(/-/g) ?? []).length === 3 && !dashed.includes('--')
  const text = dashed.replaceAll('-', isV4 ? '.' : ':')
  const owner = joinName(dashed, namespace, 'pod', zone)
  const address = parseIp(text)
  const { ttl } = options
  if (options.pods === 'insecure') {
    if (!address.ok) return nameError(`${dashed} is not an address with dashes`)
    return entries(
      [{ host: { kind: 'address', ip: unmapped(address.value) }, port: 0, ttl, owner }],
      'pods insecure: no pod is looked for',
    )
  }
  const pods = api
    .podsWithIp(text)
    .filter((pod) => pod.meta.namespace === namespace && isSelected(options.labels, pod.meta))
  if (pods.length === 0 || !address.ok) return nameError(`no running pod in namespace ${namespace} has address ${text}`)
  return entries(
    pods.map((pod) => ({
      host: { kind: 'address', ip: unmapped(address.value) },
      port: 0,
      ttl,
      owner,
      object: objectOf('Pod', pod),
    })),
  )
}

/** Go's net.IP holds an IPv4-mapped IPv6 address as IPv4. */
const unmapped = (ip: Ip): Ip => (ip.family === 6 && ip.a === 0 && ip.b === 0 && ip.c === 0xffff ? ipv4(ip.d) : ip)

/** findMultiClusterServices: services of the cluster set, endpoints with the cluster they come from. */
function findImported(data: KubernetesData, asked: KubernetesName, zone: string): Entries {
  const { options, api } = data
  const { ttl } = options
  const service = api.serviceImport(asked.namespace, asked.service)
  const key = `${asked.namespace}/${asked.service}`
  if (!service) return nameError(`no ServiceImport ${key}`)
  const object: EntryObject = { name: `ServiceImport ${key}` }
  const slices = api.importedSlicesOf(asked.namespace, asked.service)
  const ready = slices.flatMap((slice) =>
    slice.endpoints.filter(isServed).flatMap((endpoint) => endpoint.addresses.map((ip) => ({ slice, endpoint, ip }))),
  )
  if (options.ignoreEmptyService && !service.headless && ready.length === 0)
    return nameError(`ServiceImport ${key} has no ready endpoint (ignore empty_service)`)
  if (!service.headless && asked.endpoint === '') {
    const matching = service.ports.filter((port) => isAskedPort(asked, port))
    if (matching.length === 0) return nameError(`ServiceImport ${key} has no port ${asked.port}/${asked.protocol}`)
    const owner = joinName(service.name, service.namespace, 'svc', zone)
    return entries(
      matching.flatMap(({ port }) =>
        service.ips.map((ip): Entry => ({ host: { kind: 'address', ip }, port, ttl, owner, object })),
      ),
    )
  }
  const found = ready.flatMap(({ slice, endpoint, ip }): readonly Entry[] => {
    const cluster = slice.meta.labels[SOURCE_CLUSTER] ?? ''
    const hostname = endpointName(endpoint, ip, options)
    const isOther = lowerName(asked.cluster) !== lowerName(cluster) || lowerName(asked.endpoint) !== lowerName(hostname)
    if (asked.endpoint !== '' && isOther) return []
    const owner = joinName(hostname, cluster, service.name, service.namespace, 'svc', zone)
    return (slice.ports.length > 0 ? slice.ports : [{ name: '', port: NO_PORT, protocol: '' }])
      .filter((port) => isAskedPort(asked, { name: port.name ?? '', protocol: port.protocol }))
      .map((port) => ({ host: { kind: 'address', ip }, port: port.port ?? 0, ttl, owner, object }))
  })
  return found.length > 0 ? entries(found) : nameError(`no ready endpoint of ServiceImport ${key} fits`)
}

function findServices(data: KubernetesData, asked: KubernetesName, zone: string): Entries {
  const { options, api } = data
  const service = api.service(asked.namespace, asked.service)
  if (!service || !isSelected(options.labels, service.meta))
    return nameError(`no Service ${asked.namespace}/${asked.service}`)
  const key = keyOf(service.meta)
  if (asked.topology && !(service.headless && service.type !== 'ExternalName'))
    return nameError(`Service ${key} is not headless: no zone-scoped names`)
  if (service.type === 'ExternalName') return findExternal(options, { service, asked, zone })
  if (service.headless || asked.endpoint !== '') return findEndpoints(data, { service, asked, zone })
  if (options.ignoreEmptyService && readyAddresses(data, service).length === 0)
    return nameError(`Service ${key} has no ready endpoint (ignore empty_service)`)
  const ports = service.ports.length > 0 ? service.ports : [{ name: '', protocol: '', port: NO_PORT }]
  const matching = ports.filter((port) => isAskedPort(asked, port))
  if (matching.length === 0) return nameError(`Service ${key} has no port ${asked.port}/${asked.protocol}`)
  const owner = joinName(service.meta.name, service.meta.namespace, 'svc', zone)
  const object = objectOf('Service', service)
  return entries(
    matching.flatMap(({ port }) =>
      service.clusterIPs.map((ip): Entry => ({ host: { kind: 'address', ip }, port, ttl: options.ttl, owner, object })),
    ),
    `Service ${key} has cluster address ${service.clusterIPs.map(formatIp).join(', ')}`,
  )
}

interface ServiceAsked {
  readonly service: Service
  readonly asked: KubernetesName
  readonly zone: string
}

/** Neither an endpoint nor a port can be asked of an external name; one that is an address does not count. */
function findExternal({ ttl }: KubernetesOptions, { service, asked, zone }: ServiceAsked): Entries {
  const key = keyOf(service.meta)
  if (asked.endpoint !== '' || asked.port !== '' || asked.protocol !== '')
    return nameError(`Service ${key} is an ExternalName: it has no endpoints and ports`)
  if (service.externalName === '' || parseIp(service.externalName).ok)
    return nameError(`externalName ${service.externalName} of Service ${key} is an address, not a name`)
  const owner = joinName(service.meta.name, service.meta.namespace, 'svc', zone)
  const object = objectOf('Service', service)
  return entries([{ host: { kind: 'alias', name: service.externalName }, port: 0, ttl, owner, object }])
}

function findEndpoints(data: KubernetesData, { service, asked, zone }: ServiceAsked): Entries {
  const { options } = data
  const key = keyOf(service.meta)
  const ready = readyAddresses(data, service)
  const found: { readonly entry: Entry; readonly topology: string }[] = []
  for (const { slice, endpoint, ip } of ready) {
    const hostname = endpointName(endpoint, ip, options)
    if (asked.endpoint !== '' && lowerName(asked.endpoint) !== lowerName(hostname)) continue
    const owner = joinName(hostname, service.meta.name, service.meta.namespace, 'svc', zone)
    const object = {
      ...objectOf('EndpointSlice', slice),
      name: `EndpointSlice ${keyOf(slice.meta)} of Service ${key}`,
    }
    for (const port of slice.ports.length > 0 ? slice.ports : [{ name: '', port: NO_PORT, protocol: '' }])
      if (isAskedPort(asked, { name: port.name ?? '', protocol: port.protocol })) {
        const entry: Entry = { host: { kind: 'address', ip }, port: port.port ?? 0, ttl: options.ttl, owner, object }
        found.push({ entry, topology: lowerName(endpoint.zone ?? '') })
      }
  }
  if (found.length === 0) return nameError(whyNoEndpoint(options, { key, asked, ready: ready.length }))
  const all = found.map(({ entry }) => entry)
  if (!asked.topology) return entries(all, `Service ${key} is headless: ${ready.length} ready addresses`)
  const { zone: topology, others } = asked.topology
  const near = found.filter((one) => one.topology === topology).map(({ entry }) => entry)
  const why = `Service ${key} has ${near.length} of ${all.length} entries in zone ${topology}`
  return entries(near.length === 0 && others === 'prefer' ? all : near, why)
}

function whyNoEndpoint(
  { endpoints }: KubernetesOptions,
  { key, asked, ready }: { readonly key: string; readonly asked: KubernetesName; readonly ready: number },
): string {
  if (!endpoints) return 'noendpoints: endpoints are not watched'
  if (ready === 0) return `Service ${key} has no ready endpoint`
  if (asked.endpoint !== '') return `no ready endpoint of Service ${key} is called ${asked.endpoint}`
  return `no ready endpoint of Service ${key} has port ${asked.port}/${asked.protocol}`
}

/** Every address of every endpoint that is served, with where it stands. */
export function readyAddresses(data: KubernetesData, service: Service): readonly ReadyAddress[] {
  return slicesOf(data, service).flatMap((slice) =>
    slice.endpoints.filter(isServed).flatMap((endpoint) => endpoint.addresses.map((ip) => ({ slice, endpoint, ip }))),
  )
}

interface ReadyAddress extends EndpointAt {
  readonly ip: Ip
}

const slicesOf = ({ options, api }: KubernetesData, { meta }: Service): readonly EndpointSlice[] =>
  options.endpoints
    ? api.slicesOf(meta.namespace, meta.name).filter((slice) => isSelected(options.labels, slice.meta))
    : []

export const isSelected = (selector: LabelSelector | undefined, meta: Meta): boolean =>
  selector === undefined || selectorMatches(selector, meta.labels)

/** matchPortAndProtocol: an empty one matches all; letter case does not count. */
export function isAskedPort(
  asked: Pick<KubernetesName, 'port' | 'protocol'>,
  port: { readonly name: string; readonly protocol: string },
): boolean {
  const matches = (wanted: string, own: string) => wanted === '' || lowerName(wanted) === lowerName(own)
  return matches(asked.port, port.name) && matches(asked.protocol, port.protocol)
}

/** endpointHostname: the hostname, with endpoint_pod_names the pod's name if it is a label, else the address with dashes. */
export function endpointName(
  endpoint: Endpoint,
  ip: Ip,
  { endpointPodNames }: { readonly endpointPodNames: boolean },
): string {
  if (endpoint.hostname) return endpoint.hostname
  const pod = endpoint.targetRef?.name ?? ''
  if (endpointPodNames && pod !== '' && pod.length < 64) return pod
  const text = formatIp(ip).replace(/[.:]/g, '-')
  return text.endsWith('-') ? `${text}0` : text
}

/** Kubernetes.Reverse: a cluster address first, else every endpoint that has the address. */
export function findReverse(data: KubernetesData, name: string, zone: string): Entries {
  const { options, api } = data
  const ip = addressOfReverse(name)
  if (!ip) {
    const found = findRecords(data, name, zone)
    return found.kind === 'nameError' ? found : entries([])
  }
  const hidden = (namespace: string) => options.namespaces.size > 0 && !isExposed(data, namespace)
  const pointer = (parts: readonly string[], object: EntryObject): Entry => {
    const target = joinName(...parts, 'svc', options.primaryZone)
    return { host: { kind: 'alias', name: target }, port: 0, ttl: options.ttl, owner: target, object }
  }
  for (const service of api.servicesWithIp(ip))
    if (!hidden(service.meta.namespace) && isSelected(options.labels, service.meta))
      return entries([pointer([service.meta.name, service.meta.namespace], objectOf('Service', service))])
  const found = api.endpointsWithIp(ip).flatMap(({ slice, endpoint }) => {
    const { namespace } = slice.meta
    if (!options.endpoints || hidden(namespace) || !isSelected(options.labels, slice.meta)) return []
    return [
      pointer([endpointName(endpoint, ip, options), slice.serviceName, namespace], objectOf('EndpointSlice', slice)),
    ]
  })
  return found.length > 0 ? entries(found) : nameError(`no Service and no endpoint has address ${formatIp(ip)}`)
}

/** Kubernetes.nsAddrs: the services this server is an endpoint of, else its own addresses as `ns.dns.<zone>`. */
function nameServers(data: KubernetesData, zone: string): readonly { readonly name: string; readonly ip: Ip }[] {
  const { options, api } = data
  const found: { readonly name: string; readonly ip: Ip }[] = []
  for (const local of data.localIps())
    for (const { slice } of options.endpoints ? api.endpointsWithIp(local) : []) {
      const service = api.service(slice.meta.namespace, slice.serviceName)
      if (!service) continue
      const name = joinName(service.meta.name, service.meta.namespace, 'svc', zone)
      if (service.headless)
        for (const endpoint of slice.endpoints.filter(isServed))
          for (const ip of endpoint.addresses)
            found.push({ name: joinName(endpointName(endpoint, ip, options), name), ip })
      else for (const ip of service.clusterIPs) found.push({ name, ip })
    }
  if (found.length > 0) return found
  return data.localIps().map((ip) => ({ name: joinName('ns.dns', zone), ip }))
}

export function objectOf(kind: string, object: Pod | Service | EndpointSlice): EntryObject {
  return { name: `${kind} ${keyOf(object.meta)}`, ...(object.at && { source: place(object.at) }) }
}

const place = ({ file, line }: SourceSpan): string => formatLocation({ file, line })
