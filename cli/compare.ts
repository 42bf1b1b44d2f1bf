import type { Cluster } from '../cluster/cluster.ts'
import { compare as compareVariants, type Variant } from '../engine/compare.ts'
import { proxyFeatures } from '../proxy/versions.ts'
import { renderComparison } from '../render/comparison-text.ts'
import { renderConversationJson } from '../render/conversation-json.ts'
import { probeOf, type QuestionOptions } from './question-options.ts'
import { buildFrom, openSnapshot } from './snapshot.ts'
import { print } from './terminal.ts'
import { detailOf, type TextChoice, textOptions, worstCode } from './trace.ts'

export type CompareOptions = QuestionOptions & TextChoice

/** The modes that the cluster's kube-proxy has. */
function modesOf({ facts }: Cluster): string {
  const { hasUserspaceMode, nftModelled } = proxyFeatures(facts.kubernetesVersion)
  return ['iptables', ...(nftModelled ? ['nftables'] : []), 'ipvs', ...(hasUserspaceMode ? ['userspace'] : [])].join()
}

/** `podwalk compare`: the same question in several kube-proxy modes, side by side. Returns the worst exit code. */
export function compare(options: CompareOptions): number {
  const { cluster } = openSnapshot(options)
  const modes = [...new Set((options.proxy ?? modesOf(cluster)).split(',').map((mode) => mode.trim()))]
  const variants = modes.map((mode): Variant => {
    const built = buildFrom(cluster, { ...options, proxy: mode })
    return { name: mode, built, probe: probeOf(built, options) }
  })
  const comparison = compareVariants(variants, options.seed)
  if (options.output === 'json')
    print(
      `[\n${comparison.walks
        .map(
          ({ name, conversation }) =>
            `{ "proxy": ${JSON.stringify(name)}, "trace": ${renderConversationJson(conversation, detailOf(options.verbose)).trimEnd()} }`,
        )
        .join(',\n')}\n]\n`,
    )
  else print(renderComparison(`${options.from} -> ${options.to}`, comparison, textOptions(options)))
  return worstCode(comparison.walks.map(({ conversation }) => conversation))
}
