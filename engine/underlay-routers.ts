import type { LabRouter } from '../cluster/lab.ts'
import { formatIp, type Ip, ipPlus, parseIp, sameIp } from '../packet/ip.ts'
import type { Prefix } from '../packet/prefix.ts'
import { type Card, INTERNET, ROUTER_OUTSIDE, type UnderlayMachine, type UnderlaySegment } from './underlay.ts'
import { addMachine, cardMac, type Draft, isTaken, type PlannedRouter, withLength } from './underlay-draft.ts'

/** Routers of the Lab, or one that joins all networks and leads outside. */
export function planRouters(draft: Draft): void {
  const declared = draft.cluster.lab.routers ?? []
  const inside = [...draft.segments.values()].filter((segment) => !segment.outside)
  const routers: readonly LabRouter[] =
    declared.length > 0
      ? declared
      : [{ name: 'gateway', networks: [...inside.map((segment) => segment.name), INTERNET] }]
  for (const router of routers) {
    const addresses = new Map<string, readonly Ip[]>()
    for (const network of router.networks) {
      const segment = draft.segments.get(network)
      if (segment !== undefined) addresses.set(network, routerAddresses(draft, router, segment))
    }
    draft.routers.push({ name: router.name, networks: router.networks, addresses })
  }
  if (declared.length === 0 && draft.cluster.nodes.length > 0)
    draft.assumptions.push({
      code: 'underlay-gateway',
      text: `the default gateway of the nodes is ${[...(draft.routers[0]?.addresses.values() ?? [])]
        .flat()
        .filter((address) => !sameIp(address, ROUTER_OUTSIDE))
        .map(formatIp)
        .join(', ')}, and leads outside`,
      set: 'spec.routers and spec.nodes.*.gateway in a Lab document',
      collect: 'ip route show default   (on each node)',
    })
  for (const [name, machine] of draft.machines)
    draft.machines.set(name, { ...machine, gateways: gatewaysOf(draft, machine) })
}

function routerAddresses(draft: Draft, router: LabRouter, segment: UnderlaySegment): readonly Ip[] {
  if (segment.outside) return [ROUTER_OUTSIDE]
  const said = router.addresses?.[segment.name]
  const given = said === undefined ? undefined : parseIp(said)
  const named = namedGateway(draft, segment)
  return segment.prefixes.map((prefix) => {
    const { family } = prefix.address
    if (given?.ok === true && given.value.family === family) return given.value
    if (named !== undefined && named.family === family) return named
    return freeAddress(draft, prefix)
  })
}

/** The gateway that the nodes of a segment name in the Lab. */
function namedGateway(draft: Draft, segment: UnderlaySegment): Ip | undefined {
  for (const [name, lab] of Object.entries(draft.cluster.lab.nodes ?? {})) {
    const machine = draft.machines.get(name)
    if (lab.gateway === undefined || machine?.cards[0]?.segment !== segment.name) continue
    const result = parseIp(lab.gateway)
    if (result.ok) return result.value
  }
  return undefined
}

/** The first host address of a network that no node has. */
function freeAddress(draft: Draft, prefix: Prefix): Ip {
  for (let n = 1; n < 255; n++) {
    const candidate = ipPlus(prefix.address, n)
    if (!isTaken(draft, candidate)) return candidate
  }
  return ipPlus(prefix.address, 1)
}

function gatewaysOf(draft: Draft, machine: UnderlayMachine): readonly Ip[] {
  const said = draft.cluster.lab.nodes?.[machine.name]?.gateway
  const given = said === undefined ? undefined : parseIp(said)
  const families = new Set(machine.cards.flatMap((card) => card.addresses.map((address) => address.ip.family)))
  return [...families].flatMap((family) => {
    if (given?.ok === true && given.value.family === family) return [given.value]
    for (const router of draft.routers)
      for (const card of machine.cards) {
        const found = router.addresses.get(card.segment)?.find((address) => address.family === family)
        if (found !== undefined) return [found]
      }
    return []
  })
}

/** Their machines, when all addresses are known. */
export function addRouters(draft: Draft): void {
  for (const router of draft.routers) {
    const cards = router.networks.flatMap((network, i): Card[] => {
      const segment = draft.segments.get(network)
      if (segment === undefined) return []
      const name = segment.outside ? INTERNET : `eth${i}`
      const addresses = (router.addresses.get(network) ?? []).map((address) =>
        segment.outside ? { ip: address, length: 32 } : withLength(segment, address),
      )
      return [{ name, segment: network, mac: cardMac(router.name, name), mtu: segment.mtu, addresses }]
    })
    const outward = draft.routers.find((other) => other.networks.includes(INTERNET))
    addMachine(draft, {
      name: router.name,
      kind: 'router',
      cards,
      gateways: towardsOutside(router, outward),
      down: false,
    })
  }
}

/** A router without an outside leg sends the rest to one that has it, over a network they share. */
function towardsOutside(router: PlannedRouter, outward: PlannedRouter | undefined): readonly Ip[] {
  if (outward === undefined || outward === router || router.networks.includes(INTERNET)) return []
  for (const network of router.networks) {
    const found = outward.addresses.get(network)
    if (found !== undefined) return found
  }
  return []
}
