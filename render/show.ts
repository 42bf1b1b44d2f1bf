import { keyOf } from '../cluster/cluster.ts'
import { findPod } from '../cluster/find-object.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { podRoot } from '../dns/pod/files.ts'
import type { Built } from '../engine/build.ts'
import { corefileMap } from '../engine/coredns-pods.ts'
import type { Network } from '../engine/network.ts'
import { servedZone } from '../engine/served-zone.ts'
import type { HostConfig, NetnsConfig } from '../linux/host-config.ts'
import { expireConnections } from '../linux/ipvs/connection-table.ts'
import { listConntrack } from '../linux/netfilter/conntrack-table.ts'
import type { Netns } from '../linux/netns.ts'
import { type Op, ROOT_NETNS } from '../linux/op.ts'
import type { Family } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { type LearnedMacs, renderBridgeFdb } from './bridge-fdb.ts'
import { opCommands } from './commands.ts'
import { renderIpAddr, renderIpLink } from './ip-addr.ts'
import { configuredNeighbors, neighborsOf, renderIpNeigh } from './ip-neigh.ts'
import { renderIpRoute } from './ip-route.ts'
import { renderIpRule } from './ip-rule.ts'
import { renderIpsetOps } from './ipset-save.ts'
import { renderIptablesSave } from './iptables-save.ts'
import { renderIpvs, renderIpvsConnections, renderIpvsStats } from './ipvsadm.ts'
import { type Lens, type LensOptions, lensOf } from './lens.ts'
import { namesOnHost } from './netns-name.ts'
import { renderNftRuleset } from './nft-list.ts'
import { renderSysctl } from './sysctl.ts'
import { renderRecent } from './xt-recent.ts'
import { zoneLines } from './zone-text.ts'

/** Where to look: a machine of the underlay, or a pod as `[NAMESPACE/]NAME`. */
export interface ShowPlace {
  readonly node?: string
  readonly pod?: string
  /** Of a pod without one. */
  readonly namespace?: string
}

export interface ShowOptions extends ShowPlace, LensOptions {
  readonly family?: Family
  /** As the tool lists it, or as kube-proxy's first sync feeds it to the tool. */
  readonly as?: ShownAs
  /** Routing table; `main` unless said. */
  readonly table?: string
  /** DNS zone; all unless said. */
  readonly zone?: string
  /** The machines after somebody has asked something: tables are then shown with what traffic has left in them. */
  readonly after?: Pick<Network, 'hosts'>
  /** Of virtual servers: `ipvsadm -Ln --stats`, or `-Lnc`. */
  readonly ipvs?: ShownIpvs
}

export const SHOWN_IPVS = ['stats', 'connections'] as const
export type ShownIpvs = (typeof SHOWN_IPVS)[number]

export const SHOWN_AS = ['save', 'restore'] as const
export type ShownAs = (typeof SHOWN_AS)[number]

/** One namespace of one machine, and what made it. */
interface Shown {
  readonly built: Built
  readonly host: HostConfig
  readonly netns: NetnsConfig
  readonly ops: readonly Op[]
  /** Where the pod's /etc is. */
  readonly root: string
  readonly family: Family
  readonly table: string
  readonly as: ShownAs
  readonly lens: Lens
  /** The namespace at run time, where somebody has asked something. */
  readonly live: Netns | undefined
  readonly ipvs: ShownIpvs | undefined
  /** A question was asked before. */
  readonly asked: boolean
}

