import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, LabelSelector } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import { nodeLabel, selects, toleratesAll } from './node-selection.ts'
import { type Candidate, oncePerLabels, type Placed, selectorOf, textsOf, withOwnLabels } from './placed.ts'

interface Constraint {
  readonly key: string
  readonly maxSkew: number
  readonly minDomains: number
  readonly selector: LabelSelector | undefined
  readonly required: boolean
  readonly honorsAffinity: boolean
  readonly honorsTaints: boolean
}

const integerOf = (value: Json | undefined, absent: number): number => (typeof value === 'number' ? value : absent)

function constraintsOf({ spec, labels }: Candidate): Constraint[] {
  const list = spec.topologySpreadConstraints as Json | undefined
  return (isList(list) ? list : []).filter(isObject).map((one: JsonObject) => {
    const selector = selectorOf(member(one, 'labelSelector'))
    return {
      key: String(member(one, 'topologyKey') ?? ''),
      maxSkew: integerOf(member(one, 'maxSkew'), 1),
      minDomains: integerOf(member(one, 'minDomains'), 1),
      selector: selector && withOwnLabels(selector, textsOf(member(one, 'matchLabelKeys')), labels),
      required: member(one, 'whenUnsatisfiable') !== 'ScheduleAnyway',
      honorsAffinity: member(one, 'nodeAffinityPolicy') !== 'Ignore',
      honorsTaints: member(one, 'nodeTaintsPolicy') === 'Honor',
    }
  })
}

/** Pods of a constraint in each domain: only nodes that the pod could be on count, and that have every key. */
function podsInDomains(
  constraint: Constraint,
  pod: Candidate,
  of: { nodes: readonly KubeNode[]; placed: readonly Placed[]; keys: readonly string[] },
): Map<string, number> {
  const counts = new Map<string, number>()
  const counted = new Set<string>()
  for (const node of of.nodes) {
    if (of.keys.some((key) => nodeLabel(node, key) === undefined)) continue
    if (constraint.honorsAffinity && !selects(node, pod.spec)) continue
    if (constraint.honorsTaints && !toleratesAll(node, pod.spec)) continue
    counted.add(node.meta.name)
    counts.set(nodeLabel(node, constraint.key) ?? '', 0)
  }
  const { selector } = constraint
  const isMeant = oncePerLabels((other) => selector !== undefined && selectorMatches(selector, other.labels))
  for (const other of of.placed) {
    if (other.namespace !== pod.namespace || other.terminating || !counted.has(other.node.meta.name)) continue
    if (!isMeant(other)) continue
    const domain = nodeLabel(other.node, constraint.key) ?? ''
    counts.set(domain, (counts.get(domain) ?? 0) + 1)
  }
  return counts
}

/**
 * Which nodes topology spread constraints let a pod onto, and what the soft ones cost there: the number of pods in the
 * node's domain (pkg/scheduler/framework/plugins/podtopologyspread filtering.go, scoring.go).
 */
export function spreading(
  pod: Candidate,
  nodes: readonly KubeNode[],
  placed: readonly Placed[],
): { allows: (node: KubeNode) => boolean; cost: (node: KubeNode) => number } {
  const constraints = constraintsOf(pod)
  const hard = constraints.filter(({ required }) => required)
  const keys = hard.map(({ key }) => key)
  const bounds = hard.map((constraint) => {
    const counts = podsInDomains(constraint, pod, { nodes, placed, keys })
    const least = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values())
    const own = constraint.selector !== undefined && selectorMatches(constraint.selector, pod.labels) ? 1 : 0
    return { constraint, counts, room: constraint.maxSkew + least - own }
  })
  const soft = constraints
    .filter(({ required }) => !required)
    .map((constraint) => ({
      constraint,
      counts: podsInDomains(constraint, pod, { nodes, placed, keys: [constraint.key] }),
    }))
  return {
    allows: (node) =>
      bounds.every(({ constraint, counts, room }) => {
        const domain = nodeLabel(node, constraint.key)
        return domain !== undefined && (counts.get(domain) ?? 0) <= room
      }),
    // A node without the key is the last choice.
    cost: (node) =>
      soft.reduce((sum, { constraint, counts }) => {
        const domain = nodeLabel(node, constraint.key)
        return sum + (domain === undefined ? placed.length + 1 : (counts.get(domain) ?? 0))
      }, 0),
  }
}
