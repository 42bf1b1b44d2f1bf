import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FORBIDDEN_BELOW_EDGES, importsOf, isTestFile, KUBERNETES_WORDS, LEVEL, violation } from './layers.ts'

const ROOT = join(import.meta.dirname, '..', '..')

function sources(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort()
}

const folders = Object.keys(LEVEL).filter((folder) => readdirSync(ROOT).includes(folder))
const files = folders.flatMap(sources)
const product = files.filter((file) => !isTestFile(file))
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

describe('imports', () => {
  const imports = files.flatMap((file) => importsOf(file, read(file)))

  test('there is something to look at', () => {
    expect(files.length).toBeGreaterThan(150)
    expect(imports.length).toBeGreaterThan(500)
  })

  test('go to lower levels only, and packages have one home', () => {
    const bad = imports.filter(({ file }) => !isTestFile(file)).map(violation)
    expect(bad.filter((text) => text !== undefined)).toEqual([])
  })

  test.each([
    [
      'linux/a.ts',
      "import { load } from '../cluster/load.ts'",
      'linux/a.ts:1: linux (level 1) imports cluster (level 1)',
    ],
    [
      'packet/a.ts',
      "import type { Op } from '../linux/op.ts'",
      'packet/a.ts:1: packet (level 0) imports linux (level 1)',
    ],
    [
      'cni/x/a.ts',
      "import {\n  a,\n} from '../../proxy/config.ts'",
      'cni/x/a.ts:3: cni (level 2) imports proxy (level 2)',
    ],
    ['engine/a.ts', "import { readFileSync } from 'node:fs'", 'engine/a.ts:1: node:fs belongs to cli, test'],
    ['linux/a.ts', "import { Netmask } from 'netmask'", 'linux/a.ts:1: netmask belongs to packet'],
  ])('a planted violation is found: %s %s', (file, text, expected) => {
    expect(importsOf(file, text).map(violation)).toEqual([expected])
  })
})

describe('below the edges', () => {
  const below = product.filter((file) => !file.startsWith('cli/') && !file.startsWith('web/'))

  test.each(below)('%s reads no clock, chance or environment', (file) => {
    const text = read(file)
    for (const word of FORBIDDEN_BELOW_EDGES) expect(word.exec(text)?.[0]).toBeUndefined()
  })
})

/** Comments may cite where a rule was seen; code, names and messages may not. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '')

test.each(product.filter((file) => file.startsWith('linux/')))('%s has no word of Kubernetes', (file) => {
  expect(KUBERNETES_WORDS.exec(code(read(file)))?.[0]).toBeUndefined()
})

test('cluster has no packet', () => {
  const imports = sources('cluster').flatMap((file) => importsOf(file, read(file)))
  expect(imports.filter(({ from }) => /packet\/(packet|emit|parse)\.ts$/.test(from))).toEqual([])
})
