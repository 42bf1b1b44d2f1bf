import { ipKey } from '../packet/ip.ts'
import type { HostConfig, LinkConfig, NetnsConfig } from './host-config.ts'
import { bootLink, bootNetns, permanentNeighbor } from './machine.ts'
import { entriesOf, removeEntry } from './netfilter/conntrack-table.ts'
import { listTables } from './netfilter/iptables/ruleset.ts'
import type { NetfilterConfig } from './netfilter/netfilter.ts'
import { listNftTable } from './netfilter/nftables/ruleset.ts'
import type { Host, Link, Netns } from './netns.ts'

/**
 * Another configuration for a machine that runs, as if somebody had given it the commands that lead from the one to
 * the other. What traffic has left behind stays where the kernel leaves it: connections, neighbours, learned MACs,
 * sockets, lists of addresses. Processes are the business of whoever starts them.
 *
 * @param renewed namespaces that are deleted and made again under the same name
 * @returns the namespaces that are no more
 */
export function reconfigure(host: Host, config: HostConfig, renewed: ReadonlySet<string>): readonly Netns[] {
  const spaces = host.netns as Map<string, Netns>
  const gone = [...spaces.values()].filter(({ name }) => !config.netns.has(name) || renewed.has(name))
  for (const { name } of gone) spaces.delete(name)
  const isGone = (netns: string): boolean => gone.some(({ name }) => name === netns)
  for (const space of config.netns.values()) {
    const running = spaces.get(space.name)
    if (running === undefined) spaces.set(space.name, bootNetns(host, space))
    else changeNetns(running, space, isGone)
  }
  return gone
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function changeNetns(ns: Netns, config: NetnsConfig, isGone: (netns: string) => boolean): void {
  const space: Mutable<Netns> = ns
  changeLinks(ns, config, isGone)
  changeNeighbors(ns, config)
  space.fib = config.fib
  space.sysctls = config.sysctls
  space.files = config.files
  space.netfilter = config.netfilter
  forgetRecent(ns, config.netfilter)
  forgetSets(ns, config.netfilter)
}

// ------------------------------------------------------------------------------------------------ links

function changeLinks(ns: Netns, { links: wanted }: NetnsConfig, isGone: (netns: string) => boolean): void {
  const links = ns.links as Map<string, Link>
  const byName = new Map(wanted.map((link) => [link.name, link]))
  for (const link of [...links.values()]) {
    const now = byName.get(link.name)
    if (now === undefined || !isSameDevice(link, now) || (link.type.kind === 'veth' && isGone(link.type.peer.netns)))
      deleteLink(ns, link)
  }
  let last = Math.max(0, ...[...links.values()].map(({ index }) => index))
  for (const config of wanted) {
    const link = links.get(config.name)
    if (link === undefined) links.set(config.name, bootLink(ns, { ...config, index: ++last }))
    else changeLink(ns, link, config)
  }
}

/** A device of another kind, or a virtual cable with another far end, has been made anew. */
function isSameDevice({ type: old }: Link, { type }: LinkConfig): boolean {
  if (old.kind !== type.kind) return false
  if (old.kind !== 'veth' || type.kind !== 'veth') return true
  return old.peer.netns === type.peer.netns && old.peer.name === type.peer.name && old.peer.mac === type.peer.mac
}

/** Every field but the index, which a device keeps as long as it lives. */
function changeLink(ns: Netns, link: Mutable<Link>, config: LinkConfig): void {
  const { mac, mtu, up, type, master, port, ports, addresses, conf, fdb, origin } = config
  if (link.up && !up) forgetNeighbors(ns, link)
  const old = new Set(link.ports)
  // The kernel's port_list: the newest first.
  const kept = link.ports.filter((name) => ports.includes(name))
  Object.assign(link, { mac, mtu, up, type, master, port, addresses, conf, origin })
  link.ports = [...ports.filter((name) => !old.has(name)), ...kept]
  link.fdb = { permanent: fdb, learned: link.fdb.learned }
}

/**
 * What goes with a device: its neighbours (neigh_ifdown), the MACs learned behind it (br_fdb_delete_by_port), and the
 * connections that were masqueraded out of it (masq_device_event).
 */
function deleteLink(ns: Netns, link: Link): void {
  ;(ns.links as Map<string, Link>).delete(link.name)
  forgetNeighbors(ns, link)
  for (const { fdb } of ns.links.values())
    for (const [mac, { port }] of fdb.learned) if (port === link.name) fdb.learned.delete(mac)
  for (const entry of entriesOf(ns)) if (entry.masqueradeLink === link.index) removeEntry(ns, entry)
}

// ------------------------------------------------------------------------------------------------ neighbours

function forgetNeighbors(ns: Netns, { name }: Link): void {
  for (const [key, neighbor] of ns.state.neighbors) if (neighbor.link.name === name) ns.state.neighbors.delete(key)
}

/** Those set by hand are as they are set now; those that were learned stay. */
function changeNeighbors(ns: Netns, { neighbors: wanted }: NetnsConfig): void {
  const { neighbors } = ns.state
  const keys = new Set(wanted.map(({ link, ip }) => `${link}|${ipKey(ip)}`))
  for (const [key, { state }] of neighbors) if (state === 'permanent' && !keys.has(key)) neighbors.delete(key)
  for (const config of wanted) {
    const neighbor = permanentNeighbor(ns, config)
    if (neighbor === undefined) continue
    const key = `${config.link}|${ipKey(config.ip)}`
    const known = neighbors.get(key)
    if (known?.state !== 'permanent' || known.mac !== config.mac) neighbors.set(key, neighbor)
  }
}

// ------------------------------------------------------------------------------------------------ netfilter

/** A list of `-m recent` ends with the last rule that names it (recent_mt_destroy). */
function forgetRecent(ns: Netns, { iptables }: NetfilterConfig): void {
  const { recent } = ns.netfilterState
  if (recent.size === 0) return
  const named = new Set<string>()
  for (const ruleset of [iptables[4], iptables[6]])
    for (const { chains } of listTables(ruleset))
      for (const { lines } of chains)
        for (const { args } of lines) {
          const name = / --name (\S+)/.exec(args)?.[1]
          if (name !== undefined && args.includes('-m recent')) named.add(name)
        }
  for (const name of recent.keys()) if (!named.has(name)) recent.delete(name)
}

/** What rules have put into a set goes with the set. */
function forgetSets(ns: Netns, { nftables }: NetfilterConfig): void {
  const { nftSets } = ns.netfilterState
  if (nftSets.size === 0) return
  const there = new Set(nftables.flatMap((table) => listNftTable(table).sets.map(({ id }) => id)))
  for (const id of nftSets.keys()) if (!there.has(id)) nftSets.delete(id)
}
