import type { LabelExpression, LabelSelector, Labels } from './objects.ts'

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined

/** A Service's selector: all of its labels, literally. An empty selector matches everything. */
export const labelsMatch = (selector: Labels, labels: Labels): boolean =>
  Object.keys(selector).every((key) => labelOf(labels, key) === selector[key])

/**
 * A label selector of the API: labels and expressions, all of which must hold. An empty one matches everything. NotIn
 * and DoesNotExist match an object that lacks the key (k8s.io/apimachinery pkg/labels/selector.go).
 */
export const selectorMatches = (selector: LabelSelector, labels: Labels): boolean =>
  labelsMatch(selector.matchLabels, labels) &&
  selector.matchExpressions.every((expression) => expressionMatches(expression, labels))

export function expressionMatches(expression: LabelExpression, labels: Labels): boolean {
  const value = labelOf(labels, expression.key)
  switch (expression.operator) {
    case 'In':
      return value !== undefined && expression.values.includes(value)
    case 'NotIn':
      return value === undefined || !expression.values.includes(value)
    case 'Exists':
      return value !== undefined
    default:
      return value === undefined
  }
}

/** A selector in the form that kubectl prints and takes: `app=x,tier in (a,b),!legacy`; `<everything>` if empty. */
export function formatSelector(selector: LabelSelector): string {
  const parts = [
    ...Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`),
    ...selector.matchExpressions.map(formatExpression),
  ]
  return parts.length === 0 ? '<everything>' : parts.join(',')
}

function formatExpression({ key, operator, values }: LabelExpression): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.join(',')})`
    case 'NotIn':
      return `${key} notin (${values.join(',')})`
    case 'Exists':
      return key
    default:
      return `!${key}`
  }
}
