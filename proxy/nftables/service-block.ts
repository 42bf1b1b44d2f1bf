import type {
  NftBlock,
  NftChainLines,
  NftElement,
  NftElementLine,
  NftOwn,
  NftRuleLine,
  NftSetLine,
} from '../../linux/netfilter/nftables/object.ts'
import type { Origin } from '../../linux/origin.ts'
import { formatIp, type Ip } from '../../packet/ip.ts'
import { contains, formatPrefix } from '../../packet/prefix.ts'
import type { Endpoint } from '../endpoint.ts'
import type { EndpointChoice } from '../endpoint-choice.ts'
import { endpointOrigin, servicePortOrigin } from '../origin.ts'
import { isExternallyAccessible, type ServicePort } from '../service-port.ts'
import {
  CLUSTER_IPS,
  type EndpointNames,
  endpointNames,
  FIREWALL_IPS,
  HAIRPIN_CONNECTIONS,
  MARK_FOR_MASQUERADE,
  NO_ENDPOINT_NODEPORTS,
  NO_ENDPOINT_SERVICES,
  REJECT_CHAIN,
  SERVICE_IPS,
  SERVICE_NODEPORTS,
  type ServiceChainNames,
  serviceChainNames,
} from './names.ts'
import type { SyncSetup } from './sync-setup.ts'

/** What one service port has in the table, as the nodes that share it have it. */
export interface ServiceBlock extends NftBlock {
  readonly port: ServicePort
  readonly origin: Origin
}

/** Where traffic to the service port goes, and what the rules are written from. */
interface Service {
  readonly setup: SyncSetup
  readonly port: ServicePort
  readonly choice: EndpointChoice
  readonly names: ServiceChainNames
  /** `tcp`. */
  readonly protocol: string
  readonly origin: Origin
  /** Endpoints on this node. */
  readonly isLocal: (endpoint: Endpoint) => boolean
  /** Chains that are there. */
  readonly has: Readonly<Record<keyof ServiceChainNames, boolean>>
  /** There are endpoints for traffic to the ClusterIP, and for traffic from outside. */
  readonly internal: boolean
  readonly external: boolean
  /** A range of loadBalancerSourceRanges holds the node's own address. */
  readonly nodeAllowed: boolean
}

const made = new WeakMap<EndpointChoice, Map<string, ServiceBlock>>()

/** The one block for this port, choice and setup; two nodes that agree on these get the same object. */
export function serviceBlock(
  port: ServicePort,
  choice: EndpointChoice,
  given: { readonly setup: SyncSetup; readonly node: string },
): ServiceBlock {
  const { setup, node } = given
  const isLocal = (endpoint: Endpoint) => endpoint.node !== '' && endpoint.node === node
  const nodeAllowed = port.sourceRanges.some((range) => contains(range, setup.nodeIP))
  const here = setup.features.nftMarksInPlace && choice.reachable.some(isLocal) ? node : ''
  const { mark, masqueradeAll, local, features } = setup
  const key = JSON.stringify([mark, masqueradeAll, local?.is, features, nodeAllowed, here])
  const variants = made.get(choice) ?? new Map<string, ServiceBlock>()
  made.set(choice, variants)
  const known = variants.get(key)
  if (known !== undefined) return known
  const block = makeBlock({ setup, port, choice, isLocal, nodeAllowed, ...traffic(port, choice) })
  variants.set(key, block)
  return block
}

function traffic(port: ServicePort, choice: EndpointChoice) {
  return {
    names: serviceChainNames(port),
    protocol: port.protocol.toLowerCase(),
    origin: servicePortOrigin(port),
    has: {
      cluster: choice.cluster.length > 0,
      local: choice.local.length > 0,
      external: choice.any && isExternallyAccessible(port),
      firewall: port.loadBalancerVIPs.length > 0 && port.sourceRanges.length > 0,
    },
    internal: port.internalPolicyLocal ? choice.local.length > 0 : choice.any,
    external: port.externalPolicyLocal ? choice.local.length > 0 : choice.any,
  }
}

function makeBlock(service: Service): ServiceBlock {
  const { names, has, port, origin } = service
  return {
    port,
    origin,
    elements: elementsOf(service),
    entries: (['cluster', 'local', 'external', 'firewall'] as const).flatMap((kind) =>
      has[kind] ? [names[kind]] : [],
    ),
    own: () => ownOf(service),
  }
}

