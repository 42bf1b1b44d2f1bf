import { type ChainName, type IptablesBlock, type OwnChain, once, type RuleLine } from '../../linux/netfilter/block.ts'
import type { Origin } from '../../linux/origin.ts'
import { formatIp } from '../../packet/ip.ts'
import { contains, formatPrefix } from '../../packet/prefix.ts'
import type { Endpoint } from '../endpoint.ts'
import type { EndpointChoice } from '../endpoint-choice.ts'
import { servicePortOrigin } from '../origin.ts'
import { isExternallyAccessible, type ServicePort, usesLocalEndpoints } from '../service-port.ts'
import type { ProxyFeatures } from '../versions.ts'
import {
  EXTERNAL_SERVICES,
  MARK_DROP,
  MARK_MASQ,
  NODEPORTS,
  PROXY_FIREWALL,
  SERVICES,
  serviceChainNames,
} from './chain-names.ts'
import {
  about,
  balancingRules,
  comment,
  type EndpointRules,
  endpointRules,
  healthCheckRules,
  line,
  type OwnRules,
  type Service,
  type ServiceFlavour,
  type Traffic,
  toAddress,
} from './service-writing.ts'
import type { SyncSetup } from './sync-setup.ts'
import { xlbDispatchRules, xlbEntries, xlbOwnRules } from './xlb-service-rules.ts'

/** The rules of one service port, as the nodes that share them have them. */
export interface ServiceRules extends IptablesBlock {
  readonly port: ServicePort
  readonly origin: Origin
  /**
   * The chains of its own in the order in which kube-proxy writes their lines, and their rules in its order. Made anew
   * by each call: who prints a whole cluster needs each of them once, and not all at the same time.
   */
  readonly own: () => OwnRules
}

const made = new WeakMap<EndpointChoice, Map<string, ServiceRules>>()

/** The one block for this port, choice and flavour; two nodes that agree on these get the same object. */
export function serviceRules(
  port: ServicePort,
  choice: EndpointChoice,
  given: { readonly flavour: ServiceFlavour; readonly nodeIP: SyncSetup['nodeIP'] },
): ServiceRules {
  const { flavour, nodeIP } = given
  const nodeAllowed = port.sourceRanges.some((range) => contains(range, nodeIP))
  const key = `${flavourKey(flavour)} ${nodeAllowed}`
  const variants = made.get(choice) ?? new Map<string, ServiceRules>()
  made.set(choice, variants)
  const known = variants.get(key)
  if (known !== undefined) return known
  const rules = makeServiceRules({ ...flavour, ...traffic(port, choice, flavour.features), nodeAllowed })
  variants.set(key, rules)
  return rules
}

/** Without the release's features: they are in what is chosen from already. */
const flavourKey = ({ masqueradeAll, local, servesNodePorts, countsLocalhost, terse }: ServiceFlavour): string =>
  `${masqueradeAll} ${local?.is ?? ''} ${servesNodePorts} ${countsLocalhost} ${terse}`

function traffic(port: ServicePort, choice: EndpointChoice, features: ProxyFeatures): Traffic {
  const names = serviceChainNames(port)
  const protocol = port.protocol.toLowerCase()
  // While drops are marked, the chain of policy Local is there without endpoints too, and says so itself.
  const hasLocal = features.marksDrops ? choice.any : choice.local.length > 0
  const policyChain = (isLocal: boolean) =>
    isLocal ? (hasLocal ? names.local : undefined) : choice.any ? names.cluster : undefined
  return {
    port,
    choice,
    names,
    protocol: `-m ${protocol} -p ${protocol}`,
    origin: servicePortOrigin(port),
    internal: policyChain(port.internalPolicyLocal),
    external: policyChain(port.externalPolicyLocal),
    hasExternalChain: choice.any && isExternallyAccessible(port),
    hasFirewallChain: choice.any && port.loadBalancerVIPs.length > 0 && port.sourceRanges.length > 0,
  }
}

function makeServiceRules(service: Service): ServiceRules {
  const { xlbChains } = service.features
  const own = () => (xlbChains ? xlbOwnRules(service) : ownRules(service))
  return {
    port: service.port,
    origin: service.origin,
    dispatch: xlbChains ? xlbDispatchRules(service) : dispatchRules(service),
    entries: xlbChains ? xlbEntries(service) : entryChains(service),
    chains: once(() => groupByChain(own())),
    own,
  }
}

function entryChains(service: Service): readonly ChainName[] {
  const { names } = service
  return [
    ...(service.hasExternalChain ? [names.external] : []),
    ...(service.hasFirewallChain ? [names.firewall] : []),
    ...(service.internal === undefined ? [] : [service.internal]),
  ].map((chain) => ({ table: 'nat', chain }))
}

