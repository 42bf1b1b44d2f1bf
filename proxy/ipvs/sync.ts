import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { IpvsServiceKey, IpvsServiceSpec } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { type Family, formatIp, type Ip, ipKey, isLinkLocal, isLoopback, sameIp } from '../../packet/ip.ts'
import { contains, formatPrefix } from '../../packet/prefix.ts'
import type { Endpoint } from '../endpoint.ts'
import { chooseEndpoints, type EndpointChoice, seenFrom, type Viewpoint } from '../endpoint-choice.ts'
import { matchingAddresses } from '../node-port-addresses.ts'
import { endpointOrigin, servicePortOrigin } from '../origin.ts'
import { serviceMap } from '../service-map.ts'
import type { ServicePort } from '../service-port.ts'
import { type ProxyFeatures, proxyFeatures } from '../versions.ts'
import { viewpointOf } from '../viewpoint.ts'
import type { IpvsSetup } from './ipvs-setup.ts'
import type { SetName } from './sets.ts'

/** What one sync of kube-proxy's ipvs mode makes of one family (pkg/proxy/ipvs/proxier.go syncProxyRules). */
export interface IpvsSync {
  readonly setup: IpvsSetup
  readonly features: ProxyFeatures
  /** Addresses that kube-ipvs0 gets, in the order in which services ask for them. */
  readonly bound: readonly { readonly ip: Ip; readonly origin: Origin }[]
  readonly servers: readonly VirtualServer[]
  readonly entries: ReadonlyMap<SetName, readonly SetEntry[]>
  /** Load balancer addresses that the node itself must not reach (KUBE-IPVS-OUT-FILTER). */
  readonly barredFromNode: readonly { readonly server: IpvsServiceKey; readonly origin: Origin }[]
}

export interface VirtualServer {
  readonly spec: IpvsServiceSpec
  readonly origin: Origin
  readonly port: ServicePort
  readonly endpoints: readonly Endpoint[]
}

export interface SetEntry {
  readonly text: string
  readonly origin: Origin
}

interface Building {
  readonly setup: IpvsSetup
  readonly features: ProxyFeatures
  readonly from: Viewpoint
  /** On which node ports are served, and which addresses are somebody else's than kube-ipvs0's. */
  readonly nodePortIPs: readonly Ip[]
  readonly ownAddresses: readonly Ip[]
  readonly bound: Map<string | number, { readonly ip: Ip; readonly origin: Origin }>
  /** By protocol, address and port: of two Services that ask for the same, the later has it. */
  readonly servers: Map<string, VirtualServer>
  readonly entries: Map<SetName, Map<string, Origin>>
  readonly barredFromNode: { readonly server: IpvsServiceKey; readonly origin: Origin }[]
}

export function ipvsSync(cluster: Cluster, node: KubeNode, setup: IpvsSetup): IpvsSync {
  const { config, family, facts } = setup
  const map = serviceMap(cluster, family, config.version)
  const features = proxyFeatures(config.version)
  const own = ownAddresses(facts, family)
  const building: Building = {
    setup,
    features,
    from: viewpointOf(node, config.version),
    nodePortIPs: nodePortIPs(setup, own),
    ownAddresses: own,
    bound: new Map(),
    servers: new Map(),
    entries: new Map(),
    barredFromNode: [],
  }
  for (const port of map.ports) addServicePort(building, port)
  for (const { ip, origin } of building.bound.values()) addEntry(building, 'KUBE-IPVS-IPS', formatIp(ip), origin)
  return {
    setup,
    features,
    bound: [...building.bound.values()],
    servers: [...building.servers.values()],
    entries: new Map(
      [...building.entries].map(([name, entries]) => [name, [...entries].map(([text, origin]) => ({ text, origin }))]),
    ),
    barredFromNode: building.barredFromNode,
  }
}

/** GetAllLocalAddressesExcept(kube-ipvs0): neither loopback nor link-local ones. */
function ownAddresses(facts: HostFacts, family: Family): readonly Ip[] {
  const found: Ip[] = []
  for (const { addresses } of facts.interfaces)
    for (const { ip } of addresses)
      if (ip.family === family && !isLoopback(ip) && !(family === 6 && isLinkLocal(ip)) && !has(found, ip))
        found.push(ip)
  return found
}

const has = (list: readonly Ip[], ip: Ip): boolean => list.some((other) => sameIp(other, ip))

function nodePortIPs({ nodePortAddresses, facts, family }: IpvsSetup, own: readonly Ip[]): readonly Ip[] {
  if (nodePortAddresses.kind === 'all') return own
  return matchingAddresses(nodePortAddresses.cidrs, facts).filter((ip) => ip.family === family && !isLoopback(ip))
}

/** One service port, seen from one node. */
interface Seen {
  readonly port: ServicePort
  readonly choice: EndpointChoice
  readonly origin: Origin
  /** `tcp`. */
  readonly protocol: string
}

function addServicePort(building: Building, given: ServicePort): void {
  const port = seenFrom(given, building.from.node)
  const origin = servicePortOrigin(port)
  const choice = chooseEndpoints(port, building.from)
  const seen: Seen = { port, choice, origin, protocol: port.protocol.toLowerCase() }
  addLoopBack(building, seen)
  addEntry(building, 'KUBE-CLUSTER-IP', at(seen, port.clusterIP), origin)
  addServer(building, seen, { ip: port.clusterIP, port: port.port, localOnly: port.internalPolicyLocal, bind: true })
  for (const ip of port.externalIPs) {
    addEntry(building, port.externalPolicyLocal ? 'KUBE-EXTERNAL-IP-LOCAL' : 'KUBE-EXTERNAL-IP', at(seen, ip), origin)
    addExternalServer(building, seen, ip)
  }
  for (const ip of port.loadBalancerVIPs) addLoadBalancer(building, seen, ip)
  if (port.nodePort !== 0) {
    // kube-proxy goes on with the next service where no address serves node ports.
    if (building.nodePortIPs.length === 0) return
    addNodePort(building, seen)
  }
  if (port.healthCheckNodePort !== 0)
    addEntry(building, 'KUBE-HEALTH-CHECK-NODE-PORT', String(port.healthCheckNodePort), origin)
}

