import fc from 'fast-check'
import { dump } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import { parseBlock } from './yaml-block.ts'
import { parseYaml, plainValue } from './yaml-tree.ts'

/** What the slow parser makes of a text; undefined where it has anything to say against it. */
function slowly(text: string): unknown {
  const { documents, problems } = parseYaml(text)
  const [only, ...more] = documents
  return only === undefined || more.length > 0 || problems.length > 0 ? undefined : plainValue(only)
}

const NUM_RUNS = Number(process.env.PODWALK_FUZZ_RUNS ?? 1500)

describe('what the fast parser reads, js-yaml reads the same', () => {
  const scalarText = fc.oneof(
    fc.constantFrom(
      '',
      'a',
      'on',
      'Yes',
      '~',
      'null',
      '0777',
      '0x1F',
      '1_000',
      '12e4567',
      '1e3',
      '.5',
      '-',
      '- x',
      '-1',
      '+.inf',
      '.nan',
      '2026-11-21T10:00:00Z',
      'a: b',
      'a:b',
      'a #b',
      'a#b',
      '#a',
      ' a',
      'a ',
      "it's",
      '"q"',
      "''",
      '\\',
      'a\\b',
      'é',
      '日本',
      '😀',
      '\t',
      'a\tb',
      '{}',
      '[]',
      '{a',
      '[a',
      '*a',
      '&a',
      '!a',
      '%a',
      '@a',
      '`a',
      '|',
      '>',
      '?',
      '? a',
      ':',
      ':a',
      'a:',
      ',',
      '<<',
      '=',
      '---',
      '...',
      '\u0085',
      '\u2028',
      '\ufeff',
      '\u00a0',
      '10.96.0.1',
      '1.36.3',
      '1:20',
      '0b11',
      '0o7',
      '08',
      '1e57',
    ),
    fc.string({ maxLength: 12 }),
    fc.lorem({ maxCount: 40 }),
    fc
      .array(fc.constantFrom('', 'line', '  indented', '- dash', 'key: value', '# hash', '\ttab', '---'), {
        maxLength: 5,
      })
      .map((lines) => lines.join('\n')),
  )
  const key = fc.oneof(
    fc.constantFrom(
      'a',
      'kind',
      'app.kubernetes.io/name',
      'on',
      '8080',
      '0x10',
      'a b',
      '',
      '"',
      '-',
      '- a',
      '<<',
      '?',
      '~',
      '__proto__',
      'constructor',
      'x:y',
      'null',
      '1.5',
      'a-b_c',
    ),
    fc.string({ maxLength: 6 }),
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      { weight: 4, arbitrary: scalarText },
      {
        weight: 1,
        arbitrary: fc.oneof(
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
        ),
      },
      { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 4 }) },
      { weight: 3, arbitrary: fc.dictionary(key, tie('value'), { maxKeys: 4 }) },
    ),
  }))

  it('of anything written as kubectl writes it', () => {
    let read = 0
    fc.assert(
      fc.property(fc.dictionary(key, value, { minKeys: 1, maxKeys: 5 }), fc.boolean(), (object, seqNoIndent) => {
        const text = dump(object, { seqNoIndent, lineWidth: 80, noRefs: true })
        const fast = parseBlock(text)
        if (fast === undefined) return
        read++
        expect(fast).toEqual(slowly(text))
      }),
      { numRuns: NUM_RUNS },
    )
    expect(read).toBeGreaterThan(NUM_RUNS / 60)
  })

  const line = fc.tuple(
    fc.constantFrom('', '  ', '    ', '   ', ' ', '      '),
    fc.constantFrom('', '', '- ', '- - ', '-', '-  ', '? ', 'a: - '),
    fc.oneof(
      fc.constantFrom(
        'a:',
        'b: 1',
        'a: x',
        'c: |',
        'c: |-',
        'c: |+',
        'c: |2',
        'd: >',
        'e: "x"',
        'e: "x',
        'y"',
        "f: 'it''s'",
        "f: 'x",
        'g: {}',
        'g: []',
        'g: {a: 1}',
        'h: &x y',
        'h: *x',
        'i: !!str 1',
        '# c',
        'j: k # c',
        'j: k #',
        'text',
        'more text',
        'k:  x',
        'k: x ',
        '---',
        '...',
        '',
        'on: on',
        '0x10: 1',
        '"q": 1',
        'a: b: c',
        'x:y',
        'l: a\\n',
        'm: "a\\n\\u00e9\\x41"',
        '<<: {a: 1}',
        'a:\tb',
        'n: -',
        'n: -1',
        'n: - 1',
        'o: ?',
        'p: :x',
        'q: x:',
        'r: é',
        's: 😀',
        't: \u0001',
        '~: x',
        'u: "\\ud83d\\ude00"',
      ),
      scalarText.map((text) => text.replaceAll('\n', ' ')),
      fc.tuple(key, scalarText).map(([name, text]) => `${name}: ${text}`.replaceAll('\n', ' ')),
    ),
  )
  const lines = fc.array(
    line.map((parts) => parts.join('')),
    { minLength: 1, maxLength: 9 },
  )

  it('of any lines whatever', () => {
    let read = 0
    fc.assert(
      fc.property(lines, fc.constantFrom('', '\n', '\n\n', '\r\n'), (all, end) => {
        const text = all.join('\n') + end
        const fast = parseBlock(text)
        if (fast === undefined) return
        read++
        expect({ text, value: fast }).toEqual({ text, value: slowly(text) })
      }),
      { numRuns: NUM_RUNS * 10 },
    )
    expect(read).toBeGreaterThan(NUM_RUNS / 20)
  })
})

