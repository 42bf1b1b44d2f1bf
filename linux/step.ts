import type { Family, Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { Frame, IpPacket } from '../packet/packet.ts'
import type { Rule } from './netfilter/iptables/rule.ts'
import type { NftRule } from './netfilter/nftables/ruleset.ts'
import type { RuleList } from './netfilter/rule-list.ts'
import type { IptablesTable, IpvsDestinationSpec, IpvsServiceSpec, Route } from './op.ts'
import type { Origin } from './origin.ts'

/** One observed event in a machine. Plain data; entries of the configuration are referenced, not copied. */
export type LinuxStep = StepHead & StepBody

export interface StepHead {
  /** Nanoseconds on the virtual clock. */
  readonly at: number
  readonly host: string
  readonly netns: string
  /** The traveller this happened to; a packet keeps its number across links, rewrites and tunnels. */
  readonly packet: number
}

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

export type StepBody =
  /** A local socket, or the kernel itself, made a packet. `cause` is the traveller that made it happen. */
  | { readonly kind: 'socket.send'; readonly sent: IpPacket; readonly by: string; readonly cause?: number }
  | { readonly kind: 'arp.send'; readonly frame: Frame; readonly link: string; readonly cause?: number }
  | { readonly kind: 'icmp.send'; readonly sent: IpPacket; readonly reason: string; readonly cause: number }
  | { readonly kind: 'link.rx'; readonly link: string; readonly frame: Frame | IpPacket }
  | { readonly kind: 'link.tx'; readonly link: string; readonly frame: Frame | IpPacket }
  | { readonly kind: 'bridge.learn'; readonly bridge: string; readonly mac: Mac; readonly port: string }
  | {
      readonly kind: 'bridge.forward'
      readonly bridge: string
      readonly inPort: string | undefined
      readonly decision: 'unicast' | 'flood' | 'local' | 'routed'
      readonly outPorts: readonly string[]
      readonly origin?: Origin
    }
  | {
      readonly kind: 'hook.enter'
      readonly hook: Hook
      readonly family: Family
      readonly in?: string
      readonly out?: string
      readonly bridged: boolean
    }
  /** A rule matched. The rules before `index`, from `triedFrom` (1-based too) on, were tried and did not match. */
  | {
      readonly kind: 'rule.match'
      readonly table: IptablesTable
      readonly chain: string
      /** 1-based, as `iptables -L --line-numbers`. */
      readonly index: number
      readonly rule: Rule
      readonly verdict: RuleVerdict
      /** The rules of the chain, to show the ones tried before. */
      readonly rules: RuleList<Rule>
      readonly triedFrom: number
      readonly origin: Origin
    }
  /** The end of a chain: a built-in chain's policy, or the return from a user chain without a match. */
  | {
      readonly kind: 'chain.end'
      readonly table: IptablesTable
      readonly chain: string
      readonly policy: 'ACCEPT' | 'DROP' | 'RETURN'
      readonly rules: RuleList<Rule>
      readonly triedFrom: number
    }
  /** A rule of nf_tables matched; otherwise as `rule.match`. */
  | {
      readonly kind: 'nft.match'
      readonly table: string
      readonly chain: string
      /** 1-based, in the order of `nft list chain`. */
      readonly index: number
      readonly rule: NftRule
      readonly verdict: RuleVerdict
      /** The element of a map that decided; `origin` is then the element's. */
      readonly element?: { readonly set: string; readonly key: string }
      readonly rules: RuleList<NftRule>
      readonly triedFrom: number
      readonly origin: Origin
    }
  /** The end of a chain of nf_tables, otherwise as `chain.end`. */
  | {
      readonly kind: 'nft.end'
      readonly table: string
      readonly chain: string
      readonly policy: 'ACCEPT' | 'DROP' | 'RETURN'
      readonly rules: RuleList<NftRule>
      readonly triedFrom: number
    }
  | { readonly kind: 'mark.set'; readonly before: number; readonly after: number }
  | {
      readonly kind: 'conntrack'
      readonly state: 'new' | 'established' | 'related' | 'invalid' | 'untracked'
      readonly direction: 'original' | 'reply'
      readonly entry?: string
    }
  /** A virtual server took the packet: it belongs to a connection, which was there or has just been made. */
  | {
      readonly kind: 'ipvs.connection'
      readonly by: 'known' | 'scheduler' | 'template'
      readonly service: Pick<IpvsServiceSpec, 'protocol' | 'address' | 'port' | 'scheduler'>
      readonly destination: Pick<IpvsDestinationSpec, 'address' | 'port' | 'forward'>
      readonly state: string
      readonly origin: Origin
    }
  | { readonly kind: 'conntrack.confirm'; readonly entry: string }
  | {
      readonly kind: 'nat.rewrite'
      readonly which: 'src' | 'dst'
      readonly hook: Hook
      readonly undo: boolean
      readonly before: IpPacket
      readonly after: IpPacket
    }
  | {
      readonly kind: 'route.lookup'
      readonly direction: 'input' | 'output'
      readonly destination: Ip
      readonly source?: Ip
      readonly result:
        | 'unicast'
        | 'local'
        | 'broadcast'
        | 'multicast'
        | 'blackhole'
        | 'unreachable'
        | 'prohibit'
        | 'none'
      readonly table?: string
      readonly route?: Route
      readonly via?: Ip
      readonly dev?: string
      readonly origin?: Origin
    }
  | {
      readonly kind: 'forward'
      readonly ttlBefore: number
      readonly ttlAfter: number
      readonly in: string
      readonly out: string
    }
  | {
      readonly kind: 'neigh.lookup'
      readonly link: string
      readonly ip: Ip
      readonly state: NeighborState
      readonly mac?: Mac
      readonly origin?: Origin
    }
  | {
      readonly kind: 'neigh.update'
      readonly link: string
      readonly ip: Ip
      readonly state: NeighborState
      readonly mac?: Mac
    }
  | { readonly kind: 'fragment'; readonly mtu: number; readonly parts: number }
  | { readonly kind: 'reassemble'; readonly parts: number; readonly done: boolean }
  | {
      readonly kind: 'tunnel.encap'
      readonly link: string
      readonly vni: number
      readonly inner: Frame
      readonly remote: Ip
      readonly overhead: number
      readonly origin?: Origin
    }
  | { readonly kind: 'tunnel.decap'; readonly link: string; readonly vni: number; readonly inner: Frame }
  | { readonly kind: 'tun.read' | 'tun.write'; readonly link: string; readonly process: string }
  | { readonly kind: 'socket.deliver'; readonly received: IpPacket; readonly socket: string; readonly process?: string }
  /** The walk came to something whose effect is not known, and cannot go on. */
  | { readonly kind: 'notModelled'; readonly text: string }
  | {
      readonly kind: 'drop'
      readonly reason: DropReason
      readonly detail: string
      readonly origin?: Origin
      /** What the sender was told, where it was not a rule that refused: `icmp-port-unreachable`. */
      readonly rejectedWith?: string
    }

export type NeighborState =
  | 'none'
  | 'incomplete'
  | 'reachable'
  | 'stale'
  | 'delay'
  | 'probe'
  | 'failed'
  | 'permanent'
  | 'noarp'

export type RuleVerdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'reject'; readonly with: string }
  | { readonly kind: 'nat'; readonly which: 'src' | 'dst' }
  /** The rule, or the part of it in `text`, is not emulated: the walk ends here without a verdict. */
  | { readonly kind: 'notModelled'; readonly text: string }

