import type { Assumption } from '../cluster/source.ts'
import { type Ip, ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { InterfaceAddress, Prefix } from '../packet/prefix.ts'

/**
 * What lies below the pod network: segments, network cards, routers and outside hosts. Taken from the Lab document
 * where it says so; everything else is assumed, and said.
 */
export interface Underlay {
  readonly segments: readonly UnderlaySegment[]
  readonly machines: ReadonlyMap<string, UnderlayMachine>
  readonly assumptions: readonly Assumption[]
}

export interface UnderlaySegment {
  readonly name: string
  readonly prefixes: readonly Prefix[]
  readonly mtu: number
  readonly outside: boolean
  readonly blockedUdpPorts: readonly number[]
}

export interface UnderlayMachine {
  readonly name: string
  readonly kind: 'node' | 'router' | 'outside'
  readonly cards: readonly Card[]
  readonly gateways: readonly Ip[]
  readonly down: boolean
}

/** A network card and what is configured on it. */
export interface Card {
  readonly name: string
  readonly segment: string
  readonly mac: Mac
  readonly mtu: number
  readonly addresses: readonly InterfaceAddress[]
}

/** The segment behind the last router. Frames for nobody there leave the picture. */
export const INTERNET = 'internet'
/** Next hop of a router towards everything that is not described, and its own address there (RFC 5737). */
export const BEYOND = ip('192.0.2.1')
export const ROUTER_OUTSIDE = ip('192.0.2.2')
/** Nobody has it: what goes there has left. */
export const BEYOND_MAC = 0x020000000001 as Mac
