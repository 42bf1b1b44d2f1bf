import type { EndpointSlice, Endpoint as SliceEndpoint } from '../cluster/objects.ts'
import { type Family, formatIp, type Ip } from '../packet/ip.ts'

/** One place that a service port can send traffic to, as kube-proxy sees it (pkg/proxy/endpoint.go). */
export interface Endpoint {
  readonly ip: Ip
  readonly port: number
  /** `10.244.1.2:80` or `[fd00::2]:80`: its key, its sort key, and part of its chain's name. */
  readonly text: string
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** `''` where the slice does not say; such an endpoint is local to no node. */
  readonly node: string
  readonly zone: string
  /** Undefined: no hints of that kind. */
  readonly hintZones: readonly string[] | undefined
  readonly hintNodes: readonly string[] | undefined
  /** Until 1.35: others with the same address and port that were read later; the last one on the asking node wins. */
  readonly twins?: readonly Endpoint[]
  /** Where it was read. */
  readonly slice: EndpointSlice
  readonly targetRef: SliceEndpoint['targetRef']
}

/** The endpoint that `port` of a slice makes of one of its entries; undefined where the entry has no address of the family. */
export function endpointOf(slice: EndpointSlice, entry: SliceEndpoint, port: number): Endpoint | undefined {
  const ip = entry.addresses[0]
  if (ip === undefined || slice.addressType !== familyName(ip.family)) return undefined
  return {
    ip,
    port,
    text: hostPort(ip, port),
    ready: entry.ready,
    serving: entry.serving,
    terminating: entry.terminating,
    node: entry.nodeName ?? '',
    zone: entry.zone ?? '',
    hintZones: notEmpty(entry.hintZones),
    hintNodes: notEmpty(entry.hintNodes),
    slice,
    targetRef: entry.targetRef,
  }
}

/** Usable only when no endpoint is ready (KEP-1669): it still answers while it shuts down. */
export const isDraining = (endpoint: Endpoint): boolean => endpoint.serving && endpoint.terminating

/** Go's net.JoinHostPort. */
export const hostPort = (ip: Ip, port: number): string =>
  ip.family === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`

export const familyName = (family: Family): 'IPv4' | 'IPv6' => (family === 4 ? 'IPv4' : 'IPv6')

const notEmpty = (list: readonly string[] | undefined): readonly string[] | undefined =>
  list === undefined || list.length === 0 ? undefined : list
