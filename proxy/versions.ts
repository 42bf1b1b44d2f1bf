/** The newest kube-proxy whose rules were compared with the real program's. */
export const NEWEST_MODELLED = 'v1.36.3'

/** Where kube-proxy's behaviour differs between releases. The Service model and the writers ask here, nowhere else. */
export interface ProxyFeatures {
  /** A `/0` in loadBalancerSourceRanges means "no firewall" (1.34; before, it was one rule among the others). */
  readonly anySourceRangeDisablesFirewall: boolean
  /** EndpointSlice node hints are honoured (gate PreferSameTrafficDistribution: on since 1.34). */
  readonly nodeHints: boolean
  /** Annotation topology-mode asks for hints too, and by any word (1.27); before, only "Auto" in the older one did. */
  readonly readsTopologyMode: boolean
  /** What a Service says about hints is read (until 1.32), even where it no longer counts: a change has it written again. */
  readonly readsHintsAnnotation: boolean
  /** Of two endpoints with one address and port the last that does not end wins (1.36); before, one on this node. */
  readonly prefersLastingTwin: boolean
  /** The endpoints of a slice are sorted by their addresses before the first of two alike is taken (until 1.30). */
  readonly sortsSliceEndpoints: boolean
  /** nftables mode: a bridge is matched by its index, so it must be there; a prefix of names never is (until 1.32). */
  readonly nftMatchesInterfaceIndex: boolean
  /** Of the node's labels only its zone is watched (1.34); before, a change of any has everything written again. */
  readonly watchesOnlyZone: boolean
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
  /** nftables mode: elements that lead to a firewall chain have a comment (1.30). */
  readonly nftFirewallComments: boolean
  /** nftables mode: table, sets, maps and chains say what they are for (1.31; before, nft 1.0.6 was thought not to take it). */
  readonly nftObjectComments: boolean
  /** nftables mode: a family without an own CIDR in nodePortAddresses serves the node's address alone (1.30). */
  readonly nftServesNodeIP: boolean
  /** nftables mode: its tables are those that are written here (1.30). */
  readonly nftModelled: boolean
  /** nftables mode: later syncs write only what changed (1.31). */
  readonly nftPartialSync: boolean
  /** nftables mode: ServiceCIDR objects are read (gate MultiCIDRServiceAllocator, on since 1.33). */
  readonly readsServiceCIDRs: boolean
  /**
   * What is to be dropped is marked by KUBE-MARK-DROP, a chain of kubelet, and dropped by its KUBE-FIREWALL (until
   * 1.24; from 1.25 on rules in filter drop by themselves).
   */
  readonly marksDrops: boolean
  /** Endpoints that still serve while they end are used where none is ready (gate ProxyTerminatingEndpoints, on since 1.26). */
  readonly drainsTerminating: boolean
  /** Zone hints count at all (gate TopologyAwareHints, on since 1.24). */
  readonly zoneHints: boolean
  /** internalTrafficPolicy counts (gate ServiceInternalTrafficPolicy, on since 1.22). */
  readonly internalPolicy: boolean
  /** An address of ipMode Proxy is left to the load balancer (gate LoadBalancerIPMode, on since 1.30). */
  readonly ipModes: boolean
  /** externalTrafficPolicy counts for a ClusterIP Service with external addresses too (1.29). */
  readonly externalIPPolicy: boolean
  /** iptables mode: chains KUBE-XLB for policy Local, and no KUBE-EXT (until 1.23). */
  readonly xlbChains: boolean
  /** iptables mode, KUBE-XLB: what is to be masqueraded is marked in the Service's chain (1.22), not on the way there. */
  readonly marksInServiceChain: boolean
  /** iptables mode, KUBE-XLB: rules of external addresses ask for the way in, and all clients are masqueraded (1.20). */
  readonly externalIPsByWayIn: boolean
  /** iptables mode, KUBE-XLB: rules that spread among local endpoints are numbered (until 1.22). */
  readonly numbersLocalRules: boolean
  /** iptables mode: comments of the rules in KUBE-FORWARD that accept what follows; two of them until 1.22. */
  readonly iptablesForwardComments: readonly string[]
  /** iptables mode: where no address of the node serves nodePorts, they have no rules either (until 1.26). */
  readonly nodePortsNeedAddress: boolean
  /** iptables mode: setting localhostNodePorts (1.26); before, nodePorts always answered on 127.0.0.0/8. */
  readonly localhostNodePortsSetting: boolean
  /** iptables mode: nodePorts are not served on ::1 (1.26). */
  readonly sparesLoopback6: boolean
  /** iptables mode: kube-proxy writes KUBE-FIREWALL too, which only kubelet did (1.27). */
  readonly writesLocalnetGuard: boolean
  /** iptables mode: KUBE-FW chains end with a rule that only says what will happen (1.27). */
  readonly firewallChainEndsInWords: boolean
  /** iptables mode: packets that conntrack cannot place are dropped unless it is liberal (1.29); before, always. */
  readonly sparesLiberalConntrack: boolean
  /** iptables mode: later syncs write only what changed (gate MinimizeIPTablesRestore, on since 1.27). */
  readonly iptablesPartialSync: boolean
  /** iptables mode: counters of nfacct (1.31). */
  readonly nfacctCounters: boolean
  /** After every change all tracked flows of UDP are compared with the endpoints (1.32); before, with what changed. */
  readonly reconcilesConntrack: boolean
  /** ... only when an endpoint of UDP has changed (1.32.0 already). */
  readonly cleansOnEndpointChange: boolean
  /** ... by address and port of the endpoint (1.34); before, by its address alone. */
  readonly reconcilesByPort: boolean
  /** Until then: an endpoint was gone when it no longer served (1.29), not when it was no longer ready. */
  readonly goneWhenNotServing: boolean
  /** kubelet makes KUBE-MARK-DROP, and KUBE-FIREWALL in both families (gate IPTablesOwnershipCleanup, on since 1.27). */
  readonly kubeletMarksDrops: boolean
  /** kubelet makes KUBE-IPTABLES-HINT (1.24). */
  readonly kubeletHint: boolean
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
    readsTopologyMode: minor >= 27,
    readsHintsAnnotation: minor < 33,
    prefersLastingTwin: minor >= 36,
    sortsSliceEndpoints: minor < 31,
    nftMatchesInterfaceIndex: minor < 33,
    watchesOnlyZone: minor >= 34,
    hintsNeedAnnotation: minor < 31,
    nftMarksInPlace: minor >= 36,
    nftFiltersBeforeDNAT: minor < 33,
    nftClusterIPRuleNamesPort: minor < 34,
    nftFlushesMaps: minor < 33,
    nftFirewallComments: minor < 31,
    nftObjectComments: minor >= 31,
    nftServesNodeIP: minor === 30,
    nftModelled: minor >= 30,
    nftPartialSync: minor >= 31,
    readsServiceCIDRs: minor >= 33,
    marksDrops: minor < 25,
    drainsTerminating: minor >= 26,
    zoneHints: minor >= 24,
    internalPolicy: minor >= 22,
    ipModes: minor >= 30,
    externalIPPolicy: minor >= 29,
    xlbChains: minor < 24,
    marksInServiceChain: minor >= 22,
    externalIPsByWayIn: minor < 21,
    numbersLocalRules: minor < 23,
    iptablesForwardComments: minor < 23 ? TWO_FORWARD_COMMENTS : ONE_FORWARD_COMMENT,
    nodePortsNeedAddress: minor < 27,
    localhostNodePortsSetting: minor >= 26,
    sparesLoopback6: minor >= 26,
    writesLocalnetGuard: minor >= 27,
    firewallChainEndsInWords: minor >= 27,
    sparesLiberalConntrack: minor >= 29,
    iptablesPartialSync: minor >= 27,
    nfacctCounters: minor >= 31,
    reconcilesConntrack: minor >= 32,
    cleansOnEndpointChange: minor >= 32,
    reconcilesByPort: minor >= 34,
    goneWhenNotServing: minor >= 29,
    kubeletMarksDrops: minor < 27,
    kubeletHint: minor >= 24,
    hasUserspaceMode: minor < 26,
    ipvsFilter: minor >= 26,
    ipvsOutFilter: minor >= 29,
    bindsOnlyForeignAddresses: minor >= 27,
    marksSctpBeforeLocal: minor < 21,
    healthCheckRule: minor >= 21,
    forwardComments: minor < 21 ? TWO_FORWARD_COMMENTS : ONE_FORWARD_COMMENT,
  }
}

const ONE_FORWARD_COMMENT = ['kubernetes forwarding conntrack rule']
const TWO_FORWARD_COMMENTS = [
  'kubernetes forwarding conntrack pod source rule',
  'kubernetes forwarding conntrack pod destination rule',
]

function minorOf(version: string): number {
  const match = /^v?1\.(\d+)/.exec(version)
  return match === null ? minorOf(NEWEST_MODELLED) : Number(match[1])
}
