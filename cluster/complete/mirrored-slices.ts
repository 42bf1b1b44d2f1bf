import { compareIp, type Ip } from '../../packet/ip.ts'
import { generatedName } from '../allocate/names.ts'
import type { Endpoint, EndpointSlice, Endpoints, EndpointsPort, IpFamily, Meta } from '../objects.ts'
import { inKeyOrder } from '../order.ts'
import { inSliceOrder } from './port-order.ts'
import { type Reachable, repackSubsets } from './repack-subsets.ts'
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
  return repackSubsets(endpoints.subsets).flatMap((subset) =>
    (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const found = subset.addresses.filter(({ address }) => familyOfIp(address.ip) === family)
      return found.length === 0 ? [] : [sliceOf(endpoints, { family, ports: subset.ports, found })]
    }),
  )
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
    ...(targetRef === undefined ? {} : { targetRef }),
  }
}