/** What leads to the service port, in the order in which kube-proxy writes it. */
function elementsOf(service: Service): readonly NftElementLine[] {
  const { port, protocol, names, has, choice } = service
  const element = (given: NftElement): NftElementLine => ({ ...given, origin: service.origin })
  const at = (set: string, key: string, value: string, comment?: string): NftElementLine =>
    element({ of: 'map', set, key, value, ...(comment === undefined ? {} : { comment }) })
  const said = service.setup.features.nftFirewallComments ? port.name : undefined
  const refused = choice.any ? 'drop' : `goto ${REJECT_CHAIN}`
  const toPort = (ip: Ip): string => `${formatIp(ip)} . ${protocol} . ${port.port}`
  const toExternal = `goto ${names.external}`
  const fromOutside = (ip: Ip): readonly NftElementLine[] => [
    ...(choice.any ? [at(SERVICE_IPS, toPort(ip), toExternal)] : []),
    ...(service.external ? [] : [at(NO_ENDPOINT_SERVICES, toPort(ip), refused, port.name)]),
  ]
  const nodePort = `${protocol} . ${port.nodePort}`
  return [
    ...hairpinElements(service),
    element({ of: 'set', set: CLUSTER_IPS, key: formatIp(port.clusterIP) }),
    service.internal
      ? at(SERVICE_IPS, toPort(port.clusterIP), `goto ${port.internalPolicyLocal ? names.local : names.cluster}`)
      : at(NO_ENDPOINT_SERVICES, toPort(port.clusterIP), refused, port.name),
    ...port.externalIPs.flatMap(fromOutside),
    ...port.loadBalancerVIPs.flatMap(fromOutside),
    ...(has.firewall
      ? port.loadBalancerVIPs.map((ip) => at(FIREWALL_IPS, toPort(ip), `goto ${names.firewall}`, said))
      : []),
    ...(port.nodePort !== 0 && choice.any ? [at(SERVICE_NODEPORTS, nodePort, toExternal)] : []),
    ...(port.nodePort !== 0 && !service.external ? [at(NO_ENDPOINT_NODEPORTS, nodePort, refused, port.name)] : []),
  ]
}

/** Since 1.36: a pod's connections to itself are known by a set. */
function hairpinElements(service: Service): readonly NftElementLine[] {
  const { setup, choice, isLocal, protocol } = service
  if (!setup.features.nftMarksInPlace) return []
  return choice.reachable.filter(isLocal).map((endpoint) => {
    const ip = formatIp(endpoint.ip)
    const key = `${ip} . ${ip} . ${protocol} . ${endpoint.port}`
    return { of: 'set', set: HAIRPIN_CONNECTIONS, key, origin: endpointOrigin(service.port, endpoint) }
  })
}

function ownOf(service: Service): NftOwn {
  const { choice, names, has, port } = service
  const reached = choice.reachable.map((endpoint) => ({ endpoint, ...endpointNames(port, endpoint) }))
  const byEndpoint = new Map(reached.map((one) => [one.endpoint, one]))
  const named = (endpoints: readonly Endpoint[]) => endpoints.flatMap((endpoint) => byEndpoint.get(endpoint) ?? [])
  const chain = (kind: keyof ServiceChainNames, rules: readonly NftRuleLine[]): readonly NftChainLines[] =>
    has[kind] ? [{ name: names[kind], rules }] : []
  const internal = port.internalPolicyLocal ? 'local' : 'cluster'
  const policy = (kind: 'cluster' | 'local') => [
    ...(kind === internal ? internalMasquerade(service) : []),
    ...balancing(service, named(choice[kind])),
  ]
  return {
    sets: port.affinity === undefined ? [] : reached.map((to) => affinitySet(service, to)),
    chains: [
      ...(hasEndpointChains(service)
        ? reached.map((to) => ({ name: to.chain, rules: endpointRules(service, to) }))
        : []),
      ...chain('cluster', policy('cluster')),
      ...chain('local', policy('local')),
      ...chain('external', externalRules(service)),
      ...chain('firewall', firewallRules(service)),
    ],
  }
}

/** Since 1.36 the choice of an endpoint translates by itself, unless clients are to be remembered. */
const hasEndpointChains = ({ setup, port }: Service): boolean =>
  !setup.features.nftMarksInPlace || port.affinity !== undefined

/** An endpoint with the names of its chain and set. */
interface NamedEndpoint extends EndpointNames {
  readonly endpoint: Endpoint
}

function affinitySet(service: Service, { endpoint, affinity }: NamedEndpoint): NftSetLine {
  return {
    kind: 'set',
    name: affinity,
    type: service.setup.address,
    flags: ['dynamic', 'timeout'],
    timeout: service.port.affinity ?? 0,
    origin: endpointOrigin(service.port, endpoint),
  }
}

