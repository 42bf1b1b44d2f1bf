import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { align } from './align.ts'

const shown = (...texts: readonly string[]): readonly string[] =>
  align(
    texts.map((text) => [...text]),
    (item) => item,
  ).map(({ item, of }) => `${item}${of.join('')}`)

describe('what all have in common stands once', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['alike', ['abc', 'abc'], ['a01', 'b01', 'c01']],
    ['one line more', ['ac', 'abc'], ['a01', 'b1', 'c01']],
    ['one line less', ['abc', 'ac'], ['a01', 'b0', 'c01']],
    ['another line', ['axc', 'ayc'], ['a01', 'x0', 'y1', 'c01']],
    ['three, the third like the first', ['axc', 'ayc', 'axc'], ['a012', 'x02', 'y1', 'c012']],
    ['an empty one', ['', 'ab'], ['a1', 'b1']],
    ['nothing in common', ['ab', 'cd'], ['a0', 'b0', 'c1', 'd1']],
  ])('%s', (_, texts, expected) => {
    expect(shown(...texts)).toEqual(expected)
  })
})

test('each text can be read back, in its order', () => {
  const text = fc.array(fc.constantFrom(...'abcd'), { maxLength: 12 })
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), (texts) => {
      const lines = align(texts, (item) => item)
      for (const [index, own] of texts.entries())
        expect(lines.filter(({ of }) => of.includes(index)).map(({ item }) => item)).toEqual(own)
    }),
  )
})
