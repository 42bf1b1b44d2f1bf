import { isList, isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { KubeNode, LabelSelector } from '../objects.ts'
import { selectorMatches } from '../selector.ts'
import { nodeLabel, selects, toleratesAll } from './node-selection.ts'
import { type Candidate, type OwnLabels, ownLabels, type Placed, selectorOf, textsOf, valuesOf } from './placed.ts'
import type { Tally } from './tally.ts'

interface Constraint {
  readonly key: string
  readonly maxSkew: number
  readonly minDomains: number
  readonly selector: LabelSelector | undefined
  /** Labels of which the pod's own values are asked for too. */
  readonly ownKeys: readonly string[]
  readonly required: boolean
  readonly honorsAffinity: boolean
  readonly honorsTaints: boolean
  /** The same for constraints that select the same pods. */
  readonly text: string
}

/** The scheduler's view of who stands where, for constraints on how pods are spread. */
export interface Ground {
  readonly nodes: readonly KubeNode[]
  /** A list that only grows, and its tally. */
  readonly placed: readonly Placed[]
  readonly tally: Tally
}

/** What topology spread constraints say of each node for one pod. */
export interface Spreading {
  readonly allows: (node: KubeNode) => boolean
  readonly cost: (node: KubeNode) => number
}

const integerOf = (value: Json | undefined, absent: number): number => (typeof value === 'number' ? value : absent)

function constraintsOf(list: Json | undefined): Constraint[] {
  return (isList(list) ? list : []).filter(isObject).map((one: JsonObject) => {
    const selector = selectorOf(member(one, 'labelSelector'))
    return {
      key: String(member(one, 'topologyKey') ?? ''),
      maxSkew: integerOf(member(one, 'maxSkew'), 1),
      minDomains: integerOf(member(one, 'minDomains'), 1),
      selector,
      ownKeys: textsOf(member(one, 'matchLabelKeys')),
      required: member(one, 'whenUnsatisfiable') !== 'ScheduleAnyway',
      honorsAffinity: member(one, 'nodeAffinityPolicy') !== 'Ignore',
      honorsTaints: member(one, 'nodeTaintsPolicy') === 'Honor',
      text: JSON.stringify(selector ?? null),
    }
  })
}

/** Pods of a constraint in each domain: only nodes that the pod could be on count, and that have every key. */
function podsInDomains(
  constraint: Constraint,
  pod: Candidate,
  of: Pick<Ground, 'nodes' | 'tally'> & { keys: readonly string[] },
): Map<string, number> {
  const { selector } = constraint
  const own: OwnLabels = ownLabels(constraint.ownKeys, pod.labels)
  const question = `spread in ${pod.namespace} ${constraint.text} by ${JSON.stringify(own.keys)}`
  const onNode = of.tally.count(question, (other) => {
    if (other.namespace !== pod.namespace || other.terminating) return undefined
    if (selector === undefined || !selectorMatches(selector, other.labels)) return undefined
    const values = valuesOf(other.labels, own.keys)
    return values === undefined ? undefined : `${values}\0${other.node.meta.name}`
  })
  const counts = new Map<string, number>()
  for (const node of of.nodes) {
    if (of.keys.some((key) => nodeLabel(node, key) === undefined)) continue
    if (constraint.honorsAffinity && !selects(node, pod.spec)) continue
    if (constraint.honorsTaints && !toleratesAll(node, pod.spec)) continue
    const domain = nodeLabel(node, constraint.key) ?? ''
    counts.set(domain, (counts.get(domain) ?? 0) + (onNode.get(`${own.values}\0${node.meta.name}`) ?? 0))
  }
  return counts
}

/**
 * Which nodes topology spread constraints let a pod onto, and what the soft ones cost there: the number of pods in the
 * node's domain (pkg/scheduler/framework/plugins/podtopologyspread filtering.go, scoring.go).
 */
export function spread({ nodes, placed, tally }: Ground): (pod: Candidate) => Spreading {
  // Pods of one template share their constraints, which are read once.
  const known = new Map<unknown, readonly Constraint[]>()
  const read = (list: Json | undefined): readonly Constraint[] => {
    const constraints = known.get(list) ?? constraintsOf(list)
    known.set(list, constraints)
    return constraints
  }
  return (pod) => {
    const constraints = read(pod.spec.topologySpreadConstraints as Json | undefined)
    const hard = constraints.filter(({ required }) => required)
    const keys = hard.map(({ key }) => key)
    const bounds = hard.map((constraint) => {
      const counts = podsInDomains(constraint, pod, { nodes, tally, keys })
      const least = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values())
      const own = constraint.selector !== undefined && selectorMatches(constraint.selector, pod.labels) ? 1 : 0
      return { constraint, counts, room: constraint.maxSkew + least - own }
    })
    const soft = constraints
      .filter(({ required }) => !required)
      .map((constraint) => ({
        constraint,
        counts: podsInDomains(constraint, pod, { nodes, tally, keys: [constraint.key] }),
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
}
