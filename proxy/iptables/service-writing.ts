import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { IptablesTable } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { formatIp } from '../../packet/ip.ts'
import type { Endpoint } from '../endpoint.ts'
import type { EndpointChoice } from '../endpoint-choice.ts'
import { endpointOrigin } from '../origin.ts'
import type { ServicePort } from '../service-port.ts'
import type { ProxyFeatures } from '../versions.ts'
import { endpointChainName, MARK_MASQ, NODEPORTS, type ServiceChainNames } from './chain-names.ts'
import { probability } from './probability.ts'
import type { SyncSetup } from './sync-setup.ts'

/** What the rules of one service port are written from and with, in every layout that kube-proxy had. */

export interface OwnRules {
  readonly chains: readonly string[]
  /** All in table nat. */
  readonly rules: readonly RuleLine[]
}

/** What of a node, beside its choice of endpoints, shows in the rules of a service. */
export interface ServiceFlavour {
  readonly masqueradeAll: boolean
  readonly local: SyncSetup['local']
  readonly servesNodePorts: boolean
  /** nodePorts on 127.0.0.0/8 are counted. */
  readonly countsLocalhost: boolean
  /** Large-cluster mode: rules of endpoints have no comments. */
  readonly terse: boolean
  readonly features: ProxyFeatures
}

/** Everything that the rules of one block are written from. */
export interface Service extends ServiceFlavour, Traffic {
  /** A range of loadBalancerSourceRanges holds the node's own address. */
  readonly nodeAllowed: boolean
}

/** Where traffic to the service port goes on the nodes that made this choice. */
export interface Traffic {
  readonly port: ServicePort
  readonly choice: EndpointChoice
  readonly names: ServiceChainNames
  /** `-m tcp -p tcp`. */
  readonly protocol: string
  readonly origin: Origin
  /** Chain of ClusterIP traffic, and that of external traffic after the special cases; undefined: no endpoint for it. */
  readonly internal: string | undefined
  readonly external: string | undefined
  /** The chains KUBE-EXT and KUBE-FW are there. */
  readonly hasExternalChain: boolean
  readonly hasFirewallChain: boolean
}

export function line(service: Service, at: readonly [IptablesTable, string], args: string): RuleLine {
  return { table: at[0], chain: at[1], args, origin: service.origin }
}

export const comment = (text: string): string =>
  text.includes(' ') ? `-m comment --comment "${text}"` : `-m comment --comment ${text}`

/** `-m comment --comment "ns/name:port WHAT"`. */
export const about = (service: Service, what: string): string => comment(`${service.port.name} ${what}`)

export const toAddress = (service: Service, address: string): string =>
  `${service.protocol} -d ${address} --dport ${service.port.port}`

/** The load balancer's probe is let in whether or not an endpoint is here. */
export function healthCheckRules(service: Service): readonly RuleLine[] {
  const nodePort = service.port.healthCheckNodePort
  if (nodePort === 0 || !service.features.healthCheckRule) return []
  const match = `${about(service, 'health check node port')} -m tcp -p tcp --dport ${nodePort}`
  return [line(service, ['filter', NODEPORTS], `${match} -j ACCEPT`)]
}

/** An endpoint with its chain and the rules in it. */
export interface EndpointRules {
  readonly endpoint: Endpoint
  readonly chain: string
  readonly origin: Origin
  readonly rules: readonly RuleLine[]
}

export function endpointRules(service: Service, endpoint: Endpoint): EndpointRules {
  const { port } = service
  const chain = endpointChainName(port, endpoint.text)
  const origin = endpointOrigin(port, endpoint)
  const named = service.terse ? '' : `${comment(port.name)} `
  const remember = port.affinity === undefined ? '' : `-m recent --name ${chain} --set `
  const rule = (args: string): RuleLine => ({ table: 'nat', chain, args, origin })
  return {
    endpoint,
    chain,
    origin,
    rules: [
      // Hairpin: a pod that reaches itself must see another source than itself.
      rule(`${named}-s ${formatIp(endpoint.ip)} -j ${MARK_MASQ}`),
      rule(`${named}${remember}${service.protocol} -j DNAT --to-destination ${endpoint.text}`),
    ],
  }
}

/** Clients that were here before go where they went; the others are spread evenly. */
export function balancingRules(
  service: Service,
  chain: string,
  endpoints: readonly EndpointRules[],
): readonly RuleLine[] {
  const { port, terse, features } = service
  const what = ({ endpoint }: EndpointRules) =>
    features.xlbChains ? comment(port.name) : about(service, `-> ${endpoint.text}`)
  const named = (to: EndpointRules) => (terse ? '' : `${what(to)} `)
  const rule = (to: EndpointRules, match: string): RuleLine => ({
    table: 'nat',
    chain,
    args: `${named(to)}${match}-j ${to.chain}`,
    origin: to.origin,
  })
  const sticky = port.affinity === undefined ? [] : endpoints
  return [
    ...sticky.map((to) => rule(to, `-m recent --name ${to.chain} --rcheck --seconds ${port.affinity} --reap `)),
    ...endpoints.map((to, i) => rule(to, shareOf(endpoints.length - i))),
  ]
}

/** Each rule takes one in as many as are left; the last takes the rest. */
export const shareOf = (left: number): string =>
  left === 1 ? '' : `-m statistic --mode random --probability ${probability(left)} `
