import type { Place } from '../lab.ts'
import type { RecipeBase } from './recipe.ts'

/** A cluster written as manifests and compiled by the product: pod network, kube-proxy, two racks. */
export interface ClusterRecipe extends RecipeBase {
  readonly kind: 'cluster'
  readonly mode: ClusterMode
  readonly nodes: readonly ClusterNode[]
  readonly proxy: ClusterProxy
  readonly bridgeNetfilter: 0 | 1
  readonly hairpin: boolean
  readonly forwardPolicy: 'ACCEPT' | 'DROP'
  readonly services: readonly ClusterService[]
  /** The second node has the first one's podCIDR. */
  readonly duplicatePodCidr: boolean
}

export type ClusterMode =
  | 'cluster-vxlan'
  | 'cluster-directrouting'
  | 'cluster-host-gw'
  | 'cluster-udp'
  | 'cluster-calico'

/** kube-proxy's mode, and its release where that makes other rules. */
export const CLUSTER_PROXIES = [
  'iptables v1.36.3',
  'nftables v1.36.3',
  'nftables v1.35.4',
  'nftables v1.32.13',
] as const
export type ClusterProxy = (typeof CLUSTER_PROXIES)[number]

/** Rules of nft are traced by the events of nf_tables, which the older iptables does not have. */
export const usesNft = ({ proxy }: Pick<ClusterRecipe, 'proxy'>): boolean => proxy.startsWith('nftables')

export interface ClusterNode {
  readonly rack: 0 | 1
  readonly pods: number
}

export interface ClusterService {
  readonly protocol: 'TCP' | 'UDP'
  /** Pods by their number in the cluster; port POD_TCP or POD_UDP. */
  readonly endpoints: readonly number[]
  readonly nodePort: number | undefined
  readonly externalIp: boolean
  readonly loadBalancer: boolean
  /** Seconds of ClientIP affinity. */
  readonly affinity: number | undefined
  readonly externalPolicy: 'Cluster' | 'Local'
  readonly internalPolicy: 'Cluster' | 'Local'
}

export interface ClusterPod extends Place {
  readonly name: string
  readonly ip: string
}

export const nodeName = (node: number): string => `n${node + 1}`
export const clusterNodeIp = ({ nodes }: Pick<ClusterRecipe, 'nodes'>, node: number): string =>
  `192.168.${nodes[node]?.rack === 1 ? 50 : 40}.${11 + node}`
export const serviceIp = (service: number): string => `10.96.1.${service + 1}`
export const externalIp = (service: number): string => `198.51.100.${service + 1}`
export const SERVICE_PORT = 80

export const podNetOf = ({ duplicatePodCidr }: Pick<ClusterRecipe, 'duplicatePodCidr'>, node: number): number =>
  duplicatePodCidr && node === 1 ? 0 : node

export function clusterPods(recipe: ClusterRecipe): readonly ClusterPod[] {
  let count = 0
  return recipe.nodes.flatMap(({ pods }, node) =>
    Array.from({ length: pods }, (_, pod): ClusterPod => {
      count += 1
      const net = podNetOf(recipe, node)
      // With one network for two nodes, both give the same addresses away.
      const ip = `10.244.${net}.${pod + 2}`
      return { name: `p${count}`, host: nodeName(node), netns: `default/p${count}`, ip }
    }),
  )
}
