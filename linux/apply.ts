import { type Ip, isLinkLocal } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'
import { contains, formatPrefix, networkOf } from '../packet/prefix.ts'
import { automaticAddresses, automaticRoutes } from './automatic.ts'
import { type FibEntry, type FibRule, fibTable } from './fib.ts'
import type { HostConfig, LinkConfig, NetnsConfig, PermanentNeighbor, RefusedOp } from './host-config.ts'
import type { Capabilities } from './host-facts.ts'
import { applyIpvsOp, finishIpvs, type IpvsBuilder, newIpvsBuilder } from './ipvs/ipvs-config.ts'
import { linkConf } from './link-conf.ts'
import { indexSets } from './netfilter/iptables/ipset.ts'
import {
  applyIptablesOp,
  finishRulesets,
  newRulesetBuilder,
  type RulesetBuilder,
} from './netfilter/iptables/ruleset.ts'
import { applyNftOp, finishNftTables, type NftBuilder, newNftBuilder } from './netfilter/nftables/ruleset.ts'
import type { BridgePort, FdbEntry, LinkAddress } from './netns.ts'
import { type AddrOp, type LinkType, type Op, type ProcessOp, ROOT_NETNS, type Route } from './op.ts'
import type { Origin } from './origin.ts'

/** Ops folded into a machine's configuration, in order, as a kernel that is given the same commands would end up. */
export function applyOps(name: string, ops: readonly Op[], capabilities: Capabilities): HostConfig {
  const machine: Machine = { netns: new Map(), refused: [] }
  addNetns(machine, ROOT_NETNS, { by: 'kernel' })
  for (const op of ops) {
    const error = applyOp(machine, op)
    if (error !== undefined) machine.refused.push({ op, error })
  }
  const netns = new Map<string, NetnsConfig>()
  for (const space of machine.netns.values()) netns.set(space.name, freezeNetns(space, capabilities))
  return { name, capabilities, netns, refused: machine.refused }
}

interface Machine {
  readonly netns: Map<string, NetnsBuilder>
  readonly refused: RefusedOp[]
}

interface NetnsBuilder {
  readonly name: string
  readonly links: Map<string, LinkBuilder>
  /** Explicit routes by table, in the order they were given. */
  readonly routes: Map<string, FibEntry[]>
  readonly rules: FibRule[]
  readonly neighbors: PermanentNeighbor[]
  readonly sysctls: Map<string, string>
  readonly files: Map<string, string>
  readonly processes: (Omit<ProcessOp, 'kind'> & { readonly origin: Origin })[]
  readonly iptables: RulesetBuilder
  readonly nftables: NftBuilder
  readonly sets: Map<string, { readonly type: string; readonly entries: string[] }>
  readonly ipvs: IpvsBuilder
}

export interface LinkBuilder {
  readonly name: string
  readonly index: number
  readonly type: LinkConfig['type']
  readonly origin: Origin
  mac: Mac
  mtu: number
  /** Set after the link was made: a bridge then keeps it (BROPT_MTU_SET_BY_USER). */
  mtuByHand: boolean
  up: boolean
  master: string | undefined
  port: BridgePort
  readonly ports: string[]
  readonly addresses: LinkAddress[]
  /** The networks of its addresses: another in one of them is secondary. */
  readonly subnets: Set<string>
  readonly fdb: Map<Mac, FdbEntry>
}

function addNetns(machine: Machine, name: string, origin: Origin): NetnsBuilder {
  const registrations = { next: 0 }
  const space: NetnsBuilder = {
    name,
    links: new Map(),
    routes: new Map(),
    rules: [],
    neighbors: [],
    sysctls: new Map(),
    files: new Map(),
    processes: [],
    iptables: newRulesetBuilder(registrations),
    nftables: newNftBuilder(registrations),
    sets: new Map(),
    ipvs: newIpvsBuilder(),
  }
  machine.netns.set(name, space)
  addLink(space, { name: 'lo', type: { kind: 'loopback' }, mac: 0 as Mac, mtu: 65536, origin })
  return space
}

