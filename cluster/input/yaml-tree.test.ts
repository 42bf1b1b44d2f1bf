import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseYaml, plainValue, type YamlNode } from './yaml-tree.ts'

const read = (text: string) => parseYaml(text).documents.map(plainValue)
const problems = (text: string) => parseYaml(text).problems.map(({ code, position }) => `${code}@${position}`)

describe('YAML', () => {
  it.each([
    ['several documents', 'a: 1\n---\nb: 2\n', [{ a: 1 }, { b: 2 }]],
    ['documents without content are left out', '---\n# only a comment\n---\na: 1\n', [{ a: 1 }]],
    ['quoted numbers and booleans are text', 'a: "80"\nb: \'on\'\n', [{ a: '80', b: 'on' }]],
    ['block scalars are text', 'a: |\n  1\n  2\nb: >-\n  x\n  y\n', [{ a: '1\n2\n', b: 'x y' }]],
    ['explicit tags', 'a: !!str 80\nb: ! on\nc: !!int "5"\n', [{ a: '80', b: 'on', c: '5' }]],
    ['anchors and aliases', 'a: &x {k: 1}\nb: *x\n', [{ a: { k: 1 }, b: { k: 1 } }]],
    ['anchored scalars', 'a: &x 5\nb: *x\n', [{ a: 5, b: 5 }]],
    [
      'merge keys give what the mapping lacks',
      'a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n',
      [{ a: { k: 1, l: 2 }, b: { k: 3, l: 2 } }],
    ],
    [
      'merge keys take lists, the first wins',
      'a: [&x {k: 1}, &y {k: 2, l: 2}]\nb: {<<: [*x, *y]}\n',
      [{ a: [{ k: 1 }, { k: 2, l: 2 }], b: { k: 1, l: 2 } }],
    ],
    ['keys become text', 'on: 1\n5: 2\n', [{ true: 1, 5: 2 }]],
    ['an empty value is null', 'a:\nb: 1\n', [{ a: null, b: 1 }]],
    [
      'flow style with comments and trailing commas',
      '{a: [1, 2,], # c\n b: {c: "d",},}',
      [{ a: [1, 2], b: { c: 'd' } }],
    ],
  ])('%s', (_, text, values) => expect(read(text)).toEqual(values))

  it('keeps __proto__ as a key like any other', () => {
    const [value] = read('__proto__: {polluted: true}\n')
    expect(Object.keys(value as object)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it.each([
    ['a key that stands twice', 'a: 1\nb: 2\na: 3\n', ['yaml-duplicate-key@10']],
    ['a bad indentation', 'a:\n  b: 1\n c: 2\n', ['yaml-syntax@11']],
    ['an alias of nothing', 'a: *nobody\n', ['yaml-syntax@4']],
    ['an alias of an anchor in another document', 'a: &x 1\n---\nb: *x\n', ['yaml-syntax@16']],
    ['a merge of something else', 'b: {<<: 5}\n', ['yaml-syntax@8']],
  ])('%s is a problem with its place', (_, text, expected) => expect(problems(text)).toEqual(expected))

  it('of a key that stands twice the last one counts', () => expect(read('a: 1\na: 3\n')).toEqual([{ a: 3 }]))

  it('stops at aliases that would fill the memory', () => {
    const level = (n: number) =>
      `l${n}: &l${n} [${Array(10)
        .fill(`*l${n - 1}`)
        .join(', ')}]\n`
    const bomb = `l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n${[1, 2, 3, 4, 5, 6, 7, 8].map(level).join('')}`
    const tree = parseYaml(bomb)
    expect(tree.problems.map(({ code }) => code)).toEqual(['yaml-alias-bomb'])
    expect(tree.documents).toEqual([])
  })

  // Keys, values and collections count, those of a list of 999 each time it is meant.
  const expandedTo = (nodes: number): string => {
    const rest = nodes - (1 + 2 + 2 + 999 + 2 + 998 * 1000)
    const xs = (count: number, x: string) => Array(count).fill(x).join(',')
    return `p: [${xs(rest, 'x')}]\na: &a [${xs(999, 'x')}]\nb: [${xs(998, '*a')}]\n`
  }
  it.each([
    ['a million nodes', expandedTo(1_000_000), []],
    ['one more', expandedTo(1_000_001), ['yaml-alias-bomb']],
    ['a million in each document', `${expandedTo(1_000_000)}---\n${expandedTo(1_000_000)}`, []],
  ])('aliases may mean so much: %s', (_, text, expected) =>
    expect(parseYaml(text).problems.map(({ code }) => code)).toEqual(expected),
  )

  it('knows where a flow collection ends', () => {
    const text = '{a: {b: [1, 2], # }\n  }, c: "}"}  # end'
    const [document] = parseYaml(text).documents
    expect(text.slice(document!.start, document!.end)).toBe('{a: {b: [1, 2], # }\n  }, c: "}"}')
    const inner = (document as Extract<YamlNode, { kind: 'map' }>).entries[0]!.value
    expect(text.slice(inner.start, inner.end)).toBe('{b: [1, 2], # }\n  }')
  })

  it('reads JSON as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, noUnicodeString: false } as object), (value) => {
        fc.pre(typeof value === 'object' && value !== null)
        const text = JSON.stringify({ value }, undefined, 1)
        expect(JSON.stringify(read(text)[0])).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })
})
