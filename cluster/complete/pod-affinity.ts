import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, LabelExpression, LabelSelector, Labels, Namespace } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import { nodeLabel, valueAt, weightOf } from './node-selection.ts'
import {
  type Candidate,
  namespacesSelected,
  type OwnLabels,
  ownLabels,
  type Placed,
  selectorOf,
  textsOf,
  valuesOf,
} from './placed.ts'
import type { Tally } from './tally.ts'

interface Term {
  readonly key: string
  readonly selector: LabelSelector | undefined
  readonly namespaces: ReadonlySet<string>
  /** Labels of which the pod's own values are asked for too. */
  readonly ownKeys: readonly string[]
  /** Labels of which the pod's own values must not be there (`mismatchLabelKeys`). */
  readonly otherKeys: readonly string[]
  readonly weight: number
  /** The same for terms that match the same pods in the same domains. */
  readonly text: string
}

/** The term of one pod: its own values of the labels are asked for. */
interface OwnTerm extends Term {
  readonly own: OwnLabels
}

/** What the affinity and the anti-affinity of a pod say; what is preferred to be apart weighs less than nothing. */
interface Terms<T> {
  readonly near: readonly T[]
  readonly apart: readonly T[]
  readonly wishes: readonly T[]
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
  return {
    key,
    selector,
    namespaces: new Set(all),
    ownKeys: textsOf(member(term, 'matchLabelKeys')),
    otherKeys: textsOf(member(term, 'mismatchLabelKeys')),
    weight,
    text,
  }
}

/** The values by which a pod meets a term, to be compared with those of the term's own pod; undefined if it does not. */
const metBy = ({ selector, namespaces, own }: OwnTerm, pod: Candidate): string | undefined =>
  selector !== undefined && namespaces.has(pod.namespace) && selectorMatches(selector, pod.labels)
    ? valuesOf(pod.labels, own.keys)
    : undefined

/** Terms of the same text ask the same question, apart from the values of their own pods. */
const textOf = ({ text, own }: OwnTerm): string =>
  own.keys.length === 0 ? text : `${text} ${JSON.stringify(own.keys)}`

/** An entry of a tally: pods of some values in a domain. */
const entry = (values: string, domain: string): string => `${values}\0${domain}`

/**
 * Which nodes required pod affinity and anti-affinity let a pod onto, those of the pods already there included, and
 * what the preferred terms are worth (pkg/scheduler/framework/plugins/interpodaffinity filtering.go, scoring.go).
 */
export function neighbourhood({ placed, tally, namespaces }: Neighbours): (pod: Candidate) => Neighbourly {
  const termsOf = rememberedTerms(namespaces)
  const claimsOn = claims(placed, termsOf)
  const countOf = (term: OwnTerm): Count => ({
    term,
    values: term.own.values,
    counts: tally.count(`in a domain ${textOf(term)}`, (other) => {
      const domain = nodeLabel(other.node, term.key)
      const values = domain === undefined ? undefined : metBy(term, other)
      return domain === undefined || values === undefined ? undefined : entry(values, domain)
    }),
  })
  return (pod) => {
    const { near, apart, wishes } = termsOf(pod)
    // Friends are matched by all terms at once.
    const friendValues = (other: Candidate): string | undefined => {
      const values = near.map((term) => metBy(term, other))
      return values.includes(undefined) ? undefined : values.join('\0')
    }
    const friendship = near.map(textOf).join(' ')
    const ownValues = near.map(({ own }) => own.values).join('\0')
    const together = near.map((term) => ({
      term,
      values: ownValues,
      counts: tally.count(`friends by ${JSON.stringify(term.key)} ${friendship}`, (other) => {
        const domain = nodeLabel(other.node, term.key)
        const values = domain === undefined ? undefined : friendValues(other)
        return domain === undefined || values === undefined ? undefined : entry(values, domain)
      }),
    }))
    // The first pod of a group that wants to be together has nobody to be with.
    const isFirst =
      near.length > 0 &&
      friendValues(pod) === ownValues &&
      !tally.count(`friends ${friendship}`, friendValues).has(ownValues)
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
  /** Of the pod that asks. */
  readonly values: string
  readonly counts: ReadonlyMap<string, number>
}

function countAt(node: KubeNode, { term, values, counts }: Count): number {
  const domain = nodeLabel(node, term.key)
  return domain === undefined ? 0 : (counts.get(entry(values, domain)) ?? 0)
}

/** A term that asks for other values than the pod's own. */
function unlike(term: Term, labels: Labels): Term {
  const keys = term.otherKeys.filter((key) => Object.hasOwn(labels, key))
  if (keys.length === 0 || term.selector === undefined) return term
  const others = keys.map((key): LabelExpression => ({ key, operator: 'NotIn', values: [labels[key] ?? ''] }))
  const selector = { ...term.selector, matchExpressions: [...term.selector.matchExpressions, ...others] }
  return { ...term, selector, text: `${term.text} but ${JSON.stringify(others)}` }
}

/** The terms of pods: pods of one template share an affinity, which is read once. */
function rememberedTerms(namespaces: readonly Namespace[]): (pod: Candidate) => Terms<OwnTerm> {
  const known = new Map<unknown, Map<string, Terms<Term>>>()
  const numbers = new Map<string, string>()
  const short = (text: string): string => {
    const number = numbers.get(text) ?? `${numbers.size}`
    numbers.set(text, number)
    return number
  }
  const read = (affinity: unknown, namespace: string): Terms<Term> => {
    const ofAffinity = known.get(affinity) ?? new Map<string, Terms<Term>>()
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
    const own = (term: Term): OwnTerm => ({ ...unlike(term, labels), own: ownLabels(term.ownKeys, labels) })
    return { near: near.map(own), apart: apart.map(own), wishes: wishes.map(own) }
  }
}

const NO_TERMS: Terms<OwnTerm> = { near: [], apart: [], wishes: [] }

/** Domains from which pods that stand there keep others off. */
interface Claim {
  readonly key: string
  readonly domains: ReadonlySet<string | undefined>
}

/** The claims of the pods of a growing list on one that looks for its node. */
function claims(
  placed: readonly Placed[],
  termsOf: (pod: Candidate) => Terms<OwnTerm>,
): (pod: Candidate) => readonly Claim[] {
  const known = new Map<string, { readonly term: OwnTerm; readonly byValues: Map<string, Set<string | undefined>> }>()
  let seen = 0
  return (pod) => {
    for (; seen < placed.length; seen++) {
      const one = placed[seen]
      for (const term of one === undefined ? [] : termsOf(one).apart) {
        const text = textOf(term)
        const claim = known.get(text) ?? { term, byValues: new Map<string, Set<string | undefined>>() }
        known.set(text, claim)
        const domains = claim.byValues.get(term.own.values) ?? new Set<string | undefined>()
        claim.byValues.set(term.own.values, domains)
        const domain = one && nodeLabel(one.node, term.key)
        if (domain !== undefined) domains.add(domain)
      }
    }
    return [...known.values()].flatMap(({ term, byValues }) => {
      const values = metBy(term, pod)
      const domains = values === undefined ? undefined : byValues.get(values)
      return domains === undefined ? [] : [{ key: term.key, domains }]
    })
  }
}
