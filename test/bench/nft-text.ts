import { applyOps } from '../../linux/apply.ts'
import type { HostConfig } from '../../linux/host-config.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import { nftablesMode } from '../../proxy/nftables/compile.ts'
import { renderNftRuleset } from '../../render/nft-list.ts'
import { caseNode } from '../judge/kube-proxy-case.ts'
import { cpuMilliseconds } from './cpu-time.ts'
import { BENCH_CONFIG, BENCH_FACTS, uniformCluster } from './iptables-text.ts'

export interface NftTextBench {
  /** Processor time from the Cluster to a node that can be walked. */
  readonly buildMilliseconds: number
  /** Processor time from the Cluster to the text of `nft list ruleset`. */
  readonly milliseconds: number
  readonly megabytes: number
}

/** Time to compile kube-proxy's nftables mode of one node, and to list it. Loading is not counted. */
export function benchNftText(version: string, services = 10_000, endpoints = 10): NftTextBench {
  const cluster = uniformCluster(services, endpoints)
  const node = caseNode(cluster.nodes, 'node-1')
  let netns: HostConfig['netns'] = new Map()
  const buildMilliseconds = cpuMilliseconds(() => {
    const ops = nftablesMode.compile(cluster, node, { ...BENCH_CONFIG, version }, BENCH_FACTS)
    netns = applyOps('node-1', ops, BENCH_FACTS.capabilities).netns
  })
  let text = ''
  const listMilliseconds = cpuMilliseconds(() => {
    text = renderNftRuleset(netns.get(ROOT_NETNS)?.netfilter.nftables ?? [])
  })
  return {
    buildMilliseconds: Math.round(buildMilliseconds),
    milliseconds: Math.round(buildMilliseconds + listMilliseconds),
    megabytes: Math.round(text.length / 1e5) / 10,
  }
}
