import { sameIp } from '../../packet/ip.ts'
import { ICMP4, ICMP6 } from '../../packet/packet.ts'
import { routeOutput } from '../route.ts'
import type { IpSkb } from '../skb.ts'
import type { Hook } from '../step.ts'
import { type ConntrackEntry, type Direction, STATUS } from './conntrack.ts'
import { removeEntry } from './conntrack-table.ts'
import { bindToItself, isDecided, isNatted, type Manip } from './nat.ts'
import { rewrite, rewriteError } from './nat-rewrite.ts'
import { ACCEPT, DROP, type HookState, type NfVerdict } from './netfilter.ts'

/** HOOK2MANIP. */
const manipOf = (hook: Hook): Manip => (hook === 'postrouting' || hook === 'input' ? 'src' : 'dst')

/** A nat table or chain, asked what to do with a flow. */
export type NatLookup = (skb: IpSkb, state: HookState) => NfVerdict

/**
 * nf_nat_ipv4_fn, nf_nat_ipv6_fn and nf_nat_inet_fn: the first packet of a flow asks the nat tables, once for each end,
 * until one decides; whatever is decided is then done to every packet, and undone to every answer.
 */
export function natHook(skb: IpSkb, state: HookState, lookups: readonly NatLookup[]): NfVerdict {
  const { ct } = skb
  if (ct?.entry === undefined) return ACCEPT
  const { entry, direction } = ct
  const manip = manipOf(state.hook)
  if (ct.state === 'related' && skb.packet.payload.kind === 'icmp')
    return translateError(skb, state, { entry, direction })
  if (ct.state !== 'established' && !isDecided(entry, manip)) {
    for (const lookUp of lookups) {
      const verdict = lookUp(skb, state)
      if (verdict.kind !== 'accept') return verdict
      if (isDecided(entry, manip)) break
    }
    if (!isDecided(entry, manip)) bindToItself(skb.ns, entry, manip)
  } else if (leavesElsewhere(state, entry, direction)) {
    removeEntry(skb.ns, entry)
    record(skb, 'the link that the flow was masqueraded for has changed')
    return DROP
  }
  if (!isRewritten(entry, { direction, manip })) return ACCEPT
  const before = skb.packet
  replace(skb, state, { to: rewrite(before, entry, { direction, manip }), direction })
  return state.hook === 'output' && !sameIp(before.dst, skb.packet.dst) ? routeAgain(skb) : ACCEPT
}

/** nf_nat_ipv4_local_fn: what goes elsewhere now is routed here, and goes no further where there is no way. */
function routeAgain(skb: IpSkb): NfVerdict {
  const { packet, mark, ns } = skb
  const again = routeOutput(ns, { dst: packet.dst, src: packet.src, mark })
  if (again.kind === 'ok') return ACCEPT
  record(skb, again.detail)
  return DROP
}

/** Answers are rewritten at the other end: what changed the source changes the answer's destination. */
const isRewritten = (entry: ConntrackEntry, { direction, manip }: { direction: Direction; manip: Manip }): boolean =>
  isNatted(entry, direction === 'original' ? manip : manip === 'src' ? 'dst' : 'src')

/** nf_nat_oif_changed: a masqueraded flow that would now leave by another link is over. */
function leavesElsewhere({ hook, out }: HookState, entry: ConntrackEntry, direction: Direction): boolean {
  return (
    hook === 'postrouting' &&
    direction === 'original' &&
    entry.masqueradeLink !== undefined &&
    entry.masqueradeLink !== out?.index
  )
}

function translateError(
  skb: IpSkb,
  state: HookState,
  { entry, direction }: { readonly entry: ConntrackEntry; readonly direction: Direction },
): NfVerdict {
  const { payload } = skb.packet
  const done = STATUS.srcNatDone | STATUS.dstNatDone
  if (payload.kind === 'icmp' && isRedirect(skb, payload.type)) {
    // What a router says of the way to an address that was never on the wire helps nobody.
    const natted = isNatted(entry, 'src') || isNatted(entry, 'dst')
    if ((entry.status & done) !== done || natted) {
      record(skb, 'an ICMP redirect about a flow with NAT')
      return DROP
    }
  }
  const manip = manipOf(state.hook)
  if (isRewritten(entry, { direction, manip }))
    replace(skb, state, { to: rewriteError(skb.packet, entry, { direction, manip }), direction })
  return ACCEPT
}

const isRedirect = (skb: IpSkb, type: number): boolean =>
  type === (skb.packet.src.family === 4 ? ICMP4.redirect : ICMP6.redirect)

function replace(
  skb: IpSkb,
  { hook }: HookState,
  { to, direction }: { readonly to: IpSkb['packet']; readonly direction: Direction },
): void {
  const before = skb.packet
  skb.packet = to
  const which = manipOf(hook)
  skb.ns.host.kernel.record(skb, { kind: 'nat.rewrite', which, hook, undo: direction === 'reply', before, after: to })
}

function record(skb: IpSkb, detail: string): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'NETFILTER_DROP', detail })
}
