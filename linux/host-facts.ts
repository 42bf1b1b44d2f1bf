import type { Family, Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { InterfaceAddress } from '../packet/prefix.ts'

/** A machine as a compiler finds it: what earlier compilers made, and what its kernel can do. */
export interface HostFacts {
  readonly hostname: string
  /** Links of the root namespace in the order they were made, without lo. */
  readonly interfaces: readonly InterfaceFacts[]
  /** The link of the default route, or undefined. */
  readonly defaultInterface: string | undefined
  /** Next hops of the default routes, at most one of a family. */
  readonly gateways?: readonly Ip[]
  readonly capabilities: Capabilities
  /** The node's own /etc/resolv.conf, /etc/hosts and the like. */
  readonly files: ReadonlyMap<string, string>
  /** Chains of iptables that are there, as `chainKey` has them; absent: none. */
  readonly chains?: ReadonlySet<string>
}

/** `4 filter INPUT`. */
export const chainKey = (family: Family, table: string, chain: string): string => `${family} ${table} ${chain}`

export interface InterfaceFacts {
  readonly name: string
  readonly mac: Mac
  readonly mtu: number
  readonly addresses: readonly InterfaceAddress[]
}

/** What differs between kernels and tools in the field. */
export interface Capabilities {
  readonly ipv6: boolean
  /** The kernel has nfnetlink_acct. */
  readonly nfacct: boolean
  /** iptables has `--random-fully` (1.6.2). */
  readonly randomFully: boolean
  /** sysctl net.netfilter.nf_conntrack_tcp_be_liberal is not 0. */
  readonly conntrackTcpBeLiberal: boolean
  /**
   * Packets that one socket sends at one moment are on several CPUs: each is looked up before the first is confirmed
   * (nf_conntrack_in, __nf_conntrack_confirm). One that NAT then sends elsewhere is dropped, or, since
   * nf_ct_resolve_clash_harsh (Linux 6a757c07e51f, February 2020), kept by its answers. Absent: one CPU, in turn.
   */
  readonly conntrackRace?: ConntrackRace
  /** False: the kernel has no SCTP (its module is not loaded), and such packets are for nobody. Absent: it has. */
  readonly sctp?: boolean
}

export type ConntrackRace = 'dropped' | 'kept'

export const USUAL_CAPABILITIES: Capabilities = {
  ipv6: true,
  nfacct: false,
  randomFully: true,
  conntrackTcpBeLiberal: false,
}
