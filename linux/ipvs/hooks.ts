import type { Family } from '../../packet/ip.ts'
import type { HookState, NfVerdict } from '../netfilter/netfilter.ts'
import type { IpSkb } from '../skb.ts'
import type { Hook } from '../step.ts'
import { directForwardedError, directReply, directRequest } from './director.ts'
import type { IpvsConfig } from './ipvs-config.ts'

interface IpvsHandler {
  readonly priority: number
  run(skb: IpSkb, state: HookState): NfVerdict
}

const reply = (skb: IpSkb, { hook }: HookState): NfVerdict => directReply(skb, hook)
const request = (skb: IpSkb, { hook }: HookState): NfVerdict => directRequest(skb, hook)
const forwardedError = (skb: IpSkb, { hook }: HookState): NfVerdict => directForwardedError(skb, hook)

/** ip_vs_ops4, ip_vs_ops6: after the filter where packets come in and pass, right after NAT where they are made. */
const HANDLERS: Readonly<Partial<Record<Hook, readonly IpvsHandler[]>>> = {
  input: [
    { priority: 98, run: reply },
    { priority: 99, run: request },
  ],
  output: [
    { priority: -99, run: reply },
    { priority: -98, run: request },
  ],
  forward: [
    { priority: 99, run: forwardedError },
    { priority: 100, run: reply },
  ],
}

const NONE: readonly IpvsHandler[] = []

/** ip_vs_register_hooks: a family has them from its first service on. */
export function ipvsHandlers(config: IpvsConfig, family: Family, hook: Hook): readonly IpvsHandler[] {
  const used = config.services.some((service) => service.address.family === family)
  return used ? (HANDLERS[hook] ?? NONE) : NONE
}
