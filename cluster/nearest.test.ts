import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from './nearest.ts'

describe('the word that was meant', () => {
  it.each([
    ['flanel', 'flannel'],
    ['FLANNEL', 'flannel'],
    ['clico', 'calico'],
    ['caliCo', 'calico'],
    ['kindent', 'kindnet'],
    ['x', undefined],
    ['something', undefined],
  ])('%s: %s', (word, meant) => expect(nearest(word, ['flannel', 'calico', 'kindnet'])).toBe(meant))

  it('of two that are as near the first by name', () => expect(nearest('aab', ['aad', 'aac'])).toBe('aac'))

  it.each([
    ['', '', 0],
    ['a', '', 1],
    ['abc', 'acb', 1],
    ['abc', 'abd', 1],
    ['kitten', 'sitting', 3],
  ])('%s to %s: %d', (x, y, distance) => expect(editDistance(x, y)).toBe(distance))
})
