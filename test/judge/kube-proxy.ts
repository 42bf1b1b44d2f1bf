import { applyOps } from '../../linux/apply.ts'
import type { Ruleset } from '../../linux/netfilter/iptables/ruleset.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { familiesOf, iptablesMode } from '../../proxy/iptables/compile.ts'
import { changesBetween, type Synced } from '../../proxy/iptables/partial-sync.ts'
import { renderRestore } from '../../proxy/iptables/restore.ts'
import { iptablesSync } from '../../proxy/iptables/sync.ts'
import { renderIptablesSave } from '../../render/iptables-save.ts'
import { judgeOfJsonFiles, type Replayed } from './judge.ts'
import { applyStep, type CaseObject, caseConfig, caseFacts, caseNode, type KubeProxyCase } from './kube-proxy-case.ts'
import { replayIpvsSyncs } from './kube-proxy-ipvs.ts'
import { replayNftSyncs } from './kube-proxy-nftables.ts'
import { storedCluster } from './stored-cluster.ts'

/** Replays a case of the real kube-proxy: what we write, under the same keys. */
export function replayKubeProxyCase(recorded: KubeProxyCase): Replayed {
  const { config } = recorded
  const replay = Object.hasOwn(REPLAYS, config.mode) ? REPLAYS[config.mode] : undefined
  if (replay === undefined) return { kind: 'skipped', reason: `not recorded: kube-proxy mode ${config.mode}` }
  const syncs = replay(recorded)
  const [first, ...steps] = syncs.map(({ texts }) => ({ expected: texts }))
  return { kind: 'result', value: { config: { mode: config.mode }, ...first, steps } }
}

type Texts = Readonly<Record<string, string>>

const REPLAYS: Readonly<Record<string, (recorded: KubeProxyCase) => readonly { readonly texts: Texts }[]>> = {
  iptables: firstAndSteps,
  nftables: replayNftSyncs,
  ipvs: replayIpvsSyncs,
}

/** What one sync gives: the texts by key, the node's tables, and what the next sync starts from. */
export interface KubeProxyReplay {
  readonly texts: Readonly<Record<string, string>>
  readonly rulesets: ReadonlyMap<Family, Ruleset>
  readonly synced: ReadonlyMap<Family, Synced>
}

function firstAndSteps(recorded: KubeProxyCase): readonly KubeProxyReplay[] {
  const steps = recorded.steps ?? []
  return replaySyncs({ ...recorded, steps: [{ apply: [], expected: {} }, ...steps] })
}

/** One sync for each step; the first of them is a full one. */
export function replaySyncs(recorded: KubeProxyCase): readonly KubeProxyReplay[] {
  const syncs: KubeProxyReplay[] = []
  let objects = recorded.objects
  for (const step of recorded.steps ?? []) {
    objects = applyStep(objects, step)
    syncs.push(sync(recorded, objects, syncs.at(-1)?.synced))
  }
  return syncs
}

function sync(
  recorded: KubeProxyCase,
  objects: readonly CaseObject[],
  before: KubeProxyReplay['synced'] | undefined,
): KubeProxyReplay {
  const config = caseConfig(recorded)
  const facts = caseFacts(recorded.config)
  const cluster = storedCluster(objects, { kubernetesVersion: recorded.kubeProxyVersion })
  const node = caseNode(cluster.nodes, recorded.config.nodeName)
  const ops = iptablesMode.compile(cluster, node, config, facts)
  const root = applyOps(facts.hostname, ops, facts.capabilities).netns.get(ROOT_NETNS)
  const synced = new Map<Family, Synced>()
  const rulesets = new Map<Family, Ruleset>()
  const texts: Record<string, string> = {}
  for (const family of familiesOf(facts)) {
    const now = { cluster, sync: iptablesSync(cluster, node, { family, facts, config }) }
    const last = before?.get(family)
    const changes = last && changesBetween(last, now)
    synced.set(family, { ...now, leftChains: changes?.leftChains ?? [] })
    texts[`${tool(family)}-restore`] = renderRestore(now.sync, changes)
    const ruleset = root?.netfilter.iptables[family]
    if (ruleset === undefined) continue
    rulesets.set(family, ruleset)
    texts[`${tool(family)}-save`] = renderIptablesSave(ruleset)
    texts[`${tool(family)}-legacy-save`] = renderIptablesSave(ruleset, { backend: 'legacy' })
  }
  return { texts, rulesets, synced }
}

const tool = (family: Family): string => (family === 4 ? 'iptables' : 'ip6tables')

export const kubeProxyJudge = judgeOfJsonFiles((recorded) => replayKubeProxyCase(recorded as KubeProxyCase))
