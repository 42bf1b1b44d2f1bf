import type { HostConfig, LinkConfig, NetnsConfig } from '../linux/host-config.ts'
import type { LinkAddress } from '../linux/netns.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import { formatIp } from '../packet/ip.ts'
import { formatMac } from '../packet/mac.ts'
import { namesOnHost } from './netns-name.ts'

/** Which namespace of which machine is shown; the machine tells where the other end of a veth is. */
export interface ShownNetns {
  readonly host: HostConfig
  readonly netns: NetnsConfig
}

/** `ip addr` as iproute2 6.1 prints it, without blanks at the end of lines. */
export const renderIpAddr = (shown: ShownNetns): readonly string[] =>
  shown.netns.links.flatMap((link) => [...headLines(shown, link, ''), ...addressLines(link)])

/** `ip link`; with `details`, the line that `ip -d link` adds for tunnels (their own settings only). */
export const renderIpLink = (shown: ShownNetns, details: 'plain' | 'details' = 'plain'): readonly string[] =>
  shown.netns.links.flatMap((link) => [
    ...headLines(shown, link, 'mode DEFAULT '),
    ...(details === 'details' ? detailLines(link) : []),
  ])

function headLines(shown: ShownNetns, link: LinkConfig, mode: string): readonly string[] {
  const master = link.master === undefined ? '' : `master ${link.master} `
  const { flags, state } = conditionOf(shown, link)
  const head = `${link.index}: ${link.name}${peerSuffix(shown, link)}: <${flags.join(',')}> mtu ${link.mtu}`
  const tail = `qdisc ${qdiscOf(link)} ${master}state ${state} ${mode}group default qlen ${queueOf(link)}`
  return [`${head} ${tail}`, `    ${hardwareLine(shown, link)}`]
}

/** Carrier: a bridge has one while one of its ports is up, a veth while its other end is up. */
function conditionOf(
  shown: ShownNetns,
  link: LinkConfig,
): { readonly flags: readonly string[]; readonly state: string } {
  const kind = link.type.kind
  const up = link.up ? ['UP'] : []
  if (kind === 'loopback')
    return { flags: ['LOOPBACK', ...up, ...(link.up ? ['LOWER_UP'] : [])], state: link.up ? 'UNKNOWN' : 'DOWN' }
  const carrier = link.up && hasCarrier(shown, link)
  const nature = natureOf(kind)
  const flags = [
    ...(link.up && !carrier ? ['NO-CARRIER'] : []),
    ...nature,
    ...up,
    ...(carrier ? ['LOWER_UP'] : []),
    ...(isPeerHereAndDown(shown, link) ? ['M-DOWN'] : []),
  ]
  const silent = kind === 'vxlan' || kind === 'tun' || kind === 'dummy'
  if (carrier) return { flags, state: silent ? 'UNKNOWN' : 'UP' }
  return { flags, state: link.up && kind === 'veth' ? 'LOWERLAYERDOWN' : 'DOWN' }
}

function natureOf(kind: LinkConfig['type']['kind']): readonly string[] {
  if (kind === 'tun') return ['POINTOPOINT', 'MULTICAST', 'NOARP']
  return kind === 'dummy' ? ['BROADCAST', 'NOARP'] : ['BROADCAST', 'MULTICAST']
}

/** ip(8) says so of a link below in the same namespace. */
const isPeerHereAndDown = (shown: ShownNetns, link: LinkConfig): boolean =>
  link.type.kind === 'veth' && link.type.peer.netns === shown.netns.name && peerOf(shown, link)?.up === false

function hasCarrier(shown: ShownNetns, link: LinkConfig): boolean {
  if (link.type.kind === 'bridge')
    return link.ports.some((port) => shown.netns.links.find(({ name }) => name === port)?.up === true)
  return link.type.kind !== 'veth' || peerOf(shown, link)?.up === true
}

