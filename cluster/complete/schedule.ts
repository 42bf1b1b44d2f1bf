import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, PodSpec, Taint, Toleration } from '../objects.ts'
import { byText } from '../order.ts'

/**
 * The part of kube-scheduler that decides where a made-up pod runs: nodeName, nodeSelector, required node affinity,
 * taints and cordoned nodes filter; then the node with the fewest pods of the same owner, the fewest pods, and the first
 * name wins. Preferences, resources, spreading constraints and pod affinity are not weighed.
 */
export interface Scheduler {
  /** The node for a pod; undefined where it fits nowhere. */
  readonly place: (spec: PodSpec, owner: string) => KubeNode | undefined
  /** Counts a pod that is on its node already. */
  readonly occupy: (nodeName: string, owner: string) => void
}

export function scheduler(nodes: readonly KubeNode[]): Scheduler {
  const total = new Map<string, number>()
  const ofOwner = new Map<string, number>()
  const countOf = (counts: ReadonlyMap<string, number>, key: string): number => counts.get(key) ?? 0
  const occupy = (nodeName: string, owner: string) => {
    total.set(nodeName, countOf(total, nodeName) + 1)
    ofOwner.set(`${nodeName}\0${owner}`, countOf(ofOwner, `${nodeName}\0${owner}`) + 1)
  }
  return {
    occupy,
    place(spec, owner) {
      const fitting = nodes.filter((node) => fits(node, spec))
      const [best] = fitting.sort(
        (x, y) =>
          countOf(ofOwner, `${x.meta.name}\0${owner}`) - countOf(ofOwner, `${y.meta.name}\0${owner}`) ||
          countOf(total, x.meta.name) - countOf(total, y.meta.name) ||
          byText(x.meta.name, y.meta.name),
      )
      if (best !== undefined) occupy(best.meta.name, owner)
      return best
    },
  }
}

/** Whether the scheduler's filters let a pod onto a node. */
export function fits(node: KubeNode, spec: PodSpec): boolean {
  if (spec.nodeName !== '') return spec.nodeName === node.meta.name
  return (
    selects(node, spec) &&
    node.taints.every((taint) => taint.effect === 'PreferNoSchedule' || isTolerated(taint, spec.tolerations)) &&
    (!node.unschedulable || isTolerated(UNSCHEDULABLE, spec.tolerations))
  )
}

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
  const labels = node.meta.labels
  for (const [key, value] of Object.entries(spec.nodeSelector)) if (labelOf(node, key) !== value) return false
  const terms = requiredTerms(spec.affinity as Json | undefined)
  return terms === undefined || terms.some((term) => termMatches(term, { ...labels }, node.meta.name))
}

const labelOf = (node: KubeNode, key: string): string | undefined =>
  Object.hasOwn(node.meta.labels, key) ? node.meta.labels[key] : undefined

function requiredTerms(affinity: Json | undefined): readonly JsonObject[] | undefined {
  const path = ['nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms']
  let at: Json | undefined = affinity
  for (const key of path) at = isObject(at) ? member(at, key) : undefined
  return isList(at) ? at.filter(isObject) : undefined
}

/** A term with neither expressions nor fields matches nothing (component-helpers scheduling/corev1/nodeaffinity). */
function termMatches(term: JsonObject, labels: Readonly<Record<string, string>>, name: string): boolean {
  const expressions = requirementsOf(term, 'matchExpressions')
  const fields = requirementsOf(term, 'matchFields')
  if (expressions.length + fields.length === 0) return false
  return (
    expressions.every((one) => requirementHolds(one, Object.hasOwn(labels, one.key) ? labels[one.key] : undefined)) &&
    fields.every((one) => requirementHolds(one, one.key === 'metadata.name' ? name : undefined))
  )
}

interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values: readonly string[]
}

function requirementsOf(term: JsonObject, key: string): Requirement[] {
  const list = member(term, key)
  return (isList(list) ? list : []).filter(isObject).map((one) => {
    const values = member(one, 'values')
    return {
      key: String(member(one, 'key') ?? ''),
      operator: String(member(one, 'operator') ?? ''),
      values: (isList(values) ? values : []).map(String),
    }
  })
}

function requirementHolds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}