function groupByChain(own: OwnRules): readonly OwnChain[] {
  const rules = new Map<string, RuleLine[]>(own.chains.map((chain) => [chain, []]))
  for (const rule of own.rules) rules.get(rule.chain)?.push(rule)
  return [...rules].map(([chain, ofChain]) => ({ table: 'nat', chain, rules: ofChain }))
}

/** The rules in chains that all services write to (written in every sync). */
function dispatchRules(service: Service): readonly RuleLine[] {
  return [
    ...clusterIPRules(service),
    ...externalIPRules(service),
    ...loadBalancerRules(service),
    ...nodePortRules(service),
    ...healthCheckRules(service),
  ]
}

function clusterIPRules(service: Service): readonly RuleLine[] {
  const match = toAddress(service, formatIp(service.port.clusterIP))
  return service.internal === undefined
    ? [line(service, ['filter', SERVICES], `${refusal(service).comment} ${match} -j ${refusal(service).target}`)]
    : [line(service, ['nat', SERVICES], `${about(service, 'cluster IP')} ${match} -j ${service.internal}`)]
}

/** Nobody anywhere: the client is told at once. Somebody, but not here: policy Local drops in silence. */
function refusal(service: Service): { readonly comment: string; readonly target: string } {
  return service.choice.any
    ? { comment: about(service, 'has no local endpoints'), target: 'DROP' }
    : { comment: about(service, 'has no endpoints'), target: 'REJECT' }
}

/** Refuses external traffic that the KUBE-EXT chain did not send on; nothing where there are endpoints for it. */
function externalRefusal(service: Service, match: string): readonly RuleLine[] {
  if (service.external !== undefined) return []
  const { comment, target } = refusal(service)
  return [line(service, ['filter', EXTERNAL_SERVICES], `${comment} ${match} -j ${target}`)]
}

function externalIPRules(service: Service): readonly RuleLine[] {
  return service.port.externalIPs.flatMap((ip) => {
    const match = toAddress(service, formatIp(ip))
    const capture = `${about(service, 'external IP')} ${match} -j ${service.names.external}`
    return [
      ...(service.choice.any ? [line(service, ['nat', SERVICES], capture)] : []),
      ...externalRefusal(service, match),
    ]
  })
}

function loadBalancerRules(service: Service): readonly RuleLine[] {
  const { names, choice } = service
  const target = service.hasFirewallChain ? names.firewall : names.external
  const matches = service.port.loadBalancerVIPs.map((ip) => toAddress(service, formatIp(ip)))
  const captured = matches.flatMap((match) => [
    ...(choice.any
      ? [line(service, ['nat', SERVICES], `${about(service, 'loadbalancer IP')} ${match} -j ${target}`)]
      : []),
    ...(service.hasFirewallChain && !service.features.marksDrops
      ? [
          line(
            service,
            ['filter', PROXY_FIREWALL],
            `${about(service, `traffic not accepted by ${names.firewall}`)} ${match} -j DROP`,
          ),
        ]
      : []),
  ])
  return [...captured, ...matches.flatMap((match) => externalRefusal(service, match))]
}

const LOCALHOST_COUNTER = '-m nfacct --nfacct-name localhost_nps_accepted_pkts'

/** loadBalancerSourceRanges do not hold here: a nodePort leads straight to KUBE-EXT. */
function nodePortRules(service: Service): readonly RuleLine[] {
  const { port, protocol, names } = service
  if (port.nodePort === 0 || !service.servesNodePorts) return []
  const dport = `--dport ${port.nodePort}`
  const named = `${comment(port.name)} ${protocol}`
  const counted = `${named} -d 127.0.0.0/8 ${dport} ${LOCALHOST_COUNTER} -j ${names.external}`
  return [
    ...(service.choice.any && service.countsLocalhost ? [line(service, ['nat', NODEPORTS], counted)] : []),
    ...(service.choice.any ? [line(service, ['nat', NODEPORTS], `${named} ${dport} -j ${names.external}`)] : []),
    ...externalRefusal(service, `-m addrtype --dst-type LOCAL ${protocol} ${dport}`),
  ]
}