const peerOf = ({ host }: ShownNetns, { type }: LinkConfig): LinkConfig | undefined =>
  type.kind === 'veth' ? host.netns.get(type.peer.netns)?.links.find(({ name }) => name === type.peer.name) : undefined

/** `@eth0` where the other end is here, `@if2` where it is elsewhere. */
function peerSuffix(shown: ShownNetns, link: LinkConfig): string {
  if (link.type.kind !== 'veth') return ''
  if (link.type.peer.netns === shown.netns.name) return `@${link.type.peer.name}`
  return `@if${peerOf(shown, link)?.index ?? 0}`
}

function hardwareLine(shown: ShownNetns, link: LinkConfig): string {
  switch (link.type.kind) {
    case 'tun':
      return 'link/none'
    case 'loopback':
      return `link/loopback ${formatMac(link.mac)} brd 00:00:00:00:00:00`
    default:
      return `link/ether ${formatMac(link.mac)} brd ff:ff:ff:ff:ff:ff${peerNetns(shown, link)}`
  }
}

/** A namespace with a name is shown by it; the machine's own, seen from a pod, has none. */
function peerNetns({ host, netns }: ShownNetns, { type }: LinkConfig): string {
  if (type.kind !== 'veth' || type.peer.netns === netns.name) return ''
  if (type.peer.netns === ROOT_NETNS) return ' link-netnsid 0'
  return ` link-netns ${namesOnHost([...host.netns.keys()])(type.peer.netns) ?? ''}`
}

/** A device gets its queue when it goes up; virtual ones have none, a card and a tun device the kernel's default. */
const qdiscOf = ({ type, up }: LinkConfig): string =>
  !up ? 'noop' : type.kind === 'physical' || type.kind === 'tun' ? 'pfifo_fast' : 'noqueue'

/** tx_queue_len: TUN_READQ_SIZE for tun, DEFAULT_TX_QUEUE_LEN for the rest. */
const queueOf = ({ type }: LinkConfig): number => (type.kind === 'tun' ? 500 : 1000)

function detailLines({ type }: LinkConfig): readonly string[] {
  if (type.kind !== 'vxlan') return []
  const words = [
    `vxlan id ${type.vni} local ${formatIp(type.local)} dev ${type.dev} srcport 0 0 dstport ${type.port}`,
    type.learning ? '' : 'nolearning',
    `ttl auto${type.dontFragment ? ' df set' : ''} ageing 300`,
    type.udpChecksum ? 'udpcsum' : 'noudpcsum',
    'noudp6zerocsumtx noudp6zerocsumrx',
  ]
  return [`    ${words.filter((word) => word !== '').join(' ')}`]
}

/** IPv4 in the order added; IPv6 the widest scope first, and within one the newest first (ipv6_link_dev_addr). */
function addressLines(link: LinkConfig): readonly string[] {
  const v4 = link.addresses.filter(({ ip }) => ip.family === 4)
  const v6 = link.addresses.filter(({ ip }) => ip.family === 6).reverse()
  const sorted = [...v4, ...v6.sort((x, y) => SCOPE_WIDTH[x.scope] - SCOPE_WIDTH[y.scope])]
  return sorted.flatMap((address) => [addressLine(link, address), '       valid_lft forever preferred_lft forever'])
}

const SCOPE_WIDTH = { global: 0, link: 1, host: 2 } as const

function addressLine(link: LinkConfig, address: LinkAddress): string {
  const { ip, length, broadcast, scope, secondary, noPrefixRoute } = address
  const words = [
    `inet${ip.family === 6 ? '6' : ''} ${formatIp(ip)}/${length}`,
    broadcast === undefined ? '' : `brd ${formatIp(broadcast)}`,
    `scope ${scope}`,
    secondary ? 'secondary' : '',
    noPrefixRoute ? 'noprefixroute' : '',
    ip.family === 4 ? link.name : '',
  ]
  return `    ${words.filter((word) => word !== '').join(' ')}`
}
