import type { Cluster } from '../cluster/cluster.ts'
import type { LabHost } from '../cluster/lab.ts'
import { compareIp, formatIp, type Ip, isLoopback, parseIp, sameIp } from '../packet/ip.ts'
import { contains } from '../packet/prefix.ts'
import { INTERNET, type UnderlaySegment } from './underlay.ts'
import { addMachine, cardMac, type Draft, isTaken, segmentOf, withLength } from './underlay-draft.ts'

/** A host that the Lab names. */
export function addOutsideHost(draft: Draft, host: LabHost): void {
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
export function addOutsideAddress(draft: Draft, address: Ip): void {
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
export function otherOutsideAddresses(cluster: Cluster): readonly Ip[] {
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
