import type { Fib, FibEntry } from '../linux/fib.ts'
import type { Route } from '../linux/op.ts'
import { compareIp, type Family, formatIp, isMulticast } from '../packet/ip.ts'
import { bitsOf, containsPrefix, formatPrefix, type Prefix, samePrefix } from '../packet/prefix.ts'

/**
 * `ip route show table TABLE` and `ip -6 route` as iproute2 6.1 prints them, without the blank at the end of lines.
 * A table that has no route prints nothing.
 */
export function renderIpRoute(
  fib: Fib,
  { family = 4, table = 'main' }: { readonly family?: Family; readonly table?: string } = {},
): readonly string[] {
  const entries = fib.tables.get(table)?.entries ?? []
  return entries
    .filter(({ route }) => route.destination.address.family === family)
    .map((entry, turn) => ({ entry, turn }))
    .sort((x, y) => ORDER[family](x.entry, y.entry) || x.turn - y.turn)
    .map(({ entry }) => routeLine(entry.route))
}

/** The order of the kernel's tries (fib_table_dump, fib6_walk), and of metrics within one prefix. */
const ORDER: Readonly<Record<Family, (x: FibEntry, y: FibEntry) => number>> = {
  4: (x, y) => order4(x.route.destination, y.route.destination) || metricOf(x.route) - metricOf(y.route),
  6: (x, y) => order6(x.route.destination, y.route.destination) || metricOf(x.route) - metricOf(y.route),
}

/** By address; of one address the longest prefix first. */
const order4 = (x: Prefix, y: Prefix): number => compareIp(x.address, y.address) || y.length - x.length

/** What lies inside a prefix comes before it, so that the default route is last; else by address. */
function order6(x: Prefix, y: Prefix): number {
  if (samePrefix(x, y)) return 0
  if (containsPrefix(x, y)) return 1
  if (containsPrefix(y, x)) return -1
  return compareIp(x.address, y.address)
}

/** IP6_RT_PRIO_USER, for IPv6 routes added without a metric; 0 in IPv4. */
const metricOf = (route: Route): number => route.metric ?? (route.destination.address.family === 6 ? 1024 : 0)

function routeLine(route: Route): string {
  const family = route.destination.address.family
  const metric = metricOf(route)
  const scope = scopeOf(route)
  const words = [
    typeWord(route),
    destinationWord(route),
    route.via === undefined ? '' : `via ${formatIp(route.via)}`,
    deviceWord(route),
    route.protocol === 'boot' ? '' : `proto ${route.protocol}`,
    scope === 'global' ? '' : `scope ${scope}`,
    route.src === undefined ? '' : `src ${formatIp(route.src)}`,
    family === 6 || metric > 0 ? `metric ${metric}` : '',
    route.onlink === true ? 'onlink' : '',
    route.mtu === undefined ? '' : `mtu ${route.mtu}`,
    family === 6 ? 'pref medium' : '',
  ]
  return words.filter((word) => word !== '').join(' ')
}

/** ff00::/8 of a device is a route of type multicast since Linux 5.x (addrconf_add_mroute). */
function typeWord({ type, destination }: Route): string {
  if (type !== 'unicast') return type
  return destination.address.family === 6 && isMulticast(destination.address) ? 'multicast' : ''
}

function destinationWord({ destination }: Route): string {
  if (destination.length === 0) return 'default'
  const host = destination.length === bitsOf(destination.address.family)
  return host ? formatIp(destination.address) : formatPrefix(destination)
}

/** IPv6 routes that lead nowhere hang on lo. */
function deviceWord({ dev, type, destination }: Route): string {
  if (dev !== undefined) return `dev ${dev}`
  const nowhere = type === 'blackhole' || type === 'unreachable' || type === 'prohibit'
  return nowhere && destination.address.family === 6 ? 'dev lo' : ''
}

/** The scope ip-route(8) gives a route that is added without one; IPv6 knows none. */
function scopeOf(route: Route): NonNullable<Route['scope']> {
  if (route.destination.address.family === 6) return 'global'
  if (route.scope !== undefined) return route.scope
  if (route.type === 'local') return 'host'
  if (route.type === 'broadcast') return 'link'
  return route.type === 'unicast' && route.via === undefined ? 'link' : 'global'
}
