import { compareIp, type Ip, ipKey } from '../../packet/ip.ts'
import { generatedName } from '../allocate/names.ts'
import type {
  Endpoint,
  EndpointAddress,
  EndpointSlice,
  EndpointSubset,
  Endpoints,
  EndpointsPort,
  IpFamily,
  Meta,
} from '../objects.ts'
import { byText } from '../order.ts'
import { inSliceOrder } from './port-order.ts'
import { familyOfIp } from './service-addresses.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER = 'control-plane.alpha.kubernetes.io/leader'
export const MIRRORING_CONTROLLER = 'endpointslicemirroring-controller.k8s.io'

/**
 * The slices that the mirroring controller makes of Endpoints written by hand for a Service without a selector
 * (pkg/controller/endpointslicemirroring): one for each set of ports and family.
 */
export function mirrorEndpoints(endpoints: Endpoints): EndpointSlice[] {
  const { meta } = endpoints
  if (meta.labels[SKIP_MIRROR] === 'true' || Object.hasOwn(meta.annotations, LEADER)) return []
  return slicesOfEndpoints(endpoints)
}

/** The slices that say what an Endpoints object says. */
export function slicesOfEndpoints(endpoints: Endpoints): EndpointSlice[] {
  return repacked(endpoints.subsets).flatMap((subset) =>
    (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const found = subset.addresses.filter(({ address }) => familyOfIp(address.ip) === family)
      return found.length === 0 ? [] : [sliceOf(endpoints, { family, ports: subset.ports, found })]
    }),
  )
}

interface Reachable {
  readonly address: EndpointAddress
  readonly ready: boolean
}

interface Repacked {
  readonly ports: readonly EndpointsPort[]
  readonly addresses: readonly Reachable[]
}

/**
 * Subsets put together again by what they offer (pkg/api/v1/endpoints RepackSubsets): an address keeps the fields of
 * its first mention, one that is both ready and not ready is not ready, and ports of equal addresses share a subset.
 */
function repacked(subsets: readonly EndpointSubset[]): Repacked[] {
  const first = new Map<string, EndpointAddress>()
  const byPort = new Map<string, { port: EndpointsPort | undefined; ready: Map<string, boolean> }>()
  const put = (address: EndpointAddress, port: EndpointsPort | undefined, ready: boolean) => {
    const key = `${ipKey(address.ip)} ${JSON.stringify(address.targetRef ?? null)}`
    if (!first.has(key)) first.set(key, address)
    const name = JSON.stringify(port ?? null)
    const entry = byPort.get(name) ?? { port, ready: new Map() }
    byPort.set(name, entry)
    if (entry.ready.get(key) !== false) entry.ready.set(key, ready)
  }
  for (const subset of subsets)
    for (const port of subset.ports.length === 0 ? [undefined] : subset.ports) {
      for (const address of subset.addresses) put(address, port, true)
      for (const address of subset.notReadyAddresses) put(address, port, false)
    }
  const groups = new Map<string, { ports: EndpointsPort[]; ready: Map<string, boolean> }>()
  for (const { port, ready } of byPort.values()) {
    const key = JSON.stringify([...ready].sort(([x], [y]) => byText(x, y)))
    const group = groups.get(key) ?? { ports: [], ready }
    groups.set(key, group)
    if (port !== undefined) group.ports.push(port)
  }
  return [...groups.values()].map(({ ports, ready }) => ({
    ports,
    addresses: [...ready].flatMap(([key, isReady]) => {
      const address = first.get(key)
      return address === undefined ? [] : [{ address, ready: isReady }]
    }),
  }))
}

function sliceOf(
  endpoints: Endpoints,
  of: { family: IpFamily; ports: readonly EndpointsPort[]; found: readonly Reachable[] },
): EndpointSlice {
  const { namespace, name, labels, annotations } = endpoints.meta
  const ports = inSliceOrder(of.ports)
  const meta: Meta = {
    namespace,
    name: generatedName(`${name}-`, `${namespace}/${name}/${of.family}/${JSON.stringify(ports)}`),
    labels: { ...labels, [MANAGED_BY]: MIRRORING_CONTROLLER, [SERVICE_NAME]: name },
    annotations,
    owner: { kind: 'Endpoints', name },
  }
  const found = [...of.found].sort((x, y) => compareIp(x.address.ip, y.address.ip))
  const base = {
    kind: 'EndpointSlice' as const,
    assumed: true,
    ...(endpoints.at === undefined ? {} : { at: endpoints.at }),
  }
  return { ...base, meta, serviceName: name, addressType: of.family, ports, endpoints: found.map(endpointOf) }
}

function endpointOf({ address, ready }: Reachable): Endpoint {
  const { ip, hostname, nodeName, targetRef } = address
  const addresses: readonly Ip[] = [ip]
  return {
    addresses,
    ready,
    // The mirroring controller writes no such condition, and kube-proxy takes that as true.
    serving: true,
    terminating: false,
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  }
}
