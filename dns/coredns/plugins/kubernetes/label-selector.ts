import type { LabelExpression, LabelSelector } from '../../../../cluster/objects.ts'
import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'

/** Reads `a=b,tier in (x, y),!legacy` (k8s.io/apimachinery pkg/labels ParseToLabelSelector). */
export function parseLabelSelector(text: string): Parsed<LabelSelector> {
  const expressions: LabelExpression[] = []
  const words: readonly string[] = text.match(/==|!=|[(),=!]|[^\s(),=!]+/g) ?? []
  let at = 0
  const couldNot = (why: string) =>
    refused(`couldn't parse the selector string "${text}": unable to parse requirement: ${why}`)
  while (at < words.length) {
    const negated = words[at] === '!'
    if (negated) at++
    const key = words[at++]
    if (key === undefined || /^[(),=!]+$/.test(key)) return couldNot(`found '${key ?? ''}', expected: identifier`)
    const operator = words[at]
    if (operator === undefined || operator === ',') {
      expressions.push({ key, operator: negated ? 'DoesNotExist' : 'Exists', values: [] })
    } else if (operator === '=' || operator === '==' || operator === '!=') {
      const value = words[at + 1]
      const empty = value === undefined || value === ','
      at += empty ? 1 : 2
      expressions.push({ key, operator: operator === '!=' ? 'NotIn' : 'In', values: [empty ? '' : value] })
    } else if (operator === 'in' || operator === 'notin') {
      const end = words.indexOf(')', at)
      if (words[at + 1] !== '(' || end < 0) return couldNot(`found '${words[at + 1] ?? ''}' expected: '('`)
      const values = words.slice(at + 2, end).filter((word) => word !== ',')
      expressions.push({ key, operator: operator === 'in' ? 'In' : 'NotIn', values })
      at = end + 1
    } else return couldNot(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`)
    if (at < words.length && words[at] !== ',')
      return couldNot(`found '${words[at]}', expected: ',' or 'end of string'`)
    at++
  }
  return parsed({ matchLabels: {}, matchExpressions: expressions })
}