/** What can be shown, by the noun of the node's own tool. */
export const SHOWN = {
  addr: { about: 'ip addr', show: (shown) => text(renderIpAddr(shown)) },
  commands: { about: 'the commands that would make it', show: commands },
  conntrack: {
    about: 'conntrack -L, after a question',
    show: (shown) =>
      afterwards(shown, 'conntrack', ({ live, family }) => (live === undefined ? [] : listConntrack(live, family))),
  },
  env: { about: 'environment of the first container', show: environment },
  fdb: {
    about: 'bridge fdb show',
    show: ({ netns, live }) => text(renderBridgeFdb(netns, { learned: learnedBy(live) })),
  },
  hosts: { about: '/etc/hosts', show: (shown) => file(shown, '/etc/hosts') },
  ip6tables: { about: 'ip6tables-save', show: (shown) => rules({ ...shown, family: 6 }) },
  ipset: { about: 'ipset save', show: ({ ops, netns, lens }) => text(renderIpsetOps(ops, netns.name, lens)) },
  iptables: { about: 'iptables-save', show: rules },
  ipvs: { about: 'ipvsadm -Ln', show: virtualServers },
  link: { about: 'ip -d link', show: (shown) => text(renderIpLink(shown, 'details')) },
  neigh: {
    about: 'ip neigh',
    show: ({ netns, live }) => text(renderIpNeigh(live === undefined ? configuredNeighbors(netns) : neighborsOf(live))),
  },
  nft: {
    about: 'nft list ruleset',
    show: (shown) => asFed(shown) ?? parsed(renderNftRuleset(shown.netns.netfilter.nftables, shown.lens, shown.live)),
  },
  recent: {
    about: 'the lists of -m recent, after a question',
    show: (shown) =>
      afterwards(shown, 'recent', ({ live }) => (live === undefined ? [] : renderRecent(live.netfilterState.recent))),
  },
  resolv: { about: '/etc/resolv.conf', show: (shown) => file(shown, '/etc/resolv.conf') },
  route: { about: 'ip route', show: ({ netns, family, table }) => text(renderIpRoute(netns.fib, { family, table })) },
  rule: { about: 'ip rule', show: ({ netns, family }) => text(renderIpRule(netns.fib, family)) },
  sysctl: { about: 'the sysctls that somebody set', show: ({ netns }) => text(renderSysctl(netns)) },
} as const satisfies Record<string, { readonly about: string; readonly show: (shown: Shown) => Parsed<string> }>

/** What the cluster has as a whole: no machine need be named. */
export const SHOWN_OF_CLUSTER = {
  corefile: { about: "the Corefile of the cluster's CoreDNS", show: corefile },
  records: { about: "all records that the cluster's DNS serves", show: records },
} as const satisfies Record<
  string,
  { readonly about: string; readonly show: (built: Built, options: ShowOptions) => Parsed<string> }
>

type ClusterNoun = keyof typeof SHOWN_OF_CLUSTER
export type ShownNoun = keyof typeof SHOWN | ClusterNoun

export const SHOWN_NOUNS: readonly string[] = [...Object.keys(SHOWN), ...Object.keys(SHOWN_OF_CLUSTER)].sort()

export const isShownNoun = (noun: string): noun is ShownNoun => SHOWN_NOUNS.includes(noun)
/** It is empty before anybody has asked anything. */
export const isOfTraffic = (noun: string): boolean => noun === 'conntrack' || noun === 'recent'
const isOfCluster = (noun: ShownNoun): noun is ClusterNoun => Object.hasOwn(SHOWN_OF_CLUSTER, noun)

/** What a machine or a pod holds, in the very text of its own tools. */
export function show(built: Built, noun: ShownNoun, options: ShowOptions): Parsed<string> {
  if (isOfCluster(noun)) return SHOWN_OF_CLUSTER[noun].show(built, options)
  const place = options.pod === undefined ? nodePlace(built, options) : podPlace(built, options.pod, options)
  if (!place.ok) return place
  const host = built.blueprint.hosts.get(place.value.host)?.()
  const netns = host?.netns.get(place.value.netns)
  if (host === undefined || netns === undefined)
    return refused(`${options.pod ?? place.value.host} has no network namespace: its pod network is not modelled`)
  return SHOWN[noun].show({
    built,
    host,
    netns,
    ops: built.opsOf(place.value.host) ?? [],
    root: place.value.root,
    family: options.family ?? 4,
    table: options.table ?? 'main',
    as: options.as ?? 'save',
    lens: lensOf(options),
    live: options.after?.hosts.get(place.value.host)?.netns.get(place.value.netns),
    ipvs: options.ipvs,
    asked: options.after !== undefined,
  })
}

interface Place {
  readonly host: string
  readonly netns: string
  readonly root: string
}