const markRule = ({ setup }: Service): string =>
  setup.features.nftMarksInPlace ? `mark set mark or ${setup.mark}` : `jump ${MARK_FOR_MASQUERADE}`

/** Until 1.35. Off-cluster clients may route the service range to any node; the answer must come back through it. */
function internalMasquerade(service: Service): readonly NftRuleLine[] {
  const { setup, port, protocol, origin } = service
  const { ip, local, features, masqueradeAll } = setup
  if (features.nftMarksInPlace || (!masqueradeAll && local === undefined)) return []
  const toPort = features.nftClusterIPRuleNamesPort ? ` ${protocol} dport ${port.port}` : ''
  const from = masqueradeAll ? '' : ` ${local?.not ?? ''}`
  const rule = `${ip} daddr ${formatIp(port.clusterIP)}${toPort}${from} ${markRule(service)}`
  return [{ rule, origin }]
}

function externalRules(service: Service): readonly NftRuleLine[] {
  const { port, names, external, origin } = service
  const last = port.externalPolicyLocal ? names.local : names.cluster
  const rules = port.externalPolicyLocal ? localPolicyRules(service) : [clusterPolicyRule(service)]
  return [...rules, ...(external ? [`goto ${last}`] : [])].map((rule) => ({ rule, origin }))
}

/** Another node's endpoint may be chosen, and its answer must come back through this one. */
const clusterPolicyRule = (service: Service): string =>
  service.setup.features.nftMarksInPlace ? `${markRule(service)} comment "masquerade"` : markRule(service)

/** Pods and the node itself are sent to any endpoint, as if their traffic had gone out to the load balancer and back. */
function localPolicyRules(service: Service): readonly string[] {
  const { local } = service.setup
  const { cluster } = service.names
  return [
    ...(local === undefined ? [] : [`${local.is} goto ${cluster} comment "short-circuit pod traffic"`]),
    `fib saddr type local ${markRule(service)} comment "masquerade local traffic"`,
    `fib saddr type local goto ${cluster} comment "short-circuit local traffic"`,
  ]
}

function firewallRules(service: Service): readonly NftRuleLine[] {
  const { port, setup, nodeAllowed, origin } = service
  // A node that answers for the VIP itself sends to it from the VIP.
  const self = nodeAllowed ? port.loadBalancerVIPs.map(formatIp) : []
  const sources = [...port.sourceRanges.map(formatPrefix), ...self]
  return [{ rule: `${setup.ip} saddr != { ${sources.join(' , ')} } drop`, origin }]
}

/** Clients that were here before go where they went; the others are spread evenly. */
function balancing(service: Service, endpoints: readonly NamedEndpoint[]): readonly NftRuleLine[] {
  const { setup, port, protocol, origin } = service
  const random = `numgen random mod ${endpoints.length}`
  if (!hasEndpointChains(service)) {
    const to = endpoints.map(({ endpoint }, i) => `${i} : ${formatIp(endpoint.ip)} . ${endpoint.port}`)
    const rule = `meta l4proto ${protocol} dnat ${setup.ip} addr . port to ${random} map { ${to.join(' , ')} }`
    return [{ rule, origin }]
  }
  const known = port.affinity === undefined ? [] : endpoints
  const to = endpoints.map(({ chain }, i) => `${i} : goto ${chain}`)
  return [
    ...known.map(({ endpoint, affinity, chain }) => ({
      rule: `${setup.ip} saddr @${affinity} goto ${chain}`,
      origin: endpointOrigin(service.port, endpoint),
    })),
    { rule: `${random} vmap { ${to.join(' , ')} }`, origin },
  ]
}

function endpointRules(service: Service, { endpoint, affinity }: NamedEndpoint): readonly NftRuleLine[] {
  const { setup, port, protocol } = service
  const origin = endpointOrigin(service.port, endpoint)
  const rule = (text: string): NftRuleLine => ({ rule: text, origin })
  return [
    // A pod that reaches itself must see another source than itself.
    ...(setup.features.nftMarksInPlace
      ? []
      : [rule(`${setup.ip} saddr ${formatIp(endpoint.ip)} ${markRule(service)}`)]),
    ...(port.affinity === undefined ? [] : [rule(`update @${affinity} { ${setup.ip} saddr }`)]),
    rule(`meta l4proto ${protocol} dnat to ${endpoint.text}`),
  ]
}
