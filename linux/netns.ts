import type { Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { InterfaceAddress } from '../packet/prefix.ts'
import type { Draw } from './draw.ts'
import type { Fib } from './fib.ts'
import type { LinkType } from './op.ts'
import type { Origin } from './origin.ts'
import type { Capabilities } from './host-facts.ts'
import type { NetfilterConfig, NetfilterState } from './netfilter/netfilter.ts'
import type { StepBody } from './step.ts'

/** A machine at run time: its frozen configuration, and what this run's traffic has changed. */
export interface Host {
  readonly name: string
  readonly capabilities: Capabilities
  readonly netns: ReadonlyMap<string, Netns>
  readonly kernel: Kernel
}

/** What the machine code is given by whoever runs it: time, chance, and where to put what happened. */
export interface Kernel {
  /** Nanoseconds. */
  now(): number
  readonly draw: Draw
  /** A number for a new traveller. */
  newPacket(): number
  record(skb: { readonly id: number; readonly ns: Netns }, step: StepBody): void
}

/** One network namespace. */
export interface Netns {
  readonly host: Host
  readonly name: string
  readonly links: ReadonlyMap<string, Link>
  readonly fib: Fib
  /** Numeric sysctls by full key; see `sysctl`. */
  readonly sysctls: ReadonlyMap<string, number>
  readonly netfilter: NetfilterConfig
  readonly netfilterState: NetfilterState
}

export interface Link {
  readonly name: string
  /** 1-based, in the order links were made; lo is 1. */
  readonly index: number
  readonly mac: Mac
  readonly mtu: number
  readonly up: boolean
  readonly type: LinkType | { readonly kind: 'loopback' }
  /** The bridge this link is a port of. */
  readonly master: string | undefined
  readonly port: { readonly hairpin: boolean; readonly learning: boolean; readonly flood: boolean }
  readonly addresses: readonly LinkAddress[]
  readonly origin: Origin
}

export interface LinkAddress extends InterfaceAddress {
  readonly scope: 'global' | 'link' | 'host'
  readonly broadcast: Ip | undefined
  readonly secondary: boolean
  readonly origin: Origin
}

/** A sysctl as a number; `fallback` is the kernel's default. */
export function sysctl(ns: Netns, key: string, fallback: number): number {
  return ns.sysctls.get(key) ?? fallback
}