function nodePlace(built: Built, { node }: ShowPlace): Parsed<Place> {
  const names = [...built.underlay.machines.keys()]
  if (node === undefined) return refused(`say of which machine or pod; machines are ${names.join(', ')}`)
  if (!names.includes(node)) return refused(`there is no node ${node}; known are ${names.join(', ')}`)
  return parsed({ host: node, netns: ROOT_NETNS, root: '' })
}

function podPlace(built: Built, name: string, { namespace }: ShowPlace): Parsed<Place> {
  const [plain = '', said] = name
    .replace(/^pod\//, '')
    .split('/')
    .reverse()
  const pod = findPod(built.cluster, 'pod', { namespace: said ?? namespace, name: plain, fallback: 'default' })
  if (!pod.ok) return pod
  if (pod.value.spec.nodeName === '') return refused(`pod ${keyOf(pod.value.meta)} is on no node yet`)
  return parsed({ host: pod.value.spec.nodeName, netns: podNetns(pod.value), root: podRoot(pod.value) })
}

/** What only traffic makes: without a question there is nothing to be shown. */
function afterwards(shown: Shown, noun: string, lines: (shown: Shown) => readonly string[]): Parsed<string> {
  if (shown.asked) return text(lines(shown))
  return refused(
    `${noun} is empty before anybody has asked anything: say what is asked first, --from pod/NAME --to svc/NAME`,
  )
}

function virtualServers({ netns, live, lens, ipvs }: Shown): Parsed<string> {
  const state = live?.netfilterState.ipvs
  const config = netns.netfilter.ipvs
  switch (ipvs) {
    case undefined:
      return text(renderIpvs(config, state, lens))
    case 'stats':
      return text(renderIpvsStats(config, state, lens))
    case 'connections':
      if (live !== undefined) expireConnections(live)
      return text(renderIpvsConnections(state, live?.host.kernel.now() ?? 0, lens))
    default:
      return ipvs satisfies never
  }
}

const learnedBy = (live: Netns | undefined): LearnedMacs =>
  new Map([...(live?.links.values() ?? [])].map(({ name, fdb }) => [name, fdb.learned]))

const text = (lines: readonly string[]): Parsed<string> => parsed(lines.map((line) => `${line}\n`).join(''))

function rules(shown: Shown): Parsed<string> {
  return asFed(shown) ?? parsed(renderIptablesSave(shown.netns.netfilter.iptables[shown.family], { lens: shown.lens }))
}

/** kube-proxy's own input to the tool; undefined where the tool's listing is asked for. */
function asFed({ built, host, family, as, lens }: Shown): Parsed<string> | undefined {
  if (as === 'save') return undefined
  if (!lens.whole) return refused('--service is for what the tool lists, not for what it is fed (--as restore)')
  const fed = built.proxyInput(host.name, family)
  return fed === undefined ? refused(`no kube-proxy feeds such rules on ${host.name}`) : parsed(fed)
}

function corefile(built: Built): Parsed<string> {
  const map = corefileMap(built.cluster)
  return map === undefined ? refused('the input has no CoreDNS with a Corefile') : parsed(map.data.Corefile ?? '')
}

function records(built: Built, { zone, origin = false }: ShowOptions): Parsed<string> {
  const served = servedZone(built, zone)
  if (!served.ok) return served
  if (zone !== undefined && served.value.records.length === 0)
    return refused(`no record of zone ${zone}: the cluster's DNS does not serve it, or only by a rule`)
  return text(zoneLines(served.value, { origin }))
}

function file({ netns, root }: Shown, path: string): Parsed<string> {
  const found = netns.files.get(`${root}${path}`)
  return found === undefined ? refused(`there is no ${path} here`) : parsed(found)
}

/** Separated by NUL as in /proc; one a line for people. */
function environment(shown: Shown): Parsed<string> {
  const found = file(shown, '/proc/1/environ')
  return found.ok ? parsed(found.value.replaceAll('\0', '\n')) : found
}

function commands({ host, netns, ops }: Shown): Parsed<string> {
  const name = namesOnHost([...host.netns.keys()])
  return text(ops.filter((op) => op.netns === netns.name).flatMap((op) => opCommands(op, name)))
}
