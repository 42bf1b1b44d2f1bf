import { isList, isObject, type Json, member } from '../input/json-value.ts'
import type { KubeNode, LabelExpression, LabelSelector, Labels, Namespace, PodSpec } from '../objects.ts'
import { selectorMatches } from '../selector.ts'

/** A pod as the scheduler sees it: what it wants, and the labels by which other pods look for it. */
export interface Candidate {
  readonly namespace: string
  readonly labels: Labels
  readonly spec: PodSpec
  /** What made it: pods of one owner are spread. */
  readonly owner: string
  readonly terminating: boolean
}

/** A pod that is on its node. */
export interface Placed extends Candidate {
  readonly node: KubeNode
}

/** A label selector in a part of a spec that is kept as it stands. Absent, it selects nothing. */
export function selectorOf(value: Json | undefined): LabelSelector | undefined {
  if (!isObject(value)) return undefined
  const labels = member(value, 'matchLabels')
  const expressions = member(value, 'matchExpressions')
  return {
    matchLabels: isObject(labels)
      ? Object.fromEntries(Object.entries(labels).map(([key, label]) => [key, String(label)]))
      : {},
    matchExpressions: (isList(expressions) ? expressions : []).filter(isObject).map((one): LabelExpression => {
      const operator = member(one, 'operator')
      return {
        key: String(member(one, 'key') ?? ''),
        operator: operator === 'NotIn' || operator === 'Exists' || operator === 'DoesNotExist' ? operator : 'In',
        values: textsOf(member(one, 'values')),
      }
    }),
  }
}

export const textsOf = (value: Json | undefined): string[] => (isList(value) ? value : []).map(String)

/**
 * The labels of which a pod asks for its own values too (`matchLabelKeys`): those that it has. They are kept apart from
 * the selector that they extend, so that pods of one template, each with its own values, ask one question.
 */
export interface OwnLabels {
  readonly keys: readonly string[]
  /** The pod's own values of the keys. */
  readonly values: string
}

export function ownLabels(keys: readonly string[], labels: Labels): OwnLabels {
  if (keys.length === 0) return NO_OWN_LABELS
  const present = keys.filter((key) => Object.hasOwn(labels, key))
  return { keys: present, values: valuesOf(labels, present) ?? '' }
}

const NO_OWN_LABELS: OwnLabels = { keys: [], values: '' }

/** The values of some labels as one text; undefined where one of them is missing. */
export function valuesOf(labels: Labels, keys: readonly string[]): string | undefined {
  if (keys.length === 0) return ''
  return keys.every((key) => Object.hasOwn(labels, key)) ? JSON.stringify(keys.map((key) => labels[key])) : undefined
}

/** The names of the namespaces that a selector selects. */
export const namespacesSelected = (namespaces: readonly Namespace[], selector: LabelSelector): readonly string[] =>
  namespaces.filter(({ meta }) => selectorMatches(selector, meta.labels)).map(({ meta }) => meta.name)
