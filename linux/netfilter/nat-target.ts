import { isLoopback, isUnspecified, LOOPBACK_V4, LOOPBACK_V6 } from '../../packet/ip.ts'
import { selectSource } from '../fib.ts'
import type { Link } from '../netns.ts'
import type { Hook } from '../step.ts'
import type { MatchPlace } from './iptables/place.ts'
import type { NatRange, Target } from './iptables/rule.ts'
import { type Manip, setUpNat, toAddress } from './nat.ts'

export type NatTarget = Extract<Target, { kind: 'dnat' | 'snat' | 'masquerade' | 'redirect' }>

export interface NatOutcome {
  readonly which: Manip
  /** False: there is no address to rewrite to, and the packet is dropped. */
  readonly accepted: boolean
}

const HOOKS: Readonly<Record<NatTarget['kind'], readonly Hook[]>> = {
  dnat: ['prerouting', 'output'],
  redirect: ['prerouting', 'output'],
  snat: ['postrouting', 'input'],
  masquerade: ['postrouting'],
}

/** Where a packet is when NAT is set up for its flow. */
type NatPlace = Pick<MatchPlace, 'skb' | 'state'>

/** The kernel takes such a rule only in chains of these hooks. */
export const isNatHook = (kind: NatTarget['kind'], hook: Hook): boolean => HOOKS[kind].includes(hook)

/** The targets of the nat table. Text: why the kernel would not have the rule. */
export function applyNatTarget(target: NatTarget, place: MatchPlace): NatOutcome | string {
  const { state, chain } = place
  const name = target.kind.toUpperCase()
  if (chain.table !== 'nat') return `-j ${name} in the table ${chain.table}`
  if (!isNatHook(target.kind, state.hook)) return `-j ${name} in ${state.hook.toUpperCase()}`
  return setUpNatTarget(target, place)
}

/** One call of NAT's set-up. */
export function setUpNatTarget(target: NatTarget, place: NatPlace): NatOutcome {
  switch (target.kind) {
    case 'dnat':
      return setUp(place, 'dst', target.range)
    case 'snat':
      return setUp(place, 'src', target.range)
    case 'masquerade':
      return masquerade(place, target.range)
    case 'redirect':
      return redirect(place, target.range)
  }
}

function setUp({ skb }: NatPlace, manip: Manip, range: NatRange): NatOutcome {
  const entry = skb.ct?.entry
  if (entry !== undefined) setUpNat(skb.ns, entry, { range, manip })
  return { which: manip, accepted: true }
}

const NO_ADDRESS = { accepted: false } as const

/** nf_nat_masquerade_ipv4 and _ipv6: the address that the outgoing link would send from to the next hop. */
function masquerade(place: NatPlace, range: NatRange): NatOutcome {
  const { skb, state } = place
  const entry = skb.ct?.entry
  const { out } = state
  const { packet } = skb
  if (entry === undefined || out === undefined) return { which: 'src', accepted: true }
  const { family } = packet.src
  // 0.0.0.0 is a DHCP client's: the packet goes on as it is.
  if (family === 4 && isUnspecified(entry.original.src)) return { which: 'src', accepted: true }
  const source = selectSource(skb.ns, out, family === 4 ? (skb.dst?.via ?? packet.dst) : packet.dst)
  if (source === undefined) return { which: 'src', ...NO_ADDRESS }
  entry.masqueradeLink = out.index
  return setUp(place, 'src', toAddress(source, range))
}

/** nf_nat_redirect: to this machine itself, by the address of the link it came in by. */
function redirect(place: NatPlace, range: NatRange): NatOutcome {
  const { skb, state } = place
  const { family } = skb.packet.dst
  const here = state.hook === 'output' ? (family === 4 ? LOOPBACK_V4 : LOOPBACK_V6) : firstAddress(state.in, family)
  return here === undefined ? { which: 'dst', ...NO_ADDRESS } : setUp(place, 'dst', toAddress(here, range))
}

function firstAddress(link: Link | undefined, family: 4 | 6) {
  return link?.addresses.find(
    (address) =>
      address.ip.family === family && (family === 4 || (address.scope === 'global' && !isLoopback(address.ip))),
  )?.ip
}
