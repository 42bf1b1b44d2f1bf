import { isList, isObject, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, LabelSelector, Namespace } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import { nodeLabel, valueAt, weightOf } from './node-selection.ts'
import {
  type Candidate,
  namespacesSelected,
  oncePerLabels,
  type Placed,
  selectorOf,
  textsOf,
  withOwnLabels,
} from './placed.ts'

interface Term {
  readonly key: string
  readonly selector: LabelSelector | undefined
  readonly namespaces: ReadonlySet<string>
  readonly weight: number
}

/** The scheduler's view of who stands where, for terms about other pods. */
export interface Neighbours {
  readonly placed: readonly Placed[]
  /** Those of them that keep others off. */
  readonly loners: readonly Placed[]
  readonly namespaces: readonly Namespace[]
}

type Side = 'podAffinity' | 'podAntiAffinity'

function requiredTerms(pod: Candidate, side: Side, namespaces: readonly Namespace[]): Term[] {
  const terms = valueAt(pod.spec.affinity, [side, 'requiredDuringSchedulingIgnoredDuringExecution'])
  return (isList(terms) ? terms : []).filter(isObject).map((term) => termOf(term, pod, { namespaces, weight: 0 }))
}

function preferredTerms(pod: Candidate, side: Side, namespaces: readonly Namespace[]): Term[] {
  const terms = valueAt(pod.spec.affinity, [side, 'preferredDuringSchedulingIgnoredDuringExecution'])
  return (isList(terms) ? terms : []).filter(isObject).flatMap((weighted) => {
    const term = member(weighted, 'podAffinityTerm')
    return isObject(term) ? [termOf(term, pod, { namespaces, weight: weightOf(weighted) })] : []
  })
}

/** Neither namespaces nor a selector of them: the pod's own. */
function termOf(term: JsonObject, pod: Candidate, of: { namespaces: readonly Namespace[]; weight: number }): Term {
  const selector = selectorOf(member(term, 'labelSelector'))
  const named = textsOf(member(term, 'namespaces'))
  const ofNamespaces = selectorOf(member(term, 'namespaceSelector'))
  const own = named.length === 0 && ofNamespaces === undefined ? [pod.namespace] : []
  return {
    key: String(member(term, 'topologyKey') ?? ''),
    selector: selector && withOwnLabels(selector, textsOf(member(term, 'matchLabelKeys')), pod.labels),
    namespaces: new Set([
      ...named,
      ...own,
      ...(ofNamespaces === undefined ? [] : namespacesSelected(of.namespaces, ofNamespaces)),
    ]),
    weight: of.weight,
  }
}

const matches = ({ selector, namespaces }: Term, pod: Candidate): boolean =>
  selector !== undefined && namespaces.has(pod.namespace) && selectorMatches(selector, pod.labels)

/** Whether a pod keeps others off its domain. */
export const isLoner = ({ spec }: Candidate): boolean =>
  valueAt(spec.affinity, ['podAntiAffinity', 'requiredDuringSchedulingIgnoredDuringExecution']) !== undefined

/** How many of some pods a term matches in each domain of its key. */
function countByDomain(term: Term, pods: readonly Placed[], isCounted: (pod: Placed) => boolean): Map<string, number> {
  const counts = new Map<string, number>()
  for (const pod of pods) {
    const domain = isCounted(pod) ? nodeLabel(pod.node, term.key) : undefined
    if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + 1)
  }
  return counts
}

/**
 * Which nodes required pod affinity and anti-affinity let a pod onto, those of the pods already there included, and
 * what the preferred terms are worth (pkg/scheduler/framework/plugins/interpodaffinity filtering.go, scoring.go).
 */
export function neighbourly(
  pod: Candidate,
  { placed, loners, namespaces }: Neighbours,
): { allows: (node: KubeNode) => boolean; worth: (node: KubeNode) => number } {
  const near = requiredTerms(pod, 'podAffinity', namespaces)
  const friends =
    near.length === 0 ? [] : placed.filter(oncePerLabels((other) => near.every((term) => matches(term, other))))
  // The first pod of a group that wants to be together has nobody to be with.
  const isFirst = friends.length === 0 && near.every((term) => matches(term, pod))
  const together = near.map((term) => ({ term, counts: countByDomain(term, friends, () => true) }))
  const apart = requiredTerms(pod, 'podAntiAffinity', namespaces).map((term) => ({
    term,
    counts: countByDomain(
      term,
      placed,
      oncePerLabels((other) => matches(term, other)),
    ),
  }))
  const keepOff = new Set(
    loners.flatMap((other) =>
      requiredTerms(other, 'podAntiAffinity', namespaces).flatMap((term) => {
        const domain = nodeLabel(other.node, term.key)
        return domain !== undefined && matches(term, pod) ? [`${term.key}\0${domain}`] : []
      }),
    ),
  )
  const wishes = [
    ...preferredTerms(pod, 'podAffinity', namespaces),
    ...preferredTerms(pod, 'podAntiAffinity', namespaces).map((term) => ({ ...term, weight: -term.weight })),
  ].map((term) => ({
    term,
    counts: countByDomain(
      term,
      placed,
      oncePerLabels((other) => matches(term, other)),
    ),
  }))
  const countAt = (node: KubeNode, { term, counts }: { term: Term; counts: ReadonlyMap<string, number> }): number =>
    counts.get(nodeLabel(node, term.key) ?? NOWHERE) ?? 0
  return {
    allows: (node) =>
      together.every((one) => nodeLabel(node, one.term.key) !== undefined && (isFirst || countAt(node, one) > 0)) &&
      apart.every((one) => countAt(node, one) === 0) &&
      ![...keepOff].some((claim) => {
        const [key = '', domain] = claim.split('\0')
        return nodeLabel(node, key) === domain
      }),
    worth: (node) => wishes.reduce((sum, one) => sum + countAt(node, one) * one.term.weight, 0),
  }
}

/** No label has this value. */
const NOWHERE = '\0'
