import { describe, expect, it } from 'vitest'
import type { LabelExpression } from './objects.ts'
import { formatSelector, labelsMatch, selectorMatches } from './selector.ts'

const is = (operator: LabelExpression['operator'], key: string, ...values: string[]) => ({
  matchLabels: {},
  matchExpressions: [{ key, operator, values }],
})

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'a' }
  it.each([
    ['an empty one matches everything', { matchLabels: {}, matchExpressions: [] }, true],
    ['labels', { matchLabels: { app: 'web' }, matchExpressions: [] }, true],
    ['a label that differs', { matchLabels: { app: 'db' }, matchExpressions: [] }, false],
    ['a label that is missing', { matchLabels: { zone: '' }, matchExpressions: [] }, false],
    ['all labels must match', { matchLabels: { app: 'web', tier: 'b' }, matchExpressions: [] }, false],
    ['In', is('In', 'tier', 'a', 'b'), true],
    ['In without the value', is('In', 'tier', 'b'), false],
    ['In without the key', is('In', 'zone', 'a'), false],
    ['In nothing', is('In', 'tier'), false],
    ['NotIn', is('NotIn', 'tier', 'b'), true],
    ['NotIn with the value', is('NotIn', 'tier', 'a'), false],
    ['NotIn without the key', is('NotIn', 'zone', 'a'), true],
    ['Exists', is('Exists', 'app'), true],
    ['Exists without the key', is('Exists', 'zone'), false],
    ['DoesNotExist', is('DoesNotExist', 'zone'), true],
    ['DoesNotExist with the key', is('DoesNotExist', 'app'), false],
    [
      'labels and expressions',
      { matchLabels: { app: 'web' }, ...{ matchExpressions: is('In', 'tier', 'b').matchExpressions } },
      false,
    ],
    ['names of every object are no labels', is('Exists', 'constructor'), false],
    ['nor is __proto__', is('DoesNotExist', '__proto__'), true],
  ] as const)('%s', (_, selector, matches) => expect(selectorMatches(selector, labels)).toBe(matches))

  it('a Service selects by labels alone', () => {
    expect(labelsMatch({ app: 'web' }, labels)).toBe(true)
    expect(labelsMatch({ toString: 'x' }, labels)).toBe(false)
  })

  it.each([
    [{ matchLabels: {}, matchExpressions: [] }, '<everything>'],
    [{ matchLabels: { app: 'x' }, matchExpressions: [] }, 'app=x'],
    [is('In', 't', 'a', 'b'), 't in (a,b)'],
    [is('NotIn', 't', 'a'), 't notin (a)'],
    [is('Exists', 't'), 't'],
    [is('DoesNotExist', 't'), '!t'],
  ] as const)('%j prints as %s', (selector, text) => expect(formatSelector(selector)).toBe(text))
})
