import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { changed } from './change.ts'
import { GROUPS } from './groups.ts'

const ROOT = join(import.meta.dirname, '..', '..')

describe.each(GROUPS)('sabotage of $name', ({ changes, atLeast }) => {
  it('has as many changes as have to be caught, each by a name of its own', () => {
    expect(changes.length).toBeGreaterThanOrEqual(atLeast)
    expect(new Set(changes.map((one) => one.name)).size).toBe(changes.length)
  })

  it.each(changes)('$name still applies', (one) => {
    expect(changed(readFileSync(join(ROOT, one.file), 'utf8'), one)).toEqual({ text: expect.any(String) })
  })
})

describe('a change', () => {
  const one = { name: 'x', file: 'f.ts', find: 'a', replace: 'b', breaks: 'all' }
  it.each([
    ['', 'x: 0 places in f.ts are like "a"; one is meant'],
    ['a a', 'x: 2 places in f.ts are like "a"; one is meant'],
  ])('that does not stand once in %j is refused', (text, why) => {
    expect(changed(text, one)).toBe(why)
  })

  it('is made as it is written', () => {
    expect(changed('1 a 2', { ...one, replace: '$& $1' })).toEqual({ text: '1 $& $1 2' })
    expect(changed('1 a 2', { ...one, replace: 'a' })).toBe('x: changes nothing')
  })
})
