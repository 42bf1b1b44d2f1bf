import { formatIp, type Ip, ipKey, isLinkLocal, isLoopback, isMulticast, isUnspecified, sameIp } from '../packet/ip.ts'
import { type FibResult, fibLookup, type RouteResult, selectSource } from './fib.ts'
import type { Link, LinkAddress, Netns } from './netns.ts'
import type { Errno } from './process.ts'
import type { Skb } from './skb.ts'
import type { DropReason } from './step.ts'

/** Routing decisions, after Linux net/ipv4/route.c, fib_frontend.c and net/ipv6/route.c. */

export type InputRoute =
  | { readonly kind: 'ok'; readonly route: RouteResult }
  /** Not routed, nobody told (a martian, rp_filter, a blackhole). */
  | { readonly kind: 'drop'; readonly reason: DropReason; readonly detail: string }
  /** Not routed; the sender is told by an ICMP error where one can reach it (ip_error). */
  | {
      readonly kind: 'error'
      readonly error: 'ENETUNREACH' | 'EHOSTUNREACH' | 'EACCES'
      readonly reason: DropReason
      readonly detail: string
    }

/** ip_route_input_noref / ip6_route_input: where a packet that came in by `skb.dev` goes. Records the lookup. */
export function routeInput(skb: Skb, dst: Ip, src: Ip): InputRoute {
  const decided = dst.family === 4 ? routeInput4(skb, dst, src) : routeInput6(skb, dst, src)
  if (skb.packet.kind === 'ip') recordInput(skb, dst, src, decided)
  return decided
}

function recordInput(skb: Skb, destination: Ip, source: Ip, decided: InputRoute): void {
  const route = decided.kind === 'ok' ? decided.route : undefined
  skb.ns.host.kernel.record(skb, {
    kind: 'route.lookup',
    direction: 'input',
    destination,
    source,
    result: route === undefined ? 'none' : route.type,
    ...routeDetail(route),
  })
}

/** The part of a `route.lookup` step that a found route fills. */
function routeDetail(route: RouteResult | undefined) {
  if (route === undefined) return {}
  return {
    dev: route.dev.name,
    ...(route.table === undefined ? {} : { table: route.table }),
    ...(route.entry === undefined ? {} : { route: route.entry.route, origin: route.entry.origin }),
    ...(route.via === undefined ? {} : { via: route.via }),
  }
}

const martian = (which: 'source' | 'destination', ip: Ip, why: string): InputRoute => ({
  kind: 'drop',
  reason: which === 'source' ? 'IP_INVALID_SOURCE' : 'IP_INVALID_DEST',
  detail: `martian ${which} ${formatIp(ip)}: ${why}`,
})

/** ip_route_input_slow. */
function routeInput4(skb: Skb, dst: Ip, src: Ip): InputRoute {
  const { ns, dev } = skb
  if (isMulticast(src) || (src.d === 0xffffffff && dst.d !== 0)) return martian('source', src, 'not a unicast address')
  if (dst.d === 0xffffffff || (dst.d === 0 && src.d === 0)) return broadcastInput(skb, dst, src)
  if (src.d >>> 24 === 0) return martian('source', src, 'the network 0.0.0.0/8')
  if (dst.d >>> 24 === 0) return martian('destination', dst, 'the network 0.0.0.0/8')
  if (dev.type.kind !== 'loopback' && !dev.conf.routeLocalnet) {
    if (isLoopback(dst))
      return {
        kind: 'drop',
        reason: 'IP_LOCALNET',
        detail: `${formatIp(dst)} is loopback and ${dev.name} has route_localnet=0`,
      }
    if (isLoopback(src)) return martian('source', src, `loopback, and ${dev.name} has route_localnet=0`)
  }
  if (isMulticast(dst)) return { kind: 'ok', route: plain('multicast', dev) }
  const found = fibLookup(ns.fib, { dst, src, mark: skb.mark, iif: dev.name })
  if (found.kind !== 'found') return noRouteInput(dev, dst, found)
  const type = found.entry.route.type
  if (type === 'broadcast') return broadcastInput(skb, dst, src)
  if (type === 'local') {
    const source = validateSource(skb, src, dst, undefined)
    return source.kind === 'ok' ? { kind: 'ok', route: routeOf(ns, 'local', found, dev) } : source
  }
  if (!dev.conf.forwarding) return noRouteInput(dev, dst, { kind: 'none' })
  const route = routeOf(ns, 'unicast', found, dev)
  const source = validateSource(skb, src, dst, route.dev)
  if (source.kind !== 'ok') return source
  const redirect = route.dev === dev && source.direct && dev.conf.sendRedirects && route.dev.type.kind !== 'loopback'
  return { kind: 'ok', route: redirect ? { ...route, redirect } : route }
}

