import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml'
import { plainScalar } from './yaml-scalar.ts'
import { parseYaml, plainValue } from './yaml-tree.ts'

/** What the `yaml` package makes of a text, its plain scalars read as kubectl reads them. */
function second(text: string): unknown {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    schema: 'failsafe',
    merge: false,
    uniqueKeys: false,
    logLevel: 'silent',
  })
  if (!Array.isArray(documents)) return []
  if (documents.some(({ errors }) => errors.length > 0)) return 'refused'
  try {
    return documents.map((document) => nodeValue(document.contents, document)).filter((value) => value !== null)
  } catch {
    return 'refused'
  }
}

function nodeValue(node: Node | null | undefined | unknown, document: Document.Parsed | Document): unknown {
  if (isAlias(node)) {
    const target = node.resolve(document as Document)
    if (target === undefined) throw new Error('unknown alias')
    return nodeValue(target, document)
  }
  if (isScalar(node))
    return node.type === 'PLAIN' && node.tag === undefined ? plainScalar(node.source ?? '') : node.value
  if (isSeq(node)) return node.items.map((item) => nodeValue(item, document))
  if (isMap(node))
    return Object.fromEntries(
      node.items.map(({ key, value }) => [String(nodeValue(key, document)), nodeValue(value, document)]),
    )
  return null
}

function ours(text: string): unknown {
  const { documents, problems } = parseYaml(text)
  return problems.some(({ code }) => code !== 'yaml-duplicate-key') ? 'refused' : documents.map(plainValue)
}

const LINES = [
  'a:',
  'b: 1',
  'c: x',
  'd: |',
  'e: |-',
  'f: |+',
  'g: |2',
  'h: >',
  'i: >-',
  'j: "x"',
  'k: "x',
  'y"',
  "l: 'it''s'",
  "m: 'x",
  'n: {}',
  'o: []',
  'p: {a: 1, b: [c, d]}',
  'q: &x y',
  'r: *x',
  's: !!str 1',
  '# c',
  't: k # c',
  'u: k #',
  'text',
  'more text',
  'v:  x',
  'w: x ',
  '',
  'on: on',
  '0x10: 1',
  '"q": 1',
  'A: b: c',
  'x:y',
  'B: a\\n',
  'C: "a\\n\\u00e9\\x41"',
  'D: -',
  'E: -1',
  'F: - 1',
  'G: ?',
  'H: :x',
  'I: x:',
  'J: é',
  'K: 😀',
  '~: x',
  'L: [a,',
  'b]',
  'M: {a: b,',
  'c: d}',
  'N: !custom v',
  '- &n {a: 1}',
  '- *n',
  'O: 0777',
  'P: 1_000',
  'Q: 12e4567',
  'R: 1e57',
  'S: ~',
  'T: .inf',
  'U: 2026-11-21',
]

describe('js-yaml and the yaml package', () => {
  it('agree on documents of any lines, in what they read and in what they refuse', () => {
    const line = fc.tuple(
      fc.constantFrom('', '', '  ', '    ', ' '),
      fc.constantFrom('', '', '- ', '- - ', '-'),
      fc.constantFrom(...LINES),
    )
    const text = fc
      .tuple(
        fc.array(
          line.map((parts) => parts.join('')),
          { minLength: 1, maxLength: 6 },
        ),
        fc.constantFrom('\n', '\n---\n', '\n...\n'),
        fc.boolean(),
      )
      .map(([lines, end, twice]) => lines.join('\n') + end + (twice ? `z: 1\n` : ''))
    let read = 0
    fc.assert(
      fc.property(text, (one) => {
        const value = ours(one)
        if (value !== 'refused') read++
        expect({ one, value: JSON.stringify(second(one)) }).toEqual({ one, value: JSON.stringify(value) })
      }),
      { numRuns: Number(process.env.PODWALK_FUZZ_RUNS ?? 4000), seed: Number(process.env.PODWALK_FUZZ_SEED ?? 1) },
    )
    expect(read).toBeGreaterThan(200)
  })

  it.each([
    ['a marker that is indented and stands first: js-yaml takes it for a marker', ' ---\n', [], ['---']],
    ['a list behind a key said with ?: js-yaml refuses it', '? k\n- y\n', 'refused', [{ k: null }]],
  ])('differ in %s', (_, text, mine, theirs) => {
    expect(ours(text)).toEqual(mine)
    expect(second(text)).toEqual(theirs)
  })
})
