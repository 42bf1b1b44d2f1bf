import fc from 'fast-check'
import { dump } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { Diagnostic } from '../source.ts'
import { memorySource } from './byte-source.ts'
import type { Item } from './item.ts'
import { readItems } from './read-items.ts'

function read(bytes: Uint8Array, firstPiece?: number) {
  const items: Item[] = []
  const told: Diagnostic[] = []
  const more: unknown[] = []
  const result = readItems(
    { name: 'f', source: memorySource(bytes), ...(firstPiece === undefined ? {} : { firstPiece }) },
    {
      item: (item) => items.push(item),
      diagnose: (diagnostic) => told.push(diagnostic),
      wants: ({ kind }) => kind !== 'Secret' && kind !== 'Event',
      unread: (item) => more.push(item),
      emptyList: (list, at) => more.push({ ...list, at }),
      log: (name, at) => more.push({ name, at }),
    },
  )
  return { items, told, more, result }
}

const encoder = new TextEncoder()
const NUM_RUNS = Number(process.env.PODWALK_FUZZ_RUNS ?? 600)

const anyText = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.lorem({ maxCount: 20 }),
)
const object = fc.record({
  apiVersion: fc.constantFrom('v1', 'apps/v1'),
  kind: fc.constantFrom('Pod', 'Secret', 'Event', 'Widget', 'PodList'),
  data: fc.oneof(
    anyText,
    fc.array(anyText, { maxLength: 3 }),
    fc.dictionary(anyText, anyText, { maxKeys: 3 }),
    fc.constant(null),
  ),
})
const bare = fc.record({ metadata: fc.record({ name: anyText }) })
const yaml = (value: unknown) => dump(value, { seqNoIndent: true, noRefs: true, lineWidth: 80 })
const kyaml = (items: readonly unknown[]) =>
  `---\n{\n  apiVersion: "v1",\n  items: [${items.map((item) => JSON.stringify(item).replace('"kind":', 'kind: ')).join(', # c {"\n')},],\n  kind: "List",\n}\n`
const log = (text: string) =>
  `==== START logs for container c of pod x/y ====\n${text}\n==== END logs for container c of pod x/y ====\n`

/** Documents of every form. */
const document = fc
  .tuple(fc.array(object, { maxLength: 4 }), fc.array(bare, { maxLength: 3 }), anyText, fc.nat(12))
  .map(([items, bares, text, form]) => {
    const list = { apiVersion: 'v1', items, kind: 'List' }
    switch (form) {
      case 0:
        return JSON.stringify(list)
      case 1:
        return JSON.stringify(list, undefined, 4)
      case 2:
        return JSON.stringify({ kind: 'PodList', items: bares })
      case 3:
        return JSON.stringify({ items: bares, kind: 'PodList' }, undefined, 2)
      case 4:
        return items.map((item) => JSON.stringify(item)).join('\n')
      case 5:
        return yaml(list)
      case 6:
        return items.map(yaml).join('---\n')
      case 7:
        return yaml({ apiVersion: 'v1', items: bares, kind: 'PodList' })
      case 8:
        return kyaml(items)
      case 9:
        return `${JSON.stringify(items)}\n${log(text)}`
      case 10:
        return dump(list, { flowLevel: 2, noRefs: true })
      case 11:
        return `${yaml(list).replace('items:', 'items: # of them\n\n# more')}...\n`
      default:
        return `# ${text.replaceAll(/\s/g, ' ')}\n%YAML 1.1\n---\n${items.map(yaml).join('--- # next\n')}`
    }
  })

const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\n',
  '- ',
  '---\n',
  '#',
  '\\',
  '&a ',
  '*a',
  'kind: List\n',
  'items:\n',
  '\u001e',
  '==== END logs for container ',
  '==== START logs for container ',
]

/** Some documents behind each other, with some bytes broken. */
const input = fc
  .tuple(
    fc.array(document, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('\n', '\n---\n', ''),
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), fc.constantFrom(...TOKENS)), {
      maxLength: 2,
    }),
  )
  .map(([documents, between, damages]) => {
    let text = documents.join(between)
    for (const [where, cut, token] of damages) {
      const at = Math.floor(where * text.length)
      text = text.slice(0, at) + token + text.slice(at + cut)
    }
    return encoder.encode(text)
  })

describe('what is read does not depend on where the pieces of a file end', () => {
  it('whole or in pieces, broken or not', () => {
    fc.assert(
      fc.property(input, fc.integer({ min: 1, max: 400 }), (bytes, firstPiece) => {
        expect(read(bytes, firstPiece)).toEqual(read(bytes, bytes.length + 1))
      }),
      { numRuns: NUM_RUNS },
    )
  })

  it('an unbroken file has no errors but those of its texts, and every object of it is found', () => {
    fc.assert(
      fc.property(
        fc.array(object, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 400 }),
        (items, firstPiece) => {
          const plain = items.map((item) => ({ ...item, kind: item.kind.replace('List', '') }))
          for (const text of [
            JSON.stringify({ apiVersion: 'v1', items: plain, kind: 'List' }, undefined, 4),
            JSON.stringify({ kind: 'List', items: plain }),
            plain.map((item) => JSON.stringify(item)).join('\n'),
            JSON.stringify(plain),
          ]) {
            const { items: found, told, more } = read(encoder.encode(text), firstPiece)
            expect(told).toEqual([])
            expect(JSON.stringify(found.map(({ value }) => value))).toBe(
              JSON.stringify(plain.filter(({ kind }) => kind !== 'Secret' && kind !== 'Event')),
            )
            expect(found.length + more.length).toBe(plain.length)
          }
        },
      ),
      { numRuns: NUM_RUNS / 2 },
    )
  })
})

describe('an item can be read again from its bytes', () => {
  it('its span holds it and nothing else', () => {
    fc.assert(
      fc.property(input, (bytes) => {
        for (const { at, value, kind } of read(bytes).items) {
          const own = bytes.slice(at.offset, at.offset + at.length)
          const text = new TextDecoder().decode(own).replace(/^( *)-(?=\s)/, '$1 ')
          const again = read(encoder.encode(text))
          // An alias of the rest of the file means nothing alone, and the kind of a typed list's items is not in them.
          if (again.told.length > 0 || value.kind !== kind || again.items.length !== 1) continue
          expect(again.items.map((item) => item.value)).toEqual([value])
        }
      }),
      { numRuns: NUM_RUNS },
    )
  })
})

it.each([
  ['a bare marker at the very end', '{"kind": "A"}\n---', 'json'],
  ['one with a comment', '{"kind": "A"}\n---  # end\n{"kind": "B"}\n', 'json'],
  ['one with blanks and no line feed', '{"kind": "A"}\n---  ', 'json'],
])('%s behind JSON leaves the form alone', (_, text, form) => expect(read(encoder.encode(text)).result.form).toBe(form))
