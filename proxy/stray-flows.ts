import type { ConntrackEntry } from '../linux/netfilter/conntrack.ts'
import { type Ip, ipKey, sameIp } from '../packet/ip.ts'
import { PROTOCOL } from '../packet/packet.ts'
import { changesUdpEndpoints, type EndpointsChange } from './conntrack-cleanup.ts'
import type { Endpoint } from './endpoint.ts'
import type { ServiceMap } from './service-map.ts'
import type { ServicePort } from './service-port.ts'
import { proxyFeatures } from './versions.ts'

/** A tracked flow that goes on although new ones would go elsewhere, and why kube-proxy lets it. */
export interface StrayFlow {
  readonly entry: ConntrackEntry
  /** The Service port that it was opened to: `default/dns:dns`. */
  readonly service: string
  /** What became of the endpoint, or of the Service. */
  readonly leadsTo: 'goneEndpoint' | 'terminatingEndpoint' | 'unreadyEndpoint' | 'nobody' | 'goneService'
  readonly why: string
}

/**
 * The flows to Services that are not as the rules would have them now: translated to an endpoint that new flows are
 * not sent to, or not translated while nobody served. Those that `deletedFlows` names are left out by the caller.
 */
export function strayFlows(entries: readonly ConntrackEntry[], change: EndpointsChange): readonly StrayFlow[] {
  const old = byDestination(change.before)
  const now = byDestination(change.after)
  return entries.flatMap((entry): StrayFlow[] => {
    const called = find(old, entry) ?? find(now, entry)
    if (called === undefined) return []
    const after = find(now, entry)
    const fate = fateOf(entry, called, after)
    if (fate === undefined) return []
    return [{ entry, service: called.name, leadsTo: fate, why: reason(entry, { after, fate, change }) }]
  })
}

type ByDestination = ReadonlyMap<string, ServicePort>

const NUMBERS = { TCP: PROTOCOL.tcp, UDP: PROTOCOL.udp, SCTP: PROTOCOL.sctp } as const

/** By protocol, address and port; node ports under no address. */
function byDestination({ ports }: ServiceMap): ByDestination {
  const found = new Map<string, ServicePort>()
  for (const port of ports) {
    const protocol = NUMBERS[port.protocol]
    for (const ip of [port.clusterIP, ...port.externalIPs, ...port.loadBalancerVIPs])
      found.set(destination(protocol, ip, port.port), port)
    if (port.nodePort !== 0) found.set(`${protocol} * ${port.nodePort}`, port)
  }
  return found
}

const destination = (protocol: number, ip: Ip, port: number): string => `${protocol} ${ipKey(ip)} ${port}`

const find = (ports: ByDestination, { original: { protocol, dst, dstKey } }: ConntrackEntry): ServicePort | undefined =>
  ports.get(destination(protocol, dst, dstKey)) ?? ports.get(`${protocol} * ${dstKey}`)

function fateOf(
  { original, reply }: ConntrackEntry,
  called: ServicePort,
  after: ServicePort | undefined,
): StrayFlow['leadsTo'] | undefined {
  // A virtual server's flows are translated by the director, and not marked so.
  if (sameIp(original.dst, reply.src)) {
    // A node port's own address may be served by the machine itself.
    const isVirtual = [called.clusterIP, ...called.externalIPs, ...called.loadBalancerVIPs].some((ip) =>
      sameIp(ip, original.dst),
    )
    return isVirtual && after?.endpoints.some(({ ready }) => ready) === true ? 'nobody' : undefined
  }
  if (after === undefined) return 'goneService'
  const endpoint = after.endpoints.find(({ ip, port }) => sameIp(ip, reply.src) && port === reply.srcKey)
  if (endpoint === undefined) return 'goneEndpoint'
  return endpoint.ready ? undefined : stateOf(endpoint)
}

const stateOf = ({ serving, terminating }: Endpoint): StrayFlow['leadsTo'] =>
  serving && terminating ? 'terminatingEndpoint' : 'unreadyEndpoint'

function reason(
  { original, reply }: ConntrackEntry,
  of: {
    readonly after: ServicePort | undefined
    readonly fate: StrayFlow['leadsTo']
    readonly change: EndpointsChange
  },
): string {
  const { after, fate, change } = of
  const { version } = change
  const features = proxyFeatures(version)
  if (original.protocol !== PROTOCOL.udp)
    return `kube-proxy deletes tracked flows of UDP only: this one goes on until one of its ends closes it or it times out`
  if (features.cleansOnEndpointChange && !changesUdpEndpoints(change))
    return `kube-proxy ${version} looks for stale flows only when an endpoint of UDP has changed, and none has`
  if (!features.reconcilesConntrack)
    return `kube-proxy ${version} deletes flows of endpoints that are lost and of Services that begin to have some; this is neither`
  if (fate === 'goneService') return `kube-proxy since 1.32 looks at the addresses of Services that are there`
  if (after?.endpoints.some(({ serving }) => serving) !== true)
    return `kube-proxy since 1.32 leaves the flows of a Service alone in which nobody serves (kubernetes/kubernetes#139629)`
  if (fate === 'terminatingEndpoint') return `the endpoint still serves while it ends, and its flows are left to it`
  if (!features.reconcilesByPort && after.endpoints.some(({ ip, serving }) => serving && sameIp(ip, reply.src)))
    return `kube-proxy until 1.33 compares the address of the endpoint, not its port`
  return `kube-proxy ${version} does not take it for stale`
}
