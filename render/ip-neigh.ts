import type { NetnsConfig } from '../linux/host-config.ts'
import type { Netns } from '../linux/netns.ts'
import type { NeighborState } from '../linux/step.ts'
import { compareIp, formatIp, type Ip } from '../packet/ip.ts'
import { formatMac, type Mac } from '../packet/mac.ts'

/** One entry of the neighbour cache. */
export interface NeighborView {
  readonly dev: string
  readonly ip: Ip
  readonly mac: Mac | undefined
  readonly state: NeighborState
}

/** The cache of a namespace at run time. */
export const neighborsOf = (ns: Netns): readonly NeighborView[] =>
  [...ns.state.neighbors.values()].map(({ link, ip, mac, state }) => ({ dev: link.name, ip, mac, state }))

/** The entries of a configuration, before any traffic. */
export const configuredNeighbors = (netns: NetnsConfig): readonly NeighborView[] =>
  netns.neighbors.map(({ link, ip, mac }) => ({ dev: link, ip, mac, state: 'permanent' }))

/**
 * `ip neigh` as iproute2 6.1 prints it; IPv4 first. The kernel's own order is that of a hash with a random seed:
 * here it is by address, then device.
 */
export function renderIpNeigh(neighbors: readonly NeighborView[]): readonly string[] {
  return neighbors
    .filter(({ state }) => state !== 'noarp' && state !== 'none')
    .sort((x, y) => compareIp(x.ip, y.ip) || (x.dev < y.dev ? -1 : x.dev > y.dev ? 1 : 0))
    .map(({ dev, ip, mac, state }) => {
      const known = mac !== undefined && state !== 'incomplete' && state !== 'failed'
      return `${formatIp(ip)} dev ${dev}${known ? ` lladdr ${formatMac(mac)}` : ''} ${state.toUpperCase()}`
    })
}
