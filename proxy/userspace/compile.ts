import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { type Family, type Ip, isUnspecified } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { conntrackOps } from '../conntrack-sysctls.ts'
import { nameHash } from '../name-hash.ts'
import { nodeIPs } from '../node-ips.ts'
import { proxyOrigin, servicePortOrigin } from '../origin.ts'
import type { ProxyMode } from '../proxy-mode.ts'
import { serviceMap } from '../service-map.ts'
import { emitRelayTable, RELAY_PROGRAM, type RelayService } from './relay-table.ts'
import { JUMPS, type Portal, portalRules } from './rules.ts'

/** kube-proxy in userspace mode (pkg/proxy/userspace, until 1.25): rules lead to its own ports, and it dials itself. */
export const userspaceMode: ProxyMode = { name: 'userspace', compile: compileUserspaceMode }

function compileUserspaceMode(cluster: Cluster, node: KubeNode, config: KubeProxyConfig, facts: HostFacts): Op[] {
  const { bindAddress } = config
  // One proxier, of one family: dual stack came with the other modes.
  const family = bindAddress?.family ?? 4
  const boundTo = bindAddress === undefined || isUnspecified(bindAddress) ? undefined : bindAddress
  const hostIP = boundTo ?? hostAddress(facts, family) ?? nodeIPs(node, undefined)[family]
  const portals = portalsOf(cluster, config, { family, boundTo, hostIP })
  const op = (body: OpBody, origin: Origin): Op => ({ ...body, netns: ROOT_NETNS, origin })
  const jump = proxyOrigin(config, 'leads into the chains of kube-proxy')
  return [
    ...conntrackOps(config),
    ...JUMPS.flatMap(({ table, from, to, where, match }) => [
      op({ kind: 'chain.new', family, table, chain: to }, jump),
      op({ kind: where, family, table, chain: from, args: `${match} -j ${to}` }, jump),
    ]),
    ...portals
      .flatMap(portalRules)
      .map(({ table, chain, args, origin }) => op({ kind: 'rule.append', family, table, chain, args }, origin)),
    op(
      {
        kind: 'process.start',
        name: 'kube-proxy',
        program: RELAY_PROGRAM,
        args: { services: emitRelayTable(portals.map(relayOf)) },
      },
      proxyOrigin(config, 'accepts what the rules send to its ports, and dials an endpoint itself'),
    ),
  ]
}

/** utilnet.ResolveBindAddress: the first address of the device that the default route leaves by. */
const hostAddress = ({ interfaces, defaultInterface }: HostFacts, family: Family): Ip | undefined =>
  interfaces
    .find(({ name }) => name === defaultInterface)
    ?.addresses.map(({ ip }) => ip)
    .find((ip) => ip.family === family)

function portalsOf(
  cluster: Cluster,
  config: KubeProxyConfig,
  at: { readonly family: Family; readonly boundTo: Ip | undefined; readonly hostIP: Ip },
): readonly Portal[] {
  const taken = new Set<number>()
  return serviceMap(cluster, at.family, config.version).ports.flatMap((port) => {
    // "SCTP is not supported for user space proxy".
    if (port.protocol === 'SCTP') return []
    const proxyPort = freePort(port.name, taken)
    return proxyPort === undefined ? [] : [{ port, proxyPort, ...at, origin: servicePortOrigin(port) }]
  })
}

const FIRST_EPHEMERAL = 32_768
const EPHEMERAL_PORTS = 60_999 - FIRST_EPHEMERAL + 1

/** The kernel picks any free port; here the first free one from a place that follows from the name. */
function freePort(name: string, taken: Set<number>): number | undefined {
  if (taken.size === EPHEMERAL_PORTS) return undefined
  const start = Number.parseInt(nameHash(name, 6).toLowerCase(), 36) % EPHEMERAL_PORTS
  for (let i = 0; ; i++) {
    const port = FIRST_EPHEMERAL + ((start + i) % EPHEMERAL_PORTS)
    if (taken.has(port)) continue
    taken.add(port)
    return port
  }
}

/** It reads Endpoints, whose addresses are those that are ready. */
function relayOf({ port, proxyPort, boundTo }: Portal): RelayService {
  return {
    name: port.name,
    protocol: port.protocol === 'UDP' ? 'udp' : 'tcp',
    port: proxyPort,
    boundTo,
    affinity: port.affinity ?? 0,
    endpoints: port.endpoints.filter(({ ready }) => ready).map(({ ip, port: number }) => ({ ip, port: number })),
  }
}