/** The kernel's own words (include/net/dropreason-core.h, Linux 6.x), so that they can be searched for. */
export type DropReason =
  | 'NETFILTER_DROP'
  | 'IP_RPFILTER'
  | 'IP_INADDRERRORS'
  | 'IP_INNOROUTES'
  | 'IP_OUTNOROUTES'
  | 'IP_LOCAL_SOURCE'
  | 'IP_INVALID_SOURCE'
  | 'IP_INVALID_DEST'
  | 'IP_LOCALNET'
  | 'INVALID_PROTO'
  | 'PKT_TOO_BIG'
  | 'PKT_TOO_SMALL'
  | 'NEIGH_FAILED'
  | 'NEIGH_QUEUEFULL'
  | 'OTHERHOST'
  | 'NO_SOCKET'
  | 'SOCKET_CLOSE'
  | 'TCP_FLAGS'
  | 'UDP_CSUM'
  | 'TTL_EXPIRED'
  | 'BRIDGE_NO_EGRESS_PORT'
  | 'BRIDGE_INGRESS_STP_STATE'
  | 'DEV_READY'
  | 'VXLAN_NO_REMOTE'
  | 'VXLAN_VNI_NOT_FOUND'
  | 'VXLAN_INVALID_SMAC'
  | 'VXLAN_ENTRY_EXISTS'
  | 'LOCAL_MAC'
  | 'DUP_FRAG'
  | 'FRAG_REASM_TIMEOUT'
  | 'RECURSION_LIMIT'
  | 'UNHANDLED_PROTO'
  | 'BLACKHOLE'
  | 'FAULT'
