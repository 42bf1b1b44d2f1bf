import type { Family, Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { InterfaceAddress } from '../packet/prefix.ts'
import type { Draw } from './draw.ts'
import type { MachineEvent } from './event.ts'
import type { Fib } from './fib.ts'
import type { Capabilities } from './host-facts.ts'
import type { InetPeer } from './inet-peer.ts'
import type { Neighbor } from './neighbor.ts'
import type { NetfilterConfig, NetfilterState } from './netfilter/netfilter.ts'
import type { LinkType } from './op.ts'
import type { Origin } from './origin.ts'
import type { FragmentQueues } from './reassembly.ts'
import type { RunningProcess } from './run-process.ts'
import type { IpSkb, Skb } from './skb.ts'
import type { SocketTable } from './socket.ts'
import type { StepBody } from './step.ts'

/** A machine at run time: its frozen configuration, and what this run's traffic has changed. */
export interface Host {
  readonly name: string
  readonly capabilities: Capabilities
  readonly netns: ReadonlyMap<string, Netns>
  readonly kernel: Kernel
  readonly stack: Stack
  /** How many transmissions are under way inside one another (softnet_data.xmit). */
  readonly xmit: { recursion: number }
}

/**
 * Transmissions inside one another, as when a tunnel's packets lead into the tunnel: a device without a queue refuses
 * the tenth (XMIT_RECURSION_LIMIT, net/core/dev.h), a tunnel its own packet when there are more than five
 * (IP_TUNNEL_RECURSION_LIMIT, include/net/ip_tunnels.h, Linux 6.18.y; only the former before).
 */
export const MAX_XMIT_RECURSION = { device: 8, tunnel: 5 }

/**
 * The places where lower code of the machine calls upper code: the kernel keeps function pointers there too
 * (dev->netdev_ops, packet_type, dst_ops, and the ICMP module's send).
 */
export interface Stack {
  /** dev_queue_xmit: out by `skb.dev`. */
  readonly xmit: (skb: Skb) => void
  /** ip6_local_out: a packet of this machine that knows its way (`skb.dst`). */
  readonly localOut: (skb: IpSkb) => void
  /** netif_receive_skb: in by `skb.dev`. */
  readonly receive: (skb: Skb) => void
  /** icmp_send, icmpv6_send: tells the sender of `skb`, if the rules of RFC 1122 allow it. */
  readonly icmpError: (skb: IpSkb, error: IcmpError) => void
  /** NF_HOOK(NF_INET_LOCAL_OUT, ..., dst_output): what a virtual server sends on, to where `skb.dst` says. */
  readonly sendOn: (skb: IpSkb) => void
  /** nf_send_reset. */
  readonly tcpReset: (skb: IpSkb) => void
}

/** What an ICMP error says, for both families. */
export type IcmpError =
  | {
      readonly kind:
        | 'netUnreachable'
        | 'hostUnreachable'
        | 'protocolUnreachable'
        | 'portUnreachable'
        | 'prohibited'
        | 'ttlExceeded'
    }
  | { readonly kind: 'tooBig'; readonly mtu: number }
  | { readonly kind: 'redirect'; readonly gateway: Ip }
  /** As a REJECT rule names it. */
  | { readonly kind: 'code'; readonly type: number; readonly code: number }

/** What the machine code is given by whoever runs it: time, chance, and where to put what happened. */
export interface Kernel {
  /** Nanoseconds. */
  now(): number
  readonly draw: Draw
  /** A number for a new traveller. */
  newPacket(): number
  record(traveller: { readonly id: number; readonly ns: Netns }, step: StepBody): void
  /** A program's own step, kept as it is. */
  note(ns: Netns, process: string, note: unknown): void
  /** Something that happens later: on the backlog, on a wire, at a time. */
  emit(event: MachineEvent): void
  /**
   * local_bh_disable around a transmission. When it has ended in a system call, what waits on the backlog is done
   * before the call goes on (do_softirq); in a softirq it waits for its turn. Absent: it always waits.
   */
  bottomHalves?: { readonly disable: () => void; readonly enable: () => void }
}

/** One network namespace: the frozen part first, then what traffic changes. */
export interface Netns {
  readonly host: Host
  readonly name: string
  readonly links: ReadonlyMap<string, Link>
  readonly fib: Fib
  /** Numeric sysctls by full key; see `sysctl`. */
  readonly sysctls: ReadonlyMap<string, number>
  readonly files: ReadonlyMap<string, string>
  readonly netfilter: NetfilterConfig
  readonly state: NetnsState
  readonly netfilterState: NetfilterState
}

export interface NetnsState {
  /** Dynamic and permanent neighbours by link name and ipKey: `eth0|3232235777`. */
  readonly neighbors: Map<string, Neighbor>
  readonly sockets: SocketTable
  readonly processes: Map<string, RunningProcess>
  /** Counters of IPv4 identifications by address pair and protocol (ip_idents). */
  readonly ipIds: Map<string, number>
  /** Source ports that vxlan devices gave to inner flows. */
  readonly flowPorts: Map<string, number>
  /** IPv6 flow labels by flow. */
  readonly flowLabels: Map<string, number>
  readonly fragments: FragmentQueues
  /** Path MTUs learned from ICMP, by destination. */
  readonly pathMtus: Map<string | number, number>
  /** Gateways that an ICMP redirect named, by destination. */
  readonly redirects: Map<string | number, Ip>
  /** Families in which the kernel is just sending ICMP (icmp_xmit_lock). */
  readonly sendingIcmp: Set<Family>
  /** Hosts that errors were sent to, by address. */
  readonly peers: Map<string | number, InetPeer>
}

/** A network device. */
export interface Link {
  readonly ns: Netns
  readonly name: string
  /** 1-based, in the order links were made; lo is 1. */
  readonly index: number
  readonly mac: Mac
  readonly mtu: number
  readonly up: boolean
  readonly type: LinkType | { readonly kind: 'loopback' }
  /** The bridge this link is a port of. */
  readonly master: string | undefined
  readonly port: BridgePort
  /** Ports of a bridge, the newest first: the kernel's port_list. */
  readonly ports: readonly string[]
  readonly addresses: readonly LinkAddress[]
  readonly conf: LinkConf
  readonly fdb: Fdb
  readonly origin: Origin
}

export interface BridgePort {
  readonly hairpin: boolean
  readonly learning: boolean
  readonly flood: boolean
}

/** The per-device sysctls that the packet path reads, with `all` already folded in as the kernel does. */
export interface LinkConf {
  readonly rpFilter: number
  readonly forwarding: boolean
  readonly forwarding6: boolean
  readonly proxyArp: boolean
  readonly routeLocalnet: boolean
  readonly acceptLocal: boolean
  readonly sendRedirects: boolean
  readonly acceptRedirects: boolean
  readonly arpIgnore: number
  readonly arpAnnounce: number
  readonly ipv6: boolean
}

/** Forwarding database of a bridge (by port) or a vxlan device (by remote address). */
export interface Fdb {
  readonly permanent: ReadonlyMap<Mac, FdbEntry>
  /** Learned while traffic ran. */
  readonly learned: Map<Mac, { port: string; at: number }>
}

export interface FdbEntry {
  readonly mac: Mac
  /** Bridge port, or undefined: the bridge itself. */
  readonly port?: string
  /** Where a vxlan device sends frames for this MAC, in the order appended. */
  readonly remotes: readonly Ip[]
  readonly origin: Origin
}

export interface LinkAddress extends InterfaceAddress {
  readonly scope: 'global' | 'link' | 'host'
  readonly broadcast: Ip | undefined
  readonly secondary: boolean
  readonly noPrefixRoute: boolean
  readonly origin: Origin
}

/** A sysctl as a number; `fallback` is the kernel's default. */
export function sysctl(ns: Netns, key: string, fallback: number): number {
  return ns.sysctls.get(key) ?? fallback
}
