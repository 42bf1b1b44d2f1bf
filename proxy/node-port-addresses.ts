import type { HostFacts } from '../linux/host-facts.ts'
import { type Family, type Ip, isLoopback, LOOPBACK_V4, LOOPBACK_V6 } from '../packet/ip.ts'
import { contains, hostPrefix, type Prefix } from '../packet/prefix.ts'
import type { KubeProxyConfig } from './config.ts'
import type { NodeIPs } from './node-ips.ts'
import { proxyFeatures } from './versions.ts'

/** On which addresses of the node one family of kube-proxy serves nodePorts (pkg/proxy/util/nodeport_addresses.go). */
export type NodePortAddresses = { readonly kind: 'all' } | { readonly kind: 'cidrs'; readonly cidrs: readonly Prefix[] }

/**
 * A family without a CIDR of its own serves all addresses, even where the list limits the other family; in nftables
 * mode of 1.30 it serves the node's own one.
 */
export function nodePortAddresses(config: KubeProxyConfig, family: Family, nodeIPs: NodeIPs): NodePortAddresses {
  const asked = config.nodePortAddresses
  const cidrs = asked === 'primary' ? primaryAddresses(nodeIPs) : asked === 'all' ? [] : asked
  const own = cidrs.filter((cidr) => cidr.address.family === family)
  if (own.length === 0 && config.mode === 'nftables' && proxyFeatures(config.version).nftServesNodeIP)
    return { kind: 'cidrs', cidrs: [hostPrefix(nodeIPs[family])] }
  return own.length === 0 || own.some((cidr) => cidr.length === 0) ? { kind: 'all' } : { kind: 'cidrs', cidrs: own }
}

const primaryAddresses = (nodeIPs: NodeIPs): readonly Prefix[] =>
  [nodeIPs[4], nodeIPs[6]].filter((ip) => !isLoopback(ip)).map(hostPrefix)

/** Whether nodePorts on 127.0.0.0/8 are asked for; IPv6 never has them. */
export function includesLoopback(addresses: NodePortAddresses, family: Family): boolean {
  if (family === 6) return false
  return addresses.kind === 'all' || addresses.cidrs.some(touchesLoopback)
}

const FIRST_LOOPBACK: Ip = { ...LOOPBACK_V4, d: 0x7f000000 }

const touchesLoopback = (cidr: Prefix): boolean => isLoopback(cidr.address) || contains(cidr, FIRST_LOOPBACK)

/** The node's own addresses, lo included, that lie in one of the CIDRs; each once. */
export function matchingAddresses(cidrs: readonly Prefix[], facts: HostFacts): readonly Ip[] {
  const own = facts.interfaces.flatMap((link) => link.addresses.map((address) => address.ip))
  const all = [LOOPBACK_V4, LOOPBACK_V6, ...own]
  return all.filter(
    (ip, i) => cidrs.some((cidr) => contains(cidr, ip)) && all.findIndex((other) => same(other, ip)) === i,
  )
}

const same = (x: Ip, y: Ip): boolean =>
  x.family === y.family && x.a === y.a && x.b === y.b && x.c === y.c && x.d === y.d
