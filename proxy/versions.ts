/** The newest kube-proxy whose rules were compared with the real program's. */
export const NEWEST_MODELLED = 'v1.36.3'

/** Where kube-proxy's behaviour differs between releases. The Service model and the writers ask here, nowhere else. */
export interface ProxyFeatures {
  /** A `/0` in loadBalancerSourceRanges means "no firewall" (1.34; before, it was one rule among the others). */
  readonly anySourceRangeDisablesFirewall: boolean
  /** EndpointSlice node hints are honoured (gate PreferSameTrafficDistribution: on since 1.34). */
  readonly nodeHints: boolean
  /** Zone hints count only for Services with a topology annotation (until gate ServiceTrafficDistribution, on since 1.31). */
  readonly hintsNeedAnnotation: boolean
  /** nftables mode: marks stand in the rules themselves, hairpins in a set, and endpoints in maps (1.36). */
  readonly nftMarksInPlace: boolean
  /** nftables mode: everything is filtered before DNAT (until 1.32). */
  readonly nftFiltersBeforeDNAT: boolean
  /** nftables mode: the rule that masquerades traffic to a ClusterIP names its port too (until 1.33). */
  readonly nftClusterIPRuleNamesPort: boolean
  /** nftables mode: a full sync empties sets and maps first (until 1.32). */
  readonly nftFlushesMaps: boolean
  /** nftables mode: later syncs write only what changed (1.31). */
  readonly nftPartialSync: boolean
  /** nftables mode: ServiceCIDR objects are read (gate MultiCIDRServiceAllocator, on since 1.33). */
  readonly readsServiceCIDRs: boolean
  /**
   * What is to be dropped is marked by KUBE-MARK-DROP, a chain of kubelet, and dropped by its KUBE-FIREWALL (until
   * 1.24; from 1.25 on rules in filter drop by themselves).
   */
  readonly marksDrops: boolean
  /** Userspace mode is there (until 1.25). */
  readonly hasUserspaceMode: boolean
  /** ipvs mode: KUBE-IPVS-FILTER, which refuses other ports of service addresses (1.26). */
  readonly ipvsFilter: boolean
  /** ipvs mode: KUBE-IPVS-OUT-FILTER, which keeps the node itself from load balancers (1.29). */
  readonly ipvsOutFilter: boolean
  /** ipvs mode: an external address that another device has is not put on kube-ipvs0 too (1.27). */
  readonly bindsOnlyForeignAddresses: boolean
  /** ipvs mode: the SCTP nodePorts of all policies were marked before those of policy Local were let out (1.20). */
  readonly marksSctpBeforeLocal: boolean
  /** Health check ports of load balancers have a rule that accepts them (1.21). */
  readonly healthCheckRule: boolean
  /** ipvs mode: comments of the rules in KUBE-FORWARD that accept what follows; two of them until 1.20. */
  readonly forwardComments: readonly string[]
}

/** @param version `v1.36.3`, `1.33`, `v1.30.2+k3s1`; what cannot be read counts as the newest. */
export function proxyFeatures(version: string): ProxyFeatures {
  const minor = minorOf(version)
  return {
    anySourceRangeDisablesFirewall: minor >= 34,
    nodeHints: minor >= 34,
    hintsNeedAnnotation: minor < 31,
    nftMarksInPlace: minor >= 36,
    nftFiltersBeforeDNAT: minor < 33,
    nftClusterIPRuleNamesPort: minor < 34,
    nftFlushesMaps: minor < 33,
    nftPartialSync: minor >= 31,
    readsServiceCIDRs: minor >= 33,
    marksDrops: minor < 25,
    hasUserspaceMode: minor < 26,
    ipvsFilter: minor >= 26,
    ipvsOutFilter: minor >= 29,
    bindsOnlyForeignAddresses: minor >= 27,
    marksSctpBeforeLocal: minor < 21,
    healthCheckRule: minor >= 21,
    forwardComments:
      minor < 21
        ? ['kubernetes forwarding conntrack pod source rule', 'kubernetes forwarding conntrack pod destination rule']
        : ['kubernetes forwarding conntrack rule'],
  }
}

function minorOf(version: string): number {
  const match = /^v?1\.(\d+)/.exec(version)
  return match === null ? minorOf(NEWEST_MODELLED) : Number(match[1])
}
