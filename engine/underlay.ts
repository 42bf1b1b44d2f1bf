import type { Cluster } from '../cluster/cluster.ts'
import type { LabHost, LabNetwork, LabRouter } from '../cluster/lab.ts'
import type { KubeNode } from '../cluster/objects.ts'
import type { Assumption } from '../cluster/source.ts'
import { hash32 } from '../linux/draw.ts'
import { compareIp, formatIp, type Ip, ip, ipKey, ipPlus, isLoopback, parseIp, sameIp } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import { parseMac } from '../packet/mac.ts'
import { contains, formatPrefix, type InterfaceAddress, networkOf, type Prefix, parsePrefix } from '../packet/prefix.ts'

/**
 * What lies below the pod network: segments, network cards, routers and outside hosts. Taken from the Lab document
 * where it says so; everything else is assumed, and said.
 */
export interface Underlay {
  readonly segments: readonly UnderlaySegment[]
  readonly machines: ReadonlyMap<string, UnderlayMachine>
  readonly assumptions: readonly Assumption[]
}

export interface UnderlaySegment {
  readonly name: string
  readonly prefixes: readonly Prefix[]
  readonly mtu: number
  readonly outside: boolean
  readonly blockedUdpPorts: readonly number[]
}

export interface UnderlayMachine {
  readonly name: string
  readonly kind: 'node' | 'router' | 'outside'
  readonly cards: readonly Card[]
  readonly gateways: readonly Ip[]
  readonly down: boolean
}

/** A network card and what is configured on it. */
export interface Card {
  readonly name: string
  readonly segment: string
  readonly mac: Mac
  readonly mtu: number
  readonly addresses: readonly InterfaceAddress[]
}

/** The segment behind the last router. Frames for nobody there leave the picture. */
export const INTERNET = 'internet'
/** Next hop of a router towards everything that is not described, and its own address there (RFC 5737). */
export const BEYOND = ip('192.0.2.1')
const ROUTER_OUTSIDE = ip('192.0.2.2')
/** Nobody has it: what goes there has left. */
export const BEYOND_MAC = 0x020000000001 as Mac

export function readUnderlay(cluster: Cluster): Underlay {
  const draft: Draft = {
    cluster,
    segments: new Map(),
    machines: new Map(),
    taken: new Set(),
    assumptions: [],
    routers: [],
  }
  addSegments(draft)
  for (const node of cluster.nodes) addNode(draft, node)
  planRouters(draft)
  for (const host of cluster.lab.hosts ?? []) addOutsideHost(draft, host)
  for (const address of otherOutsideAddresses(cluster)) addOutsideAddress(draft, address)
  addRouters(draft)
  return { segments: [...draft.segments.values()], machines: draft.machines, assumptions: draft.assumptions }
}

interface Draft {
  readonly cluster: Cluster
  readonly segments: Map<string, UnderlaySegment>
  readonly machines: Map<string, UnderlayMachine>
  /** The addresses of their cards. */
  readonly taken: Set<string | number>
  readonly assumptions: Assumption[]
  readonly routers: PlannedRouter[]
}

