import { keyOf } from '../cluster/cluster.ts'
import { findPod } from '../cluster/find-object.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { podRoot } from '../dns/pod/files.ts'
import type { Built } from '../engine/build.ts'
import type { HostConfig, NetnsConfig } from '../linux/host-config.ts'
import { type Op, ROOT_NETNS } from '../linux/op.ts'
import { renderBridgeFdb } from '../render/bridge-fdb.ts'
import { opCommands } from '../render/commands.ts'
import { renderIpAddr, renderIpLink } from '../render/ip-addr.ts'
import { configuredNeighbors, renderIpNeigh } from '../render/ip-neigh.ts'
import { renderIpRoute } from '../render/ip-route.ts'
import { renderIpRule } from '../render/ip-rule.ts'
import { renderIpset } from '../render/ipset-save.ts'
import { renderIptablesSave } from '../render/iptables-save.ts'
import { namesOnHost } from '../render/netns-name.ts'
import { renderSysctl } from '../render/sysctl.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { print, Stop } from './terminal.ts'

export interface ShowOptions extends SnapshotOptions {
  readonly node?: string
  readonly pod?: string
  readonly namespace?: string
  /** `-6`: the IPv6 side of a table. */
  readonly six?: boolean
  readonly table?: string
}

/** One namespace of one machine, and what made it. */
interface Shown {
  readonly host: HostConfig
  readonly netns: NetnsConfig
  readonly ops: readonly Op[]
  /** Where the pod's /etc is. */
  readonly root: string
  readonly options: ShowOptions
}

/** What can be shown, by the noun of the node's own tool. */
export const SHOWN: Readonly<Record<string, { readonly about: string; readonly show: (shown: Shown) => string }>> = {
  addr: { about: 'ip addr', show: (shown) => lines(renderIpAddr(shown)) },
  commands: { about: 'the commands that would make it', show: commands },
  env: { about: 'environment of the first container', show: environment },
  fdb: { about: 'bridge fdb show', show: ({ netns }) => lines(renderBridgeFdb(netns)) },
  hosts: { about: '/etc/hosts', show: (shown) => file(shown, '/etc/hosts') },
  ip6tables: { about: 'ip6tables-save', show: ({ netns }) => renderIptablesSave(netns.netfilter.iptables[6]) },
  ipset: { about: 'ipset save', show: ({ netns }) => lines(renderIpset(netns.netfilter.sets)) },
  iptables: {
    about: 'iptables-save',
    show: ({ netns, options }) => renderIptablesSave(netns.netfilter.iptables[options.six === true ? 6 : 4]),
  },
  link: { about: 'ip -d link', show: (shown) => lines(renderIpLink(shown, 'details')) },
  neigh: {
    about: 'ip neigh, before any traffic',
    show: ({ netns }) => lines(renderIpNeigh(configuredNeighbors(netns))),
  },
  resolv: { about: '/etc/resolv.conf', show: (shown) => file(shown, '/etc/resolv.conf') },
  route: {
    about: 'ip route (--table local, -6)',
    show: ({ netns, options }) =>
      lines(renderIpRoute(netns.fib, { family: options.six === true ? 6 : 4, table: options.table ?? 'main' })),
  },
  rule: {
    about: 'ip rule',
    show: ({ netns, options }) => lines(renderIpRule(netns.fib, options.six === true ? 6 : 4)),
  },
  sysctl: { about: 'the sysctls that somebody set', show: ({ netns }) => lines(renderSysctl(netns)) },
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('')

/** `podwalk show NOUN --node N` or `--pod P`, in the very text of the node's tool. */
export function show(noun: string, options: ShowOptions): number {
  const shown = Object.hasOwn(SHOWN, noun) ? SHOWN[noun] : undefined
  if (shown === undefined)
    throw new Stop(`error: show does not know "${noun}"\n  do: choose one of ${Object.keys(SHOWN).join(', ')}`)
  print(shown.show(locate(openBuilt(options), options)))
  return 0
}

function locate(built: Built, options: ShowOptions): Shown {
  const place = options.pod === undefined ? nodePlace(built, options) : podPlace(built, options.pod, options)
  const host = built.blueprint.hosts.get(place.host)?.()
  const netns = host?.netns.get(place.netns)
  if (host === undefined || netns === undefined)
    throw new Stop(`error: ${place.netns === ROOT_NETNS ? place.host : place.netns} has no network namespace here`)
  return { host, netns, ops: built.opsOf(place.host) ?? [], root: place.root, options }
}

function nodePlace(built: Built, options: ShowOptions): { host: string; netns: string; root: string } {
  const names = [...built.underlay.machines.keys()]
  if (options.node === undefined)
    throw new Stop(`error: say of which machine: --node NAME or --pod NAME\n  do: nodes are ${names.join(', ')}`)
  if (!names.includes(options.node))
    throw new Stop(`error: there is no node ${options.node}\n  do: choose one of ${names.join(', ')}`)
  return { host: options.node, netns: ROOT_NETNS, root: '' }
}

function podPlace(built: Built, name: string, options: ShowOptions): { host: string; netns: string; root: string } {
  const [plain = '', namespace] = name
    .replace(/^pod\//, '')
    .split('/')
    .reverse()
  const pod = findPod(built.cluster, 'pod', {
    namespace: namespace ?? options.namespace,
    name: plain,
    fallback: 'default',
  })
  if (!pod.ok) throw new Stop(`error: --pod ${name}: ${pod.reason}`)
  if (pod.value.spec.nodeName === '') throw new Stop(`error: pod ${keyOf(pod.value.meta)} is on no node yet`)
  return { host: pod.value.spec.nodeName, netns: podNetns(pod.value), root: podRoot(pod.value) }
}

function file({ netns, root }: Shown, path: string): string {
  const text = netns.files.get(`${root}${path}`)
  if (text === undefined) throw new Stop(`error: there is no ${path} here`)
  return text
}

/** NUL-separated as in /proc; one a line for people. */
function environment(shown: Shown): string {
  return file(shown, '/proc/1/environ').replaceAll('\0', '\n')
}

function commands({ host, netns, ops }: Shown): string {
  const name = namesOnHost([...host.netns.keys()])
  return lines(ops.filter((op) => op.netns === netns.name).flatMap((op) => opCommands(op, name)))
}
