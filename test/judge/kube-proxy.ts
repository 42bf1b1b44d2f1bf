import { applyOps } from '../../linux/apply.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { familiesOf, iptablesMode } from '../../proxy/iptables/compile.ts'
import { changesBetween, type Synced } from '../../proxy/iptables/partial-sync.ts'
import { renderRestore } from '../../proxy/iptables/restore.ts'
import { iptablesSync } from '../../proxy/iptables/sync.ts'
import { renderIptablesSave } from '../../render/iptables-save.ts'
import { judgeOfJsonFiles, type Replayed } from './judge.ts'
import { applyStep, type CaseObject, caseConfig, caseFacts, caseNode, type KubeProxyCase } from './kube-proxy-case.ts'
import { storedCluster } from './stored-cluster.ts'

/** Replays a case of the real kube-proxy: what we write, under the same keys. */
export function replayKubeProxyCase(recorded: KubeProxyCase): Replayed {
  const { config } = recorded
  if (config.mode !== 'iptables') return { kind: 'skipped', reason: `not modelled: kube-proxy mode ${config.mode}` }
  const replay = replayOf(recorded)
  const first = replay(recorded.objects)
  let objects = recorded.objects
  let before = first.synced
  const steps = (recorded.steps ?? []).map((step) => {
    objects = applyStep(objects, step)
    const { synced, texts } = replay(objects, before)
    before = synced
    return { expected: texts }
  })
  return { kind: 'result', value: { config: { mode: config.mode }, expected: first.texts, steps } }
}

/** What one sync gives: the texts by key, and what the next sync starts from, by family. */
interface Replay {
  readonly texts: Readonly<Record<string, string>>
  readonly synced: ReadonlyMap<Family, Synced>
}

function replayOf(recorded: KubeProxyCase) {
  const config = caseConfig(recorded)
  const facts = caseFacts(recorded.config)
  return (objects: readonly CaseObject[], before?: ReadonlyMap<Family, Synced>): Replay => {
    const cluster = storedCluster(objects, { kubernetesVersion: recorded.kubeProxyVersion })
    const node = caseNode(cluster.nodes, recorded.config.nodeName)
    const ops = iptablesMode.compile(cluster, node, config, facts)
    const root = applyOps(facts.hostname, ops, facts.capabilities).netns.get(ROOT_NETNS)
    const synced = new Map<Family, Synced>()
    const texts: Record<string, string> = {}
    for (const family of familiesOf(facts)) {
      const now = { cluster, sync: iptablesSync(cluster, node, { family, facts, config }) }
      const last = before?.get(family)
      synced.set(family, now)
      texts[`${tool(family)}-restore`] = renderRestore(now.sync, last && changesBetween(last, now))
      const ruleset = root?.netfilter.iptables[family]
      if (ruleset === undefined) continue
      texts[`${tool(family)}-save`] = renderIptablesSave(ruleset)
      texts[`${tool(family)}-legacy-save`] = renderIptablesSave(ruleset, 'legacy')
    }
    return { texts, synced }
  }
}

const tool = (family: Family): string => (family === 4 ? 'iptables' : 'ip6tables')

export const kubeProxyJudge = judgeOfJsonFiles((recorded) => replayKubeProxyCase(recorded as KubeProxyCase))
