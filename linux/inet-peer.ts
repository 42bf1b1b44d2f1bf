import { type Ip, ipKey } from '../packet/ip.ts'
import { type Netns, sysctl } from './netns.ts'

/** What is remembered of a host that errors were sent to (struct inet_peer, Linux net/ipv4/inetpeer.c). */
export interface InetPeer {
  /** Nanoseconds of credit; every kind of error takes from the same. */
  tokens: number
  last: number
  /** Redirects sent in a row. */
  redirects: number
}

const MILLISECOND = 1_000_000
const SECOND = 1_000_000_000

function peerOf(ns: Netns, ip: Ip): InetPeer {
  const key = ipKey(ip)
  const known = ns.state.peers.get(key)
  if (known !== undefined) return known
  const made = { tokens: 0, last: ns.host.kernel.now() - 60 * SECOND, redirects: 0 }
  ns.state.peers.set(key, made)
  return made
}

/** A token bucket: `cost` for each, never more than `burst` saved up. */
function pay(ns: Netns, ip: Ip, { cost, burst }: { cost: number; burst: number }): boolean {
  const peer = peerOf(ns, ip)
  const now = ns.host.kernel.now()
  peer.tokens = Math.min(burst, peer.tokens + now - peer.last)
  peer.last = now
  if (peer.tokens < cost) return false
  peer.tokens -= cost
  return true
}

/** inet_peer_xrlim_allow (net/ipv4/icmp.c): six at once, then one in each icmp_ratelimit milliseconds. */
export const mayTell = (ns: Netns, to: Ip, ratelimit: number): boolean =>
  pay(ns, to, { cost: ratelimit * MILLISECOND, burst: 6 * ratelimit * MILLISECOND })

/** ip_error (net/ipv4/route.c): of packets without a route five at once, then one a second. */
export function mayTellNoRoute(ns: Netns, to: Ip): boolean {
  const cost = sysctl(ns, 'net.ipv4.route.error_cost', 1000) * MILLISECOND
  const burst = sysctl(ns, 'net.ipv4.route.error_burst', 5000) * MILLISECOND
  return pay(ns, to, { cost, burst })
}

/**
 * ip_rt_send_redirect (net/ipv4/route.c): each redirect to a host that goes on sending waits twice as long as the one
 * before; after nine there are no more, until the host was silent for 20 s.
 */
export function mayRedirect(ns: Netns, to: Ip): boolean {
  const load = sysctl(ns, 'net.ipv4.route.redirect_load', 20) * MILLISECOND
  const silence = sysctl(ns, 'net.ipv4.route.redirect_silence', 20_480) * MILLISECOND
  const peer = peerOf(ns, to)
  const now = ns.host.kernel.now()
  if (now > peer.last + silence) {
    peer.tokens = 0
    peer.redirects = 0
  }
  const most = sysctl(ns, 'net.ipv4.route.redirect_number', 9)
  const due = peer.redirects === 0 || now > peer.last + load * 2 ** peer.redirects
  if (peer.redirects >= most) peer.last = now
  if (peer.redirects >= most || !due) return false
  peer.last = now
  peer.redirects++
  return true
}
