import type { ConntrackEntry } from '../linux/netfilter/conntrack.ts'
import { formatIp, type Ip, ipKey } from '../packet/ip.ts'
import { PROTOCOL } from '../packet/packet.ts'
import type { Endpoint } from './endpoint.ts'
import type { ServiceMap } from './service-map.ts'
import type { ServicePort } from './service-port.ts'
import { type ProxyFeatures, proxyFeatures } from './versions.ts'

/** What kube-proxy knows when endpoints have changed. */
export interface EndpointsChange {
  readonly before: ServiceMap
  readonly after: ServiceMap
  /** kube-proxy's release. */
  readonly version: string
}

/** A tracked flow that kube-proxy deletes, and how: as conntrack(8) would be told it. */
export interface DeletedFlow {
  readonly entry: ConntrackEntry
  readonly command: string
}

/**
 * The tracked flows of UDP that kube-proxy deletes after a sync, in every mode: they would go on leading to an endpoint
 * that is gone, or past endpoints that have come. Flows of TCP and SCTP are never touched.
 */
export function deletedFlows(entries: readonly ConntrackEntry[], change: EndpointsChange): readonly DeletedFlow[] {
  const features = proxyFeatures(change.version)
  if (features.cleansOnEndpointChange && !changesUdpEndpoints(change)) return []
  const commandFor = features.reconcilesConntrack
    ? beside(change.after, features)
    : gone(change.before, change.after, features)
  return entries.flatMap((entry) => {
    if (entry.original.protocol !== PROTOCOL.udp || entry.original.src.family !== change.after.family) return []
    const options = commandFor(entry)
    const family = change.after.family === 6 ? ' -f ipv6' : ''
    return options === undefined ? [] : [{ entry, command: `conntrack -D -p udp ${options}${family}` }]
  })
}

/** The entries of `deletedFlows`. */
export const staleFlows = (entries: readonly ConntrackEntry[], change: EndpointsChange): readonly ConntrackEntry[] =>
  deletedFlows(entries, change).map(({ entry }) => entry)

/** UpdateEndpointsMapResult.ConntrackCleanupRequired: whether a Service with a port of UDP has other endpoints. */
export function changesUdpEndpoints({ before, after }: Pick<EndpointsChange, 'before' | 'after'>): boolean {
  const old = endpointTexts(before)
  const now = endpointTexts(after)
  return [...new Set([...old.keys(), ...now.keys()])].some((name) => (old.get(name) ?? '') !== (now.get(name) ?? ''))
}

const endpointTexts = (map: ServiceMap): ReadonlyMap<string, string> =>
  new Map(udpPorts(map).map(({ name, endpoints }) => [name, endpoints.map(endpointText).join()]))

const endpointText = ({ text, ready, serving, terminating }: Endpoint): string =>
  `${text} ${ready} ${serving} ${terminating}`

/** The options of conntrack(8) that name the flow; undefined: it stays. */
type CommandFor = (entry: ConntrackEntry) => string | undefined

const at = (ip: Ip, port: number): string => `${ipKey(ip)}|${port}`

const udpPorts = ({ ports }: ServiceMap): readonly ServicePort[] => ports.filter(({ protocol }) => protocol === 'UDP')

const addressesOf = ({ clusterIP, externalIPs, loadBalancerVIPs }: ServicePort): readonly Ip[] => [
  clusterIP,
  ...externalIPs,
  ...loadBalancerVIPs,
]

/** pkg/proxy/conntrack/cleanup.go, since 1.32: what leads to nobody who serves. Services without such are left alone. */
function beside(map: ServiceMap, { reconcilesByPort }: ProxyFeatures): CommandFor {
  const who = (ip: Ip, port: number) => (reconcilesByPort ? at(ip, port) : `${ipKey(ip)}`)
  const byAddress = new Map<string, ReadonlySet<string>>()
  const byNodePort = new Map<number, ReadonlySet<string>>()
  for (const port of udpPorts(map)) {
    const serving = new Set(port.endpoints.filter((one) => one.serving).map((one) => who(one.ip, one.port)))
    if (serving.size === 0) continue
    for (const ip of addressesOf(port)) byAddress.set(at(ip, port.port), serving)
    if (port.nodePort !== 0) byNodePort.set(port.nodePort, serving)
  }
  return ({ original, reply }) => {
    const leads = who(reply.src, reply.srcKey)
    const astray = (serving: ReadonlySet<string> | undefined) => serving !== undefined && !serving.has(leads)
    if (astray(byAddress.get(at(original.dst, original.dstKey))))
      return `--orig-dst ${formatIp(original.dst)} --dport ${original.dstKey} --dst-nat ${formatIp(reply.src)}`
    if (astray(byNodePort.get(original.dstKey))) return `--dport ${original.dstKey} --dst-nat ${formatIp(reply.src)}`
    return undefined
  }
}

/**
 * pkg/proxy/endpoints.go detectStaleConnections and its like, until 1.31: flows to endpoints that are no longer used, by
 * the addresses of their Service alone; and all flows of a Service that is gone or had nobody. The commands are those
 * of pkg/proxy/conntrack/conntrack.go.
 */
function gone(before: ServiceMap, after: ServiceMap, { goneWhenNotServing }: ProxyFeatures): CommandFor {
  const isReady = ({ ready, serving }: Endpoint) => (goneWhenNotServing ? serving : ready)
  const portsAfter = new Map(udpPorts(after).map((port) => [port.name, port]))
  const portsBefore = new Map(udpPorts(before).map((port) => [port.name, port]))
  const lost = new Set<string>()
  const addresses = new Set<string | number>()
  const nodePorts = new Set<number>()
  for (const port of portsBefore.values()) {
    const now = portsAfter.get(port.name)
    if (now === undefined) addresses.add(ipKey(port.clusterIP))
    const ready = new Set((now ?? port).endpoints.filter(isReady).map(({ text }) => text))
    const left = now === undefined ? [] : port.endpoints.filter((one) => isReady(one) && !ready.has(one.text))
    for (const one of left)
      for (const ip of addressesOf(port)) {
        lost.add(`${ipKey(ip)} ${ipKey(one.ip)}`)
        if (port.nodePort !== 0) lost.add(`:${port.nodePort} ${ipKey(one.ip)}`)
      }
  }
  for (const port of portsAfter.values()) {
    const had = portsBefore.get(port.name)?.endpoints.some(isReady) === true
    if (had || !port.endpoints.some(isReady)) continue
    for (const ip of addressesOf(port)) addresses.add(ipKey(ip))
    if (port.nodePort !== 0) nodePorts.add(port.nodePort)
  }
  return ({ original, reply }) => {
    const called = formatIp(original.dst)
    const leads = formatIp(reply.src)
    if (addresses.has(ipKey(original.dst))) return `--orig-dst ${called}`
    if (nodePorts.has(original.dstKey)) return `--dport ${original.dstKey}`
    if (lost.has(`${ipKey(original.dst)} ${ipKey(reply.src)}`)) return `--orig-dst ${called} --dst-nat ${leads}`
    if (lost.has(`:${original.dstKey} ${ipKey(reply.src)}`)) return `--dport ${original.dstKey} --dst-nat ${leads}`
    return undefined
  }
}