/** What ip_route_input answers for a destination without a usable route; ip_error then tells the sender, or not. */
function noRouteInput(dev: Link, dst: Ip, found: FibResult): InputRoute {
  const to = formatIp(dst)
  if (!dev.conf.forwarding)
    return {
      kind: 'drop',
      reason: 'IP_INADDRERRORS',
      detail: `${to} is not an address of this machine and forwarding is off on ${dev.name}`,
    }
  switch (found.kind) {
    case 'blackhole':
      return {
        kind: 'drop',
        reason: 'BLACKHOLE',
        detail: `a blackhole route takes ${to}; no counter moves, nobody is told`,
      }
    case 'prohibit':
      return { kind: 'error', error: 'EACCES', reason: 'IP_INNOROUTES', detail: `a prohibit route takes ${to}` }
    case 'unreachable':
      return {
        kind: 'error',
        error: 'EHOSTUNREACH',
        reason: 'IP_INNOROUTES',
        detail: `an unreachable route takes ${to}`,
      }
    default:
      return { kind: 'error', error: 'ENETUNREACH', reason: 'IP_INNOROUTES', detail: `no route to ${to}` }
  }
}

function broadcastInput(skb: Skb, dst: Ip, src: Ip): InputRoute {
  if (!isUnspecified(src)) {
    const source = validateSource(skb, src, dst, undefined)
    if (source.kind !== 'ok') return source
  }
  return { kind: 'ok', route: plain('broadcast', skb.dev) }
}

type SourceCheck = { readonly kind: 'ok'; readonly direct: boolean } | Extract<InputRoute, { kind: 'drop' }>

/**
 * fib_validate_source: a packet must not claim one of our own addresses; with rp_filter 1 the way back to its
 * source must be the device it came by (strict), with 2 there must be a way at all (loose).
 */
function validateSource(skb: Skb, src: Ip, dst: Ip, out: Link | undefined): SourceCheck {
  const { ns, dev } = skb
  const rpFilter = dev.type.kind === 'loopback' ? 0 : dev.conf.rpFilter
  if (rpFilter === 0 && (out !== dev || !dev.conf.sendRedirects) && ns.fib.rules.length === 0) {
    if (dev.conf.acceptLocal || dev.type.kind === 'loopback' || !isInterfaceAddress(ns, src))
      return { kind: 'ok', direct: false }
    return ownSource(src, dev)
  }
  const back = fibLookup(ns.fib, { dst: src, src: dst, mark: 0 })
  if (back.kind !== 'found')
    return rpFilter === 0 ? { kind: 'ok', direct: false } : failedReverse(src, dev, 'there is no route back')
  if (back.entry.route.type !== 'unicast') {
    if (back.entry.route.type === 'local' && (dev.conf.acceptLocal || dev.type.kind === 'loopback'))
      return { kind: 'ok', direct: false }
    return ownSource(src, dev)
  }
  const direct = back.entry.route.via === undefined
  if (back.entry.route.dev === dev.name) return { kind: 'ok', direct }
  if (rpFilter === 1) return failedReverse(src, dev, `the way back is by ${back.entry.route.dev}`)
  if (dev.addresses.length === 0) return { kind: 'ok', direct: false }
  const here = fibLookup(ns.fib, { dst: src, src: dst, oif: dev.name })
  return {
    kind: 'ok',
    direct: here.kind === 'found' && here.entry.route.type === 'unicast' && here.entry.route.via === undefined,
  }
}

const ownSource = (src: Ip, dev: Link): SourceCheck => ({
  kind: 'drop',
  reason: 'IP_LOCAL_SOURCE',
  detail: `source ${formatIp(src)} is an address of this machine, but the packet came in by ${dev.name}`,
})

