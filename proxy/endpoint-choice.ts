import { type Endpoint, isDraining } from './endpoint.ts'
import { sortEndpoints } from './service-map.ts'
import { type ServicePort, usesClusterEndpoints, usesLocalEndpoints } from './service-port.ts'
import type { ProxyFeatures } from './versions.ts'

/** The node that asks. */
export interface Viewpoint {
  readonly node: string
  /** Label topology.kubernetes.io/zone; `''` without. */
  readonly zone: string
  readonly features: ProxyFeatures
}

/**
 * Which endpoints a node uses for a service port (pkg/proxy/topology.go CategorizeEndpoints). Nodes that choose alike
 * get the same object, so it can be the key of what is made from it.
 */
export interface EndpointChoice {
  /** For traffic policy Cluster; empty where the port never uses it. */
  readonly cluster: readonly Endpoint[]
  /** For traffic policy Local; empty where the port never uses it, or nothing local is usable. */
  readonly local: readonly Endpoint[]
  /** Union of both. */
  readonly reachable: readonly Endpoint[]
  /** Whether anything usable exists on any node. */
  readonly any: boolean
}

/** What of a port decides how nodes differ in their choice; found once. */
interface PortTopology {
  /** Empty for a port that never looks whether an endpoint is local. */
  readonly nodesWithEndpoints: ReadonlySet<string>
  /** Nodes, or zones, that ready endpoints are hinted for; undefined where one endpoint lacks the hint. */
  readonly hintNodes: ReadonlySet<string> | undefined
  readonly hintZones: ReadonlySet<string> | undefined
  readonly choices: Map<string, EndpointChoice>
  /** Nodes that have an endpoint whose address and port another one has too; undefined where none is. */
  readonly twinNodes: ReadonlySet<string> | undefined
  readonly seen: Map<string, ServicePort>
}

const topologies = new WeakMap<ServicePort, PortTopology>()

export function chooseEndpoints(port: ServicePort, from: Viewpoint): EndpointChoice {
  const topology = knownTopology(port)
  if (topology.twinNodes !== undefined) return chooseEndpoints(seenFrom(port, from.node), from)
  const mode = hintMode(port, topology, from)
  const local = topology.nodesWithEndpoints.has(from.node) ? from.node : ''
  const key = `${mode} ${mode === 'node' ? from.node : mode === 'zone' ? from.zone : ''} ${local}`
  const known = topology.choices.get(key)
  if (known !== undefined) return known
  const choice = choose(port, from, mode)
  topology.choices.set(key, choice)
  return choice
}

function knownTopology(port: ServicePort): PortTopology {
  const topology = topologies.get(port) ?? topologyOf(port)
  topologies.set(port, topology)
  return topology
}

/** The port as a node has it, where two of its endpoints have one address and port; nodes that see the same share it. */
export function seenFrom(port: ServicePort, node: string): ServicePort {
  const { twinNodes, seen } = knownTopology(port)
  if (twinNodes === undefined) return port
  const key = twinNodes.has(node) ? node : ''
  const known = seen.get(key)
  if (known !== undefined) return known
  const own = { ...port, endpoints: port.endpoints.map((endpoint) => winner(endpoint, key)) }
  seen.set(key, own)
  return own
}

function winner({ twins, ...first }: Endpoint, node: string): Endpoint {
  return (node === '' ? undefined : twins?.findLast((twin) => twin.node === node)) ?? first
}

const NO_NODES: ReadonlySet<string> = new Set()

function topologyOf(port: ServicePort): PortTopology {
  const ready = port.endpoints.filter((endpoint) => endpoint.ready)
  return {
    nodesWithEndpoints: usesLocalEndpoints(port) ? new Set(port.endpoints.map((endpoint) => endpoint.node)) : NO_NODES,
    hintNodes: unionUnlessMissing(ready.map((endpoint) => endpoint.hintNodes)),
    hintZones: unionUnlessMissing(ready.map((endpoint) => endpoint.hintZones)),
    choices: new Map(),
    twinNodes: twinNodesOf(port),
    seen: new Map(),
  }
}

function twinNodesOf(port: ServicePort): ReadonlySet<string> | undefined {
  const twins = port.endpoints.flatMap((endpoint) => endpoint.twins ?? [])
  return twins.length === 0 ? undefined : new Set(twins.map((twin) => twin.node))
}

function unionUnlessMissing(hints: readonly (readonly string[] | undefined)[]): ReadonlySet<string> | undefined {
  return hints.some((hint) => hint === undefined) ? undefined : new Set(hints.flatMap((hint) => hint ?? []))
}

type HintMode = 'none' | 'node' | 'zone'

/**
 * Hints count only when every ready endpoint has one and one of them names this node, or else its zone; otherwise all
 * ready endpoints are used.
 */
function hintMode(port: ServicePort, topology: PortTopology, from: Viewpoint): HintMode {
  const { features } = from
  if (!usesClusterEndpoints(port)) return 'none'
  if (features.nodeHints && topology.hintNodes?.has(from.node)) return 'node'
  if (!features.zoneHints || (features.hintsNeedAnnotation && !asksForHints(port, features))) return 'none'
  return topology.hintZones?.has(from.zone) ? 'zone' : 'none'
}

/** The Service once had to ask for it, with any value that is not "disabled". */
function asksForHints({ hintsAnnotation }: ServicePort, { readsTopologyMode }: ProxyFeatures): boolean {
  if (!readsTopologyMode) return hintsAnnotation === 'Auto' || hintsAnnotation === 'auto'
  return hintsAnnotation !== '' && hintsAnnotation !== 'disabled' && hintsAnnotation !== 'Disabled'
}

function choose(port: ServicePort, from: Viewpoint, mode: HintMode): EndpointChoice {
  const { endpoints } = port
  const isLocal = (endpoint: Endpoint) => endpoint.node !== '' && endpoint.node === from.node
  const hinted = (endpoint: Endpoint) =>
    mode === 'node'
      ? (endpoint.hintNodes ?? []).includes(from.node)
      : mode === 'none' || (endpoint.hintZones ?? []).includes(from.zone)
  const drains = from.features.drainsTerminating ? isDraining : () => false
  const cluster = usesClusterEndpoints(port)
    ? readyOrDraining(endpoints, hinted, drains)
    : { used: [], draining: false }
  const any = endpoints.some((endpoint) => endpoint.ready || drains(endpoint))
  if (!usesLocalEndpoints(port)) return { cluster: cluster.used, local: [], reachable: cluster.used, any }
  const local = readyOrDraining(endpoints.filter(isLocal), () => true, drains)
  const localIsPart = mode === 'none' && !local.draining
  return {
    cluster: cluster.used,
    local: local.used,
    reachable: !usesClusterEndpoints(port)
      ? local.used
      : localIsPart
        ? cluster.used
        : sortEndpoints([...new Set([...cluster.used, ...local.used])]),
    any,
  }
}

/** The ready ones that `wanted` lets pass, or, where there is none, all that drain (topology no longer looked at). */
function readyOrDraining(
  endpoints: readonly Endpoint[],
  wanted: (endpoint: Endpoint) => boolean,
  drains: (endpoint: Endpoint) => boolean,
) {
  const ready = endpoints.filter((endpoint) => endpoint.ready && wanted(endpoint))
  if (ready.length > 0) return { used: ready, draining: false }
  const draining = endpoints.filter(drains)
  return { used: draining, draining: draining.length > 0 }
}
