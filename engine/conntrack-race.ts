import type { Cluster } from '../cluster/cluster.ts'
import { INSERT_FAILED } from '../linux/netfilter/hooks.ts'
import { ipKey, sameIp } from '../packet/ip.ts'
import type { Conversation } from './conversation.ts'
import type { QueryView } from './lookup-view.ts'
import type { Trace } from './trace.ts'

/**
 * The race for conntrack: two queries that leave one socket at one moment, each of which DNAT may send to another
 * server (kubernetes/kubernetes#56903; the kernel's side is Capabilities.conntrackRace).
 */
export interface RacingQueries {
  /** Where the two are tracked. */
  readonly node: string
  readonly name: string
  readonly types: readonly string[]
  /** Servers behind the address that is asked. */
  readonly servers: number
  /** The type of the query that was lost; undefined: both got through. */
  readonly lost?: string
}

/** The first two queries of a lookup that race, one that was lost before others. */
export function racingQueries(cluster: Cluster, { lookup }: Conversation): RacingQueries | undefined {
  const bySocket = new Map<string, QueryView[]>()
  for (const query of lookup?.queries ?? []) {
    const key = query.request && socketAndMoment(query.request)
    if (key !== undefined) bySocket.set(key, [...(bySocket.get(key) ?? []), query])
  }
  const races = [...bySocket.values()].flatMap((queries) => raceOf(cluster, queries) ?? [])
  return races.find(({ lost }) => lost !== undefined) ?? races[0]
}

/** One port at one moment; of TCP, where packets of one connection wait for each other, undefined. */
function socketAndMoment({ sent, hops }: Trace): string | undefined {
  if (sent.payload.kind !== 'udp') return undefined
  const at = hops[0]?.steps[0]?.at
  return `${at} ${ipKey(sent.src)} ${sent.payload.srcPort} ${ipKey(sent.dst)}`
}

function raceOf(cluster: Cluster, queries: readonly QueryView[]): RacingQueries | undefined {
  const [first] = queries
  const node = first && translatedAt(first)
  if (first?.request === undefined || node === undefined || queries.length < 2) return undefined
  const servers = serversBehind(cluster, first.request)
  if (servers < 2) return undefined
  const lost = queries.find(isLost)
  const types = queries.map(({ type }) => type)
  return { node, name: first.name, types, servers, ...(lost && { lost: lost.type }) }
}

/** The machine that chose a server for the query. */
export function translatedAt({ request }: QueryView): string | undefined {
  const steps = request?.hops.flatMap((hop) => hop.steps) ?? []
  return steps.find((step) => step.kind === 'nat.rewrite' && step.which === 'dst' && !step.undo)?.host
}

const isLost = ({ request }: QueryView): boolean =>
  request?.hops.some(({ steps }) => steps.some((step) => step.kind === 'drop' && step.detail === INSERT_FAILED)) ??
  false

function serversBehind({ services, index }: Cluster, { sent }: Trace): number {
  const service = services.find(({ clusterIPs }) => clusterIPs.some((own) => sameIp(own, sent.dst)))
  const slices = service && index.slicesOfService.get(`${service.meta.namespace}/${service.meta.name}`)
  const addresses = (slices ?? [])
    .filter(({ addressType }) => addressType === (sent.dst.family === 4 ? 'IPv4' : 'IPv6'))
    .flatMap(({ endpoints }) => endpoints.filter(({ ready }) => ready).flatMap((endpoint) => endpoint.addresses))
  return new Set(addresses.map(ipKey)).size
}
