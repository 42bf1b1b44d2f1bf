import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, LabelSelector, Labels, Namespace } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import { nodeLabel, valueAt, weightOf } from './node-selection.ts'
import { type Candidate, namespacesSelected, type Placed, selectorOf, textsOf, withOwnLabels } from './placed.ts'
import type { Tally } from './tally.ts'

interface Term {
  readonly key: string
  readonly selector: LabelSelector | undefined
  readonly namespaces: ReadonlySet<string>
  /** Labels of which the pod's own values are asked for too. */
  readonly ownKeys: readonly string[]
  readonly weight: number
  /** The same for terms that match the same pods in the same domains. */
  readonly text: string
}

/** What the affinity and the anti-affinity of one pod say; what is preferred to be apart weighs less than nothing. */
interface Terms {
  readonly near: readonly Term[]
  readonly apart: readonly Term[]
  readonly wishes: readonly Term[]
}

/** The scheduler's view of who stands where, for terms about other pods. */
export interface Neighbours {
  /** A list that only grows, and its tally. */
  readonly placed: readonly Placed[]
  readonly tally: Tally
  readonly namespaces: readonly Namespace[]
}

/** What the pods that stand on the nodes mean to one that looks for its node. */
export interface Neighbourly {
  readonly allows: (node: KubeNode) => boolean
  readonly worth: (node: KubeNode) => number
}

type Side = 'podAffinity' | 'podAntiAffinity'

function requiredTerms(affinity: unknown, side: Side, of: Home): Term[] {
  const terms = valueAt(affinity, [side, 'requiredDuringSchedulingIgnoredDuringExecution'])
  return (isList(terms) ? terms : []).filter(isObject).map((term) => termOf(term, of, 0))
}

function preferredTerms(affinity: unknown, side: Side, of: Home): Term[] {
  const terms = valueAt(affinity, [side, 'preferredDuringSchedulingIgnoredDuringExecution'])
  const sign = side === 'podAffinity' ? 1 : -1
  return (isList(terms) ? terms : []).filter(isObject).flatMap((weighted) => {
    const term = member(weighted, 'podAffinityTerm')
    return isObject(term) ? [termOf(term, of, sign * weightOf(weighted))] : []
  })
}

interface Home {
  readonly namespace: string
  readonly namespaces: readonly Namespace[]
  /** Short names of long texts. */
  readonly short: (text: string) => string
}

/** Neither namespaces nor a selector of them: the pod's own. */
function termOf(term: JsonObject, { namespace, namespaces, short }: Home, weight: number): Term {
  const key = String(member(term, 'topologyKey') ?? '')
  const selector = selectorOf(member(term, 'labelSelector'))
  const named = textsOf(member(term, 'namespaces'))
  const ofNamespaces = selectorOf(member(term, 'namespaceSelector'))
  const own = named.length === 0 && ofNamespaces === undefined ? [namespace] : []
  const selected = ofNamespaces === undefined ? [] : namespacesSelected(namespaces, ofNamespaces)
  const all = [...named, ...own, ...selected]
  const text = short(JSON.stringify([key, selector ?? null, all]))
  return { key, selector, namespaces: new Set(all), ownKeys: textsOf(member(term, 'matchLabelKeys')), weight, text }
}

/** The term of one pod: its own values of `matchLabelKeys` are part of the selector. */
function ofPod(term: Term, labels: Labels): Term {
  if (term.ownKeys.length === 0 || term.selector === undefined) return term
  const selector = withOwnLabels(term.selector, term.ownKeys, labels)
  return { ...term, selector, text: `${term.text} ${JSON.stringify(ownValues(selector, term.selector))}` }
}

/** What an extended selector has more. */
const ownValues = (extended: LabelSelector, { matchExpressions }: LabelSelector) =>
  extended.matchExpressions.slice(matchExpressions.length)

const matches = ({ selector, namespaces }: Term, pod: Candidate): boolean =>
  selector !== undefined && namespaces.has(pod.namespace) && selectorMatches(selector, pod.labels)

/**
 * Which nodes required pod affinity and anti-affinity let a pod onto, those of the pods already there included, and
 * what the preferred terms are worth (pkg/scheduler/framework/plugins/interpodaffinity filtering.go, scoring.go).
 */
