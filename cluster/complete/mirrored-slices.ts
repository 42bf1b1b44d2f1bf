import { compareIp, formatIp, type Ip, ipKey } from '../../packet/ip.ts'
import { generatedName } from '../allocate/names.ts'
import type { Endpoint, EndpointAddress, EndpointSlice, Endpoints, EndpointsPort, IpFamily, Meta } from '../objects.ts'
import { byText, inKeyOrder } from '../order.ts'
import { inSliceOrder } from './port-order.ts'
import { type Reachable, repackSubsets } from './repack-subsets.ts'
import { familyOfIp } from './service-addresses.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror'
const LAST_CHANGE = 'endpoints.kubernetes.io/last-change-trigger-time'
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

/** Addresses of one subset that are mirrored, ready ones first (mirroringMaxEndpointsPerSubset). */
const MOST_ADDRESSES = 1000

/**
 * The slices that say what an Endpoints object says. Subsets of the same ports share a slice; in it endpoints are told
 * apart by address, hostname and target, and the later one of two stays (k8s.io/endpointslice util endpointset.go).
 */
export function slicesOfEndpoints(endpoints: Endpoints): EndpointSlice[] {
  const owner = ({ targetRef }: EndpointAddress): string => targetRef?.uid ?? ''
  const slices = new Map<string, { family: IpFamily; ports: readonly EndpointsPort[]; found: Map<string, Reachable> }>()
  for (const { ports, addresses } of repackSubsets(endpoints.subsets, { owner, written: true })) {
    for (const one of mirrored(addresses)) {
      const family = familyOfIp(one.address.ip)
      const key = `${family} ${JSON.stringify(inSliceOrder(ports))}`
      const slice = slices.get(key) ?? { family, ports, found: new Map<string, Reachable>() }
      slices.set(key, slice)
      const { ip, hostname = '', targetRef } = one.address
      slice.found.set(JSON.stringify([ipKey(ip), hostname, targetRef?.namespace ?? '', targetRef?.name ?? '']), one)
    }
  }
  return [...slices]
    .sort(([x], [y]) => byText(x, y))
    .map(([, { family, ports, found }]) => sliceOf(endpoints, { family, ports, found: [...found.values()] }))
}

const mirrored = (addresses: readonly Reachable[]): readonly Reachable[] =>
  addresses.length <= MOST_ADDRESSES
    ? addresses
    : [...addresses].sort((x, y) => Number(y.ready) - Number(x.ready) || byAddressText(x, y)).slice(0, MOST_ADDRESSES)

const byAddressText = (x: Reachable, y: Reachable): number => byText(formatIp(x.address.ip), formatIp(y.address.ip))

function sliceOf(
  endpoints: Endpoints,
  of: { family: IpFamily; ports: readonly EndpointsPort[]; found: readonly Reachable[] },
): EndpointSlice {
  const { namespace, name, labels } = endpoints.meta
  const { [LAST_CHANGE]: _, ...annotations } = endpoints.meta.annotations
  const ports = inSliceOrder(of.ports)
  const meta: Meta = {
    namespace,
    name: generatedName(`${name}-`, `${namespace}/${name}/${of.family}/${JSON.stringify(ports)}`),
    labels: inKeyOrder({ ...labels, [MANAGED_BY]: MIRRORING_CONTROLLER, [SERVICE_NAME]: name }),
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
    ...(targetRef === undefined ? {} : { targetRef: targetOf(targetRef) }),
  }
}

const targetOf = ({ kind, namespace, name }: NonNullable<EndpointAddress['targetRef']>) => ({ kind, namespace, name })
