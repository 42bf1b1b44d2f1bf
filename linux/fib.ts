import type { Ip } from '../packet/ip.ts'
import type { Route } from './op.ts'
import type { Origin } from './origin.ts'
import type { Link, Netns } from './netns.ts'

/** The routing tables and rules of one namespace. */
export interface Fib {
  readonly tables: ReadonlyMap<string, readonly FibEntry[]>
}

export interface FibEntry {
  readonly route: Route
  readonly origin: Origin
}

/** What a lookup found (the kernel's rtable). */
export interface RouteResult {
  readonly type: 'unicast' | 'local' | 'broadcast' | 'multicast'
  readonly dev: Link
  readonly via: Ip | undefined
  readonly entry: FibEntry | undefined
}

/** `inet_addr_type`: what kind of address this is here, by the local table first (`-m addrtype`). */
export declare function addressType(
  ns: Netns,
  ip: Ip,
  dev?: Link,
): 'local' | 'unicast' | 'broadcast' | 'multicast' | 'blackhole' | 'unreachable' | 'prohibit'

/** `inet_select_addr` / `ipv6_dev_get_saddr`: the source address for packets sent out by `dev` to `dst` (MASQUERADE). */
export declare function selectSource(ns: Netns, dev: Link, dst: Ip): Ip | undefined
