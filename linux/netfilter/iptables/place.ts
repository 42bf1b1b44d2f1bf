import type { IpSkb } from '../../skb.ts'
import type { HookState } from '../netfilter.ts'
import type { Chain } from './chain.ts'

/** What a match sees: the packet, the hook, and the rule it stands in. */
export interface MatchPlace {
  readonly skb: IpSkb
  readonly state: HookState
  chain: Chain
  /** 0-based, of the rule being tried. */
  index: number
  /** Why it is not known whether the last rule tried matches. */
  unknown: string
}

/** What asks for chance: `nat KUBE-SVC-XPGD46QRK7WJZT7O 2`. */
export const entryName = (place: MatchPlace): string => `${place.chain.table} ${place.chain.name} ${place.index + 1}`

/** Whether the packet is on its way out and was not made here. */
export const isForwardedOut = ({ skb, state }: MatchPlace): boolean =>
  state.out !== undefined && skb.socket === undefined
