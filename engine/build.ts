import type { Cluster } from '../cluster/cluster.ts'
import type { Assumption, Diagnostic } from '../cluster/source.ts'
import type { CniPlugin, NotModelled, Refusal } from '../cni/plugin.ts'
import { cniPlugins } from '../cni/registry.ts'
import { podDnsDiagnostics } from '../dns/pod/events.ts'
import { applyOps } from '../linux/apply.ts'
import type { HostConfig } from '../linux/host-config.ts'
import { once } from '../linux/netfilter/block.ts'
import type { Op } from '../linux/op.ts'
import type { Family } from '../packet/ip.ts'
import { type KubeProxyConfig, readKubeProxyConfig } from '../proxy/config.ts'
import type { ProxyMode, ProxySite } from '../proxy/proxy-mode.ts'
import { findProxyMode, proxyNotModelled } from '../proxy/registry.ts'
import type { Blueprint, Segment } from './blueprint.ts'
import { compileMachine, type NodeCompilers, proxySite } from './compile-node.ts'
import type { EntryRoute } from './entry-route.ts'
import { capabilitiesOf, filesOf, machineFacts, machineOps } from './machine-ops.ts'
import { clusterPrograms } from './programs.ts'
import { readUnderlay } from './read-underlay.ts'
import type { Underlay } from './underlay.ts'

/** A cluster made ready to be walked: every machine can be compiled, none is yet. */
export interface Built {
  readonly cluster: Cluster
  /** What it was made with. */
  readonly options: BuildOptions
  readonly underlay: Underlay
  readonly blueprint: Blueprint
  /** The ops of a machine, in the order they are applied. */
  readonly opsOf: (machine: string) => readonly Op[] | undefined
  /** What kube-proxy's first sync on a node feeds to its tool; undefined where none runs, or its mode has no such tool. */
  readonly proxyInput: (machine: string, family: Family) => string | undefined
  /** The kube-proxy that all nodes run; undefined where it is not computed. */
  readonly proxy: { readonly mode: ProxyMode; readonly config: KubeProxyConfig } | undefined
  /** A node as its kube-proxy finds it; undefined where none runs. */
  readonly proxySite: (machine: string) => ProxySite | undefined
  /** What the cluster has and podwalk does not compute. */
  readonly notModelled: readonly Unmodelled[]
  readonly refusals: (node: string) => readonly Refusal[]
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
}

export interface Unmodelled extends NotModelled {
  readonly part: 'cni' | 'proxy'
}

export interface BuildOptions {
  /** kube-proxy's mode, whatever the cluster's configuration says. */
  readonly proxyMode?: string
  /** An address that the machines around the nodes route to one of them, as a load balancer's speaker makes them. */
  readonly entry?: EntryRoute
}

export function build(cluster: Cluster, options: BuildOptions = {}): Built {
  const underlay = readUnderlay(cluster)
  const cni = chooseCni(cluster)
  const proxy = chooseProxy(cluster, options)
  const compilers: NodeCompilers = {
    cluster,
    underlay,
    entry: options.entry,
    cni: cni.chosen,
    proxy: proxy.chosen,
  }
  const ops = new Map<string, () => readonly Op[]>()
  const hosts = new Map<string, () => HostConfig>()
  for (const machine of underlay.machines.values()) {
    const compiled = once(() => compileMachine(compilers, machine))
    ops.set(machine.name, compiled)
    const capabilities = capabilitiesOf(cluster.lab, machine.name)
    hosts.set(
      machine.name,
      once(() => applyOps(machine.name, compiled(), capabilities)),
    )
  }
  return {
    cluster,
    options,
    underlay,
    blueprint: { hosts, segments: segmentsOf(underlay), program: clusterPrograms(cluster) },
    opsOf: (machine) => ops.get(machine)?.(),
    proxyInput: (name, family) => proxyInput(compilers, name, family),
    proxy: proxy.chosen,
    proxySite: (name) => siteOf(compilers, name),
    notModelled: [...cni.notModelled, ...proxy.notModelled],
    refusals: remembered((name: string) => refusalsOf(compilers, name)),
    assumptions: [...cluster.assumptions, ...underlay.assumptions, ...cni.assumptions, ...proxy.assumptions],
    diagnostics: [...cni.diagnostics, ...proxy.diagnostics, ...dnsDiagnostics(cluster, underlay)],
  }
}

