import type { Family, Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { InterfaceAddress, Prefix } from '../packet/prefix.ts'
import type { IptablesBlock } from './netfilter/block.ts'
import type { NftBlock, NftFamily, NftObject, NftReference } from './netfilter/nftables/object.ts'
import type { Origin } from './origin.ts'

/**
 * One configuration change in the words of ip(8), bridge(8), iptables(8), ipset(8) and sysctl(8). Compilers emit
 * ops; `apply` folds them into a HostConfig, printers turn them into commands, the kernel judge materialises them.
 */
export type Op = OpBody & {
  /** The network namespace it happens in; the machine's own is `root`. */
  readonly netns: string
  readonly origin: Origin
}

export const ROOT_NETNS = 'root'

export type OpBody =
  | NetnsOp
  | LinkOp
  | AddrOp
  | RouteOp
  | RuleOp
  | NeighOp
  | FdbOp
  | IptablesOp
  | SetOp
  | NftOp
  | IpvsOp
  | SysctlOp
  | FileOp
  | ProcessOp

/** `ip netns add`. The op's own `netns` is the one that is made. */
export interface NetnsOp {
  readonly kind: 'netns.add'
}

export type LinkOp =
  | {
      readonly kind: 'link.add'
      readonly name: string
      readonly mac: Mac
      readonly mtu: number
      readonly type: LinkType
    }
  | {
      readonly kind: 'link.set'
      readonly name: string
      readonly up?: boolean
      readonly mtu?: number
      readonly mac?: Mac
      /** Bridge that the link becomes a port of. */
      readonly master?: string
    }
  /** `bridge link set dev NAME hairpin on`. */
  | {
      readonly kind: 'bridge.port'
      readonly name: string
      readonly hairpin?: boolean
      readonly learning?: boolean
      readonly flood?: boolean
    }

export type LinkType =
  /** A network card; `segment` names the cable or switch it is plugged into. */
  | { readonly kind: 'physical'; readonly segment: string }
  /** Both ends at once, as `ip link add ... type veth peer ...` makes them. */
  | {
      readonly kind: 'veth'
      readonly peer: { readonly netns: string; readonly name: string; readonly mac: Mac; readonly mtu: number }
    }
  /** `ageing` in seconds (kernel default 300). STP is off. */
  | { readonly kind: 'bridge'; readonly ageing: number }
  | {
      readonly kind: 'vxlan'
      readonly vni: number
      readonly port: number
      readonly local: Ip
      readonly dev: string
      readonly learning: boolean
      /** `df set|unset`; the kernel's default is unset. */
      readonly dontFragment: boolean
      readonly udpChecksum: boolean
    }
  | { readonly kind: 'tun' }
  /** Takes every packet and does nothing: something to give addresses to. */
  | { readonly kind: 'dummy' }

export interface AddrOp {
  readonly kind: 'addr.add'
  readonly link: string
  readonly address: InterfaceAddress
  readonly scope?: 'global' | 'link' | 'host'
  /** Written as `brd`; absent: none is set (ip(8) sets none unless told `brd +`). */
  readonly broadcast?: Ip
  /** `noprefixroute`: no connected route is made. */
  readonly noPrefixRoute?: boolean
}

/** `ip route replace`. */
export interface RouteOp {
  readonly kind: 'route.replace'
  readonly route: Route
}

export interface Route {
  readonly type: 'unicast' | 'local' | 'broadcast' | 'blackhole' | 'unreachable' | 'prohibit'
  readonly destination: Prefix
  readonly via?: Ip
  readonly dev?: string
  readonly onlink?: boolean
  /** Preferred source address. */
  readonly src?: Ip
  readonly metric?: number
  readonly mtu?: number
  /** As ip-route(8) prints it: kernel, boot, static, bird, or a number. `boot` is not printed. */
  readonly protocol: string
  readonly scope?: 'global' | 'link' | 'host'
  /** `main` unless said. */
  readonly table?: string
}

/** `ip rule add`. */
export interface RuleOp {
  readonly kind: 'rule.add'
  readonly family: Family
  readonly priority: number
  readonly from?: Prefix
  readonly to?: Prefix
  readonly fwmark?: { readonly value: number; readonly mask: number }
  readonly iif?: string
  readonly table: string
}

/** `ip neigh replace ... nud permanent`, or `ip neigh add proxy` where `proxy` is set. */
export interface NeighOp {
  readonly kind: 'neigh.replace'
  readonly link: string
  readonly ip: Ip
  readonly mac: Mac
}

/** `bridge fdb append`; with `dst` for a vxlan device (self), without for a bridge port (master). */
export interface FdbOp {
  readonly kind: 'fdb.append'
  readonly link: string
  readonly mac: Mac
  readonly dst?: Ip
}

export type IptablesTable = 'raw' | 'mangle' | 'nat' | 'filter'

export type IptablesOp =
  /** `iptables -t TABLE -N CHAIN`; a chain that exists stays as it is. */
  | { readonly kind: 'chain.new'; readonly family: Family; readonly table: IptablesTable; readonly chain: string }
  | {
      readonly kind: 'chain.policy'
      readonly family: Family
      readonly table: IptablesTable
      readonly chain: string
      readonly policy: 'ACCEPT' | 'DROP'
    }
  /** `iptables -t TABLE -A CHAIN ARGS` (append) or `-I CHAIN ARGS` (insert, at the top). */
  | {
      readonly kind: 'rule.append' | 'rule.insert'
      readonly family: Family
      readonly table: IptablesTable
      readonly chain: string
      /** What stands after the chain name, as written: `-m comment --comment "x y" -j ACCEPT`. */
      readonly args: string
    }
  /** Many rules that several nodes share: see IptablesBlock. */
  | { readonly kind: 'rules.block'; readonly family: Family; readonly block: IptablesBlock }

export type SetOp =
  | { readonly kind: 'set.new'; readonly set: string; readonly type: string }
  | { readonly kind: 'set.add'; readonly set: string; readonly entry: string }

export type IpvsOp =
  /** `ipvsadm -A`. */
  | { readonly kind: 'ipvs.service'; readonly service: IpvsServiceSpec }
  /** `ipvsadm -a`. */
  | {
      readonly kind: 'ipvs.destination'
      readonly service: IpvsServiceKey
      readonly destination: IpvsDestinationSpec
    }
  /** `ipvsadm --set`, in seconds; 0 leaves a value as it is. */
  | { readonly kind: 'ipvs.timeouts'; readonly tcp: number; readonly tcpFin: number; readonly udp: number }

export type IpvsProtocol = 'TCP' | 'UDP' | 'SCTP'

export interface IpvsServiceKey {
  readonly protocol: IpvsProtocol
  readonly address: Ip
  /** 0: every port of the address, for persistent services. */
  readonly port: number
}

export interface IpvsServiceSpec extends IpvsServiceKey {
  readonly scheduler: 'rr' | 'wrr' | 'lc' | 'wlc' | 'lblc' | 'lblcr' | 'sh' | 'dh' | 'sed' | 'nq' | 'mh'
  /** `-b`: sh-port, sh-fallback, mh-port, mh-fallback. */
  readonly flags?: readonly string[]
  /** `-p SECONDS -M MASK`: a client comes back to where it was; `mask` is a prefix length, absent: the whole address. */
  readonly persistent?: { readonly seconds: number; readonly mask?: number }
  /** `-o`: every UDP datagram is scheduled anew. */
  readonly onePacket?: boolean
}

/** How a packet gets to the real server: `-m`, `-g`, `-i`. */
export type IpvsForward = 'masquerade' | 'route' | 'tunnel'

export interface IpvsDestinationSpec {
  readonly address: Ip
  readonly port: number
  readonly forward: IpvsForward
  /** 0: no new connections. */
  readonly weight: number
  /** `-x`, `-y`: connections from which on, and below which again, it is taken for overloaded. */
  readonly upperThreshold?: number
  readonly lowerThreshold?: number
}

export type NftOp =
  /** `nft add`; a table, chain, set or element that exists stays as it is. */
  | { readonly kind: 'nft.add'; readonly family: NftFamily; readonly table: string; readonly object: NftObject }
  /** `nft flush`, `nft delete`. */
  | {
      readonly kind: 'nft.flush' | 'nft.delete'
      readonly family: NftFamily
      readonly table: string
      readonly object: NftReference
    }
  /** Chains, sets and elements that several nodes share: see NftBlock. */
  | { readonly kind: 'nft.block'; readonly family: NftFamily; readonly table: string; readonly block: NftBlock }

/** `sysctl -w KEY=VALUE`, with dots: `net.ipv4.ip_forward`. Link names in a key keep their dots as slashes. */
export interface SysctlOp {
  readonly kind: 'sysctl.set'
  readonly key: string
  readonly value: string
}

export interface FileOp {
  readonly kind: 'file.write'
  readonly path: string
  readonly text: string
}

export interface ProcessOp {
  readonly kind: 'process.start'
  /** Unique on the machine; what `ss -p` would show. */
  readonly name: string
  /** A name in the engine's registry of programs. */
  readonly program: string
  readonly args: Readonly<Record<string, string>>
}
