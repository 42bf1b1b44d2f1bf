import type { Cluster } from '../../cluster/cluster.ts'
import { applyOps } from '../../linux/apply.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { familiesOf, iptablesMode } from '../../proxy/iptables/compile.ts'
import { renderRestore } from '../../proxy/iptables/restore.ts'
import { iptablesSync } from '../../proxy/iptables/sync.ts'
import { renderIptablesSave } from '../../render/iptables-save.ts'
import { judgeOfJsonFiles, type Replayed } from './judge.ts'
import { caseConfig, caseFacts, caseNode, type KubeProxyCase } from './kube-proxy-case.ts'
import { storedCluster } from './stored-cluster.ts'

/** Replays a case of the real kube-proxy: what we write, under the same keys. */
export function replayKubeProxyCase(recorded: KubeProxyCase): Replayed {
  const { config } = recorded
  if (config.mode !== 'iptables') return { kind: 'skipped', reason: `not modelled: kube-proxy mode ${config.mode}` }
  const cluster = storedCluster(recorded.objects, { kubernetesVersion: recorded.kubeProxyVersion })
  const expected = rulesOf(recorded, cluster)
  return { kind: 'result', value: { config: { mode: config.mode }, expected } }
}

function rulesOf(recorded: KubeProxyCase, cluster: Cluster): Readonly<Record<string, string>> {
  const config = caseConfig(recorded)
  const facts = caseFacts(recorded.config)
  const node = caseNode(cluster.nodes, recorded.config.nodeName)
  const ops = iptablesMode.compile(cluster, node, config, facts)
  const root = applyOps(facts.hostname, ops, facts.capabilities).netns.get(ROOT_NETNS)
  const texts = familiesOf(facts).map((family) => {
    const ruleset = root?.netfilter.iptables[family]
    return {
      [`${tool(family)}-restore`]: renderRestore(iptablesSync(cluster, node, { family, facts, config })),
      ...(ruleset === undefined
        ? {}
        : {
            [`${tool(family)}-save`]: renderIptablesSave(ruleset),
            [`${tool(family)}-legacy-save`]: renderIptablesSave(ruleset, 'legacy'),
          }),
    }
  })
  return Object.assign({}, ...texts)
}

const tool = (family: Family): string => (family === 4 ? 'iptables' : 'ip6tables')

export const kubeProxyJudge = judgeOfJsonFiles((recorded) => replayKubeProxyCase(recorded as KubeProxyCase))
