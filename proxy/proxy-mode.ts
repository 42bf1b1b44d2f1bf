import type { Cluster } from '../cluster/cluster.ts'
import type { KubeNode } from '../cluster/objects.ts'
import type { HostFacts } from '../linux/host-facts.ts'
import type { NftOp, Op } from '../linux/op.ts'
import type { Family } from '../packet/ip.ts'
import type { KubeProxyConfig } from './config.ts'

/** One way in which kube-proxy makes Services work on a node: what it writes there, in the order it writes it. */
export interface ProxyMode {
  readonly name: string
  compile(cluster: Cluster, node: KubeNode, config: KubeProxyConfig, facts: HostFacts): Op[]
  /** What the first sync of one family feeds to the mode's tool (iptables-restore, nft); absent where there is none. */
  firstSync?(site: ProxySite, family: Family): string
  /** What it feeds to the tool when Services and endpoints are others than at the sync before; no lines: nothing. */
  laterSync?(before: ProxySite, after: ProxySite, family: Family): SyncInput
}

/** A text as the tool reads it, or commands that are still to be printed. */
export type SyncInput =
  | { readonly tool: 'iptables-restore' | 'ip6tables-restore'; readonly text: string }
  | { readonly tool: 'nft'; readonly ops: readonly NftOp[] }

/** Where kube-proxy runs, and with what. */
export interface ProxySite {
  readonly cluster: Cluster
  readonly node: KubeNode
  readonly config: KubeProxyConfig
  readonly facts: HostFacts
}

/** Every mode that kube-proxy has or had on Linux; userspace went in 1.26. */
export const PROXY_MODE_NAMES = ['iptables', 'ipvs', 'nftables', 'userspace'] as const

export type ProxyModeName = (typeof PROXY_MODE_NAMES)[number]
