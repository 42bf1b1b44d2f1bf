import type { LinkConf } from './netns.ts'

/** Reads a numeric sysctl; undefined where nobody set it. */
export type ReadSysctl = (key: string) => number | undefined

/** In a sysctl key the dots of a device name are slashes: net.ipv4.conf.flannel/1.rp_filter. */
const keyName = (link: string): string => link.replaceAll('.', '/')

/**
 * The per-device settings as the packet path sees them (the IN_DEV_* macros of Linux include/linux/inetdevice.h):
 * some are the larger of `all` and the device, some hold if either is set, some are the device's alone. A device that
 * was never set starts from `default`.
 */
export function linkConf(read: ReadSysctl, link: string): LinkConf {
  const own = (family: 4 | 6, name: string, fallback: number): number =>
    read(`net.ipv${family}.conf.${keyName(link)}.${name}`) ?? read(`net.ipv${family}.conf.default.${name}`) ?? fallback
  const all = (name: string, fallback: number): number => read(`net.ipv4.conf.all.${name}`) ?? fallback
  const larger = (name: string): number => Math.max(all(name, 0), own(4, name, 0))
  const either = (name: string): boolean => all(name, 0) !== 0 || own(4, name, 0) !== 0
  const forwarding4 = read('net.ipv4.ip_forward') ?? read('net.ipv4.conf.all.forwarding') ?? 0
  const forwarding6 = read('net.ipv6.conf.all.forwarding') ?? 0
  const disabled6 =
    read(`net.ipv6.conf.${keyName(link)}.disable_ipv6`) ??
    read('net.ipv6.conf.all.disable_ipv6') ??
    read('net.ipv6.conf.default.disable_ipv6') ??
    0
  const forwarding = own(4, 'forwarding', forwarding4) !== 0
  // Switching forwarding on switches this off for all (inet_forward_change); a router asks both, a host either.
  const redirects = {
    all: all('accept_redirects', forwarding4 === 0 ? 1 : 0) !== 0,
    own: own(4, 'accept_redirects', 1) !== 0,
  }
  return {
    rpFilter: larger('rp_filter'),
    forwarding,
    forwarding6: own(6, 'forwarding', forwarding6) !== 0,
    proxyArp: either('proxy_arp'),
    routeLocalnet: either('route_localnet'),
    acceptLocal: either('accept_local'),
    sendRedirects: all('send_redirects', 1) !== 0 || own(4, 'send_redirects', 1) !== 0,
    acceptRedirects: forwarding ? redirects.all && redirects.own : redirects.all || redirects.own,
    arpIgnore: larger('arp_ignore'),
    arpAnnounce: larger('arp_announce'),
    ipv6: disabled6 === 0,
  }
}
