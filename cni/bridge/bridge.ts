import type { KubeNode, Pod } from '../../cluster/objects.ts'
import { type Op, type OpBody, ROOT_NETNS, type Route } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { type Family, formatIp, type Ip, ipPlus, unspecified } from '../../packet/ip.ts'
import { contains, formatPrefix, type InterfaceAddress, lastIp, type Prefix } from '../../packet/prefix.ts'
import { deterministicMac, vethName } from '../mac.ts'
import { podOrigin } from '../origin.ts'
import { podNetns, podNetnsOps } from '../pod-netns.ts'
import { sha1 } from '../sha1.ts'
import type { BridgeConf } from './bridge-conf.ts'

/**
 * What the bridge plugin configures for the pods of one node, pod by pod: the bridge with the first pod, a veth
 * pair, the pod's addresses and routes (containernetworking/plugins v1.9 plugins/main/bridge, pkg/ipam
 * ConfigureIface). Without a pod there is no bridge.
 */
export function bridgeOps(node: KubeNode, pods: readonly Pod[], conf: BridgeConf): Op[] {
  const foreign = new Set(foreignPods(pods, conf))
  const attached = pods.filter((pod) => !foreign.has(pod))
  return pods.flatMap((pod) => {
    const turn = attached.indexOf(pod)
    if (turn < 0) return podNetnsOps(pod)
    return [
      ...podNetnsOps(pod),
      ...(turn === 0 ? bridgeLinkOps(node, pod, conf) : []),
      ...vethOps(pod, conf),
      ...podInterfaceOps(pod, conf),
      ...gatewayOps(node, pod, conf, { known: attached.slice(0, turn) }),
      ...(conf.ipMasq ? masqueradeOps(pod, conf) : []),
    ]
  })
}

/** The pods of `pods` whose addresses no range of the network could have given: no plugin of it made their network. */
export function foreignPods(pods: readonly Pod[], conf: Pick<BridgeConf, 'subnets'>): readonly Pod[] {
  return pods.filter((pod) => addressesIn(pod, conf).length === 0)
}

const BY = 'bridge (CNI plugin)'

function bridgeLinkOps(node: KubeNode, pod: Pod, conf: BridgeConf): Op[] {
  const at = root(podOrigin(BY, pod, 'the bridge is made with the first pod of the node'))
  return [
    at({
      kind: 'link.add',
      name: conf.bridge,
      mac: deterministicMac('bridge', node.meta.name, conf.bridge),
      mtu: conf.mtu,
      type: { kind: 'bridge', ageing: 300 },
    }),
    at({ kind: 'sysctl.set', key: `net.ipv6.conf.${sysctlLink(conf.bridge)}.accept_ra`, value: '0' }),
    at({ kind: 'link.set', name: conf.bridge, up: true }),
  ]
}

function vethOps(pod: Pod, conf: BridgeConf): Op[] {
  const netns = podNetns(pod)
  const name = vethName(netns)
  const at = root(podOrigin(BY, pod))
  return [
    at({
      kind: 'link.add',
      name,
      mac: deterministicMac('hostVeth', netns),
      mtu: conf.mtu,
      type: {
        kind: 'veth',
        peer: { netns, name: 'eth0', mac: deterministicMac('podEth0', netns), mtu: conf.mtu },
      },
    }),
    at({ kind: 'link.set', name, up: true }),
    at({ kind: 'sysctl.set', key: `net.ipv6.conf.${name}.accept_ra`, value: '0' }),
    at({ kind: 'link.set', name, master: conf.bridge }),
    at({ kind: 'bridge.port', name, hairpin: conf.hairpinMode }),
  ]
}

function podInterfaceOps(pod: Pod, conf: BridgeConf): Op[] {
  const origin = podOrigin(BY, pod)
  const at = (body: OpBody): Op => ({ ...body, netns: podNetns(pod), origin })
  const addresses = addressesIn(pod, conf)
  return [
    at({ kind: 'sysctl.set', key: 'net.ipv6.conf.eth0.accept_dad', value: '0' }),
    at({ kind: 'sysctl.set', key: 'net.ipv4.conf.eth0.arp_notify', value: '1' }),
    at({ kind: 'link.set', name: 'eth0', up: true }),
    ...addresses.map((address) => at(addressOp('eth0', address))),
    ...podRoutes(addresses, conf).map((route) => at({ kind: 'route.replace', route })),
  ]
}