interface PlannedRouter {
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

// ------------------------------------------------------------------------------------------------ segments

function addSegments(draft: Draft): void {
  const blocked = (network: string): readonly number[] =>
    (draft.cluster.lab.faults ?? []).flatMap((fault) =>
      fault.kind === 'udpBlocked' && (fault.network === undefined || fault.network === network) ? [fault.port] : [],
    )
  const declared = draft.cluster.lab.networks ?? []
  for (const network of declared) {
    const prefixes = prefixesOf(network)
    draft.segments.set(network.name, {
      name: network.name,
      prefixes,
      mtu: network.mtu ?? 1500,
      outside: network.name === INTERNET,
      blockedUdpPorts: blocked(network.name),
    })
  }
  if (declared.length === 0) assumeOneSegment(draft, blocked('lan'))
  if (!draft.segments.has(INTERNET))
    draft.segments.set(INTERNET, {
      name: INTERNET,
      prefixes: [],
      mtu: 1500,
      outside: true,
      blockedUdpPorts: blocked(INTERNET),
    })
}

function prefixesOf(network: LabNetwork): readonly Prefix[] {
  const texts = network.cidr6 === undefined ? [network.cidr] : [network.cidr, network.cidr6]
  return texts.flatMap((text) => {
    const result = parsePrefix(text, 'mask')
    return result.ok ? [result.value] : []
  })
}

function assumeOneSegment(draft: Draft, blockedUdpPorts: readonly number[]): void {
  const all = draft.cluster.nodes.flatMap((node) => node.internalIPs)
  const prefixes = ([4, 6] as const).flatMap((family) => {
    const covering = coveringPrefix(all.filter((address) => address.family === family))
    return covering === undefined ? [] : [covering]
  })
  draft.segments.set('lan', { name: 'lan', prefixes, mtu: 1500, outside: false, blockedUdpPorts })
  if (draft.cluster.nodes.length === 0) return
  draft.assumptions.push({
    code: 'underlay-one-segment',
    text: `all nodes are on one network${prefixes.length === 0 ? '' : ` (${prefixes.map(formatPrefix).join(', ')})`}, MTU 1500`,
    set: 'spec.networks in a Lab document',
    collect: 'ip route; ip -d link   (on each node)',
  })
}

/** The usual /24 or /64 that holds all addresses, else a shorter prefix that does. */
function coveringPrefix(addresses: readonly Ip[]): Prefix | undefined {
  const [first] = addresses
  if (first === undefined) return undefined
  for (let length = first.family === 4 ? 24 : 64; length > 0; length--) {
    const network = networkOf(first, length)
    if (addresses.every((address) => contains(network, address))) return network
  }
  return networkOf(first, 0)
}

function segmentOf(draft: Draft, address: Ip): UnderlaySegment | undefined {
  for (const segment of draft.segments.values())
    if (segment.prefixes.some((prefix) => contains(prefix, address))) return segment
  return undefined
}

function segmentOfNode(draft: Draft, node: KubeNode): UnderlaySegment | undefined {
  const named = (draft.cluster.lab.networks ?? []).find((network) => network.nodes?.includes(node.meta.name))
  if (named !== undefined) return draft.segments.get(named.name)
  const [address] = node.internalIPs
  const found = address === undefined ? undefined : segmentOf(draft, address)
  return found ?? [...draft.segments.values()].find((segment) => !segment.outside)
}

const withLength = (segment: UnderlaySegment, address: Ip): InterfaceAddress => {
  const prefix = segment.prefixes.find((candidate) => contains(candidate, address))
  return { ip: address, length: prefix?.length ?? (address.family === 4 ? 24 : 64) }
}

// ------------------------------------------------------------------------------------------------ nodes

function addNode(draft: Draft, node: KubeNode): void {
  const { name } = node.meta
  const lab = draft.cluster.lab.nodes?.[name] ?? {}
  const segment = segmentOfNode(draft, node)
  if (segment === undefined) return
  const card = lab.interface ?? 'eth0'
  if (lab.interface === undefined)
    draft.assumptions.push({
      code: 'underlay-interface-name',
      text: `the network card of ${name} is called ${card}`,
      object: `Node ${name}`,
      set: `spec.nodes.${name}.interface in a Lab document`,
      collect: `ip route show default   (on ${name})`,
    })
  const given = lab.mac === undefined ? undefined : parseMac(lab.mac)
  const down = (draft.cluster.lab.faults ?? []).some((fault) => fault.kind === 'nodeDown' && fault.node === name)
  addMachine(draft, {
    name,
    kind: 'node',
    cards: [
      {
        name: card,
        segment: segment.name,
        mac: given?.ok === true ? given.value : cardMac(name, card),
        mtu: lab.mtu ?? segment.mtu,
        addresses: node.internalIPs.map((address) => withLength(segment, address)),
      },
    ],
    gateways: [],
    down,
  })
}

// ------------------------------------------------------------------------------------------------ routers

/** Routers of the Lab, or one that joins all networks and leads outside. */
function planRouters(draft: Draft): void {
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

const isTaken = (draft: Draft, address: Ip): boolean => draft.taken.has(ipKey(address))

function addMachine(draft: Draft, machine: UnderlayMachine): void {
  draft.machines.set(machine.name, machine)
  for (const card of machine.cards) for (const { ip: own } of card.addresses) draft.taken.add(ipKey(own))
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

function addRouters(draft: Draft): void {
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

// ------------------------------------------------------------------------------------------------ outside

function addOutsideHost(draft: Draft, host: LabHost): void {
  const address = parseIp(host.ip)
  const segment = draft.segments.get(host.network)
  if (!address.ok || segment === undefined) return
  const gateway = host.gateway === undefined ? undefined : parseIp(host.gateway)
  placeOutside(draft, {
    name: host.name,
    address: address.value,
    segment,
    gateway: gateway?.ok === true ? gateway.value : undefined,
  })
}

/** A machine that only an address tells of: a hand-made endpoint, an upstream resolver. */
function addOutsideAddress(draft: Draft, address: Ip): void {
  const taken =
    isTaken(draft, address) ||
    draft.routers.some((router) => [...router.addresses.values()].flat().some((own) => sameIp(own, address)))
  if (taken) return
  const segment = segmentOf(draft, address) ?? draft.segments.get(INTERNET)
  if (segment !== undefined) placeOutside(draft, { name: formatIp(address), address, segment, gateway: undefined })
}

function placeOutside(
  draft: Draft,
  { name, address, segment, gateway }: { name: string; address: Ip; segment: UnderlaySegment; gateway: Ip | undefined },
): void {
  const router = draft.routers.find((candidate) => candidate.networks.includes(segment.name))
  const via = gateway ?? router?.addresses.get(segment.name)?.find((own) => own.family === address.family)
  const length = segment.outside ? (address.family === 4 ? 32 : 128) : withLength(segment, address).length
  addMachine(draft, {
    name,
    kind: 'outside',
    cards: [
      {
        name: 'eth0',
        segment: segment.name,
        mac: cardMac(name, 'eth0'),
        mtu: segment.mtu,
        addresses: [{ ip: address, length }],
      },
    ],
    gateways: via === undefined ? [] : [via],
    down: false,
  })
}

/** Addresses that the cluster sends to and that are neither a pod nor a node. */
function otherOutsideAddresses(cluster: Cluster): readonly Ip[] {
  const found = new Map<string, Ip>()
  const add = (address: Ip): void => {
    const inside = cluster.facts.podCIDRs.some((prefix) => contains(prefix, address))
    if (!inside && !isLoopback(address) && !cluster.index.podByIp.has(address.family === 4 ? address.d : ''))
      found.set(formatIp(address), address)
  }
  for (const slice of cluster.endpointSlices)
    for (const endpoint of slice.endpoints) for (const address of endpoint.addresses) add(address)
  for (const upstream of cluster.lab.upstreamDNS ?? []) {
    const result = parseIp(upstream.ip)
    if (result.ok) add(result.value)
  }
  return [...found.values()].sort(compareIp)
}
