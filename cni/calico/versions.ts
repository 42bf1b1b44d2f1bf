import { atLeast, type Version } from '../version.ts'

/** The newest calico whose behaviour is known here; taken where the cluster does not tell its version. */
export const NEWEST: Version = [3, 32, 1]

/** What differs between calico releases in what they leave on a node. */
export interface CalicoTraits {
  /** The set of all pools: all-ipam-pools, later network-ip-pools. */
  readonly allPools: 'all-ipam-pools' | 'network-ip-pools'
  /** Metric of the IPv4 routes to the node's own pods; undefined: none (0). */
  readonly podRouteMetric: number | undefined
}

/** Seen in real felix: v3.28.4 and v3.30.7 before, v3.31.7 and v3.32.1 after. */
const SINCE = { networkIpPools: [3, 31, 0], podRouteMetric: [3, 32, 0] } as const satisfies Record<string, Version>

export const calicoTraits = (version: Version): CalicoTraits => ({
  allPools: atLeast(version, SINCE.networkIpPools) ? 'network-ip-pools' : 'all-ipam-pools',
  podRouteMetric: atLeast(version, SINCE.podRouteMetric) ? 1024 : undefined,
})
