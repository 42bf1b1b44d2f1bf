import { compareIp } from '../../packet/ip.ts'
import { generatedName } from '../allocate/names.ts'
import { isFinished } from '../build-index.ts'
import type {
  Endpoint,
  EndpointPort,
  EndpointSlice,
  IpFamily,
  KubeNode,
  Meta,
  Pod,
  Service,
  ServicePortSpec,
} from '../objects.ts'
import { byText, inKeyOrder } from '../order.ts'
import { labelsMatch } from '../selector.ts'
import { type Hints, withHints } from './hints.ts'
import { inSliceOrder } from './port-order.ts'
import { familyOfIp } from './service-addresses.ts'

/** Endpoints that one slice holds (`--max-endpoints-per-slice`). */
const MAX_ENDPOINTS = 100

const SERVICE_NAME = 'kubernetes.io/service-name'
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
export const HEADLESS = 'service.kubernetes.io/headless'
export const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io'
const ZONE = 'topology.kubernetes.io/zone'

export interface SliceSources {
  /** Pods of the Service's namespace. */
  readonly pods: readonly Pod[]
  readonly node: ReadonlyMap<string, KubeNode>
  readonly hints: Hints
}

/**
 * The slices that the EndpointSlice controller makes for a Service with a selector
 * (k8s.io/endpointslice reconciler.go): one for each family and set of ports, cut at a hundred endpoints. A Service that
 * selects nothing has one slice without endpoints and ports.
 */
export function computeSlices(service: Service, sources: SliceSources): EndpointSlice[] {
  const { selector } = service
  if (selector === undefined || service.type === 'ExternalName') return []
  const pods = sources.pods.filter((pod) => labelsMatch(selector, pod.meta.labels) && isListed(pod, service, sources))
  return addressTypesOf(service).flatMap((family) => {
    const groups = groupByPorts(service, pods, { family, node: sources.node })
    const slices = groups.flatMap(({ ports, endpoints }) => cut(endpoints).map((some) => ({ ports, endpoints: some })))
    const hinted = withHints(service, slices.length === 0 ? [{ ports: [], endpoints: [] }] : slices, sources.hints)
    return hinted.map((slice, i) => sliceOf(service, { family, i, ...slice }))
  })
}

/** A pod on a node that does not exist waits for the node, unless its address is to be published anyway. */
function isListed(pod: Pod, service: Service, { node }: SliceSources): boolean {
  if (isFinished(pod) || pod.ips.length === 0) return false
  return service.publishNotReadyAddresses || node.has(pod.spec.nodeName)
}

const addressTypesOf = (service: Service): readonly IpFamily[] =>
  service.ipFamilies.length > 0 ? service.ipFamilies : [...new Set(service.clusterIPs.map(familyOfIp))]

interface Group {
  readonly ports: readonly EndpointPort[]
  readonly endpoints: Endpoint[]
}

function groupByPorts(
  service: Service,
  pods: readonly Pod[],
  of: { family: IpFamily; node: ReadonlyMap<string, KubeNode> },
): Group[] {
  const groups = new Map<string, Group>()
  for (const pod of pods) {
    const endpoint = endpointOf(service, pod, of)
    if (endpoint === undefined) continue
    const ports = inSliceOrder(service.ports.flatMap((port) => endpointPortOf(port, pod)))
    const key = JSON.stringify(ports)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { ports, endpoints: [endpoint] })
    else group.endpoints.push(endpoint)
  }
  return [...groups].sort(([x], [y]) => byText(x, y)).map(([, group]) => group)
}

function cut(endpoints: readonly Endpoint[]): Endpoint[][] {
  const sorted = [...endpoints].sort(byAddress)
  const parts: Endpoint[][] = []
  for (let i = 0; i < sorted.length; i += MAX_ENDPOINTS) parts.push(sorted.slice(i, i + MAX_ENDPOINTS))
  return parts
}

/** The controller's own order is random; ours is by address, then by pod (host-network pods share one). */
function byAddress(x: Endpoint, y: Endpoint): number {
  const [a] = x.addresses
  const [b] = y.addresses
  const order = a === undefined || b === undefined ? 0 : compareIp(a, b)
  return order || byText(x.targetRef?.name ?? '', y.targetRef?.name ?? '')
}

function endpointOf(
  service: Service,
  pod: Pod,
  { family, node }: { family: IpFamily; node: ReadonlyMap<string, KubeNode> },
): Endpoint | undefined {
  const addresses = pod.ips.filter((ip) => familyOfIp(ip) === family)
  if (addresses.length === 0) return undefined
  const serving = pod.ready
  const terminating = pod.meta.deletionTimestamp !== undefined
  const { hostname, subdomain, nodeName } = pod.spec
  const zone = node.get(nodeName)?.meta.labels[ZONE] ?? ''
  return {
    addresses,
    ready: service.publishNotReadyAddresses || (serving && !terminating),
    serving,
    terminating,
    ...(nodeName === '' ? {} : { nodeName }),
    ...(hostname !== '' && subdomain === service.meta.name ? { hostname } : {}),
    ...(zone === '' ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace: pod.meta.namespace, name: pod.meta.name },
  }
}

/** A named targetPort that the pod does not have leaves the port out, not the endpoint. */
function endpointPortOf(port: ServicePortSpec, pod: Pod): EndpointPort[] {
  const number = targetPortOn(pod, port)
  if (number === undefined) return []
  const { name, protocol, appProtocol } = port
  return [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }]
}

/**
 * Which port of a pod a Service's port means: a number is itself; a name is looked up in the containers, then in the
 * sidecars, for the same protocol (k8s.io/endpointslice utils.go findPort).
 */
export function targetPortOn(pod: Pick<Pod, 'spec'>, { targetPort, protocol }: ServicePortSpec): number | undefined {
  if (typeof targetPort === 'number') return targetPort
  const sidecars = pod.spec.initContainers.filter(({ sidecar }) => sidecar)
  for (const { ports } of [...pod.spec.containers, ...sidecars]) {
    const found = ports.find((port) => port.name === targetPort && port.protocol === protocol)
    if (found !== undefined) return found.containerPort
  }
  return undefined
}

function sliceOf(
  service: Service,
  of: { family: IpFamily; i: number; ports: readonly EndpointPort[]; endpoints: readonly Endpoint[] },
): EndpointSlice {
  const { family, i, ports, endpoints } = of
  const { namespace, name } = service.meta
  const meta: Meta = {
    namespace,
    name: generatedName(`${name}-`, `${namespace}/${name}/${family}/${i}`),
    labels: labelsOf(service),
    annotations: {},
    owner: { kind: 'Service', name },
  }
  const base = {
    kind: 'EndpointSlice' as const,
    assumed: true,
    ...(service.at === undefined ? {} : { at: service.at }),
  }
  return { ...base, meta, serviceName: name, addressType: family, ports, endpoints }
}

/** The Service's labels, under the controller's own. */
function labelsOf(service: Service): Meta['labels'] {
  const { [HEADLESS]: _, ...labels } = service.meta.labels
  return inKeyOrder({
    ...labels,
    ...(service.headless ? { [HEADLESS]: '' } : {}),
    [MANAGED_BY]: SLICE_CONTROLLER,
    [SERVICE_NAME]: service.meta.name,
  })
}