describe('reads what kubectl prints without help', () => {
  it.each([
    ['a mapping', 'a: 1\nb: x\n', { a: 1, b: 'x' }],
    ['lists at the indent of their key', 'a:\n- 1\n- b: 2\n  c: 3\nd: x\n', { a: [1, { b: 2, c: 3 }], d: 'x' }],
    ['lists deeper than their key', 'a:\n  - 1\n  - - 2\n    - 3\n', { a: [1, [2, 3]] }],
    ['nothing', 'a:\nb: null\nc: {}\nd: []\n', { a: null, b: null, c: {}, d: [] }],
    ['quoted texts', `a: "x: \\"y\\"\\n"\nb: 'it''s'\nc: "10"\n`, { a: 'x: "y"\n', b: "it's", c: '10' }],
    ['a folded plain text', 'a: one\n  two three\n  four\nb: 1\n', { a: 'one two three four', b: 1 }],
    [
      'literal blocks',
      'a: |\n  x\n    y\n\n  z\nb: |-\n  x\nc: |+\n  x\n\nd: 1\n',
      { a: 'x\n  y\n\nz\n', b: 'x', c: 'x\n\n', d: 1 },
    ],
    ['a literal block at the end', 'a: |\n  x\n', { a: 'x\n' }],
    ['a literal block at the end that keeps its line feeds', 'a: |+\n  x\n\n', { a: 'x\n\n' }],
    ['an item without its dash', '  a: 1\n  b:\n  - c\n', { a: 1, b: ['c'] }],
    [
      'keys with dots and slashes',
      'app.kubernetes.io/name: x\nf:metadata: {}\n',
      { 'app.kubernetes.io/name': 'x', 'f:metadata': {} },
    ],
    ['keys that are no texts', 'on: 1\n0x10: 2\n', { true: 1, 16: 2 }],
    ['colons and hashes inside words', 'a: x:y#z\nb: http://h:80/#f\n', { a: 'x:y#z', b: 'http://h:80/#f' }],
    ['texts of other scripts', 'a: é ü 日本\n', { a: 'é ü 日本' }],
  ])('%s', (_, text, expected) => {
    expect(parseBlock(text)).toEqual(expected)
    expect(slowly(text)).toEqual(expected)
  })
})

describe('is not sure of', () => {
  it.each([
    ['comments', 'a: 1\n# c\nb: 2\n'],
    ['a key that stands twice', 'a: 1\na: 2\n'],
    ['__proto__', '__proto__: 1\n'],
    ['anchors', 'a: &x 1\nb: *x\n'],
    ['merge keys', '<<: {a: 1}\n'],
    ['tags', 'a: !!str 1\n'],
    ['brackets', 'a: {b: 1}\n'],
    ['folded blocks', 'a: >\n  x\n'],
    ['said indentation', 'a: |2\n    x\n'],
    ['texts in quotes over lines', 'a: "x\n  y"\n'],
    ['carriage returns', 'a: 1\r\n'],
    ['tabs', 'a:\t1\n'],
    ['a control character', 'a: \u0001\n'],
    ['a half surrogate pair', 'a: \ud800\n'],
    ['a text only', 'x\n'],
    ['two documents', 'a: 1\n---\nb: 2\n'],
    ['wrong indents', 'a:\n    b: 1\n  c: 2\n'],
    ['nesting without an end', `${Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')}`],
  ])('%s', (_, text) => expect(parseBlock(text)).toBeUndefined())
})