export function neighbourhood({ placed, tally, namespaces }: Neighbours): (pod: Candidate) => Neighbourly {
  const termsOf = rememberedTerms(namespaces)
  const claimsOn = claims(placed, termsOf)
  const countOf = (term: Term): Count => ({
    term,
    counts: tally.count(`in a domain ${term.text}`, (other) =>
      matches(term, other) ? nodeLabel(other.node, term.key) : undefined,
    ),
  })
  return (pod) => {
    const { near, apart, wishes } = termsOf(pod)
    // Friends are matched by all terms at once.
    const isFriend = (other: Candidate): boolean => near.every((term) => matches(term, other))
    const friendship = near.map(({ text }) => text).join(' ')
    const together = near.map((term) => ({
      term,
      counts: tally.count(`friends by ${JSON.stringify(term.key)} ${friendship}`, (other) =>
        isFriend(other) ? nodeLabel(other.node, term.key) : undefined,
      ),
    }))
    // The first pod of a group that wants to be together has nobody to be with.
    const isFirst =
      near.length > 0 &&
      isFriend(pod) &&
      tally.count(`friends ${friendship}`, (other) => (isFriend(other) ? '' : undefined)).size === 0
    const keepingOff = claimsOn(pod)
    const against = apart.map(countOf)
    const wished = wishes.map(countOf)
    return {
      allows: (node) =>
        together.every((one) => nodeLabel(node, one.term.key) !== undefined && (isFirst || countAt(node, one) > 0)) &&
        against.every((one) => countAt(node, one) === 0) &&
        !keepingOff.some(({ key, domains }) => domains.has(nodeLabel(node, key))),
      worth: (node) => wished.reduce((sum, one) => sum + countAt(node, one) * one.term.weight, 0),
    }
  }
}

interface Count {
  readonly term: Term
  readonly counts: ReadonlyMap<string, number>
}

function countAt(node: KubeNode, { term, counts }: Count): number {
  const domain = nodeLabel(node, term.key)
  return domain === undefined ? 0 : (counts.get(domain) ?? 0)
}

/** The terms of pods: pods of one template share an affinity, which is read once. */
function rememberedTerms(namespaces: readonly Namespace[]): (pod: Candidate) => Terms {
  const known = new Map<unknown, Map<string, Terms>>()
  const numbers = new Map<string, string>()
  const short = (text: string): string => {
    const number = numbers.get(text) ?? `${numbers.size}`
    numbers.set(text, number)
    return number
  }
  const read = (affinity: unknown, namespace: string): Terms => {
    const ofAffinity = known.get(affinity) ?? new Map<string, Terms>()
    known.set(affinity, ofAffinity)
    const of = { namespace, namespaces, short }
    const terms = ofAffinity.get(namespace) ?? {
      near: requiredTerms(affinity, 'podAffinity', of),
      apart: requiredTerms(affinity, 'podAntiAffinity', of),
      wishes: [...preferredTerms(affinity, 'podAffinity', of), ...preferredTerms(affinity, 'podAntiAffinity', of)],
    }
    ofAffinity.set(namespace, terms)
    return terms
  }
  return ({ spec, namespace, labels }) => {
    const { affinity } = spec
    if (!isObject(affinity as Json | undefined)) return NO_TERMS
    const { near, apart, wishes } = read(affinity, namespace)
    const own = (term: Term): Term => ofPod(term, labels)
    return { near: near.map(own), apart: apart.map(own), wishes: wishes.map(own) }
  }
}

const NO_TERMS: Terms = { near: [], apart: [], wishes: [] }

/** Domains from which pods that stand there keep others off. */
interface Claim {
  readonly key: string
  readonly domains: ReadonlySet<string | undefined>
}

/** The claims of the pods of a growing list on one that looks for its node. */
function claims(placed: readonly Placed[], termsOf: (pod: Candidate) => Terms): (pod: Candidate) => readonly Claim[] {
  const known = new Map<string, { readonly term: Term; readonly domains: Set<string | undefined> }>()
  let seen = 0
  return (pod) => {
    for (; seen < placed.length; seen++) {
      const one = placed[seen]
      for (const term of one === undefined ? [] : termsOf(one).apart) {
        const claim = known.get(term.text) ?? { term, domains: new Set<string>() }
        known.set(term.text, claim)
        const domain = one && nodeLabel(one.node, term.key)
        if (domain !== undefined) claim.domains.add(domain)
      }
    }
    return [...known.values()].flatMap(({ term, domains }) => (matches(term, pod) ? [{ key: term.key, domains }] : []))
  }
}