function addLink(
  space: NetnsBuilder,
  { name, type, mac, mtu, origin }: { name: string; type: LinkConfig['type']; mac: Mac; mtu: number; origin: Origin },
): void {
  space.links.set(name, {
    name,
    index: space.links.size + 1,
    type,
    origin,
    mac,
    mtu,
    mtuByHand: false,
    up: false,
    master: undefined,
    port: { hairpin: false, learning: true, flood: true },
    ports: [],
    addresses: [],
    subnets: new Set(),
    fdb: new Map(),
  })
}

/** Applies one op. Returns the tool's complaint where the kernel would refuse. */
function applyOp(machine: Machine, op: Op): string | undefined {
  if (op.kind === 'netns.add') {
    if (machine.netns.has(op.netns)) return `Cannot create namespace file "${op.netns}": File exists`
    addNetns(machine, op.netns, op.origin)
    return undefined
  }
  const space = machine.netns.get(op.netns)
  if (space === undefined) return `Cannot open network namespace "${op.netns}": No such file or directory`
  switch (op.kind) {
    case 'link.add':
      return addLinks(machine, space, op)
    case 'link.set':
      return setLink(space, op)
    case 'bridge.port':
      return onLink(space, op.name, (link) => {
        link.port = {
          hairpin: op.hairpin ?? link.port.hairpin,
          learning: op.learning ?? link.port.learning,
          flood: op.flood ?? link.port.flood,
        }
      })
    case 'addr.add':
      return addAddress(space, op, op.origin)
    case 'route.replace':
      return addRoute(space, op.route, op.origin)
    case 'rule.add': {
      const { kind, netns, ...rule } = op
      space.rules.push(rule)
      return undefined
    }
    case 'neigh.replace':
      return onLink(space, op.link, () => {
        const { link, ip, mac, origin } = op
        space.neighbors.push({ link, ip, mac, origin })
      })
    case 'fdb.append':
      return onLink(space, op.link, (link) => appendFdb(space, link, op))
    case 'sysctl.set':
      space.sysctls.set(op.key, op.value)
      return undefined
    case 'file.write':
      space.files.set(op.path, op.text)
      return undefined
    case 'process.start': {
      const { name, program, args, origin } = op
      space.processes.push({ name, program, args, origin })
      return undefined
    }
    case 'set.new':
      if (space.sets.has(op.set)) return 'ipset v7.17: Set cannot be created: set with the same name already exists'
      space.sets.set(op.set, { type: op.type, entries: [] })
      return undefined
    case 'set.add': {
      const set = space.sets.get(op.set)
      if (set === undefined) return 'ipset v7.17: The set with the given name does not exist'
      set.entries.push(op.entry)
      return undefined
    }
    case 'nft.add':
    case 'nft.flush':
    case 'nft.delete':
    case 'nft.block':
      return applyNftOp(space.nftables, op)
    case 'ipvs.service':
    case 'ipvs.destination':
    case 'ipvs.timeouts':
      return applyIpvsOp(space.ipvs, op)
    default:
      return applyIptablesOp(space.iptables, op)
  }
}

function onLink(space: NetnsBuilder, name: string, change: (link: LinkBuilder) => void): string | undefined {
  const link = space.links.get(name)
  if (link === undefined) return `Cannot find device "${name}"`
  change(link)
  return undefined
}

