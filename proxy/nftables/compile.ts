import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { type NftOp, type Op, ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { conntrackOps } from '../conntrack-sysctls.ts'
import { familiesOf } from '../iptables/compile.ts'
import type { ProxyMode, ProxySite, SyncInput } from '../proxy-mode.ts'
import type { NftCommand } from './command.ts'
import { frameCommands } from './frame.ts'
import { TABLE } from './names.ts'
import { type NftSync, nftSync } from './sync.ts'
import type { SyncSetup } from './sync-setup.ts'
import { refusedLine, syncTable } from './transaction.ts'

/** kube-proxy in nftables mode (pkg/proxy/nftables/proxier.go, 1.30 to 1.36). */
export const nftablesMode: ProxyMode = { name: 'nftables', compile: compileNftablesMode, laterSync }

function laterSync(before: ProxySite, after: ProxySite, family: Family): SyncInput {
  const old = syncTable(before.cluster, nftSync(before.cluster, before.node, { ...before, family }))
  const sync = nftSync(after.cluster, after.node, { ...after, family })
  const { commands } = syncTable(after.cluster, sync, old)
  return { tool: 'nft', ops: commands.map((command) => commandOp(sync.setup, command)) }
}

function compileNftablesMode(cluster: Cluster, node: KubeNode, config: KubeProxyConfig, facts: HostFacts): Op[] {
  const syncs = familiesOf(facts).map((family) => nftSync(cluster, node, { config, facts, family }))
  return [...conntrackOps(config), ...syncs.flatMap(syncOps)]
}

/**
 * The table as the first sync leaves it. One line that nft does not take has it refuse the whole: then there is
 * nothing, and the op that stands for it is refused in its place.
 */
function syncOps(sync: NftSync): readonly Op[] {
  const { setup, services } = sync
  const failing = refusedLine(sync)
  if (failing !== undefined) {
    const { origin } = failing
    const table: NftCommand = { kind: 'nft.add', object: { kind: 'table' }, origin }
    const undone: NftCommand = { kind: 'nft.delete', object: { kind: 'table' }, origin }
    return [table, failing, undone].map((command) => commandOp(setup, command))
  }
  return [
    ...frameCommands(setup, { first: true }).map((command) => commandOp(setup, command)),
    ...services.map(
      (block): Op => ({
        kind: 'nft.block',
        family: setup.ip,
        table: TABLE,
        block,
        netns: ROOT_NETNS,
        origin: block.origin,
      }),
    ),
  ]
}

/** A line of a transaction as an op of the node. */
export const commandOp = (setup: Pick<SyncSetup, 'ip'>, command: NftCommand): NftOp & Op => ({
  ...command,
  family: setup.ip,
  table: TABLE,
  netns: ROOT_NETNS,
})