function dnsDiagnostics(cluster: Cluster, { machines }: Underlay): readonly Diagnostic[] {
  const files = remembered((node: string) => {
    const machine = machines.get(node)
    return machine && filesOf(machine, cluster.lab.nodes?.[node] ?? {})
  })
  return podDnsDiagnostics(cluster, files)
}

interface Chosen<T> {
  readonly chosen: T | undefined
  readonly notModelled: readonly Unmodelled[]
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
}

function chooseCni(cluster: Cluster): Chosen<NonNullable<NodeCompilers['cni']>> {
  const { name, evidence } = cluster.facts.cni
  const plugins: Readonly<Record<string, CniPlugin>> = cniPlugins
  const plugin = Object.hasOwn(plugins, name) ? plugins[name] : undefined
  if (plugin === undefined) {
    const what = name === 'unknown' ? 'the pod network' : `the pod network ${name}`
    const missing = `${name === 'unknown' ? 'no pod network was recognised' : `${name} is not computed`}; known are ${Object.keys(plugins).join(', ')}`
    return {
      chosen: undefined,
      notModelled: [{ part: 'cni', what, missing, evidence }],
      assumptions: [],
      diagnostics: [],
    }
  }
  const { config, assumptions, diagnostics, notModelled } = plugin.configure(cluster)
  return {
    chosen: { plugin, config },
    notModelled: notModelled === undefined ? [] : [{ part: 'cni', ...notModelled }],
    assumptions,
    diagnostics,
  }
}

function chooseProxy(cluster: Cluster, options: BuildOptions): Chosen<NonNullable<NodeCompilers['proxy']>> {
  const read = readKubeProxyConfig(cluster, options.proxyMode === undefined ? {} : { mode: options.proxyMode })
  const { config, assumptions, diagnostics } = read
  const missing = proxyNotModelled(config)
  const mode = missing === undefined ? findProxyMode(config.mode) : undefined
  const notModelled: Unmodelled[] = missing === undefined ? [] : [{ part: 'proxy', ...missing }]
  return { chosen: mode === undefined ? undefined : { mode, config }, notModelled, assumptions, diagnostics }
}

/** A function of a name that works once for each. */
function remembered<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>()
  return (name) => {
    const known = made.get(name)
    if (known !== undefined) return known
    const value = make(name)
    made.set(name, value)
    return value
  }
}

function siteOf(compilers: NodeCompilers, name: string): ProxySite | undefined {
  const machine = compilers.underlay.machines.get(name)
  return machine === undefined ? undefined : proxySite(compilers, machine)
}

function proxyInput(compilers: NodeCompilers, name: string, family: Family): string | undefined {
  const site = siteOf(compilers, name)
  return site === undefined ? undefined : compilers.proxy?.mode.firstSync?.(site, family)
}

function refusalsOf({ cluster, underlay, entry, cni }: NodeCompilers, name: string): readonly Refusal[] {
  const node = cluster.index.node.get(name)
  const machine = underlay.machines.get(name)
  if (node === undefined || machine === undefined || cni === undefined) return []
  const facts = machineFacts(machine, cluster, machineOps(machine, { cluster, underlay, entry }))
  return cni.plugin.refusals(cluster, node, cni.config, facts)
}

function segmentsOf(underlay: Underlay): ReadonlyMap<string, Segment> {
  const segments = new Map<string, Segment>()
  for (const { name, outside, blockedUdpPorts } of underlay.segments) {
    const ports = [...underlay.machines.values()].flatMap((machine) =>
      machine.cards
        .filter((card) => card.segment === name && !machine.down)
        .map((card) => ({
          host: machine.name,
          link: card.name,
          mac: card.mac,
          addresses: card.addresses.map((address) => address.ip),
        })),
    )
    segments.set(name, { name, ports, outside, blockedUdpPorts })
  }
  return segments
}