function addEntry({ entries }: Building, set: SetName, text: string, origin: Origin): void {
  const known = entries.get(set) ?? new Map<string, Origin>()
  entries.set(set, known)
  if (!known.has(text)) known.set(text, origin)
}

/** `10.96.0.1,tcp:443`. */
const at = ({ port, protocol }: Seen, ip: Ip, number = port.port): string => `${formatIp(ip)},${protocol}:${number}`

/** A pod that reaches itself through a Service must see another source than itself. Ready or not, it may be chosen. */
function addLoopBack(building: Building, { port, protocol }: Seen): void {
  for (const endpoint of port.endpoints) {
    if (endpoint.node !== building.from.node) continue
    const ip = formatIp(endpoint.ip)
    addEntry(building, 'KUBE-LOOP-BACK', `${ip},${protocol}:${endpoint.port},${ip}`, endpointOrigin(port, endpoint))
  }
}

interface Listening {
  readonly ip: Ip
  readonly port: number
  readonly localOnly: boolean
  readonly bind: boolean
}

function addServer(building: Building, { port, choice, origin }: Seen, listening: Listening): void {
  const { config } = building.setup
  const { ip, port: number, localOnly, bind } = listening
  const spec: IpvsServiceSpec = {
    protocol: port.protocol,
    address: ip,
    port: number,
    scheduler: building.setup.scheduler,
    ...(config.ipvs.scheduler === 'mh' ? { flags: ['mh-port'] } : {}),
    ...(port.affinity === undefined ? {} : { persistent: { seconds: port.affinity } }),
  }
  const key = `${port.protocol} ${ipKey(ip)} ${number}`
  building.servers.delete(key)
  building.servers.set(key, { spec, origin, port, endpoints: endpointsFor(choice, localOnly) })
  if (bind && !building.bound.has(ipKey(ip))) building.bound.set(ipKey(ip), { ip, origin })
}

/**
 * syncEndpoint: policy Local means the local endpoints, but where there is none all of them, so that pods of the node
 * still get through; what comes from outside is answered by the wrong address (kubernetes/kubernetes#97081).
 */
const endpointsFor = (choice: EndpointChoice, localOnly: boolean): readonly Endpoint[] =>
  localOnly && choice.local.length > 0 ? choice.local : choice.cluster

function addExternalServer(building: Building, seen: Seen, ip: Ip): void {
  const bind = !building.features.bindsOnlyForeignAddresses || !has(building.ownAddresses, ip)
  addServer(building, seen, { ip, port: seen.port.port, localOnly: seen.port.externalPolicyLocal, bind })
}

function addLoadBalancer(building: Building, seen: Seen, ip: Ip): void {
  const { port, origin } = seen
  const entry = at(seen, ip)
  addEntry(building, 'KUBE-LOAD-BALANCER', entry, origin)
  if (port.externalPolicyLocal) addEntry(building, 'KUBE-LOAD-BALANCER-LOCAL', entry, origin)
  if (port.sourceRanges.length > 0) addSourceRanges(building, seen, ip)
  addExternalServer(building, seen, ip)
}

function addSourceRanges(building: Building, seen: Seen, ip: Ip): void {
  const { port, origin } = seen
  const entry = at(seen, ip)
  addEntry(building, 'KUBE-LOAD-BALANCER-FW', entry, origin)
  for (const range of port.sourceRanges)
    addEntry(building, 'KUBE-LOAD-BALANCER-SOURCE-CIDR', `${entry},${formatPrefix(range)}`, origin)
  if (port.sourceRanges.some((range) => contains(range, building.setup.nodeIP)))
    addEntry(building, 'KUBE-LOAD-BALANCER-SOURCE-IP', `${entry},${formatIp(ip)}`, origin)
  else building.barredFromNode.push({ server: { protocol: port.protocol, address: ip, port: port.port }, origin })
}

function addNodePort(building: Building, seen: Seen): void {
  const { port, origin } = seen
  const texts =
    port.protocol === 'SCTP' ? building.nodePortIPs.map((ip) => at(seen, ip, port.nodePort)) : [String(port.nodePort)]
  for (const text of texts) {
    addEntry(building, NODE_PORT_SETS[port.protocol].all, text, origin)
    if (port.externalPolicyLocal) addEntry(building, NODE_PORT_SETS[port.protocol].local, text, origin)
  }
  for (const ip of building.nodePortIPs)
    addServer(building, seen, { ip, port: port.nodePort, localOnly: port.externalPolicyLocal, bind: false })
}

const NODE_PORT_SETS = {
  TCP: { all: 'KUBE-NODE-PORT-TCP', local: 'KUBE-NODE-PORT-LOCAL-TCP' },
  UDP: { all: 'KUBE-NODE-PORT-UDP', local: 'KUBE-NODE-PORT-LOCAL-UDP' },
  SCTP: { all: 'KUBE-NODE-PORT-SCTP-HASH', local: 'KUBE-NODE-PORT-LOCAL-SCTP-HASH' },
} as const
