import { type Difference, differencesOf } from '../cluster/change/differences.ts'
import type { NetnsConfig } from '../linux/host-config.ts'
import { changeService, type IpvsChange } from '../linux/ipvs/service-change.ts'
import type { ConntrackEntry } from '../linux/netfilter/conntrack.ts'
import { entriesOf, removeEntry } from '../linux/netfilter/conntrack-table.ts'
import { formatEntry } from '../linux/netfilter/conntrack-text.ts'
import type { Netns } from '../linux/netns.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import { deletedFlows, type EndpointsChange } from '../proxy/conntrack-cleanup.ts'
import { afterAMinute, type Draining, laterSync } from '../proxy/ipvs/later-sync.ts'
import type { SyncInput } from '../proxy/proxy-mode.ts'
import { serviceMap } from '../proxy/service-map.ts'
import { type StrayFlow, strayFlows } from '../proxy/stray-flows.ts'
import type { Blueprint } from './blueprint.ts'
import type { Built } from './build.ts'
import { changeNetwork } from './change-network.ts'
import type { Network } from './network.ts'

/** What a change of the cluster did to the machines that packets had reached. */
export interface WorldChange {
  /** Nanoseconds. */
  readonly at: number
  readonly differences: readonly Difference[]
  readonly machines: readonly MachineChange[]
}

/** What became of one node. */
export interface MachineChange {
  readonly name: string
  /** kube-proxy's mode and release; absent where none runs. */
  readonly proxy?: { readonly mode: string; readonly version: string }
  /** The machine's own namespace before and after. */
  readonly before: NetnsConfig
  readonly after: NetnsConfig
  /** What kube-proxy fed to its tool. */
  readonly fed: readonly SyncInput[]
  readonly ipvs: readonly IpvsChange[]
  readonly deleted: readonly ListedFlow[]
  readonly strays: readonly (StrayFlow & ListedFlow)[]
}

/** A tracked flow as conntrack(8) lists it at the time of the change. */
export interface ListedFlow {
  readonly entry: ConntrackEntry
  readonly text: string
  /** How conntrack(8) would delete it. */
  readonly command?: string
}

/** Real servers that wait for the end of their connections, by node. */
export type DrainingServers = Map<string, readonly Draining[]>

const FAMILIES = [4, 6] as const

/** Makes a run go on in another state of its cluster: pods and rules are as there, and kube-proxy has cleaned up. */
export function changeWorld(
  network: Network,
  given: {
    readonly before: Built
    readonly after: Built
    readonly blueprint: Blueprint
    readonly draining: DrainingServers
  },
): WorldChange {
  const { before, after, blueprint, draining } = given
  const old = new Map([...network.hosts.keys()].map((name) => [name, rootConfig(before, name)]))
  changeNetwork(network, blueprint, { before: before.cluster, after: after.cluster })
  const machines = [...network.hosts].flatMap(([name, host]): MachineChange[] => {
    const ns = host.netns.get(ROOT_NETNS)
    const was = old.get(name)
    const is = rootConfig(after, name)
    if (ns === undefined || was === undefined || is === undefined || !after.cluster.index.node.has(name)) return []
    return [syncNode(ns, { before, after, was, is, draining })]
  })
  return { at: network.queue.now, differences: differencesOf(before.cluster, after.cluster), machines }
}

const rootConfig = (built: Built, machine: string): NetnsConfig | undefined =>
  built.blueprint.hosts.get(machine)?.().netns.get(ROOT_NETNS)

function syncNode(
  ns: Netns,
  of: {
    readonly before: Built
    readonly after: Built
    readonly was: NetnsConfig
    readonly is: NetnsConfig
    readonly draining: DrainingServers
  },
): MachineChange {
  const { before, after, was, is, draining } = of
  const { name } = ns.host
  const { proxy } = after
  const nothing = { name, before: was, after: is, fed: [], ipvs: [], deleted: [], strays: [] }
  if (proxy === undefined) return nothing
  const ipvs = laterSync(ns, { before: was.netfilter.ipvs, after: is.netfilter.ipvs }, draining.get(name) ?? [])
  draining.set(name, ipvs.draining)
  for (const change of ipvs.changes) changeService(ns, change)
  const deleted: ListedFlow[] = []
  const strays: (StrayFlow & ListedFlow)[] = []
  for (const family of FAMILIES) {
    const change = endpointsChange({ before, after }, family)
    for (const { entry, command } of deletedFlows(entriesOf(ns), change)) {
      deleted.push({ entry, command, text: textOf(ns, entry) })
      removeEntry(ns, entry)
    }
    for (const stray of strayFlows(entriesOf(ns), change)) strays.push({ ...stray, text: textOf(ns, stray.entry) })
  }
  const { mode, config } = proxy
  return {
    ...nothing,
    proxy: { mode: mode.name, version: config.version },
    fed: fedTo(name, { before, after }),
    ipvs: ipvs.changes,
    deleted,
    strays,
  }
}

const textOf = (ns: Netns, entry: ConntrackEntry): string => formatEntry(entry, ns.host.kernel.now())

function endpointsChange(
  { before, after }: { readonly before: Built; readonly after: Built },
  family: 4 | 6,
): EndpointsChange {
  const version = after.proxy?.config.version ?? ''
  return {
    before: serviceMap(before.cluster, family, version),
    after: serviceMap(after.cluster, family, version),
    version,
  }
}

function fedTo(
  name: string,
  { before, after }: { readonly before: Built; readonly after: Built },
): readonly SyncInput[] {
  const was = before.proxySite(name)
  const is = after.proxySite(name)
  const mode = after.proxy?.mode
  if (was === undefined || is === undefined || mode?.laterSync === undefined || before.proxy?.mode.name !== mode.name)
    return []
  return FAMILIES.map((family) => mode.laterSync?.(was, is, family)).filter((fed) => fed !== undefined)
}

const MINUTE = 60e9

/** What kube-proxy does while time passes: each minute it looks after real servers that drain. */
export function drainServers(network: Network, draining: DrainingServers, since: number): void {
  if (network.queue.now - since < MINUTE) return
  for (const [name, servers] of draining) {
    const ns = network.hosts.get(name)?.netns.get(ROOT_NETNS)
    if (ns === undefined || servers.length === 0) continue
    const { changes, draining: left } = afterAMinute(ns, servers)
    for (const change of changes) changeService(ns, change)
    draining.set(name, left)
  }
}
