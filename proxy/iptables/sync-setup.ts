import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { Family, Ip } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import { type LocalTraffic, localTraffic } from '../local-traffic.ts'
import { masqueradeMark } from '../masquerade-mark.ts'
import { nodeIPs } from '../node-ips.ts'
import { includesLoopback, type NodePortAddresses, nodePortAddresses } from '../node-port-addresses.ts'
import { type ProxyFeatures, proxyFeatures } from '../versions.ts'

/** What of configuration, node and kernel shows in the rules of one family. */
export interface SyncSetup {
  readonly family: Family
  readonly node: KubeNode
  readonly facts: HostFacts
  readonly config: KubeProxyConfig
  /** `0x00004000`. */
  readonly mark: string
  readonly masqueradeAll: boolean
  /** Matches traffic from a pod here, and its opposite; undefined: cannot be told. */
  readonly local: { readonly is: string; readonly not: string } | undefined
  /** nodePorts answer on 127.0.0.0/8. */
  readonly localhostNodePorts: boolean
  readonly nodePortAddresses: NodePortAddresses
  /** The node's address in this family; loopback where it has none. */
  readonly nodeIP: Ip
  /** `-m nfacct` counters can be used. */
  readonly counters: boolean
  readonly dropsInvalid: boolean
  readonly features: ProxyFeatures
}

export function syncSetup(
  node: KubeNode,
  family: Family,
  given: { readonly config: KubeProxyConfig; readonly facts: HostFacts },
): SyncSetup {
  const { config, facts } = given
  const ips = nodeIPs(node, config.bindAddress)
  const addresses = nodePortAddresses(config, family, ips)
  const traffic = localTraffic(config, node, family)
  const features = proxyFeatures(config.version)
  return {
    family,
    node,
    facts,
    config,
    mark: masqueradeMark(config.masqueradeBit),
    masqueradeAll: config.masqueradeAll,
    local: traffic && localMatch(traffic),
    localhostNodePorts:
      (config.localhostNodePorts || !features.localhostNodePortsSetting) && includesLoopback(addresses, family),
    nodePortAddresses: addresses,
    nodeIP: ips[family],
    counters: facts.capabilities.nfacct && features.nfacctCounters,
    dropsInvalid:
      !features.sparesLiberalConntrack || (!facts.capabilities.conntrackTcpBeLiberal && !config.conntrack.tcpBeLiberal),
    features,
  }
}

function localMatch(traffic: LocalTraffic): { readonly is: string; readonly not: string } {
  const match = matchText(traffic)
  return { is: match, not: `! ${match}` }
}

function matchText(traffic: LocalTraffic): string {
  switch (traffic.kind) {
    case 'source':
      return `-s ${formatPrefix(traffic.cidr)}`
    case 'interface':
      return `-i ${traffic.name}`
    case 'interfacePrefix':
      return `-i ${traffic.prefix}+`
    default:
      return traffic satisfies never
  }
}
