import { applyOps } from '../../linux/apply.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import { nftablesMode } from '../../proxy/nftables/compile.ts'
import { renderNftRuleset } from '../../render/nft-list.ts'
import { caseNode } from '../judge/kube-proxy-case.ts'
import { BENCH_CONFIG, BENCH_FACTS, uniformCluster } from './iptables-text.ts'

export interface NftTextBench {
  /** From the Cluster to a node that can be walked. */
  readonly buildMilliseconds: number
  /** From the Cluster to the text of `nft list ruleset`. */
  readonly milliseconds: number
  readonly megabytes: number
}

/** Time to compile kube-proxy's nftables mode of one node, and to list it. Loading is not counted. */
export function benchNftText(version: string, services = 10_000, endpoints = 10): NftTextBench {
  const cluster = uniformCluster(services, endpoints)
  const node = caseNode(cluster.nodes, 'node-1')
  const start = performance.now()
  const ops = nftablesMode.compile(cluster, node, { ...BENCH_CONFIG, version }, BENCH_FACTS)
  const { netns } = applyOps('node-1', ops, BENCH_FACTS.capabilities)
  const buildMilliseconds = performance.now() - start
  const text = renderNftRuleset(netns.get(ROOT_NETNS)?.netfilter.nftables ?? [])
  return {
    buildMilliseconds: Math.round(buildMilliseconds),
    milliseconds: Math.round(performance.now() - start),
    megabytes: Math.round(text.length / 1e5) / 10,
  }
}
