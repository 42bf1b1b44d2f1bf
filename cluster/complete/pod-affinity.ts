import { isList, isObject, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, LabelSelector, Namespace } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import { nodeLabel, valueAt, weightOf } from './node-selection.ts'
import { type Candidate, namespacesSelected, type Placed, selectorOf, textsOf, withOwnLabels } from './placed.ts'

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

/** Whether two nodes are in one domain of a term. */
const isSameDomain = ({ key }: Term, x: KubeNode, y: KubeNode): boolean => {
  const domain = nodeLabel(x, key)
  return domain !== undefined && domain === nodeLabel(y, key)
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
  const apart = requiredTerms(pod, 'podAntiAffinity', namespaces)
  const friends = near.length === 0 ? [] : placed.filter((other) => near.every((term) => matches(term, other)))
  const keepOff = loners.flatMap((other) =>
    requiredTerms(other, 'podAntiAffinity', namespaces).flatMap((term) =>
      matches(term, pod) ? [{ term, node: other.node }] : [],
    ),
  )
  // The first pod of a group that wants to be together has nobody to be with.
  const isFirst = friends.length === 0 && near.every((term) => matches(term, pod))
  const likes = preferredTerms(pod, 'podAffinity', namespaces)
  const dislikes = preferredTerms(pod, 'podAntiAffinity', namespaces)
  const sumOf = (terms: readonly Term[], node: KubeNode): number =>
    terms.reduce((sum, term) => {
      const count = placed.filter((other) => matches(term, other) && isSameDomain(term, other.node, node)).length
      return sum + count * term.weight
    }, 0)
  return {
    allows: (node) =>
      near.every(
        (term) =>
          nodeLabel(node, term.key) !== undefined &&
          (isFirst || friends.some((other) => isSameDomain(term, other.node, node))),
      ) &&
      !apart.some((term) => placed.some((other) => matches(term, other) && isSameDomain(term, other.node, node))) &&
      !keepOff.some(({ term, node: theirs }) => isSameDomain(term, theirs, node)),
    worth: (node) => sumOf(likes, node) - sumOf(dislikes, node),
  }
}
