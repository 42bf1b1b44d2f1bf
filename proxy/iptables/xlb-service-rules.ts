import type { ChainName, RuleLine } from '../../linux/netfilter/block.ts'
import { formatIp } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import type { Endpoint } from '../endpoint.ts'
import { EXTERNAL_SERVICES, MARK_DROP, MARK_MASQ, NODEPORTS, SERVICES } from './chain-names.ts'
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
  shareOf,
  toAddress,
} from './service-writing.ts'

/**
 * The rules of one service port as kube-proxy 1.20 to 1.23 wrote them (v1.20.15 to v1.23.17
 * pkg/proxy/iptables/proxier.go): KUBE-SVC for all endpoints, KUBE-XLB for the local ones, KUBE-FW for every load
 * balancer.
 */

const isOnlyLocal = ({ port }: Service): boolean => port.externalPolicyLocal

/** internalTrafficPolicy Local left the local endpoints alone, whichever way the traffic came. */
const endpointsOf = (service: Service): readonly Endpoint[] =>
  service.port.internalPolicyLocal && !isOnlyLocal(service) ? service.choice.local : service.choice.cluster

const hasEndpoints = (service: Service): boolean => endpointsOf(service).length > 0

const hasFirewall = (service: Service): boolean => hasEndpoints(service) && service.port.loadBalancerVIPs.length > 0

/** Where external traffic goes: to local endpoints, or all. */
const externalChain = (service: Service): string =>
  isOnlyLocal(service) ? service.names.balancer : service.names.cluster

export function xlbEntries(service: Service): readonly ChainName[] {
  const { names } = service
  return [
    ...(hasEndpoints(service) ? [names.cluster] : []),
    ...(isOnlyLocal(service) ? [names.balancer] : []),
    ...(hasFirewall(service) ? [names.firewall] : []),
  ].map((chain) => ({ table: 'nat', chain }))
}

export function xlbDispatchRules(service: Service): readonly RuleLine[] {
  return [
    ...clusterIPRules(service),
    ...externalIPRules(service),
    ...loadBalancerRules(service),
    ...nodePortRules(service),
    ...healthCheckRules(service),
  ]
}

function refusal(service: Service, match: string, chain = EXTERNAL_SERVICES): RuleLine {
  return line(service, ['filter', chain], `${about(service, 'has no endpoints')} ${match} -j REJECT`)
}

/** A rule that marks what is to be masqueraded: in the Service's own chain, or, of old, before the jump there. */
interface Marking {
  readonly args: string
  readonly before: string
}

const markingsBefore = (service: Service, markings: readonly Marking[]): readonly RuleLine[] =>
  service.features.marksInServiceChain
    ? []
    : markings.map(({ args, before }) => line(service, ['nat', before], `${args} -j ${MARK_MASQ}`))

function clusterIPMatch(service: Service): string {
  return `${about(service, 'cluster IP')} ${toAddress(service, formatIp(service.port.clusterIP))}`
}

function clusterIPMarkings(service: Service): readonly Marking[] {
  const match = clusterIPMatch(service)
  if (service.masqueradeAll) return [{ args: match, before: SERVICES }]
  return service.local === undefined ? [] : [{ args: `${match} ${service.local.not}`, before: SERVICES }]
}

function clusterIPRules(service: Service): readonly RuleLine[] {
  if (!hasEndpoints(service)) return [refusal(service, toAddress(service, formatIp(service.port.clusterIP)), SERVICES)]
  return [
    ...markingsBefore(service, clusterIPMarkings(service)),
    line(service, ['nat', SERVICES], `${clusterIPMatch(service)} -j ${service.names.cluster}`),
  ]
}

const FROM_OUTSIDE = '-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL'

function externalIPMarking(service: Service, match: string): readonly Marking[] {
  if (isOnlyLocal(service)) return []
  const { local, features } = service
  const from = local === undefined || features.externalIPsByWayIn ? '' : ` ${local.not}`
  return [{ args: `${match}${from}`, before: SERVICES }]
}

const externalIPMatches = (service: Service): readonly string[] =>
  service.port.externalIPs.map((ip) => `${about(service, 'external IP')} ${toAddress(service, formatIp(ip))}`)

function externalIPRules(service: Service): readonly RuleLine[] {
  if (!hasEndpoints(service))
    return service.port.externalIPs.map((ip) => refusal(service, toAddress(service, formatIp(ip))))
  const ways = service.features.externalIPsByWayIn ? [` ${FROM_OUTSIDE}`, ' -m addrtype --dst-type LOCAL'] : ['']
  return externalIPMatches(service).flatMap((match) => [
    ...markingsBefore(service, externalIPMarking(service, match)),
    ...ways.map((way) => line(service, ['nat', SERVICES], `${match}${way} -j ${externalChain(service)}`)),
  ])
}

function loadBalancerRules(service: Service): readonly RuleLine[] {
  return service.port.loadBalancerVIPs.map((ip) => {
    const match = toAddress(service, formatIp(ip))
    if (!hasEndpoints(service)) return refusal(service, match)
    return line(
      service,
      ['nat', SERVICES],
      `${about(service, 'loadbalancer IP')} ${match} -j ${service.names.firewall}`,
    )
  })
}

const nodePortMatch = ({ port, protocol }: Service): string =>
  `${comment(port.name)} ${protocol} --dport ${port.nodePort}`

