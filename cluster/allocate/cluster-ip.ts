import type { Ip } from '../../packet/ip.ts'
import { bitsOf, type Prefix } from '../../packet/prefix.ts'
import { inBands } from './bands.ts'
import { fnv1a } from './fnv.ts'
import { ipAbove } from './ip-math.ts'

/** kubeadm gives kube-dns the tenth address of the range. */
const DNS_ORDINAL = 10
/** The largest part of an IPv6 range that is used, as in the API server. */
const MAX_SIZE = 1 << 16

/** The address of Service default/kubernetes: the first of the range. */
export const kubernetesServiceIp = (range: Prefix): Ip => ipAbove(range.address, 1)

/** The address that kubeadm gives kube-dns. */
export const dnsServiceIp = (range: Prefix): Ip => ipAbove(range.address, DNS_ORDINAL)

/**
 * A clusterIP for a Service: the API server draws one from the upper band of the range at random (KEP-3070; the lower
 * band is for addresses that people choose); here the Service's name decides the place, so that another Service more
 * or less changes nothing. Undefined when the range is full.
 */
export function clusterIpFor(range: Prefix, of: { name: string; isTaken: (ip: Ip) => boolean }): Ip | undefined {
  const { first, last, band } = bandsOf(range)
  for (const ordinal of inBands({ first, last, band, start: fnv1a(of.name) })) {
    const ip = ipAbove(range.address, ordinal)
    if (!of.isTaken(ip)) return ip
  }
  return undefined
}

/** First and last usable ordinal, and where the dynamic band begins (pkg/registry/core/service/ipallocator). */
function bandsOf(range: Prefix): { first: number; last: number; band: number } {
  const free = bitsOf(range.address.family) - range.length
  const size = range.address.family === 4 ? 2 ** free : Math.min(2 ** free, MAX_SIZE)
  const last = range.address.family === 4 ? size - 2 : size - 1
  const lower = size < 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256)
  return { first: 1, last, band: 1 + lower }
}