/** inet_lookup_ifaddr_rcu has a hash too: kube-ipvs0 holds as many addresses as there are virtual servers. */
const isInterfaceAddress = (ns: Netns, ip: Ip): boolean => {
  for (const { addresses } of ns.links.values())
    if (
      addresses.length < INDEXED_FROM ? addresses.some((own) => sameIp(own.ip, ip)) : keysOf(addresses).has(ipKey(ip))
    )
      return true
  return false
}

const INDEXED_FROM = 8
const addressKeys = new WeakMap<readonly LinkAddress[], ReadonlySet<string | number>>()

function keysOf(addresses: readonly LinkAddress[]): ReadonlySet<string | number> {
  let keys = addressKeys.get(addresses)
  if (keys === undefined) {
    keys = new Set(addresses.map(({ ip }) => ipKey(ip)))
    addressKeys.set(addresses, keys)
  }
  return keys
}

const failedReverse = (src: Ip, dev: Link, why: string): SourceCheck => ({
  kind: 'drop',
  reason: 'IP_RPFILTER',
  detail: `rp_filter on ${dev.name} refuses source ${formatIp(src)}: ${why}`,
})

/** ip6_route_input: no rp_filter and no martian sources in IPv6; forwarding decides who is a router. */
function routeInput6(skb: Skb, dst: Ip, src: Ip): InputRoute {
  const { ns, dev } = skb
  if (isMulticast(src)) return martian('source', src, 'not a unicast address')
  if (isLoopback(dst) && dev.type.kind !== 'loopback') return martian('destination', dst, 'loopback')
  if (isMulticast(dst)) return { kind: 'ok', route: plain('multicast', dev) }
  const found = fibLookup(ns.fib, { dst, src, mark: skb.mark, ...(isLinkLocal(dst) ? { oif: dev.name } : {}) })
  if (found.kind === 'found') {
    const type = found.entry.route.type === 'local' ? 'local' : 'unicast'
    if (type === 'local' || dev.conf.forwarding6) return { kind: 'ok', route: routeOf(ns, type, found, dev) }
    return {
      kind: 'drop',
      reason: 'IP_INADDRERRORS',
      detail: `${formatIp(dst)} is not an address of this machine and IPv6 forwarding is off`,
    }
  }
  // ip6_pkt_discard: of what has no route the sender is told by a host too, which forwards nothing.
  return noRouteInput({ ...dev, conf: { ...dev.conf, forwarding: true } }, dst, found)
}

const plain = (type: RouteResult['type'], dev: Link): RouteResult => ({
  type,
  dev,
  via: undefined,
  entry: undefined,
  table: undefined,
})

function routeOf(
  ns: Netns,
  type: RouteResult['type'],
  found: Extract<FibResult, { kind: 'found' }>,
  dev: Link,
): RouteResult {
  const { route } = found.entry
  const out = type === 'local' ? dev : ns.links.get(route.dev ?? '')
  return {
    type,
    dev: out ?? dev,
    via: type === 'local' ? undefined : route.via,
    entry: found.entry,
    table: found.table,
  }
}

export type OutputRoute =
  | { readonly kind: 'ok'; readonly route: RouteResult; readonly source: Ip }
  | { readonly kind: 'error'; readonly errno: Errno; readonly detail: string }

export interface OutputFlow {
  readonly dst: Ip
  readonly src?: Ip | undefined
  readonly mark?: number
  readonly oif?: string
}

/**
 * ip_route_output_key / ip6_route_output: the way a local packet goes and, where it has none yet, its source
 * address: the route's preferred one, else one of the device's (inet_select_addr).
 */
