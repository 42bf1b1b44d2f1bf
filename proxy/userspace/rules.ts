import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { Origin } from '../../linux/origin.ts'
import { formatIp, type Ip } from '../../packet/ip.ts'
import { hostPort } from '../endpoint.ts'
import type { ServicePort } from '../service-port.ts'

/** The rules of kube-proxy's userspace mode (pkg/proxy/userspace/proxier.go, until 1.25): all lead to kube-proxy itself. */

export const CONTAINER_PORTALS = 'KUBE-PORTALS-CONTAINER'
export const HOST_PORTALS = 'KUBE-PORTALS-HOST'
export const CONTAINER_NODE_PORTS = 'KUBE-NODEPORT-CONTAINER'
export const HOST_NODE_PORTS = 'KUBE-NODEPORT-HOST'
export const NON_LOCAL_NODE_PORTS = 'KUBE-NODEPORT-NON-LOCAL'

const PORTALS = '-m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules"'
const NODE_PORTS =
  '-m addrtype --dst-type LOCAL -m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain"'
const NON_LOCAL = '-m comment --comment "Ensure that non-local NodePort traffic can flow"'

/** iptablesInit, in its order: portals go to the top of a built-in chain, node ports to its end. */
export const JUMPS = [
  { table: 'nat', from: 'PREROUTING', to: CONTAINER_PORTALS, where: 'rule.insert', match: PORTALS },
  { table: 'nat', from: 'OUTPUT', to: HOST_PORTALS, where: 'rule.insert', match: PORTALS },
  { table: 'nat', from: 'PREROUTING', to: CONTAINER_NODE_PORTS, where: 'rule.append', match: NODE_PORTS },
  { table: 'nat', from: 'OUTPUT', to: HOST_NODE_PORTS, where: 'rule.append', match: NODE_PORTS },
  { table: 'filter', from: 'INPUT', to: NON_LOCAL_NODE_PORTS, where: 'rule.insert', match: NON_LOCAL },
] as const

/** Where kube-proxy listens for one service port, and how the machine is reached. */
export interface Portal {
  readonly port: ServicePort
  readonly proxyPort: number
  /** The address that it is bound to; undefined: all, and then packets from outside are redirected. */
  readonly boundTo: Ip | undefined
  /** The machine's own address: what its own packets are sent to, for they cannot be redirected. */
  readonly hostIP: Ip
  readonly origin: Origin
}

/** openPortal. loadBalancerSourceRanges and traffic policies are not known to this mode. */
export function portalRules(portal: Portal): readonly RuleLine[] {
  const { port } = portal
  return [
    ...addressRules(portal, port.clusterIP, 'own'),
    ...port.externalIPs.flatMap((ip) => addressRules(portal, ip, 'external')),
    ...port.loadBalancerVIPs.flatMap((ip) => addressRules(portal, ip, 'own')),
    ...(port.nodePort === 0 ? [] : nodePortRules(portal)),
  ]
}

/** An external address is taken from outside; from here only where it is the machine's own. */
function addressRules(portal: Portal, ip: Ip, kind: 'own' | 'external'): readonly RuleLine[] {
  const match = common(portal, portal.port.port, ip)
  const container = (more: string) => line(portal, CONTAINER_PORTALS, `${match}${more} ${toProxy(portal)}`)
  const host = (more: string) => line(portal, HOST_PORTALS, `${match}${more} ${toHost(portal)}`)
  const local = ' -m addrtype --dst-type LOCAL'
  return kind === 'own'
    ? [container(''), host('')]
    : [container(' -m physdev ! --physdev-is-in'), container(local), host(local)]
}

function nodePortRules(portal: Portal): readonly RuleLine[] {
  const match = common(portal, portal.port.nodePort)
  return [
    line(portal, CONTAINER_NODE_PORTS, `${match} ${toProxy(portal)}`),
    line(portal, HOST_NODE_PORTS, `${match} ${toHost(portal)}`),
    {
      table: 'filter',
      chain: NON_LOCAL_NODE_PORTS,
      args: `${common(portal, portal.proxyPort)} -m state --state NEW -j ACCEPT`,
      origin: portal.origin,
    },
  ]
}

const line = ({ origin }: Portal, chain: string, args: string): RuleLine => ({ table: 'nat', chain, args, origin })

/** iptablesCommonPortalArgs. */
function common({ port }: Portal, number: number, ip?: Ip): string {
  const protocol = port.protocol.toLowerCase()
  const destination = ip === undefined ? '' : ` -d ${formatIp(ip)}`
  return `-m comment --comment ${port.name} -p ${protocol} -m ${protocol} --dport ${number}${destination}`
}

const toProxy = (portal: Portal): string =>
  portal.boundTo === undefined ? `-j REDIRECT --to-ports ${portal.proxyPort}` : toHost(portal)

const toHost = ({ boundTo, hostIP, proxyPort }: Portal): string =>
  `-j DNAT --to-destination ${hostPort(boundTo ?? hostIP, proxyPort)}`