function nodePortMarkings(service: Service): readonly Marking[] {
  if (service.port.nodePort === 0 || !service.servesNodePorts || isOnlyLocal(service)) return []
  return [{ args: nodePortMatch(service), before: NODEPORTS }]
}

function nodePortRules(service: Service): readonly RuleLine[] {
  const { port, protocol } = service
  if (port.nodePort === 0 || !service.servesNodePorts) return []
  if (!hasEndpoints(service))
    return [refusal(service, `-m addrtype --dst-type LOCAL ${protocol} --dport ${port.nodePort}`)]
  const match = nodePortMatch(service)
  const loopback = port.family === 4 ? '127.0.0.0/8' : '::1/128'
  const at = ['nat', NODEPORTS] as const
  return [
    ...markingsBefore(service, nodePortMarkings(service)),
    // Without it the answer would go to a loopback address on another machine.
    ...(isOnlyLocal(service) ? [line(service, at, `${match} -s ${loopback} -j ${MARK_MASQ}`)] : []),
    line(service, at, `${match} -j ${externalChain(service)}`),
  ]
}

export function xlbOwnRules(service: Service): OwnRules {
  const { names, features, choice } = service
  const all = endpointsOf(service)
  const local = isOnlyLocal(service) ? choice.local : []
  const reached = choice.reachable
    .filter((endpoint) => all.includes(endpoint) || local.includes(endpoint))
    .map((endpoint) => endpointRules(service, endpoint))
  const of = (endpoints: readonly Endpoint[]) => reached.filter(({ endpoint }) => endpoints.includes(endpoint))
  const markings = features.marksInServiceChain && all.length > 0 ? ownMarkings(service) : []
  return {
    chains: [...reached.map(({ chain }) => chain), ...xlbEntries(service).map(({ chain }) => chain)],
    rules: [
      ...reached.flatMap(({ rules }) => rules),
      ...markings.map(({ args }) => line(service, ['nat', names.cluster], `${args} -j ${MARK_MASQ}`)),
      ...(hasFirewall(service) ? firewallRules(service) : []),
      ...(all.length > 0 ? balancingRules(service, names.cluster, of(all)) : []),
      ...(isOnlyLocal(service) && all.length > 0 ? localRules(service, of(local)) : []),
    ],
  }
}

const ownMarkings = (service: Service): readonly Marking[] => [
  ...clusterIPMarkings(service),
  ...externalIPMatches(service).flatMap((match) => externalIPMarking(service, match)),
  ...nodePortMarkings(service),
]

/** Once for every address of the load balancer. */
function firewallRules(service: Service): readonly RuleLine[] {
  const { port, names, nodeAllowed } = service
  const named = about(service, 'loadbalancer IP')
  const rule = (args: string) => line(service, ['nat', names.firewall], `${named} ${args}`)
  const to = `-j ${externalChain(service)}`
  return port.loadBalancerVIPs.flatMap((ip) => {
    const sources = [...port.sourceRanges.map(formatPrefix), ...(nodeAllowed ? [formatIp(ip)] : [])]
    return [
      ...(isOnlyLocal(service) ? [] : [rule(`-j ${MARK_MASQ}`)]),
      ...(port.sourceRanges.length === 0 ? [rule(to)] : sources.map((source) => rule(`-s ${source} ${to}`))),
      rule(`-j ${MARK_DROP}`),
    ]
  })
}

/** Pods and the node are sent to any endpoint; others to one that is here, or nowhere. */
function localRules(service: Service, local: readonly EndpointRules[]): readonly RuleLine[] {
  const { names, port } = service
  const at = ['nat', names.balancer] as const
  const fromHost = '-m addrtype --src-type LOCAL'
  const redirect = comment('Redirect pods trying to reach external loadbalancer VIP to clusterIP')
  return [
    ...(service.local === undefined ? [] : [line(service, at, `${redirect} ${service.local.is} -j ${names.cluster}`)]),
    line(service, at, `${comment(`masquerade LOCAL traffic for ${port.name} LB IP`)} ${fromHost} -j ${MARK_MASQ}`),
    line(
      service,
      at,
      `${comment(`route LOCAL traffic for ${port.name} LB IP to service chain`)} ${fromHost} -j ${names.cluster}`,
    ),
    ...(local.length === 0
      ? [line(service, at, `${about(service, 'has no local endpoints')} -j ${MARK_DROP}`)]
      : service.features.numbersLocalRules
        ? numberedRules(service, local)
        : balancingRules(service, names.balancer, local)),
  ]
}

function numberedRules(service: Service, local: readonly EndpointRules[]): readonly RuleLine[] {
  const { port, names } = service
  const rule = (args: string, to: EndpointRules): RuleLine => ({
    ...line(service, ['nat', names.balancer], `${args}-j ${to.chain}`),
    origin: to.origin,
  })
  const sticky = port.affinity === undefined ? [] : local
  return [
    ...sticky.map((to) =>
      rule(`${comment(port.name)} -m recent --name ${to.chain} --rcheck --seconds ${port.affinity} --reap `, to),
    ),
    ...local.map((to, i) =>
      rule(`${comment(`Balancing rule ${i} for ${port.name}`)} ${shareOf(local.length - i)}`, to),
    ),
  ]
}