export function routeOutput(ns: Netns, flow: OutputFlow): OutputRoute {
  const { dst } = flow
  if (flow.src !== undefined && !isUnspecified(flow.src) && flow.src.family === 4 && isMulticast(flow.src))
    return { kind: 'error', errno: 'EINVAL', detail: `${formatIp(flow.src)} cannot be a source address` }
  const lookup = {
    dst,
    ...(flow.src === undefined ? {} : { src: flow.src }),
    mark: flow.mark ?? 0,
    ...(flow.oif === undefined ? {} : { oif: flow.oif }),
  }
  const loopback = ns.links.get('lo')
  const oif = flow.oif === undefined ? undefined : ns.links.get(flow.oif)
  if (oif !== undefined && (isMulticast(dst) || dst.d === 0xffffffff)) {
    const type = isMulticast(dst) ? 'multicast' : 'broadcast'
    return withSource(ns, plain(type, oif), flow)
  }
  const found = fibLookup(ns.fib, lookup)
  switch (found.kind) {
    case 'none':
      if (oif !== undefined && dst.family === 4) return withSource(ns, plain('unicast', oif), flow)
      return { kind: 'error', errno: 'ENETUNREACH', detail: `no route to ${formatIp(dst)}` }
    case 'blackhole':
      return { kind: 'error', errno: 'EINVAL', detail: `a blackhole route takes ${formatIp(dst)}` }
    case 'unreachable':
      return { kind: 'error', errno: 'EHOSTUNREACH', detail: `an unreachable route takes ${formatIp(dst)}` }
    case 'prohibit':
      return { kind: 'error', errno: 'EACCES', detail: `a prohibit route takes ${formatIp(dst)}` }
    case 'found': {
      const type = found.entry.route.type
      const dev = type === 'local' ? loopback : ns.links.get(found.entry.route.dev ?? '')
      if (dev === undefined || !dev.up)
        return { kind: 'error', errno: 'ENETUNREACH', detail: `no route to ${formatIp(dst)}` }
      const kind =
        type === 'local' ? 'local' : type === 'broadcast' ? 'broadcast' : isMulticast(dst) ? 'multicast' : 'unicast'
      return withSource(ns, routeOf(ns, kind, found, dev), flow)
    }
  }
}

function withSource(ns: Netns, route: RouteResult, flow: OutputFlow): OutputRoute {
  if (flow.src !== undefined && !isUnspecified(flow.src)) return { kind: 'ok', route, source: flow.src }
  const preferred = route.entry?.route.src
  const source =
    preferred ??
    (route.type === 'local' ? flow.dst : selectSource(ns, route.dev, route.via ?? flow.dst, scopeOf(route)))
  if (source === undefined)
    return {
      kind: 'error',
      errno: 'EADDRNOTAVAIL',
      detail: `no source address for ${formatIp(flow.dst)} on ${route.dev.name}`,
    }
  return { kind: 'ok', route, source }
}

/** The scope of the route decides which addresses may be its source: a link-scope route may use link-scope ones. */
const scopeOf = (route: RouteResult): 'global' | 'link' =>
  route.entry?.route.scope === 'link' || (route.entry !== undefined && route.via === undefined) ? 'link' : 'global'

/** A `route.lookup` step for a packet that leaves from here. */
export function recordOutput(skb: Skb, destination: Ip, route: RouteResult, source: Ip | undefined): void {
  skb.ns.host.kernel.record(skb, {
    kind: 'route.lookup',
    direction: 'output',
    destination,
    ...(source === undefined ? {} : { source }),
    result: route.type,
    ...routeDetail(route),
  })
}

/** The largest packet the route takes: a learned path MTU, the route's own, else the device's. */
export function routeMtu(ns: Netns, route: RouteResult, dst: Ip): number {
  const own = route.entry?.route.mtu ?? route.dev.mtu
  const learned = ns.state.pathMtus.size === 0 ? undefined : ns.state.pathMtus.get(ipKey(dst))
  return learned === undefined ? own : Math.min(own, learned)
}

/** Without learned path MTUs, as forwarding uses it (ip_forward_use_pmtu=0). */
export const forwardMtu = (route: RouteResult): number => route.entry?.route.mtu ?? route.dev.mtu

const LEAST_MTU = { 4: 552, 6: 1280 }

/** __ip_rt_update_pmtu, __ip6_rt_update_pmtu: `mtu` was said to be the most that gets to `dst`. Only less is believed. */
export function learnMtu(ns: Netns, dst: Ip, mtu: number): void {
  const key = ipKey(dst)
  const believed = Math.max(mtu, LEAST_MTU[dst.family])
  const known = ns.state.pathMtus.get(key)
  if (known === undefined || believed < known) ns.state.pathMtus.set(key, believed)
}
