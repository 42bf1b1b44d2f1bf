import type { Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import type { Fib } from './fib.ts'
import type { Capabilities } from './host-facts.ts'
import type { NetfilterConfig } from './netfilter/netfilter.ts'
import type { FdbEntry, Link } from './netns.ts'
import type { Op, ProcessOp } from './op.ts'
import type { Origin } from './origin.ts'

/** The frozen result of all ops of a machine; shared by every run. */
export interface HostConfig {
  readonly name: string
  readonly capabilities: Capabilities
  readonly netns: ReadonlyMap<string, NetnsConfig>
  /** What the kernel would have refused, with its words. */
  readonly refused: readonly RefusedOp[]
}

export interface NetnsConfig {
  readonly name: string
  readonly links: readonly LinkConfig[]
  readonly fib: Fib
  readonly neighbors: readonly PermanentNeighbor[]
  readonly sysctls: ReadonlyMap<string, number>
  readonly files: ReadonlyMap<string, string>
  readonly netfilter: NetfilterConfig
  readonly processes: readonly (Omit<ProcessOp, 'kind'> & { readonly origin: Origin })[]
}

/** A link as configured: what a run adds is the namespace it is in and what it learns. */
export type LinkConfig = Omit<Link, 'ns' | 'fdb'> & { readonly fdb: ReadonlyMap<Mac, FdbEntry> }

export interface PermanentNeighbor {
  readonly link: string
  readonly ip: Ip
  readonly mac: Mac
  readonly origin: Origin
}

export interface RefusedOp {
  readonly op: Op
  /** As the tool prints it: `Error: Nexthop has invalid gateway.` */
  readonly error: string
}
