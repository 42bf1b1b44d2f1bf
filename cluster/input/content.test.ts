import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Diagnostic } from '../source.ts'
import { readItems, sniff, unpack } from './content.ts'
import type { Item } from './item.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const utf16 = (text: string, mark: readonly number[], high: number) =>
  Uint8Array.from([...mark, ...[...text].flatMap((c) => (high === 1 ? [c.charCodeAt(0), 0] : [0, c.charCodeAt(0)]))])

describe('what a file is, by its first bytes', () => {
  const tar = new Uint8Array(512)
  tar.set(bytes('ustar'), 257)
  it.each([
    ['nothing', bytes(''), 'empty'],
    ['blank lines', bytes('\n \t\r\n'), 'empty'],
    ['an object', bytes('  {"a":1}'), 'json'],
    ['an empty object', bytes('{}'), 'json'],
    ['an array', bytes('\n[{}]'), 'json'],
    ['an object of YAML', bytes('{\n  kind: "Pod",\n}'), 'yaml'],
    ['a manifest', bytes('kind: Pod\n'), 'yaml'],
    ['gzip', gzipSync('{}'), 'gzip'],
    ['zip', Uint8Array.of(0x50, 0x4b, 3, 4, 0), 'zip'],
    ['tar', tar, 'tar'],
    ['an ELF file', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0), 'binary'],
    ['a PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), 'binary'],
  ] as const)('%s', (_, content, expected) => expect(sniff(content)).toBe(expected))
})

function readAll(content: Uint8Array, unpacking: Parameters<typeof unpack>[1] = { gunzip: gunzipSync }) {
  const items: Item[] = []
  const diagnostics: Diagnostic[] = []
  const diagnose = (one: Diagnostic) => void diagnostics.push(one)
  const file = unpack({ name: 'f', bytes: content }, unpacking, diagnose)
  if (file !== undefined) readItems(file, { item: (one) => items.push(one), diagnose })
  return { kinds: items.map(({ kind }) => kind), codes: diagnostics.map(({ code, at }) => `${code}:${at?.line}`) }
}

describe('every packing of one manifest', () => {
  const text = 'kind: Pod\nmetadata: {name: a}\n'
  it.each([
    ['plain', bytes(text)],
    ['with a byte order mark', bytes(`\ufeff${text}`)],
    ['gzip', gzipSync(text)],
    ['gzip of JSON', gzipSync('{"kind":"Pod"}')],
    ['UTF-16 of PowerShell', utf16(text, [0xff, 0xfe], 1)],
    ['UTF-16 big-endian', utf16(text, [0xfe, 0xff], 0)],
  ])('%s', (_, content) => expect(readAll(content)).toEqual({ kinds: ['Pod'], codes: [] }))
})

describe('files that cannot be read', () => {
  const damaged = gzipSync('kind: Pod').subarray(0, 15)
  it.each([
    ['an empty file', bytes(''), ['file-empty:1']],
    ['a binary file', Uint8Array.of(1, 2, 0, 3), ['file-binary:1']],
    ['a damaged gzip', damaged, ['gzip-damaged:1']],
    ['an archive', Uint8Array.of(0x50, 0x4b, 3, 4), ['archive-unsupported:1']],
  ])('%s is told', (_, content, codes) => expect(readAll(content)).toEqual({ kinds: [], codes }))

  it('gzip is told where nobody can unpack it', () =>
    expect(readAll(gzipSync('kind: Pod'), {})).toEqual({ kinds: [], codes: ['gzip-unsupported:1'] }))
})
