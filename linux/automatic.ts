import { type Ip, ip, ipv6, LOOPBACK_V6 } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import { contains, hostPrefix, lastIp, networkOf, type Prefix } from '../packet/prefix.ts'
import type { LinkBuilder } from './apply.ts'
import type { FibEntry } from './fib.ts'
import type { LinkConfig } from './host-config.ts'
import type { LinkAddress } from './netns.ts'
import type { Route } from './op.ts'
import type { Origin } from './origin.ts'

/** What the kernel adds by itself when a link is up: loopback and link-local addresses, and the routes of addresses. */

const KERNEL: Origin = { by: 'kernel' }

export function automaticAddresses(link: LinkBuilder, ipv6Enabled: boolean): readonly LinkAddress[] {
  if (!link.up) return []
  const own = (address: Ip, length: number, scope: 'link' | 'host'): LinkAddress => ({
    ip: address,
    length,
    scope,
    broadcast: undefined,
    secondary: false,
    noPrefixRoute: false,
    origin: KERNEL,
  })
  if (link.type.kind === 'loopback') {
    const found = ipv6Enabled ? [own(LOOPBACK_V6, 128, 'host')] : []
    return link.addresses.length > 0 ? found : [own(ip('127.0.0.1'), 8, 'host'), ...found]
  }
  return ipv6Enabled && link.type.kind !== 'tun' ? [own(linkLocalOf(link.mac), 64, 'link')] : []
}

/** fe80:: and the modified EUI-64 of the MAC (RFC 4291 appendix A). */
export function linkLocalOf(mac: Mac): Ip {
  const high = Math.floor(mac / 0x1000000)
  const low = mac % 0x1000000
  return ipv6(0xfe800000, 0, (((high ^ 0x020000) << 8) | 0xff) >>> 0, (0xfe000000 | low) >>> 0)
}

/** fib_add_ifaddr, addrconf_add_dev: the routes that come with a link's addresses. */
export function automaticRoutes(
  link: LinkConfig,
): readonly { readonly table: 'local' | 'main'; readonly entry: FibEntry }[] {
  const found: { table: 'local' | 'main'; entry: FibEntry }[] = []
  const add = (table: 'local' | 'main', route: Omit<Route, 'dev' | 'protocol' | 'table'>, origin: Origin): void => {
    found.push({ table, entry: { route: { dev: link.name, protocol: 'kernel', table, ...route }, origin } })
  }
  for (const address of link.addresses) {
    const { ip: own, length, origin } = address
    const network = networkOf(own, length)
    if (own.family === 6) {
      add('local', { type: 'local', destination: hostPrefix(own), metric: 0 }, origin)
      if (link.up && !address.noPrefixRoute && link.type.kind !== 'loopback')
        add('main', { type: 'unicast', destination: network, metric: 256 }, origin)
      continue
    }
    // fib_add_ifaddr: a secondary address is reached from the primary one of its subnet.
    const primary = address.secondary ? primaryOf(link, address) : own
    add('local', { type: 'local', destination: hostPrefix(own), scope: 'host', src: primary }, origin)
    if (!link.up) continue
    if (address.broadcast !== undefined) addBroadcast(add, address.broadcast, own, origin)
    if (address.noPrefixRoute || address.secondary || length === 32) continue
    const loopback = link.type.kind === 'loopback'
    add(
      loopback ? 'local' : 'main',
      { type: loopback ? 'local' : 'unicast', destination: network, scope: loopback ? 'host' : 'link', src: own },
      origin,
    )
    if (length < 31) addBroadcast(add, lastIp(network), own, origin)
  }
  if (link.up && link.conf.ipv6 && link.type.kind !== 'loopback')
    add('local', { type: 'unicast', destination: MULTICAST_6, metric: 256 }, KERNEL)
  return found
}

/** inet_ifa_byprefix. */
const primaryOf = (link: LinkConfig, { ip: own, length }: LinkAddress): Ip =>
  link.addresses.find(
    (other) => !other.secondary && other.length === length && contains(networkOf(other.ip, length), own),
  )?.ip ?? own

const MULTICAST_6: Prefix = { address: ip('ff00::'), length: 8 }

type AddRoute = (table: 'local' | 'main', route: Omit<Route, 'dev' | 'protocol' | 'table'>, origin: Origin) => void

function addBroadcast(add: AddRoute, address: Ip, src: Ip, origin: Origin): void {
  add('local', { type: 'broadcast', destination: hostPrefix(address), scope: 'link', src }, origin)
}
