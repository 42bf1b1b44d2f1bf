import type { ResolverName } from '../dns/resolver/registry.ts'
import type { Ip } from '../packet/ip.ts'

/** The question: what is sent, from where, to whom. */
export interface Probe {
  readonly kind: ProbeKind
  readonly from: ProbeSource
  readonly target: ProbeTarget
  /** What the client sends once it may: the body of a datagram, an HTTP request. */
  readonly payload: string
  /** Initial TTL or hop limit, where it is not the default. */
  readonly ttl?: number
  /** The port that the client binds its socket to; else the kernel chooses one. */
  readonly sourcePort?: number
  /** The client keeps its socket when it has its answer, to ask again by it. */
  readonly keeps?: boolean
  /** The library or tool that looks names up; glibc's getaddrinfo unless said. */
  readonly resolver?: ResolverName
  /** The record type that it is told to ask for; addresses unless said. */
  readonly recordType?: string
}

/**
 * `connect`: a TCP handshake and a close. `request`: an HTTP GET over TCP. `datagram`: UDP, and wait for an answer.
 * `associate`: an SCTP association, a message in it, wait for an answer, and a shutdown.
 * `ping`: an ICMP echo. `resolve`: only the lookup.
 */
export type ProbeKind = 'connect' | 'request' | 'datagram' | 'associate' | 'ping' | 'resolve'

export interface ProbeSource {
  readonly host: string
  readonly netns: string
  /** As people call it: `default/client`. */
  readonly label: string
  /** Where the process finds its /etc; `''` for a pod with a network namespace of its own. */
  readonly root: string
}

export interface ProbeTarget {
  /** Looked up as the source's resolver would; undefined: `ip` is given. */
  readonly name?: string
  readonly ip?: Ip
  /** 0 for ping and resolve. */
  readonly port: number
  /** As people call it: `svc default/my-nginx`. */
  readonly label: string
}
