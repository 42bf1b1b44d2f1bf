import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import { chainKey, type HostFacts } from '../../linux/host-facts.ts'
import type { RuleLine } from '../../linux/netfilter/block.ts'
import { type IptablesTable, type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import type { Family } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { conntrackOps } from '../conntrack-sysctls.ts'
import type { ProxyMode, ProxySite, SyncInput } from '../proxy-mode.ts'
import { CANARY, FIREWALL, MARK_DROP } from './chain-names.ts'
import { frameOrigin } from './frame-rules.ts'
import { jumpsOf } from './jumps.ts'
import { changesBetween, type Synced } from './partial-sync.ts'
import { renderRestore } from './restore.ts'
import { type IptablesSync, iptablesSync } from './sync.ts'

/** kube-proxy in iptables mode (pkg/proxy/iptables/proxier.go, 1.20 to 1.36). */
export const iptablesMode: ProxyMode = {
  name: 'iptables',
  compile: compileIptablesMode,
  firstSync: ({ cluster, node, config, facts }, family) =>
    renderRestore(iptablesSync(cluster, node, { config, facts, family })),
  laterSync,
}

/** A partial sync; before 1.26 every sync wrote everything. */
function laterSync(before: ProxySite, after: ProxySite, family: Family): SyncInput {
  const tool = family === 4 ? 'iptables-restore' : 'ip6tables-restore'
  const old = synced(before, family)
  const now = synced(after, family)
  const changes = changesBetween(old, now)
  const isSame = changes.staleChains.length === 0 && now.sync.services.every(({ port }) => changes.isUnchanged(port))
  if (isSame && now.sync.services.length === old.sync.services.length) return { tool, text: '' }
  return { tool, text: renderRestore(now.sync, changes) }
}

const synced = ({ cluster, node, config, facts }: ProxySite, family: Family): Synced => ({
  cluster,
  sync: iptablesSync(cluster, node, { config, facts, family }),
})

function compileIptablesMode(cluster: Cluster, node: KubeNode, config: KubeProxyConfig, facts: HostFacts): Op[] {
  const syncs = familiesOf(facts).map((family) => iptablesSync(cluster, node, { config, facts, family }))
  return [...conntrackOps(config), ...syncs.flatMap(startOps), ...syncs.flatMap(syncOps)]
}

/** kube-proxy runs both families wherever the kernel has IPv6, also in a cluster without IPv6 Services. */
export const familiesOf = (facts: HostFacts): readonly Family[] => (facts.capabilities.ipv6 ? [4, 6] : [4])

/** What kube-proxy does once, before its first sync. */
function startOps(sync: IptablesSync): readonly Op[] {
  const { setup } = sync
  const canary = frameOrigin(setup, 'tells kube-proxy by its absence that somebody flushed the table')
  return [
    ...(setup.localhostNodePorts ? [routeLocalnet(sync)] : []),
    ...CANARY_TABLES.map((table) => op(newChain(setup.family, table, CANARY), canary)),
  ]
}

const CANARY_TABLES: readonly IptablesTable[] = ['mangle', 'nat', 'filter']

const routeLocalnet = ({ setup }: IptablesSync): Op =>
  op(
    { kind: 'sysctl.set', key: 'net.ipv4.conf.all.route_localnet', value: '1' },
    frameOrigin(setup, 'lets nodePorts answer on 127.0.0.0/8'),
  )

/** The jumps from the built-in chains, then what iptables-restore is given. */
function syncOps(sync: IptablesSync): readonly Op[] {
  const { setup, frame, services } = sync
  const { family } = setup
  const jump = frameOrigin(setup, 'leads into the chains of kube-proxy')
  const chain = frameOrigin(setup, 'a chain that all Services share')
  // Rules that kubelet has made already are found to be there.
  const isThere = setup.facts.chains?.has(chainKey(family, 'filter', FIREWALL)) === true
  const jumps = jumpsOf(setup.features).filter(({ to }) => to !== FIREWALL || !isThere)
  const head = frame.head.filter(({ chain: name }) => name !== FIREWALL || !isThere)
  return [
    ...jumps.flatMap(({ table, from, to, args }) => [
      op(newChain(family, table, to), jump),
      op({ kind: 'rule.insert', family, table, chain: from, args }, jump),
    ]),
    ...(setup.features.marksDrops
      ? [op(newChain(family, 'nat', MARK_DROP), frameOrigin(setup, "kubelet's, which kube-proxy makes sure of"))]
      : []),
    ...frame.chains.filter.map((name) => op(newChain(family, 'filter', name), chain)),
    ...frame.chains.nat.map((name) => op(newChain(family, 'nat', name), chain)),
    ...head.map((rule) => append(family, rule)),
    ...services.map((block): Op => op({ kind: 'rules.block', family, block }, block.origin)),
    ...frame.tail.map((rule) => append(family, rule)),
  ]
}

const op = (body: OpBody, origin: Origin): Op => ({ ...body, netns: ROOT_NETNS, origin })

const newChain = (family: Family, table: IptablesTable, chain: string): OpBody => ({
  kind: 'chain.new',
  family,
  table,
  chain,
})

const append = (family: Family, { table, chain, args, origin }: RuleLine): Op =>
  op({ kind: 'rule.append', family, table, chain, args }, origin)
