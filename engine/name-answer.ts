import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { podRoot } from '../dns/pod/files.ts'
import { ask } from './ask.ts'
import type { Built } from './build.ts'
import { racingQueries } from './conntrack-race.ts'
import type { Conversation } from './conversation.ts'
import { foundAs, type LookupView } from './lookup-view.ts'
import { type NameFix, nameFixes } from './name-fixes.ts'
import { type NameLint, nameLints } from './name-lints.ts'
import type { Probe } from './probe.ts'

/** A lookup, why it took the queries it took, and what would spare some. */
export interface NameAnswer {
  readonly conversation: Conversation
  readonly cost: LookupCost
  readonly why: readonly string[]
  readonly fixes: readonly NameFix[]
  readonly lints: readonly NameLint[]
}

export interface LookupCost {
  readonly queries: number
  /** Queries for names that are not the one that was found; 0 where none was found. */
  readonly wasted: number
}

/** Looks a name up as the probe's source would, and explains it. Fixes are found by asking again in a changed cluster. */
export function askName(built: Built, probe: Probe, options: { readonly seed?: number } = {}): NameAnswer {
  const conversation = ask(built, probe, options)
  const pod = podOf(built.cluster, probe)
  return {
    conversation,
    cost: costOf(conversation.lookup),
    why: [...whyText(conversation), ...whySlow(built.cluster, conversation)],
    fixes: nameFixes({ built, probe, pod, before: conversation }, options),
    lints: nameLints(built.cluster, conversation, (name) => isThere(built, withName(probe, name), options)),
  }
}

const withName = (probe: Probe, name: string): Probe => ({
  ...probe,
  target: { ...probe.target, name, label: name },
})

const isThere = (built: Built, probe: Probe, options: { readonly seed?: number }): boolean =>
  ask(built, probe, options).outcome.kind === 'resolved'

export function costOf(lookup: LookupView | undefined): LookupCost {
  const queries = lookup?.queries ?? []
  const found = foundAs(queries)
  return {
    queries: queries.length,
    wasted: found === undefined ? 0 : queries.filter(({ name }) => name !== found).length,
  }
}

/** The pod whose /etc the probe's source uses; undefined for a node or an outside host. */
export function podOf(cluster: Cluster, { from }: Probe): Pod | undefined {
  const onHost = cluster.index.podsOnNode.get(from.host) ?? []
  return onHost.find(
    (pod) =>
      podNetns(pod) === from.netns &&
      podRoot(pod) === from.root &&
      (!pod.spec.hostNetwork || from.label.endsWith(keyOf(pod.meta))),
  )
}

const withDot = (name: string): string => (name.endsWith('.') ? name : `${name}.`)
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Why it took so long: a query that conntrack lost. */
function whySlow(cluster: Cluster, conversation: Conversation): readonly string[] {
  const race = racingQueries(cluster, conversation)
  if (race?.lost === undefined) return []
  const { types, node, servers, name, lost } = race
  const { durationNs } = conversation
  return [
    `The ${lost} query for ${name} was lost on ${node}: ${types.join(' and ')} left one socket at once, conntrack knew neither when DNAT chose one of ${servers} servers for each, and the entry of the second could not be inserted (insert_failed of conntrack -S). The resolver waits for its answer${durationNs < 1e9 ? '' : `; the lookup takes ${Number((durationNs / 1e9).toFixed(1))} s`}.`,
  ]
}

/** Why these names were asked for, in this order. */
function whyText({ lookup, steps }: Conversation): readonly string[] {
  if (lookup === undefined) return []
  const { name, ndots, search, queries, resolver } = lookup
  const [first] = queries
  if (first === undefined) {
    const source = steps.find((step) => step.kind === 'dns.source' && step.found.length > 0)
    return source?.kind === 'dns.source' ? [`No query: ${source.source} has ${name}.`] : ['No query was sent.']
  }
  if (name.endsWith('.')) return ['The final dot makes the name absolute: it is asked as it is, and nothing else.']
  const dots = name.split('.').length - 1
  const asIsFirst = withDot(first.name).toLowerCase() === withDot(name).toLowerCase()
  const many = plural(dots, 'dot')
  if (search.length === 0) return ['There is no search list: the name is asked as it is.']
  if (dots >= ndots && asIsFirst) return [`${many} >= ndots ${ndots}, so the name goes first as it is.`]
  if (dots < ndots && !asIsFirst) return [`${many} < ndots ${ndots}, so the search list goes first.`]
  if (asIsFirst) return [`${resolver} asks for the name as it is first, whatever ndots (${ndots}) says.`]
  return [`${resolver} goes through the search list first, whatever ndots (${ndots}) says.`]
}
