import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, PodSpec, Taint, Toleration } from '../objects.ts'

/** Whether the filters that look at one node alone let a pod onto it: nodeName, labels, taints, cordon. */
export function fits(node: KubeNode, spec: PodSpec): boolean {
  if (spec.nodeName !== '') return spec.nodeName === node.meta.name
  return selects(node, spec) && toleratesAll(node, spec)
}

/** Taints that repel, and a cordon, which is one. */
export const toleratesAll = (node: KubeNode, spec: PodSpec): boolean =>
  node.taints.every((taint) => taint.effect === 'PreferNoSchedule' || isTolerated(taint, spec.tolerations)) &&
  (!node.unschedulable || isTolerated(UNSCHEDULABLE, spec.tolerations))

/** What a cordoned node is treated as. */
const UNSCHEDULABLE: Taint = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' }

/** Toleration.ToleratesTaint of k8s.io/api/core/v1: an empty key tolerates every key, an empty effect every effect. */
export const isTolerated = (taint: Taint, tolerations: readonly Toleration[]): boolean =>
  tolerations.some(
    ({ key, operator, value, effect }) =>
      (effect === '' || effect === taint.effect) &&
      (key === '' ? operator === 'Exists' : key === taint.key) &&
      (operator === 'Exists' || value === taint.value),
  )

/** nodeSelector and required node affinity. */
export function selects(node: KubeNode, spec: PodSpec): boolean {
  for (const key of Object.keys(spec.nodeSelector)) if (nodeLabel(node, key) !== spec.nodeSelector[key]) return false
  const required = valueAt(spec.affinity, ['nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution'])
  const terms = valueAt(required, ['nodeSelectorTerms'])
  return !isList(terms) || terms.filter(isObject).some((term) => termMatches(term, node))
}

/** Labels by which a pod could be taken: its nodeSelector, and what the first required term asks to be there. */
export function labelsOfSelection(spec: PodSpec): readonly (readonly [string, string])[] {
  const required = valueAt(spec.affinity, ['nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution'])
  const terms = valueAt(required, ['nodeSelectorTerms'])
  const [first] = isList(terms) ? terms.filter(isObject) : []
  const asked = first === undefined ? [] : requirementsOf(first, 'matchExpressions')
  return [
    ...Object.entries(spec.nodeSelector),
    ...asked.flatMap(({ key, operator, values }): [string, string][] =>
      operator === 'In' || operator === 'Exists' ? [[key, firstOf(values) ?? '']] : [],
    ),
  ]
}

/** The weights of the preferred terms of node affinity that a node meets. */
export function preference(node: KubeNode, spec: PodSpec): number {
  const terms = valueAt(spec.affinity, ['nodeAffinity', 'preferredDuringSchedulingIgnoredDuringExecution'])
  return (isList(terms) ? terms : []).filter(isObject).reduce((sum, term) => {
    const wanted = member(term, 'preference')
    return isObject(wanted) && termMatches(wanted, node) ? sum + weightOf(term) : sum
  }, 0)
}

export function weightOf(term: JsonObject): number {
  const weight = member(term, 'weight')
  return typeof weight === 'number' ? weight : 0
}

export const nodeLabel = (node: KubeNode, key: string): string | undefined =>
  Object.hasOwn(node.meta.labels, key) ? node.meta.labels[key] : undefined

/** The value below some keys; undefined where a part of the way is missing. */
export function valueAt(from: unknown, path: readonly string[]): Json | undefined {
  let at = from as Json | undefined
  for (const key of path) at = isObject(at) ? member(at, key) : undefined
  return at
}

/** A term with neither expressions nor fields matches nothing (component-helpers scheduling/corev1/nodeaffinity). */
function termMatches(term: JsonObject, node: KubeNode): boolean {
  const expressions = requirementsOf(term, 'matchExpressions')
  const fields = requirementsOf(term, 'matchFields')
  if (expressions.length + fields.length === 0) return false
  return (
    expressions.every((one) => requirementHolds(one, nodeLabel(node, one.key))) &&
    fields.every((one) => requirementHolds(one, one.key === 'metadata.name' ? node.meta.name : undefined))
  )
}

interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values: ReadonlySet<string>
}

/** Requirements by the list that they were read from: thousands of pods of one template ask the same of every node. */
const READ = new WeakMap<readonly Json[], readonly Requirement[]>()

function requirementsOf(term: JsonObject, key: string): readonly Requirement[] {
  const list = member(term, key)
  if (!isList(list)) return []
  const known = READ.get(list)
  if (known !== undefined) return known
  const requirements = list.filter(isObject).map((one) => {
    const values = member(one, 'values')
    return {
      key: String(member(one, 'key') ?? ''),
      operator: String(member(one, 'operator') ?? ''),
      values: new Set((isList(values) ? values : []).map(String)),
    }
  })
  READ.set(list, requirements)
  return requirements
}

function requirementHolds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.has(value)
    case 'NotIn':
      return value === undefined || !values.has(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(firstOf(values))
    case 'Lt':
      return value !== undefined && Number(value) < Number(firstOf(values))
    default:
      return false
  }
}

const firstOf = ([first]: ReadonlySet<string>): string | undefined => first
