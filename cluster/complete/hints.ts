import type { Endpoint, EndpointPort, KubeNode, Service } from '../objects.ts'
import { byText } from '../order.ts'

const ZONE = 'topology.kubernetes.io/zone'
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode'
const OLD_TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints'
/** Nodes that get no traffic of their own: topology hints do not count them. */
const EXCLUDED = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']
/** How much more than its share a zone may carry (k8s.io/endpointslice topologycache). */
const OVERLOAD = 0.2

/** The share of each zone in the cluster's CPUs; undefined where a node does not tell its zone or CPUs. */
export interface Hints {
  readonly cpuShares: ReadonlyMap<string, number> | undefined
}

export function hintsOf(nodes: readonly KubeNode[]): Hints {
  const cpus = new Map<string, number>()
  let total = 0
  for (const node of nodes) {
    if (!node.ready || EXCLUDED.some((label) => Object.hasOwn(node.meta.labels, label))) continue
    const zone = node.meta.labels[ZONE] ?? ''
    const cpu = node.allocatableMilliCpu ?? 0
    if (zone === '' || cpu === 0) return { cpuShares: undefined }
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu)
    total += cpu
  }
  return { cpuShares: new Map([...cpus].sort(([x], [y]) => byText(x, y)).map(([zone, cpu]) => [zone, cpu / total])) }
}

export interface SlicePart {
  readonly ports: readonly EndpointPort[]
  readonly endpoints: readonly Endpoint[]
}

/** Puts hints on the slices of one family: the topology-mode annotation first, else trafficDistribution. */
export function withHints(service: Service, slices: readonly SlicePart[], hints: Hints): readonly SlicePart[] {
  if (isAuto(service)) return withTopologyHints(slices, hints)
  switch (service.trafficDistribution) {
    case 'PreferSameZone':
    case 'PreferClose':
      return mapReady(slices, zoneHint)
    case 'PreferSameNode':
      return mapReady(slices, (endpoint) => ({
        ...zoneHint(endpoint),
        ...(endpoint.nodeName === undefined ? {} : { hintNodes: [endpoint.nodeName] }),
      }))
    default:
      return slices
  }
}

type HintFields = Pick<Endpoint, 'hintZones' | 'hintNodes'>

const zoneHint = ({ zone }: Endpoint): HintFields => (zone === undefined ? {} : { hintZones: [zone] })

const mapReady = (slices: readonly SlicePart[], hint: (endpoint: Endpoint) => HintFields): readonly SlicePart[] =>
  slices.map((slice) => ({
    ...slice,
    endpoints: slice.endpoints.map((endpoint) => (endpoint.ready ? { ...endpoint, ...hint(endpoint) } : endpoint)),
  }))

function isAuto({ meta }: Service): boolean {
  const mode = meta.annotations[OLD_TOPOLOGY_HINTS] ?? meta.annotations[TOPOLOGY_MODE] ?? ''
  return mode === 'Auto' || mode === 'auto'
}

/**
 * Topology aware routing (k8s.io/endpointslice topologycache): every ready endpoint is hinted to its own zone, then
 * endpoints move from zones with more than their share of CPUs to zones with less. No hints at all where a zone would
 * have to carry too much.
 */
function withTopologyHints(slices: readonly SlicePart[], { cpuShares }: Hints): readonly SlicePart[] {
  const ready = slices.flatMap(({ endpoints }) => endpoints.filter((endpoint) => endpoint.ready))
  const desired = desiredByZone(ready.length, cpuShares)
  if (desired === undefined || ready.some(({ zone }) => zone === undefined)) return slices
  const moves = movesBetween(desired, ready)
  return mapReady(slices, ({ zone = '' }) => {
    const waiting = moves.get(zone)
    const target = waiting?.shift()
    return { hintZones: [target ?? zone] }
  })
}

function desiredByZone(
  count: number,
  shares: ReadonlyMap<string, number> | undefined,
): ReadonlyMap<string, number> | undefined {
  if (shares === undefined || shares.size < 2 || shares.size > count) return undefined
  const desired = new Map<string, number>()
  let remaining = count
  for (const [zone, share] of shares) {
    const exact = share * count
    const minimum = Math.ceil(exact * (1 / (1 + OVERLOAD)))
    remaining -= minimum
    if (remaining < 0) return undefined
    desired.set(zone, Math.max(exact, minimum))
  }
  return desired
}

/**
 * For each giving zone, the zones that get its endpoints, one entry an endpoint: as long as the one that has most too
 * much and the one that needs most have half an endpoint each, and one of them a whole one.
 */
function movesBetween(desired: ReadonlyMap<string, number>, ready: readonly Endpoint[]): Map<string, string[]> {
  const giving = new Map<string, number>()
  const receiving = new Map<string, number>()
  for (const [zone, target] of desired) {
    const surplus = ready.filter((endpoint) => endpoint.zone === zone).length - target
    if (surplus > 0) giving.set(zone, surplus)
    else receiving.set(zone, -surplus)
  }
  const moves = new Map<string, string[]>()
  for (;;) {
    const [giver, more] = most(giving)
    const [receiver, less] = most(receiving)
    if (more < 0.5 || less < 0.5 || (more < 1 && less < 1)) return moves
    moves.set(giver, [...(moves.get(giver) ?? []), receiver])
    giving.set(giver, more - 1)
    receiving.set(receiver, less - 1)
  }
}

const most = (zones: ReadonlyMap<string, number>): readonly [string, number] =>
  [...zones].reduce((x, y) => (y[1] > x[1] ? y : x), ['', 0])
