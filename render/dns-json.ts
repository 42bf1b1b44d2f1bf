import type { ResolverWalk } from '../engine/compare-resolvers.ts'
import type { NameAnswer } from '../engine/name-answer.ts'
import type { NamePlan } from '../engine/name-plan.ts'
import { conversationDocument } from './conversation-json.ts'
import type { Detail } from './hop-lines.ts'

/** What `podwalk dns -o json` prints: one of three kinds of document. The schema is dns-schema.ts. */
export const DNS_API_VERSION = 'podwalk/v1'

const documentText = (kind: string, body: object): string =>
  `${JSON.stringify({ apiVersion: DNS_API_VERSION, kind, ...body }, undefined, 2)}\n`

/** A lookup, why it took the queries it took, and what would spare some. */
export function renderNameAnswerJson({ conversation, ...told }: NameAnswer, detail: Detail = 'normal'): string {
  const { name, resolver } = conversation.lookup ?? {}
  return documentText('NameAnswer', {
    name: name ?? conversation.probe.target.name,
    ...(resolver === undefined ? {} : { resolver }),
    ...told,
    conversation: conversationDocument(conversation, detail),
  })
}

/** The same name in several resolvers. */
export function renderResolversJson(name: string, walks: readonly ResolverWalk[], detail: Detail = 'normal'): string {
  const resolvers = walks.map(({ resolver, cost, conversation }) => ({
    resolver,
    cost,
    durationNs: conversation.durationNs,
    conversation: conversationDocument(conversation, detail),
  }))
  return documentText('ResolverComparison', { name, resolvers })
}

export interface WorkloadPlan {
  /** `Deployment default/web`. */
  readonly workload: string
  readonly plan: NamePlan
}

/** What each ndots costs the names of each workload. */
export function renderNamePlansJson(plans: readonly WorkloadPlan[]): string {
  return documentText('NamePlans', {
    plans: plans.map(({ workload, plan: { pod, names, ndots, best, rows } }) => ({
      workload,
      pod: `${pod.meta.namespace}/${pod.meta.name}`,
      names,
      ndots,
      best,
      dnsConfig: best === ndots ? null : { options: [{ name: 'ndots', value: `${best}` }] },
      rows,
    })),
  })
}