function addLinks(machine: Machine, space: NetnsBuilder, op: Extract<Op, { kind: 'link.add' }>): string | undefined {
  const { name, type, mac, mtu, origin } = op
  if (space.links.has(name)) return 'RTNETLINK answers: File exists'
  if (type.kind !== 'veth') {
    addLink(space, { name, type, mac, mtu, origin })
    return undefined
  }
  const far = machine.netns.get(type.peer.netns)
  if (far === undefined) return `Cannot open network namespace "${type.peer.netns}": No such file or directory`
  if (far.links.has(type.peer.name)) return 'RTNETLINK answers: File exists'
  addLink(space, { name, type, mac, mtu, origin })
  const back: LinkType = { kind: 'veth', peer: { netns: space.name, name, mac, mtu } }
  addLink(far, { name: type.peer.name, type: back, mac: type.peer.mac, mtu: type.peer.mtu, origin })
  return undefined
}

function setLink(space: NetnsBuilder, op: Extract<Op, { kind: 'link.set' }>): string | undefined {
  return onLink(space, op.name, (link) => {
    link.up = op.up ?? link.up
    if (op.up === false) forgetDown(space, link)
    if (op.mtu !== undefined) {
      link.mtu = op.mtu
      link.mtuByHand = true
    }
    link.mac = op.mac ?? link.mac
    if (op.master !== undefined) {
      link.master = op.master
      space.links.get(op.master)?.ports.unshift(link.name)
    }
    if (op.master !== undefined || op.mtu !== undefined) adjustBridgeMtu(space, link.master)
  })
}

/**
 * fib_disable_ip, neigh_ifdown, addrconf_ifdown: what goes down loses its routes and neighbours, also those set by hand,
 * and its IPv6 addresses. Nothing of that comes back with the link.
 */
function forgetDown(space: NetnsBuilder, link: LinkBuilder): void {
  const { name } = link
  for (const [table, entries] of space.routes)
    space.routes.set(
      table,
      entries.filter(({ route }) => route.dev !== name),
    )
  keepOnly(space.neighbors, (neighbor) => neighbor.link !== name)
  keepOnly(link.addresses, (address) => address.ip.family === 4)
}

function keepOnly<T>(list: T[], wanted: (item: T) => boolean): void {
  list.splice(0, list.length, ...list.filter(wanted))
}

/**
 * br_mtu_auto_adjust, Linux net/bridge/br_if.c: a bridge takes the least MTU of its ports, unless somebody has set its
 * own after it was made. What it was made with does not count.
 */
function adjustBridgeMtu(space: NetnsBuilder, name: string | undefined): void {
  const bridge = name === undefined ? undefined : space.links.get(name)
  if (bridge === undefined || bridge.mtuByHand) return
  const mtus = bridge.ports.flatMap((port) => space.links.get(port)?.mtu ?? [])
  if (mtus.length > 0) bridge.mtu = Math.min(...mtus)
}

function addAddress(space: NetnsBuilder, op: AddrOp, origin: Origin): string | undefined {
  return onLink(space, op.link, (link) => {
    const { ip, length } = op.address
    const subnet = formatPrefix(networkOf(ip, length))
    const address: LinkAddress = {
      ip,
      length,
      scope: op.scope ?? (ip.family === 4 && ip.d >>> 24 === 127 ? 'host' : 'global'),
      broadcast: op.broadcast,
      secondary: ip.family === 4 && link.subnets.has(subnet),
      noPrefixRoute: op.noPrefixRoute ?? false,
      origin,
    }
    const at = ip.family === 6 ? link.addresses.findIndex((other) => isBehind6(other, address)) : -1
    link.subnets.add(subnet)
    if (at < 0) link.addresses.push(address)
    else link.addresses.splice(at, 0, address)
  })
}

/** ipv6_link_dev_addr: the widest scope first, of one scope the newest first. */
const isBehind6 = (old: LinkAddress, added: LinkAddress): boolean =>
  old.ip.family === 6 && (isLinkLocal(old.ip) || !isLinkLocal(added.ip))

