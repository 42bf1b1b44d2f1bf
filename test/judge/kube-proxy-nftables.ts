import { applyOps } from '../../linux/apply.ts'
import { applyNftOp, finishNftTables, newNftBuilder } from '../../linux/netfilter/nftables/ruleset.ts'
import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { familiesOf } from '../../proxy/iptables/compile.ts'
import { commandOp, nftablesMode } from '../../proxy/nftables/compile.ts'
import { nftSync } from '../../proxy/nftables/sync.ts'
import { type RefusedLine, type SyncedTable, syncTable } from '../../proxy/nftables/transaction.ts'
import { nftLines } from '../../render/nft-command.ts'
import { renderNftRuleset } from '../../render/nft-list.ts'
import { applyStep, type CaseObject, caseConfig, caseFacts, caseNode, type KubeProxyCase } from './kube-proxy-case.ts'
import { orderedTables, orderedTransaction } from './ordered-nft.ts'
import { storedCluster } from './stored-cluster.ts'

/** What one sync gives: the texts by key, and the ops of a node that is started then. */
export interface NftReplay {
  readonly texts: Readonly<Record<string, string>>
  readonly ops: readonly Op[]
}

/** The first sync, and one for each step. */
export function replayNftSyncs(recorded: KubeProxyCase): readonly NftReplay[] {
  const builder = newNftBuilder({ next: 0 })
  const replays: NftReplay[] = []
  let objects = recorded.objects
  let synced = new Map<Family, SyncedTable>()
  for (const step of [{ apply: [], expected: {} }, ...(recorded.steps ?? [])]) {
    objects = applyStep(objects, step)
    const { cluster, node, config, facts } = given(recorded, objects)
    const lines: string[] = []
    const now = new Map<Family, SyncedTable>()
    let error: string | undefined
    for (const family of familiesOf(facts)) {
      const sync = nftSync(cluster, node, { config, facts, family })
      const table = syncTable(cluster, sync, synced.get(family))
      now.set(family, table)
      const ops = table.commands.map((command) => commandOp(sync.setup, command))
      lines.push(...ops.flatMap(nftLines))
      const { refused } = table
      if (refused === undefined)
        for (const op of ops) {
          const trouble = applyNftOp(builder, op)
          if (trouble !== undefined) throw new Error(`${nftLines(op).join()}: ${trouble}`)
        }
      else error = errorText(nftLines(commandOp(sync.setup, refused))[0] ?? '', refused.object)
    }
    synced = now
    const ops = nftablesMode.compile(cluster, node, config, facts)
    const tables = applyOps(facts.hostname, ops, facts.capabilities).netns.get(ROOT_NETNS)?.netfilter.nftables ?? []
    // The first listing is of the ops that a walk has, the later ones are of what the transactions left.
    const listed = replays.length === 0 ? tables : orderedTables(finishNftTables(builder))
    replays.push({
      texts: {
        nft: renderNftRuleset(listed),
        'nft-transaction': orderedTransaction(lines),
        ...(error === undefined ? {} : { 'sync-error': error }),
      },
      ops,
    })
  }
  return replays
}

function given(recorded: KubeProxyCase, objects: readonly CaseObject[]) {
  const config = caseConfig(recorded)
  const facts = caseFacts(recorded.config)
  const cluster = storedCluster(objects, { kubernetesVersion: recorded.kubeProxyVersion })
  return { cluster, node: caseNode(cluster.nodes, recorded.config.nodeName), config, facts }
}

/** nft quotes the line, and points at what it does not take. */
function errorText(line: string, object: RefusedLine['object']): string {
  const [why, what] =
    object.kind === 'rule'
      ? ['Interface does not exist', /iif (?:!= )?(\S+)/.exec(object.rule)?.[1] ?? '']
      : ['comment too long, 128 characters maximum allowed', 'comment' in object ? `"${object.comment}"` : '']
  const pointer = `${' '.repeat(line.indexOf(what))}${'^'.repeat(what.length)}`
  return `Error: ${why}\n${line}\n${pointer}\n`
}
