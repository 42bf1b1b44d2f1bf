import type { Ip } from '../../../packet/ip.ts'
import type { Prefix } from '../../../packet/prefix.ts'
import type { Origin } from '../../origin.ts'

/** A parsed rule: matches in the order given, then the target. */
export interface Rule {
  readonly matches: readonly Match[]
  readonly target: Target | undefined
  readonly origin: Origin
}
export type Match = { readonly kind: 'source'; readonly not: boolean; readonly prefix: Prefix }
export type Target = { readonly kind: 'jump'; readonly chain: string; readonly ip?: Ip }
