import type { LinkConfig, NetnsConfig } from '../linux/host-config.ts'
import { formatIp, type Ip, isLinkLocal } from '../packet/ip.ts'
import { formatMac, type Mac } from '../packet/mac.ts'

/** What bridges learned while traffic ran: by bridge, the port behind which a MAC is. */
export type LearnedMacs = ReadonlyMap<string, ReadonlyMap<Mac, { readonly port: string }>>

export interface FdbOptions {
  /** `bridge fdb show dev NAME`: only this device, and without naming it. */
  readonly dev?: string
  readonly learned?: LearnedMacs
}

/**
 * `bridge fdb show` as iproute2 6.1 prints it, without blanks at the end of lines: device by device, first what its
 * bridge knows of it, then its own (`self`). Within a tunnel device the kernel's order is that of a hash with a random
 * seed: here it is the order of writing.
 */
export function renderBridgeFdb(netns: NetnsConfig, { dev, learned = new Map() }: FdbOptions = {}): readonly string[] {
  return netns.links
    .filter((link) => dev === undefined || link.name === dev)
    .flatMap((link) => entriesOf(netns, link, learned))
    .map(({ mac, link, rest }) =>
      [formatMac(mac), dev === undefined ? `dev ${link}` : '', rest].filter((word) => word !== '').join(' '),
    )
}

interface Entry {
  readonly mac: Mac
  readonly link: string
  readonly rest: string
}

/** A port shows the bridge's entries first, a bridge its own groups (rtnl_fdb_dump). */
function entriesOf(netns: NetnsConfig, link: LinkConfig, learned: LearnedMacs): readonly Entry[] {
  const master = masterEntries(netns, link, learned)
  return link.type.kind === 'bridge' ? [...selfEntries(link), ...master] : [...master, ...selfEntries(link)]
}

/** The bridge's table for one of its ports, or for itself: learned ones first, the device's own address last. */
function masterEntries(netns: NetnsConfig, link: LinkConfig, learned: LearnedMacs): readonly Entry[] {
  const name = link.type.kind === 'bridge' ? link.name : link.master
  const bridge = netns.links.find((one) => one.name === name)
  if (bridge === undefined) return []
  const found: Entry[] = []
  for (const [mac, { port }] of learned.get(bridge.name) ?? [])
    if (port === link.name) found.push({ mac, link: link.name, rest: `master ${bridge.name}` })
  for (const { mac, port } of bridge.fdb.values())
    if (port === link.name) found.push({ mac, link: link.name, rest: `master ${bridge.name} static` })
  return [...found, { mac: link.mac, link: link.name, rest: `master ${bridge.name} permanent` }]
}

function selfEntries(link: LinkConfig): readonly Entry[] {
  if (link.type.kind === 'vxlan')
    return [...link.fdb.values()].flatMap(({ mac, remotes }) =>
      remotes.map((remote) => ({ mac, link: link.name, rest: `dst ${formatIp(remote)} self permanent` })),
    )
  if (link.type.kind === 'loopback' || link.type.kind === 'tun') return []
  return multicastMacs(link).map((mac) => ({ mac, link: link.name, rest: 'self permanent' }))
}

const ALL_NODES_V6 = 0x333300000001 as Mac
const ALL_NODES_V4 = 0x01005e000001 as Mac
const ALL_ROUTERS_V6 = 0x333300000002 as Mac
/** Solicited-node group of the subnet-router anycast address fe80::. */
const ROUTER_ANYCAST = 0x3333ff000000 as Mac

/** The groups a device listens to for its addresses (RFC 1112, RFC 2464 §7). */
function multicastMacs(link: LinkConfig): readonly Mac[] {
  const groups = new Set<Mac>()
  if (link.conf.ipv6) groups.add(ALL_NODES_V6)
  if (link.up) groups.add(ALL_NODES_V4)
  const v6 = link.addresses.map(({ ip }) => ip).filter((ip) => ip.family === 6)
  for (const ip of [...v6.filter(isLinkLocal), ...v6.filter((one) => !isLinkLocal(one))]) groups.add(solicitedNode(ip))
  if (link.conf.ipv6 && link.conf.forwarding6) {
    groups.add(ALL_ROUTERS_V6)
    if (link.up) groups.add(ROUTER_ANYCAST)
  }
  return [...groups]
}

const solicitedNode = (ip: Ip): Mac => (0x3333ff000000 + (ip.d & 0xffffff)) as Mac
