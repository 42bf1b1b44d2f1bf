import type { OpBody } from '../linux/op.ts'
import { formatIp, type Ip } from '../packet/ip.ts'
import { networkOf } from '../packet/prefix.ts'
import type { Card, Underlay, UnderlayMachine } from './underlay.ts'

/** One address that the network around the cluster routes to one node, as a BGP or ARP speaker of a load balancer does. */
export interface EntryRoute {
  readonly address: Ip
  readonly node: string
}

/** The route of a router or an outside host that shares a segment with the entry node; none on other machines. */
export function entryRoute(
  machine: UnderlayMachine,
  underlay: Underlay,
  { address, node }: EntryRoute,
): readonly OpBody[] {
  if (machine.kind === 'node') return []
  const theirs = underlay.machines.get(node)?.cards ?? []
  for (const card of machine.cards) {
    const via = nextHop(theirs, card.segment, address.family)
    if (via === undefined) continue
    const destination = networkOf(address, address.family === 4 ? 32 : 128)
    return [{ kind: 'route.replace', route: { type: 'unicast', destination, via, dev: card.name, protocol: 'static' } }]
  }
  return []
}

const nextHop = (cards: readonly Card[], segment: string, family: 4 | 6): Ip | undefined =>
  cards.find((card) => card.segment === segment)?.addresses.find(({ ip }) => ip.family === family)?.ip

export const entryReason = ({ address, node }: EntryRoute): string =>
  `${formatIp(address)} enters the cluster at ${node}`