function addRoute(space: NetnsBuilder, route: Route, origin: Origin): string | undefined {
  if (route.dev !== undefined && !space.links.has(route.dev)) return `Cannot find device "${route.dev}"`
  const dev = route.dev ?? (route.via === undefined ? undefined : linkTowards(space, route.via))
  if (route.via !== undefined && route.onlink !== true && !reachesGateway(space, route.via, dev))
    return 'Error: Nexthop has invalid gateway.'
  if (dev !== undefined && space.links.get(dev)?.up === false) return 'RTNETLINK answers: Network is down'
  const table = route.table ?? 'main'
  const entries = space.routes.get(table) ?? []
  space.routes.set(table, entries)
  entries.push({ route: dev === undefined ? route : { dev, ...route }, origin })
  return undefined
}

/** fib_check_nh: a gateway must be a neighbour by an address of the device or a route of link scope. */
function reachesGateway(space: NetnsBuilder, via: Ip, dev: string | undefined): boolean {
  const link = dev === undefined ? undefined : space.links.get(dev)
  if (link === undefined) return false
  if (via.family === 6 && via.a >>> 22 === 0x3fa) return true
  return onSubnet(link, via) || linkRoutes(space, dev).some((route) => contains(route.destination, via))
}

const onSubnet = (link: LinkBuilder, ip: Ip): boolean =>
  link.addresses.some((address) => contains({ address: address.ip, length: address.length }, ip))

const linkRoutes = (space: NetnsBuilder, dev: string | undefined): readonly Route[] =>
  (space.routes.get('main') ?? [])
    .map((entry) => entry.route)
    .filter((route) => route.dev === dev && route.via === undefined)

/** The device of a gateway that was given without one. */
function linkTowards(space: NetnsBuilder, via: Ip): string | undefined {
  for (const link of space.links.values()) if (onSubnet(link, via)) return link.name
  return undefined
}

function appendFdb(space: NetnsBuilder, link: LinkBuilder, op: Extract<Op, { kind: 'fdb.append' }>): void {
  const { mac, dst, origin } = op
  if (dst !== undefined) {
    const known = link.fdb.get(mac)
    link.fdb.set(mac, { mac, remotes: [...(known?.remotes ?? []), dst], origin: known?.origin ?? origin })
    return
  }
  const bridge = link.master === undefined ? undefined : space.links.get(link.master)
  bridge?.fdb.set(mac, { mac, port: link.name, remotes: [], origin })
}

function freezeNetns(space: NetnsBuilder, capabilities: Capabilities): NetnsConfig {
  const read = (key: string): number | undefined => {
    const text = space.sysctls.get(key)
    return text === undefined ? undefined : numberOf(text)
  }
  const links = [...space.links.values()].map((link): LinkConfig => {
    const conf = linkConf(read, link.name)
    return {
      ...link,
      conf,
      addresses: [...link.addresses, ...automaticAddresses(link, conf.ipv6 && capabilities.ipv6)],
    }
  })
  const tables = new Map<string, FibEntry[]>([
    ['local', []],
    ['main', []],
  ])
  for (const link of links) for (const { table, entry } of automaticRoutes(link)) tables.get(table)?.push(entry)
  for (const [name, entries] of space.routes) tables.set(name, [...(tables.get(name) ?? []), ...entries])
  indexSets(space.sets)
  const sysctls = new Map<string, number>()
  for (const [key, value] of space.sysctls) sysctls.set(key, numberOf(value))
  return {
    name: space.name,
    links,
    fib: { tables: new Map([...tables].map(([name, entries]) => [name, fibTable(name, entries)])), rules: space.rules },
    neighbors: space.neighbors,
    sysctls,
    files: space.files,
    processes: space.processes,
    netfilter: {
      iptables: finishRulesets(space.iptables),
      nftables: finishNftTables(space.nftables),
      sets: space.sets,
      ipvs: finishIpvs(space.ipvs),
    },
  }
}

/** A sysctl of several numbers counts by its last: the maximum of tcp_rmem, the end of a range. */
const numberOf = (text: string): number => Number(text.trim().split(/\s+/).at(-1))
