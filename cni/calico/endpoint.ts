import type { Pod } from '../../cluster/objects.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import { type Family, type Ip, ip, unspecified } from '../../packet/ip.ts'
import { bitsOf, hostPrefix } from '../../packet/prefix.ts'
import { CALICO_HOST_MAC, deterministicMac } from '../mac.ts'
import { podOrigin } from '../origin.ts'
import { podNetns, podNetnsOps } from '../pod-netns.ts'
import { endpointName } from './endpoint-name.ts'

/** The next hop of every pod; nobody has it, the host end of the veth answers for it (proxy ARP). */
const GATEWAY_V4 = ip('169.254.1.1')
/** The link-local address of ee:ee:ee:ee:ee:ee (EUI-64), which the host end has by itself. */
const GATEWAY_V6 = ip('fe80::ecee:eeff:feee:eeee')

export interface EndpointSettings {
  readonly interfacePrefix: string
  readonly mtu: number
  /** Metric of the node's IPv4 route to the pod. */
  readonly metric: number | undefined
}

const BY = 'calico (CNI plugin)'

/**
 * One pod: its sandbox, the veth pair without bridge, host routes to it and its own routes
 * (cni-plugin/pkg/dataplane/linux/dataplane_linux.go, v3.32.1).
 */
export function endpointOps(pod: Pod, settings: EndpointSettings): Op[] {
  return [...podNetnsOps(pod), ...vethOps(pod, settings), ...podSideOps(pod), ...hostSideOps(pod, settings)]
}

function vethOps(pod: Pod, { interfacePrefix, mtu }: EndpointSettings): Op[] {
  const netns = podNetns(pod)
  return [
    {
      kind: 'link.add',
      name: endpointName(pod, interfacePrefix),
      mac: CALICO_HOST_MAC,
      mtu,
      type: { kind: 'veth', peer: { netns, name: 'eth0', mac: deterministicMac('podEth0', netns), mtu } },
      netns: ROOT_NETNS,
      origin: podOrigin(BY, pod),
    },
  ]
}

function podSideOps(pod: Pod): Op[] {
  const origin = podOrigin(BY, pod)
  const at = (body: OpBody): Op => ({ ...body, netns: podNetns(pod), origin })
  const families = familiesOf(pod)
  return [
    ...(families.includes(6) ? [at({ kind: 'sysctl.set', key: 'net.ipv6.conf.eth0.accept_dad', value: '0' })] : []),
    at({ kind: 'link.set', name: 'eth0', up: true }),
    ...families.flatMap((family) => podRoutes(family).map((route) => at({ kind: 'route.replace', route }))),
    ...pod.ips.map((address) =>
      at({ kind: 'addr.add', link: 'eth0', address: { ip: address, length: bitsOf(address.family) } }),
    ),
    ...families.map((family) => at({ kind: 'sysctl.set', key: POD_FORWARDING[family], value: '0' })),
  ]
}

const POD_FORWARDING: Readonly<Record<Family, string>> = {
  4: 'net.ipv4.ip_forward',
  6: 'net.ipv6.conf.all.forwarding',
}

function podRoutes(family: Family) {
  const base = { type: 'unicast', dev: 'eth0', protocol: 'boot' } as const
  const via = family === 4 ? GATEWAY_V4 : GATEWAY_V6
  const everything = { ...base, destination: { address: unspecified(family), length: 0 }, via }
  return family === 4
    ? [{ ...base, destination: hostPrefix(GATEWAY_V4), scope: 'link' as const }, everything]
    : [everything]
}

function hostSideOps(pod: Pod, { interfacePrefix, metric }: EndpointSettings): Op[] {
  const name = endpointName(pod, interfacePrefix)
  const origin = podOrigin(BY, pod)
  const at = (body: OpBody): Op => ({ ...body, netns: ROOT_NETNS, origin })
  const sysctls = familiesOf(pod).flatMap((family) => HOST_SYSCTLS[family])
  return [
    ...sysctls.map(([key, value]) => at({ kind: 'sysctl.set', key: key.replace('*', name), value })),
    at({ kind: 'link.set', name, up: true }),
    ...pod.ips.map((address) => at({ kind: 'route.replace', route: hostRoute(name, address, metric) })),
  ]
}

/** Forwarding, an answer to every ARP request at once, and 127/8 for NAT to the node; felix switches routing on. */
const HOST_SYSCTLS: Readonly<Record<Family, readonly (readonly [string, string])[]>> = {
  4: [
    ['net.ipv4.conf.*.route_localnet', '1'],
    ['net.ipv4.neigh.*.proxy_delay', '0'],
    ['net.ipv4.conf.*.proxy_arp', '1'],
    ['net.ipv4.conf.*.forwarding', '1'],
    ['net.ipv4.ip_forward', '1'],
  ],
  6: [
    ['net.ipv6.conf.*.disable_ipv6', '0'],
    ['net.ipv6.conf.*.proxy_ndp', '1'],
    ['net.ipv6.conf.*.forwarding', '1'],
    ['net.ipv6.conf.*.accept_ra', '0'],
    ['net.ipv6.conf.all.forwarding', '1'],
  ],
}

function hostRoute(dev: string, address: Ip, metric: number | undefined) {
  const route = { type: 'unicast', destination: hostPrefix(address), dev, protocol: 'boot' } as const
  if (address.family === 6) return { ...route, metric: IPV6_DEFAULT_METRIC }
  return { ...route, scope: 'link' as const, ...(metric === undefined ? {} : { metric }) }
}

/** IP6_RT_PRIO_USER: the kernel's metric for IPv6 routes that come without one. */
export const IPV6_DEFAULT_METRIC = 1024

const familiesOf = (pod: Pod): readonly Family[] =>
  ([4, 6] as const).filter((family) => pod.ips.some((address) => address.family === family))
