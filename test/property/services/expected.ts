import { type Ip, sameIp } from '../../../packet/ip.ts'
import { contains, prefix } from '../../../packet/prefix.ts'
import { hostPort } from '../../../proxy/endpoint.ts'
import { DROPPED, type Outcome, PASSED, REFUSED } from './outcome.ts'
import {
  destinationOf,
  endpointIP,
  type Flow,
  HOME,
  nodeIP,
  PODS,
  rangePrefix,
  type SomeEndpoint,
  type SomeService,
  sourceOf,
  TARGET_PORT,
  type World,
} from './world.ts'

/**
 * What a Service promises, as the API and the KEPs say it, with nothing of proxy/ in it: traffic policies (KEP-2086),
 * terminating endpoints (KEP-1669), zone hints (KEP-2433), source ranges, and which sources the answer must come back
 * through the node for. Where modes differ from it, `differences.ts` names the difference.
 */
export function expected(world: World, flow: Flow): Outcome {
  if (flow.service.ofOtherProxy) return flow.to.startsWith('nodePort') ? REFUSED : PASSED
  switch (flow.to) {
    case 'clusterIP':
      return toClusterIP(world, flow)
    case 'other port of clusterIP':
    case 'other port of balancer':
      return PASSED
    case 'nodePort on loopback':
      return world.localhostNodePorts && world.family === 4 ? toOutside(world, flow) : notTranslated(flow)
    default:
      return toOutside(world, flow)
  }
}

/** Nobody listens there, so that it is refused; but what policy Local would drop is dropped before that is found. */
const notTranslated = ({ service }: Flow): Outcome =>
  usable(service.endpoints).length > 0 && service.externalLocal && here(service).length === 0 ? DROPPED : REFUSED

/** An endpoint is used while it is ready; those that still serve while they end, where none is. */
function usable(endpoints: readonly SomeEndpoint[]): readonly SomeEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  return ready.length > 0 ? ready : endpoints.filter((endpoint) => endpoint.serving && endpoint.terminating)
}

/** Hints count where every ready endpoint has one and one names the zone. */
export function anywhere({ endpoints }: SomeService): readonly SomeEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  const hinted = ready.filter((endpoint) => endpoint.hintZone === 'a')
  return hinted.length > 0 && ready.every((endpoint) => endpoint.hintZone !== undefined) ? hinted : usable(endpoints)
}

export const here = ({ endpoints }: SomeService): readonly SomeEndpoint[] =>
  usable(endpoints.filter((endpoint) => endpoint.node === HOME))

export const isReachedFromOutside = ({ type, hasExternalIP }: SomeService): boolean =>
  type !== 'ClusterIP' || hasExternalIP

/** The traffic policy of this way in is Local. */
export const isLocalOnly = ({ to, service }: Flow): boolean =>
  to === 'clusterIP' ? service.internalLocal : service.externalLocal

/** Evenly to any of them; where there is none, the client is told so only if there is none anywhere. */
export function spread(
  world: World,
  flow: Flow,
  to: { readonly endpoints: readonly SomeEndpoint[]; readonly masquerade: boolean },
): Outcome {
  const { service } = flow
  if (usable(service.endpoints).length === 0) return REFUSED
  if (to.endpoints.length === 0) return DROPPED
  return deliver(world, flow, to)
}

export function deliver(
  world: World,
  flow: Flow,
  { endpoints, masquerade }: { readonly endpoints: readonly SomeEndpoint[]; readonly masquerade: boolean },
): Outcome {
  const source = sourceOf(world, flow)
  return {
    kind: 'delivered',
    to: endpoints.map((endpoint) => {
      const address = endpointIP(world.family, flow.service, endpoint)
      const isHairpin = source !== undefined && sameIp(source, address)
      return {
        endpoint: hostPort(address, TARGET_PORT),
        probability: 1 / endpoints.length,
        masquerade: masquerade || isHairpin,
      }
    }),
  }
}

function toClusterIP(world: World, flow: Flow): Outcome {
  const { service } = flow
  return spread(world, flow, {
    endpoints: service.internalLocal ? here(service) : anywhere(service),
    masquerade: masqueradesClusterIP(world, flow),
  })
}

/** Who is no pod may have been routed here from anywhere. Without a way to tell pods, nobody is masqueraded. */
export const masqueradesClusterIP = (world: World, flow: Flow): boolean =>
  world.masqueradeAll || (world.detect !== 'none' && !isPodTraffic(world, flow))

function toOutside(world: World, flow: Flow): Outcome {
  const { service } = flow
  if (usable(service.endpoints).length > 0 && !isLetIn(world, flow)) return DROPPED
  if (!service.externalLocal) return spread(world, flow, { endpoints: anywhere(service), masquerade: true })
  // Pods and the node are sent to any endpoint, as if their traffic had gone out and come in again elsewhere.
  if (isPodTraffic(world, flow)) return spread(world, flow, { endpoints: anywhere(service), masquerade: false })
  if (flow.from === 'node') return spread(world, flow, { endpoints: anywhere(service), masquerade: true })
  return spread(world, flow, { endpoints: here(service), masquerade: false })
}

/** loadBalancerSourceRanges. */
export function isLetIn(world: World, flow: Flow): boolean {
  const { sourceRanges } = flow.service
  const source = sourceOf(world, flow) ?? nodeIP(world.family)
  if (flow.to !== 'balancer' || sourceRanges.length === 0 || sourceRanges.includes('everybody')) return true
  return sourceRanges.some((range) => contains(rangePrefix(world.family, range), source))
}

/** The node sends from the address it calls where that is its own. */
function effectiveSource(world: World, flow: Flow): Ip {
  const source = sourceOf(world, flow)
  if (source !== undefined) return source
  return flow.to.startsWith('nodePort') ? destinationOf(world, flow).ip : nodeIP(world.family)
}

/** As far as kube-proxy can tell (detectLocalMode). */
export function isPodTraffic(world: World, flow: Flow): boolean {
  const source = effectiveSource(world, flow)
  switch (world.detect) {
    case 'clusterCIDR':
      return contains(prefix(PODS[world.family]), source)
    case 'nodeCIDR':
      return contains(prefix(world.family === 4 ? '10.244.1.0/24' : 'fd00:10:244:1::/64'), source)
    case 'bridge':
    case 'prefix':
      return flow.from === 'pod' || flow.from === 'self'
    case 'none':
      return false
    default:
      return world.detect satisfies never
  }
}
