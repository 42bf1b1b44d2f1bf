/**
 * The Lab document: what a snapshot cannot hold. Every field is optional; texts are checked by the loader, which
 * keeps what is right and tells about the rest. The JSON Schema is in lab-schema.ts.
 */
export interface Lab {
  readonly name?: string
  readonly networks?: readonly LabNetwork[]
  readonly routers?: readonly LabRouter[]
  readonly hosts?: readonly LabHost[]
  readonly upstreamDNS?: readonly LabUpstreamDns[]
  readonly versions?: Readonly<Record<string, string>>
  readonly podCIDRs?: readonly string[]
  readonly serviceCIDRs?: readonly string[]
  readonly dnsDomain?: string
  readonly nodes?: Readonly<Record<string, LabNode>>
  readonly listeners?: readonly LabListener[]
  readonly cni?: Readonly<Record<string, unknown>> & { readonly name?: string; readonly backend?: string }
  readonly proxy?: Readonly<Record<string, unknown>> & { readonly mode?: string }
  readonly faults?: readonly LabFault[]
}

export interface LabNetwork {
  readonly name: string
  readonly cidr: string
  /** IPv6 prefix of the same segment. */
  readonly cidr6?: string
  readonly nodes?: readonly string[]
  readonly mtu?: number
}

export interface LabRouter {
  readonly name: string
  readonly networks: readonly string[]
  /** Its address on each network; otherwise the network's gateway address (.1, or what nodes name). */
  readonly addresses?: Readonly<Record<string, string>>
}

export interface LabHost {
  readonly name: string
  readonly network: string
  readonly ip: string
  readonly gateway?: string
}

export interface LabUpstreamDns {
  readonly ip: string
  /** Zone-file lines: `www.example.com. 300 IN A 93.184.216.34`. */
  readonly records?: readonly string[]
  /** Per name: SERVFAIL, REFUSED, NXDOMAIN, drop, tc. */
  readonly behave?: Readonly<Record<string, string>>
  readonly delayMs?: number
}

export interface LabNode {
  readonly interface?: string
  readonly mtu?: number
  readonly gateway?: string
  readonly mac?: string
  readonly sysctls?: Readonly<Record<string, string | number>>
  readonly resolvConf?: string
  readonly calicoBlocks?: readonly string[]
  /** The ordinal that the next pod of this node gets (host-local address, or place in the calico block). */
  readonly nextOrdinal?: number
  /** The policy of the machine's own FORWARD chain. */
  readonly forwardPolicy?: 'ACCEPT' | 'DROP'
  /** Kernel capabilities that differ from the default: nfacct, randomFully. */
  readonly capabilities?: Readonly<Record<string, boolean>>
}

export interface LabListener {
  /** `namespace/name` of a pod, or a host's or node's name in `host`. */
  readonly pod?: string
  readonly host?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly answers?: 'echo' | 'http' | 'silent' | 'none'
}

export type LabFault =
  | { readonly kind: 'fdbMissing' | 'arpMissing' | 'routeMissing'; readonly node: string; readonly peer: string }
  | { readonly kind: 'nodeDown' | 'flanneldDown'; readonly node: string }
  | { readonly kind: 'linkDown'; readonly node: string; readonly link: string }
  /** Packets that a socket sends at one moment race on the node's CPUs; `clash`: what becomes of the one that loses. */
  | { readonly kind: 'conntrackRace'; readonly node: string; readonly clash?: 'dropped' | 'kept' }
  | { readonly kind: 'serverDown'; readonly pod: string }
  | { readonly kind: 'udpBlocked'; readonly port: number; readonly network?: string }
