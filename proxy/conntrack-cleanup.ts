import type { ConntrackEntry } from '../linux/netfilter/conntrack.ts'
import { type Ip, ipKey } from '../packet/ip.ts'
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

/**
 * The tracked flows of UDP that kube-proxy deletes after a sync, in every mode: they would go on leading to an endpoint
 * that is gone, or past endpoints that have come. Flows of TCP and SCTP are never touched.
 */
export function staleFlows(
  entries: readonly ConntrackEntry[],
  { before, after, version }: EndpointsChange,
): readonly ConntrackEntry[] {
  const udp = entries.filter(({ original }) => original.protocol === PROTOCOL.udp)
  const features = proxyFeatures(version)
  return udp.filter(features.reconcilesConntrack ? beside(after, features) : gone(before, after, features))
}

type Test = (entry: ConntrackEntry) => boolean

const at = (ip: Ip, port: number): string => `${ipKey(ip)}|${port}`

const udpPorts = ({ ports }: ServiceMap): readonly ServicePort[] => ports.filter(({ protocol }) => protocol === 'UDP')

const addressesOf = ({ clusterIP, externalIPs, loadBalancerVIPs }: ServicePort): readonly Ip[] => [
  clusterIP,
  ...externalIPs,
  ...loadBalancerVIPs,
]

/** pkg/proxy/conntrack/cleanup.go, since 1.32: what leads to nobody who serves. Services without such are left alone. */
function beside(map: ServiceMap, { reconcilesByPort }: ProxyFeatures): Test {
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
    const known = [byAddress.get(at(original.dst, original.dstKey)), byNodePort.get(original.dstKey)]
    return known.some((serving) => serving !== undefined && !serving.has(who(reply.src, reply.srcKey)))
  }
}

/**
 * pkg/proxy/endpoints.go detectStaleConnections and its like, until 1.31: flows to endpoints that are no longer used, by
 * the addresses of their Service alone; and all flows of a Service that is gone or had nobody.
 */
function gone(before: ServiceMap, after: ServiceMap, { goneWhenNotServing }: ProxyFeatures): Test {
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
  return ({ original, reply }) =>
    addresses.has(ipKey(original.dst)) ||
    nodePorts.has(original.dstKey) ||
    lost.has(`${ipKey(original.dst)} ${ipKey(reply.src)}`) ||
    lost.has(`:${original.dstKey} ${ipKey(reply.src)}`)
}
