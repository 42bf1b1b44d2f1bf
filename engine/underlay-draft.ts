import type { Cluster } from '../cluster/cluster.ts'
import type { Assumption } from '../cluster/source.ts'
import { hash32 } from '../linux/draw.ts'
import { type Ip, ipKey } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import { contains, type InterfaceAddress } from '../packet/prefix.ts'
import type { UnderlayMachine, UnderlaySegment } from './underlay.ts'

/** The underlay while it is read. */
export interface Draft {
  readonly cluster: Cluster
  readonly segments: Map<string, UnderlaySegment>
  readonly machines: Map<string, UnderlayMachine>
  /** The addresses of their cards. */
  readonly taken: Set<string | number>
  readonly assumptions: Assumption[]
  readonly routers: PlannedRouter[]
}

/** A router whose machine is made when everything else has its address. */
export interface PlannedRouter {
  readonly name: string
  readonly networks: readonly string[]
  /** Its addresses by network. */
  readonly addresses: ReadonlyMap<string, readonly Ip[]>
}

/** `02` and 40 bits of a hash of the names: locally administered, the same in every run. */
export function cardMac(machine: string, card: string): Mac {
  const high = hash32(`${machine} ${card}`)
  const low = hash32(`${card} ${machine}`) & 0xff
  return (0x020000000000 + high * 0x100 + low) as Mac
}

/** Whether a card has the address. */
export const isTaken = (draft: Draft, address: Ip): boolean => draft.taken.has(ipKey(address))

/** Adds a machine, and takes its addresses. */
export function addMachine(draft: Draft, machine: UnderlayMachine): void {
  draft.machines.set(machine.name, machine)
  for (const card of machine.cards) for (const { ip: own } of card.addresses) draft.taken.add(ipKey(own))
}

/** The segment that an address lies in. */
export function segmentOf(draft: Draft, address: Ip): UnderlaySegment | undefined {
  for (const segment of draft.segments.values())
    if (segment.prefixes.some((prefix) => contains(prefix, address))) return segment
  return undefined
}

/** The address with the prefix length of its segment. */
export const withLength = (segment: UnderlaySegment, address: Ip): InterfaceAddress => {
  const prefix = segment.prefixes.find((candidate) => contains(candidate, address))
  return { ip: address, length: prefix?.length ?? (address.family === 4 ? 24 : 64) }
}
