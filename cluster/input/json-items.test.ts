import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Diagnostic } from '../source.ts'
import { memorySource } from './byte-source.ts'
import type { Item } from './item.ts'
import { readJsonItems } from './json-items.ts'

function read(text: string): { items: Item[]; diagnostics: Diagnostic[] } {
  const items: Item[] = []
  const diagnostics: Diagnostic[] = []
  const source = memorySource(new TextEncoder().encode(text))
  readJsonItems(
    { name: 'f.json', source },
    { item: (one) => items.push(one), diagnose: (one) => diagnostics.push(one) },
  )
  return { items, diagnostics }
}

const pod = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } })
const list = { apiVersion: 'v1', items: [pod('a'), pod('b')], kind: 'List', metadata: { resourceVersion: '' } }

describe('JSON forms', () => {
  it.each([
    ['one object', JSON.stringify(pod('a')), ['Pod:1']],
    ['a List as kubectl prints it', JSON.stringify(list, undefined, 4), ['Pod:4', 'Pod:11']],
    ['a compact List', JSON.stringify(list), ['Pod:1', 'Pod:1']],
    [
      'a typed list whose items have no kind',
      '{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}',
      ['Pod:1'],
    ],
    ['NDJSON', `${JSON.stringify(pod('a'))}\n${JSON.stringify(pod('b'))}\n`, ['Pod:1', 'Pod:2']],
    [
      'a JSON text sequence',
      `\u001e${JSON.stringify(pod('a'))}\n\u001e${JSON.stringify(list)}\n`,
      ['Pod:1', 'Pod:2', 'Pod:2'],
    ],
    ['an array', JSON.stringify([pod('a'), pod('b')], undefined, 1), ['Pod:2', 'Pod:9']],
    ['lists in a list', JSON.stringify({ kind: 'List', items: [list, pod('c')] }), ['Pod:1', 'Pod:1', 'Pod:1']],
    ['a list of nothing', '{"kind":"List","items":[]}', []],
    ['a list whose items are null', '{"kind":"PodList","items":null}', []],
    ['an object that has a member called items', '{"kind":"ConfigMap","items":[{"a":1}]}', ['ConfigMap:1']],
    ['comments and trailing commas', '{"kind":"List","items":[{"kind":"Pod",/*x*/}]}'.replace('/*x*/', ' '), ['Pod:1']],
  ])('%s', (_, text, expected) => {
    const { items, diagnostics } = read(text)
    expect(diagnostics).toEqual([])
    expect(items.map(({ kind, at }) => `${kind}:${at.line}`)).toEqual(expected)
  })

  it('takes the apiVersion of a typed list for its items', () => {
    const { items } = read('{"kind":"DeploymentList","apiVersion":"apps/v1","items":[{"metadata":{"name":"a"}}]}')
    expect(items.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual(['apps/v1 Deployment'])
  })

  it('knows the bytes of each item', () => {
    const text = `{"items":[ ${JSON.stringify(pod('ä'))} , ${JSON.stringify(pod('b'))} ],"kind":"List"}`
    const bytes = new TextEncoder().encode(text)
    for (const { at, value } of read(text).items)
      expect(JSON.parse(new TextDecoder().decode(bytes.subarray(at.offset, at.offset + at.length)))).toEqual(value)
  })
})

describe('broken JSON', () => {
  it.each([
    [
      'cut off inside an item',
      JSON.stringify(list, undefined, 4).slice(0, 200),
      1,
      'input-cut-off',
      'the file is cut off: 1 complete items were read',
    ],
    [
      'an array cut off',
      '[{"kind":"Pod"},{"kind',
      1,
      'input-cut-off',
      'the file is cut off: 1 complete items were read',
    ],
    [
      'an array cut off inside its first item',
      '[{"kind',
      0,
      'input-cut-off',
      'the file is cut off: 0 complete items were read',
    ],
    [
      'cut off inside the second object of several',
      '{"kind":"Pod"}\n{"kind":"Po',
      1,
      'input-cut-off',
      'the file is cut off: 1 complete items were read',
    ],
    [
      'cut off inside a single object',
      '{"kind":"Pod","metadata":{"na',
      0,
      'input-cut-off',
      'the file is cut off: it ends inside the object',
    ],
    [
      'cut off inside a string',
      '{"kind":"Pod","metadata":{"name":"a\\"',
      0,
      'input-cut-off',
      'the file is cut off: it ends inside the object',
    ],
    [
      'one broken item',
      `{"kind":"List","items":[${JSON.stringify(pod('a'))},{"kind":"Pod" "x":1},${JSON.stringify(pod('b'))}]}`,
      2,
      'json-syntax',
      "item 2 is not JSON: Expected ',' or '}' after property value",
    ],
    ['an item that is no object', '{"kind":"List","items":[5]}', 0, 'item-not-object', 'item 1 is not an object'],
    [
      'something else behind an object',
      `${JSON.stringify(pod('a'))}\nhello`,
      1,
      'json-syntax',
      'expected an object or a list of objects',
    ],
    [
      'no comma between items',
      `{"kind":"List","items":[${JSON.stringify(pod('a'))} ${JSON.stringify(pod('b'))}]}`,
      1,
      'json-syntax',
      'the list is not JSON after item 1',
    ],
  ])('%s: told, and the rest is read', (_, text, count, code, message) => {
    const { items, diagnostics } = read(text)
    expect(items.length).toBe(count)
    expect(diagnostics.map((one) => [one.code, one.message])).toEqual([[code, message]])
    expect(diagnostics[0]!.at).toBeDefined()
  })

  it('points at the line of a syntax error', () => {
    const text = '{"kind":"List","items":[\n{"kind":"Pod",\n "a": 1\n "b": 2}]}'
    expect(read(text).diagnostics.map(({ at }) => at)).toEqual([{ file: 'f.json', line: 4, column: 2 }])
  })

  it('never throws, wherever the file is cut, and never invents an item', () => {
    const text = JSON.stringify(list, undefined, 1)
    for (let end = 1; end < text.length; end++) {
      const { items, diagnostics } = read(text.slice(0, end))
      expect(items.length).toBeLessThanOrEqual(2)
      expect(diagnostics.length).toBe(1)
      for (const { value } of items) expect([pod('a'), pod('b')]).toContainEqual(value)
    }
  })
})

describe('the scanner', () => {
  const value = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
  it('reads a list as JSON.parse does, whatever stands in its strings', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.constantFrom(undefined, 1, '\t', 4), (specs, indent) => {
        const items = specs.map((spec) => ({ kind: 'Thing', apiVersion: 'v1', spec }))
        const text = JSON.stringify({ apiVersion: 'v1', items, kind: 'List' }, undefined, indent)
        const found = read(text)
        expect(found.diagnostics).toEqual([])
        expect(JSON.stringify(found.items.map((item) => item.value))).toBe(JSON.stringify(items))
      }),
    )
  })
})
