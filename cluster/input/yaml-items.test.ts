import { describe, expect, it } from 'vitest'
import type { Diagnostic } from '../source.ts'
import { memorySource } from './byte-source.ts'
import type { Item } from './item.ts'
import { readYamlItems } from './yaml-items.ts'

function read(text: string): { items: Item[]; diagnostics: Diagnostic[] } {
  const items: Item[] = []
  const diagnostics: Diagnostic[] = []
  const source = memorySource(new TextEncoder().encode(text))
  readYamlItems(
    { name: 'f.yaml', source },
    { item: (one) => items.push(one), diagnose: (one) => diagnostics.push(one) },
  )
  return { items, diagnostics }
}

const summary = (items: readonly Item[]) =>
  items.map(
    ({ kind, at, value }) => `${kind} ${(value.metadata as { name?: string } | undefined)?.name ?? ''}:${at.line}`,
  )

const LIST = `apiVersion: v1
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: a
    annotations:
      text: |
        - not an item
        ---x
        kind: Wrong
- apiVersion: v1
  kind: Pod
  metadata:
    name: b
kind: List
metadata:
  resourceVersion: ""
`

describe('YAML forms', () => {
  it.each([
    ['one manifest', 'kind: Pod\nmetadata: {name: a}\n', ['Pod a:1']],
    ['many documents', 'kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: b}\n', ['Pod a:1', 'Pod b:4']],
    ['comments before and after', '# Source: x\n---\n# about\nkind: Pod\nmetadata: {name: a}\n# end\n', ['Pod a:4']],
    [
      'content on the line of the marker',
      '--- {kind: Pod, metadata: {name: a}}\n--- # comment\nkind: Pod\nmetadata: {name: b}\n',
      ['Pod a:1', 'Pod b:3'],
    ],
    [
      'a document end',
      'kind: Pod\nmetadata: {name: a}\n...\n---\nkind: Pod\nmetadata: {name: b}\n',
      ['Pod a:1', 'Pod b:5'],
    ],
    ['directives', '%YAML 1.1\n---\nkind: Pod\nmetadata: {name: a}\n', ['Pod a:3']],
    ['a List', LIST, ['Pod a:3', 'Pod b:12']],
    [
      'a List with indented dashes',
      'kind: List\nitems:\n  - kind: Pod\n    metadata: {name: a}\n  - kind: Pod\n    metadata: {name: b}\n',
      ['Pod a:3', 'Pod b:5'],
    ],
    [
      'a List with dashes alone on their line',
      'items:\n-\n  kind: Pod\n  metadata: {name: a}\nkind: List\n',
      ['Pod a:3'],
    ],
    [
      'a List of flow items',
      'items:\n- {kind: Pod, metadata: {name: a}}\n- {kind: Pod, metadata: {name: b}}\nkind: List\n',
      ['Pod a:2', 'Pod b:3'],
    ],
    ['an empty List', 'apiVersion: v1\nitems: []\nkind: List\n', []],
    ['a typed list', 'kind: PodList\napiVersion: v1\nitems:\n- metadata: {name: a}\n', ['Pod a:4']],
    [
      'KYAML',
      '---\n{\n  kind: "List",\n  items: [{\n    kind: "Pod",\n    metadata: { name: "a" },\n  }, {\n    kind: "Pod", # why\n    metadata: { name: "b" },\n  }],\n}\n',
      ['Pod a:4', 'Pod b:7'],
    ],
    ['Windows line ends', LIST.replaceAll('\n', '\r\n'), ['Pod a:3', 'Pod b:12']],
    [
      'aliases across items',
      'items:\n- kind: Pod\n  metadata: &m {name: a}\n- kind: Service\n  metadata: *m\nkind: List\n',
      ['Pod a:2', 'Service a:4'],
    ],
    ['a ConfigMap with a key called items', 'kind: ConfigMap\nmetadata: {name: c}\nitems:\n- x\n', ['ConfigMap c:1']],
    ['no line end at the end', 'kind: Pod\nmetadata: {name: a}', ['Pod a:1']],
  ])('%s', (_, text, expected) => {
    const { items, diagnostics } = read(text)
    expect(diagnostics).toEqual([])
    expect(summary(items)).toEqual(expected)
  })

  it.each([['\n'], ['\r\n']])('a text that looks like a list stays text (line end %j)', (end) => {
    const [item] = read(LIST.replaceAll('\n', end)).items
    const text = '- not an item\n---x\nkind: Wrong\n'
    expect((item!.value.metadata as { annotations: { text: string } }).annotations.text).toBe(text)
  })

  it('knows the bytes of each item, so that it can be read again', () => {
    const text = LIST.replace('name: a', 'name: ä')
    const bytes = new TextEncoder().encode(text)
    for (const { at, value } of read(text).items) {
      const own = new TextDecoder().decode(bytes.subarray(at.offset, at.offset + at.length)).replace(/^- /, '  ')
      expect(read(own).items.map((item) => item.value)).toEqual([value])
    }
  })
})

describe('broken YAML', () => {
  it.each([
    [
      'one broken item of a List',
      LIST.replace('    name: b', '   name: b\n  x'),
      ['Pod a:3'],
      ['yaml-syntax f.yaml:16'],
    ],
    [
      'one broken document',
      'kind: Pod\nmetadata: {name: a}\n---\nkind: [Pod\n---\nkind: Pod\nmetadata: {name: c}\n',
      ['Pod a:1', 'Pod c:6'],
      ['yaml-syntax f.yaml:4'],
    ],
    [
      'a List cut off between items',
      LIST.slice(0, LIST.indexOf('kind: List')),
      ['Pod a:3'],
      ['input-cut-off f.yaml:12'],
    ],
    [
      'a List cut off behind its items',
      LIST.slice(0, LIST.indexOf('ind: List')),
      ['Pod a:3', 'Pod b:12'],
      ['input-cut-off f.yaml:16'],
    ],
    [
      'a List cut off in its kind',
      LIST.slice(0, LIST.indexOf('st\nmetadata')),
      ['Pod a:3', 'Pod b:12'],
      ['input-cut-off f.yaml:16'],
    ],
    [
      'a List cut off inside a value',
      LIST.slice(0, LIST.indexOf('name: b') + 2),
      ['Pod a:3'],
      ['input-cut-off f.yaml:12'],
    ],
    ['a document that is only text', 'hello world\n', [], ['item-not-object f.yaml:1']],
    [
      'a key that stands twice',
      'kind: Pod\nmetadata: {name: a}\nkind: Pod\n',
      ['Pod a:1'],
      ['yaml-duplicate-key f.yaml:3'],
    ],
    ['tabs', 'kind: Pod\nmetadata:\n\tname: a\n', [], ['yaml-syntax f.yaml:3']],
  ])('%s: told with its line, and the rest is read', (_, text, items, diagnostics) => {
    const found = read(text)
    expect(summary(found.items)).toEqual(items)
    expect(found.diagnostics.map(({ code, at }) => `${code} ${at?.file}:${at?.line}`)).toEqual(diagnostics)
  })
})