/** Chains and rules that only this service has (left out of a partial sync where nothing of it changed). */
function ownRules(service: Service): OwnRules {
  const { choice, names } = service
  const reached = choice.reachable.map((endpoint) => endpointRules(service, endpoint))
  const balance = (chain: string, endpoints: readonly Endpoint[]) =>
    balancingRules(service, chain, rulesFor(reached, endpoints, choice))
  return {
    chains: [
      ...(service.hasExternalChain ? [names.external] : []),
      ...(service.hasFirewallChain ? [names.firewall] : []),
      ...(choice.cluster.length > 0 ? [names.cluster] : []),
      ...(choice.local.length > 0 || marksLocalDrops(service) ? [names.local] : []),
      ...reached.map((endpoint) => endpoint.chain),
    ],
    rules: [
      ...internalMasqueradeRules(service),
      ...(service.hasExternalChain ? externalRules(service) : []),
      ...(service.hasFirewallChain ? firewallRules(service) : []),
      ...balance(names.cluster, choice.cluster),
      ...balance(names.local, choice.local),
      ...(marksLocalDrops(service)
        ? [line(service, ['nat', names.local], `${about(service, 'has no local endpoints')} -j ${MARK_DROP}`)]
        : []),
      ...reached.flatMap((endpoint) => endpoint.rules),
    ],
  }
}

const marksLocalDrops = ({ features, choice, port }: Service): boolean =>
  features.marksDrops && choice.any && choice.local.length === 0 && usesLocalEndpoints(port)

/** The rules of some of the reachable endpoints, in the same order. */
function rulesFor(
  reached: readonly EndpointRules[],
  endpoints: readonly Endpoint[],
  choice: EndpointChoice,
): readonly EndpointRules[] {
  if (endpoints === choice.reachable) return reached
  const wanted = new Set(endpoints)
  return reached.filter(({ endpoint }) => wanted.has(endpoint))
}

/** Off-cluster clients may route the service range to any node; the answer must come back through it. */
function internalMasqueradeRules(service: Service): readonly RuleLine[] {
  const { internal, local, masqueradeAll } = service
  if (internal === undefined || (!masqueradeAll && local === undefined)) return []
  const match = `${about(service, 'cluster IP')} ${toAddress(service, formatIp(service.port.clusterIP))}`
  const from = masqueradeAll ? '' : ` ${local?.not ?? ''}`
  return [line(service, ['nat', internal], `${match}${from} -j ${MARK_MASQ}`)]
}

function externalRules(service: Service): readonly RuleLine[] {
  const at = ['nat', service.names.external] as const
  return [
    ...(service.port.externalPolicyLocal ? localPolicyRules(service) : [line(service, at, clusterPolicyArgs(service))]),
    ...(service.external === undefined ? [] : [line(service, at, `-j ${service.external}`)]),
  ]
}

/** Another node's endpoint may be chosen, and its answer must come back through this one. */
const clusterPolicyArgs = (service: Service): string =>
  `${comment(`masquerade traffic for ${service.port.name} external destinations`)} -j ${MARK_MASQ}`

/** Pods and the node itself are sent to any endpoint, as if their traffic had gone out to the load balancer and back. */
function localPolicyRules(service: Service): readonly RuleLine[] {
  const at = ['nat', service.names.external] as const
  const destinations = `for ${service.port.name} external destinations`
  const fromHost = '-m addrtype --src-type LOCAL'
  const all = service.names.cluster
  return [
    ...(service.local === undefined
      ? []
      : [line(service, at, `${comment(`pod traffic ${destinations}`)} ${service.local.is} -j ${all}`)]),
    line(service, at, `${comment(`masquerade LOCAL traffic ${destinations}`)} ${fromHost} -j ${MARK_MASQ}`),
    line(service, at, `${comment(`route LOCAL traffic ${destinations}`)} ${fromHost} -j ${all}`),
  ]
}

/** Traffic that passes the end of this chain was not translated, and meets its rule in KUBE-PROXY-FIREWALL. */
function firewallRules(service: Service): readonly RuleLine[] {
  const { port, names, features } = service
  const at = ['nat', names.firewall] as const
  // A node that answers for the VIP itself sends to it from the VIP.
  const self = service.nodeAllowed ? port.loadBalancerVIPs.map(formatIp) : []
  const ranges = port.sourceRanges.map(formatPrefix)
  const allow = (source: string) =>
    line(service, at, `${about(service, 'loadbalancer IP')} -s ${source} -j ${names.external}`)
  if (features.marksDrops)
    return port.loadBalancerVIPs.flatMap((ip) => [
      ...[...ranges, ...(service.nodeAllowed ? [formatIp(ip)] : [])].map(allow),
      line(service, at, `${about(service, 'loadbalancer IP')} -j ${MARK_DROP}`),
    ])
  const words = `other traffic to ${port.name} will be dropped by KUBE-PROXY-FIREWALL`
  return [
    ...[...ranges, ...self].map(allow),
    ...(features.firewallChainEndsInWords ? [line(service, at, comment(words))] : []),
  ]
}
