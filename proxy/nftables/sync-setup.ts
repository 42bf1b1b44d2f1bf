import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { Origin } from '../../linux/origin.ts'
import { type Family, formatIp, type Ip, isLoopback } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import { type LocalTraffic, localTraffic } from '../local-traffic.ts'
import { masqueradeMark } from '../masquerade-mark.ts'
import { nodeIPs } from '../node-ips.ts'
import { matchingAddresses, nodePortAddresses } from '../node-port-addresses.ts'
import { proxyOrigin } from '../origin.ts'
import { type ProxyFeatures, proxyFeatures } from '../versions.ts'

/** What of configuration, node and cluster shows in the rules of one family. */
export interface SyncSetup {
  readonly family: Family
  /** The word for the family, of its table and in its rules. */
  readonly ip: 'ip' | 'ip6'
  readonly address: 'ipv4_addr' | 'ipv6_addr'
  readonly features: ProxyFeatures
  /** `0x00004000`. */
  readonly mark: string
  readonly masqueradeAll: boolean
  /** Matches traffic from a pod here, and its opposite; undefined: cannot be told. */
  readonly local: { readonly is: string; readonly not: string } | undefined
  /** `local` asks for the index of devices by a prefix of their names, which nft refuses. */
  readonly refusedDevice: boolean
  /** The addresses that serve nodePorts, as texts; `all`: every local one but loopback. */
  readonly nodePortIPs: 'all' | readonly string[]
  /** The node's address in this family; loopback where it has none. */
  readonly nodeIP: Ip
  /** The ranges that ClusterIPs are taken from; empty where kube-proxy does not look at them. */
  readonly serviceCIDRs: readonly string[]
  /** Of what belongs to no Service. */
  readonly origin: (reason: string) => Origin
}

export function syncSetup(
  cluster: Cluster,
  node: KubeNode,
  given: { readonly family: Family; readonly config: KubeProxyConfig; readonly facts: HostFacts },
): SyncSetup {
  const { config, facts, family } = given
  const ip = family === 4 ? 'ip' : 'ip6'
  const ips = nodeIPs(node, config.bindAddress)
  const features = proxyFeatures(config.version)
  const traffic = localTraffic(config, node, family)
  const addresses = nodePortAddresses(config, family, ips)
  const served = (own: Ip) => own.family === family && !isLoopback(own)
  return {
    family,
    ip,
    address: family === 4 ? 'ipv4_addr' : 'ipv6_addr',
    features,
    mark: masqueradeMark(config.masqueradeBit),
    masqueradeAll: config.masqueradeAll,
    local: traffic && localMatch(traffic, ip, features),
    refusedDevice: features.nftMatchesInterfaceIndex && traffic?.kind === 'interfacePrefix',
    nodePortIPs:
      addresses.kind === 'all' ? 'all' : matchingAddresses(addresses.cidrs, facts).filter(served).map(formatIp),
    nodeIP: ips[family],
    serviceCIDRs:
      features.readsServiceCIDRs || config.featureGates.MultiCIDRServiceAllocator === true
        ? serviceCIDRsOf(cluster, family)
        : [],
    origin: (reason) => proxyOrigin(config, reason),
  }
}

/** kube-proxy has them from a Go map; here they are in the order of their texts. */
function serviceCIDRsOf({ serviceCIDRs, facts }: Cluster, family: Family): readonly string[] {
  const ranges = serviceCIDRs.length > 0 ? serviceCIDRs.flatMap(({ cidrs }) => cidrs) : facts.serviceCIDRs
  const own = ranges.filter(({ address }) => address.family === family).map(formatPrefix)
  return [...new Set(own)].sort()
}

function localMatch(
  traffic: LocalTraffic,
  ip: SyncSetup['ip'],
  features: ProxyFeatures,
): { readonly is: string; readonly not: string } {
  const device = features.nftMatchesInterfaceIndex ? 'iif' : 'iifname'
  const [what, value] = matchWords(traffic, ip, device)
  return { is: `${what} ${value}`, not: `${what} != ${value}` }
}

function matchWords(traffic: LocalTraffic, ip: SyncSetup['ip'], device: string): readonly [string, string] {
  switch (traffic.kind) {
    case 'source':
      return [`${ip} saddr`, formatPrefix(traffic.cidr)]
    case 'interface':
      return [device, traffic.name]
    case 'interfacePrefix':
      return [device, `${traffic.prefix}*`]
    default:
      return traffic satisfies never
  }
}
