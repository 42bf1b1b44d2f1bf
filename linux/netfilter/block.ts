import type { IptablesTable } from '../op.ts'
import type { Origin } from '../origin.ts'

/** A rule as iptables(8) is given it: `-A CHAIN ARGS`. */
export interface RuleLine {
  readonly table: IptablesTable
  readonly chain: string
  readonly args: string
  readonly origin: Origin
}

/**
 * Rules that belong together and are the same on every node that has this variant of them: made once, shared by
 * reference. `dispatch` goes to the end of chains that other blocks also write to; `chains` are the block's own and
 * are made (once) when a packet first jumps into one of `entries`, or when somebody prints them.
 */
export interface IptablesBlock {
  readonly dispatch: readonly RuleLine[]
  /** Chains by which the block is entered; the others are reachable from these only. */
  readonly entries: readonly ChainName[]
  readonly chains: () => readonly OwnChain[]
}

export interface ChainName {
  readonly table: IptablesTable
  readonly chain: string
}

export interface OwnChain extends ChainName {
  readonly rules: readonly RuleLine[]
}

/** Turns a maker of chains into one that works once and remembers. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