/** host-local's routes by way of the gateway of their family, then a default route per family. */
function podRoutes(addresses: readonly PodAddress[], conf: BridgeConf): readonly Route[] {
  const gatewayOf = (family: Family) => addresses.find((address) => address.ip.family === family)?.gateway
  const destinations = [
    ...conf.routes,
    ...(conf.isDefaultGateway ? addresses.map(({ ip }) => ({ address: unspecified(ip.family), length: 0 })) : []),
  ]
  return destinations.flatMap((destination): Route[] => {
    const via = gatewayOf(destination.address.family)
    return via === undefined ? [] : [{ type: 'unicast', destination, via, dev: 'eth0', protocol: 'boot' }]
  })
}

/** The bridge's own addresses, once per family; setting one pins the bridge's MAC and switches forwarding on. */
function gatewayOps(node: KubeNode, pod: Pod, conf: BridgeConf, pods: { readonly known: readonly Pod[] }): Op[] {
  const has = (family: Family) =>
    pods.known.some((other) => addressesIn(other, conf).some(({ ip }) => ip.family === family))
  const fresh = addressesIn(pod, conf).filter(({ ip }) => !has(ip.family))
  const at = root(podOrigin(BY, pod, `${conf.bridge} is the gateway of the node's pods`))
  return fresh.flatMap((address) => [
    at(addressOp(conf.bridge, { ip: address.gateway, length: address.length })),
    at({ kind: 'link.set', name: conf.bridge, mac: deterministicMac('bridge', node.meta.name, conf.bridge) }),
    at({ kind: 'sysctl.set', key: FORWARDING[address.ip.family], value: '1' }),
  ])
}

const FORWARDING: Readonly<Record<Family, string>> = {
  4: 'net.ipv4.ip_forward',
  6: 'net.ipv6.conf.all.forwarding',
}

/**
 * ipMasq: one chain per pod (containernetworking/plugins pkg/ip SetupIPMasq). The chain's name is a hash over the
 * container's id, which no API object holds; podwalk hashes the pod's name.
 */
function masqueradeOps(pod: Pod, conf: BridgeConf): Op[] {
  const id = sha1(`${podNetns(pod)}\nsandbox`)
  const chain = `CNI-${sha1(`${conf.network}${id}`).slice(0, 24)}`
  const comment = `-m comment --comment "name: \\"${conf.network}\\" id: \\"${id}\\""`
  const at = root(podOrigin(BY, pod, 'ipMasq: flanneld runs without --ip-masq'))
  return addressesIn(pod, conf).flatMap(({ ip, range }): Op[] => {
    const { family } = ip
    const rule = (to: string, args: string): Op => at({ kind: 'rule.append', family, table: 'nat', chain: to, args })
    return [
      at({ kind: 'chain.new', family, table: 'nat', chain }),
      rule(chain, `-d ${formatPrefix(range)} ${comment} -j ACCEPT`),
      rule(chain, `! -d ${MULTICAST[family]} ${comment} -j MASQUERADE`),
      rule('POSTROUTING', `-s ${formatIp(ip)} ${comment} -j ${chain}`),
    ]
  })
}

const MULTICAST: Readonly<Record<Family, string>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' }

interface PodAddress extends InterfaceAddress {
  /** The first address of the range: the plugins' default gateway. */
  readonly gateway: Ip
  readonly range: Prefix
}

function addressesIn(pod: Pod, conf: Pick<BridgeConf, 'subnets'>): readonly PodAddress[] {
  return pod.ips.flatMap((ip) => {
    const range = conf.subnets.find((subnet) => contains(subnet, ip))
    return range === undefined ? [] : [{ ip, length: range.length, gateway: ipPlus(range.address, 1), range }]
  })
}

/** An address as the netlink library adds it: IPv4 ones get the subnet's broadcast address, except /31 and /32. */
function addressOp(link: string, { ip, length }: InterfaceAddress): OpBody {
  const broadcast = ip.family === 4 && length < 31 ? lastIp({ address: ip, length }) : undefined
  return { kind: 'addr.add', link, address: { ip, length }, ...(broadcast === undefined ? {} : { broadcast }) }
}

/** Link names in sysctl keys keep their dots as slashes (sysctl(8)). */
export const sysctlLink = (name: string): string => name.replaceAll('.', '/')

const root =
  (origin: Origin) =>
  (body: OpBody): Op => ({ ...body, netns: ROOT_NETNS, origin })
