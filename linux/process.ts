import type { Ip } from '../packet/ip.ts'
import type { Draw } from './draw.ts'

/**
 * A userspace program as a pure step: it sees its files and its sockets, and answers each event with a new state
 * and system calls as data. It chooses its own descriptor numbers; the machine gives the numbers of accepted
 * connections, from 1000 up.
 */
export interface Program<State = unknown, Note = unknown> {
  readonly name: string
  start(context: ProcessContext): ProcessResult<State, Note>
  step(state: State, event: ProcessEvent, context: ProcessContext): ProcessResult<State, Note>
  /** It is given other arguments, or shall go on: what a signal tells it. Absent: it pays no heed. */
  told?(state: State, context: ProcessContext): ProcessResult<State, Note>
}

export interface ProcessContext {
  /** Nanoseconds on the virtual clock. */
  readonly now: number
  readonly host: string
  readonly netns: string
  readonly args: Readonly<Record<string, string>>
  /** The text of a file in this network namespace (its /etc), or undefined. */
  readonly file: (path: string) => string | undefined
  /** Chance at this process; the site's host and netns are filled in. */
  readonly draw: (purpose: Parameters<Draw>[0]['purpose'], entry: string, choices: number | readonly number[]) => number
  /** The families this netns has a non-loopback global address of (AI_ADDRCONFIG), and its addresses. */
  readonly addresses: () => readonly Ip[]
  /** The source the kernel would take towards a destination (connect and getsockname); undefined: there is no route. */
  readonly sourceFor?: (destination: Ip) => Ip | undefined
  /** The prefix length that an own address has at its interface; undefined: it is not one. */
  readonly prefixLengthOf?: (own: Ip) => number | undefined
}

export interface ProcessResult<State, Note> {
  readonly state: State
  readonly syscalls: readonly Syscall[]
  /** Steps of the program's own vocabulary, put into the trace as they are. */
  readonly notes?: readonly Note[]
}

export interface SocketAddress {
  readonly ip: Ip
  readonly port: number
}

export type Syscall =
  | {
      readonly kind: 'socket'
      readonly fd: number
      readonly family: 4 | 6
      readonly type: SocketType
      readonly ttl?: number
      /** IPV6_V6ONLY: the wildcard address does not take IPv4. */
      readonly v6only?: boolean
      /** IP_RECVERR, IPV6_RECVERR: also ICMP errors that are not fatal are told. For udp. */
      readonly recvErr?: boolean
    }
  /** `ip` absent: the wildcard address (and for IPv6 both families, as Linux does). Port 0: an ephemeral one. */
  | { readonly kind: 'bind'; readonly fd: number; readonly ip?: Ip; readonly port: number }
  | { readonly kind: 'listen'; readonly fd: number }
  | { readonly kind: 'connect'; readonly fd: number; readonly to: SocketAddress }
  /** On a connected socket. For icmp: the data of an echo request. For tun: a whole IP packet. */
  | { readonly kind: 'send'; readonly fd: number; readonly bytes: Uint8Array; readonly to?: SocketAddress }
  | { readonly kind: 'close'; readonly fd: number }
  /** Opens the tun device of that name: packets routed to it arrive as `data`. */
  | { readonly kind: 'tun'; readonly fd: number; readonly device: string }
  | { readonly kind: 'timer'; readonly id: string; readonly afterNs: number }
  | { readonly kind: 'cancelTimer'; readonly id: string }
  | { readonly kind: 'exit'; readonly code: number }

export type SocketType = 'tcp' | 'udp' | 'icmp' | 'sctp'

export type ProcessEvent =
  | { readonly kind: 'connected'; readonly fd: number; readonly local: SocketAddress; readonly peer: SocketAddress }
  | {
      readonly kind: 'accepted'
      readonly fd: number
      /** The new connection's descriptor. */
      readonly connection: number
      readonly local: SocketAddress
      readonly peer: SocketAddress
    }
  | {
      readonly kind: 'data'
      readonly fd: number
      readonly bytes: Uint8Array
      readonly from?: SocketAddress
      /** The address the datagram was sent to (IP_PKTINFO). */
      readonly to?: SocketAddress
      /** TTL or hop limit on arrival (IP_RECVTTL). */
      readonly ttl?: number
    }
  /** The peer closed its side. */
  | { readonly kind: 'closed'; readonly fd: number }
  | {
      readonly kind: 'error'
      readonly fd: number
      readonly errno: Errno /** Who said so, where an ICMP error did. */
      readonly from?: Ip
    }
  | { readonly kind: 'timer'; readonly id: string }

export type Errno =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'ETIMEDOUT'
  | 'EMSGSIZE'
  | 'EINVAL'
  | 'EADDRNOTAVAIL'
  | 'EADDRINUSE'
  | 'EACCES'
  | 'EPERM'
  | 'EPROTO'
  | 'ENOPROTOOPT'
  | 'EOPNOTSUPP'
  | 'EHOSTDOWN'
  | 'ENONET'
  | 'EREMOTEIO'
