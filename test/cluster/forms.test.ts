import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { dump } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readInput } from '../../cli/read-input.ts'
import type { Loaded } from '../../cluster/cluster.ts'
import { parseBlock } from '../../cluster/input/yaml-block.ts'
import { load } from '../../cluster/load.ts'
import { tarOf, zipOf } from '../../cluster/testing/archives.ts'
import { casesFolder, hasCases, ownCasesFolder } from '../judge/cases-folder.ts'
import { clusterText, RECORDED } from './recorded-cluster.ts'

/** Every form in which one recorded cluster can arrive gives one Cluster. */

interface ApiObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly namespace?: string; readonly name: string }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const kubectlYaml = (value: unknown): string => dump(value, { seqNoIndent: true, noRefs: true, lineWidth: 80 })
const list = (items: readonly unknown[]) => ({
  apiVersion: 'v1',
  items,
  kind: 'List',
  metadata: { resourceVersion: '' },
})

/** Files by kind, as `kubectl get KIND -A -o json > KIND.json` makes them. */
function byKind(items: readonly ApiObject[]): { name: string; content: string }[] {
  const kinds = new Map<string, ApiObject[]>()
  for (const item of items) {
    const key = `${item.kind}.${item.apiVersion.replace('/', '.')}`
    kinds.set(key, [...(kinds.get(key) ?? []), item])
  }
  return [...kinds].map(([kind, found]) => ({
    name: `snap/${kind}.json`,
    content: JSON.stringify(list(found), undefined, 4),
  }))
}

const byObject = (items: readonly ApiObject[]) =>
  items.map((item, i) => ({ name: `snap/deep/er/${i}-${item.kind}.yaml`, content: kubectlYaml(item) }))

/** Typed lists, whose items do not say what they are: `kubectl get --raw`. */
function typedLists(items: readonly ApiObject[]): string {
  const kinds = new Map<string, ApiObject[]>()
  for (const item of items) {
    const key = `${item.apiVersion} ${item.kind}`
    kinds.set(key, [...(kinds.get(key) ?? []), item])
  }
  return [...kinds]
    .map(([key, found]) => {
      const [apiVersion, kind] = key.split(' ')
      const bare = found.map(({ apiVersion: _, kind: __, ...rest }) => rest)
      return JSON.stringify({ kind: `${kind}List`, apiVersion, metadata: {}, items: bare })
    })
    .join('\n')
}

/** kubectl -o kyaml: brackets, keys without quotes, commas behind the last. */
function kyaml(value: unknown, indent = ''): string {
  const inner = `${indent}  `
  if (Array.isArray(value))
    return value.length === 0
      ? '[]'
      : `[\n${value.map((item) => `${inner}${kyaml(item, inner)},\n`).join('')}${indent}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value)
  const key = (name: string) =>
    /^[a-zA-Z]\w*$/.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(name) ? name : JSON.stringify(name)
  return entries.length === 0
    ? '{}'
    : `{\n${entries.map(([name, entry]) => `${inner}${key(name)}: ${kyaml(entry, inner)},\n`).join('')}${indent}}`
}

const FORMS: Readonly<Record<string, (items: readonly ApiObject[]) => Uint8Array>> = {
  'a List of JSON': (items) => bytes(JSON.stringify(list(items), undefined, 4)),
  'a List of compact JSON': (items) => bytes(JSON.stringify(list(items))),
  'a List with its kind first': (items) => bytes(JSON.stringify({ kind: 'List', apiVersion: 'v1', items })),
  'an array of JSON': (items) => bytes(JSON.stringify(items, undefined, 1)),
  'JSON lines': (items) => bytes(items.map((item) => JSON.stringify(item)).join('\n')),
  'JSON objects behind each other': (items) => bytes(items.map((item) => JSON.stringify(item, undefined, 4)).join('')),
  'typed lists': (items) => bytes(typedLists(items)),
  'a List of YAML': (items) => bytes(kubectlYaml(list(items))),
  'a List of YAML with Windows line ends': (items) => bytes(kubectlYaml(list(items)).replaceAll('\n', '\r\n')),
  'a List of indented YAML': (items) => bytes(dump(list(items), { lineWidth: 80, noRefs: true })),
  'a List of YAML with anchors': (items) => bytes(dump(list(items), { lineWidth: -1 })),
  'documents of YAML': (items) => bytes(items.map(kubectlYaml).join('---\n')),
  'documents of YAML with comments (helm)': (items) =>
    bytes(items.map((item, i) => `---\n# Source: chart/templates/${i}.yaml\n${kubectlYaml(item)}`).join('')),
  KYAML: (items) => bytes(`---\n${kyaml(list(items))}\n`),
  'documents of JSON and YAML in turn': (items) =>
    bytes(
      items.map((item, i) => (i % 2 === 0 ? JSON.stringify(item, undefined, 2) : kubectlYaml(item))).join('\n---\n'),
    ),
  'UTF-16': (items) =>
    new Uint8Array(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(JSON.stringify(list(items)), 'utf16le')])),
  'a tar of files by kind': (items) => tarOf(byKind(items)),
  'a tar of files by object, last first': (items) => tarOf(byObject(items).reverse()),
  'a tar.gz of gz files': (items) =>
    gzipSync(tarOf(byKind(items).map(({ name, content }) => ({ name: `${name}.gz`, content: gzipSync(content) })))),
  'a zip': (items) => zipOf(byKind(items)),
  'a zip of a tar.gz': (items) => zipOf([{ name: 'must-gather.tar.gz', content: gzipSync(tarOf(byObject(items))) }]),
  'a stream of logs between lists (kubectl cluster-info dump)': (items) =>
    bytes(
      byKind(items)
        .map(
          ({ content }, i) =>
            `${content}\n==== START logs for container c of pod default/p-${i} ====\n{"kind":"Pod"\n- a: [\n==== END logs for container c of pod default/p-${i} ====\n`,
        )
        .join(''),
    ),
}

/** Objects whose contents fit every form. */
const itemsOf = (name: string): readonly ApiObject[] =>
  JSON.parse(gunzipSync(readFileSync(join(ownCasesFolder('snapshots'), name, 'all.json.gz'))).toString()).items

const errorsOf = ({ diagnostics }: Pick<Loaded, 'diagnostics'>) =>
  diagnostics
    .filter(({ severity }) => severity !== 'note')
    .map(({ code, at, message }) => `${at?.file}:${at?.line} ${code} ${message}`)

describe.each(RECORDED)('the recorded cluster %s', (name) => {
  const items = itemsOf(name)
  const expected = clusterText(load([{ name: 'all.json', bytes: bytes(JSON.stringify(list(items))) }]).cluster)

  it.each(Object.entries(FORMS))('as %s', (_, form) => {
    const loaded = load([{ name: 'in', bytes: form(items) }])
    expect(errorsOf(loaded)).toEqual([])
    expect(clusterText(loaded.cluster) === expected).toBe(true)
  })

  it('most of its YAML needs no second reading', () => {
    const fast = items.filter((item) => parseBlock(kubectlYaml(item)) !== undefined)
    for (const item of fast) expect(parseBlock(kubectlYaml(item))).toEqual(item)
    expect(fast.length / items.length).toBeGreaterThan(0.8)
  })

  it('as files of a directory in any order, some of them twice', () => {
    const files = [...byKind(items), ...byObject(items.slice(0, 20))].map((file) => ({
      name: file.name,
      bytes: bytes(file.content),
    }))
    const turned = files.map((_, i) => files[(i * 7 + 3) % files.length]!)
    const several = files.length % 7 === 0 ? files.toReversed() : turned
    for (const order of [files, several]) {
      const loaded = load(order)
      expect(errorsOf(loaded)).toEqual([])
      expect(clusterText(loaded.cluster) === expected).toBe(true)
    }
  })
})

describe.runIf(hasCases('snapshots'))('what kubectl itself printed', () => {
  describe.each(RECORDED)('%s', (name) => {
    const folder = join(casesFolder('snapshots'), name)
    const expected = clusterText(
      load([{ name: 'all.json', bytes: bytes(JSON.stringify(list(itemsOf(name)))) }]).cluster,
    )

    it.each(['all.yaml', 'all.json.gz', 'objects'])('%s', (form) => {
      const { files, diagnostics } = readInput([join(folder, form)])
      const loaded = load(files)
      expect(errorsOf({ diagnostics: [...diagnostics, ...loaded.diagnostics] })).toEqual([])
      expect(clusterText(loaded.cluster) === expected).toBe(true)
    })

    it('a dump: the same on the kinds that it has, and what it lacks is named', () => {
      const { files } = readInput([join(folder, name === 'dead-node' ? 'dump' : 'dump.tar.gz')])
      const { cluster, input, diagnostics } = load(files)
      const theirs = JSON.parse(expected)
      const ours = JSON.parse(clusterText(cluster))
      for (const kind of ['nodes', 'pods', 'services']) expect(ours[kind]).toEqual(theirs[kind])
      expect(input.layouts.map(({ kind }) => kind)).toEqual(['cluster-info-dump'])
      const NEVER = ['ConfigMap', 'EndpointSlice', 'Endpoints', 'Ingress', 'Namespace', 'NetworkPolicy', 'ServiceCIDR']
      expect(input.lacking.filter(({ why }) => why === 'notCollected').map(({ kind }) => kind)).toEqual(NEVER)
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
      const [told] = diagnostics.filter(({ code }) => code === 'layout-lacks')
      for (const kind of NEVER) expect(told?.message).toContain(kind)
    })
  })
})

const tools = ['tar', 'zip'].filter((tool) => {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn(`skipped: archives of ${tool}, which is not installed`)
    return false
  }
})

describe('archives that the usual tools make', () => {
  const folder = mkdtempSync(join(tmpdir(), 'podwalk-forms-'))
  const deep = `snap/${'a-long-directory-name/'.repeat(8)}`
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeAll(() => {
    for (const [i, item] of itemsOf('textbook').entries()) {
      const path = join(folder, i % 2 === 0 ? deep : 'snap', `${i}.json`)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, JSON.stringify(item))
    }
  })
  const expected = () =>
    clusterText(load([{ name: 'all.json', bytes: bytes(JSON.stringify(list(itemsOf('textbook')))) }]).cluster)
  const commands: readonly (readonly [string, string, readonly string[]])[] = [
    ...['gnu', 'oldgnu', 'pax', 'ustar'].map(
      (format) => [`tar --format ${format}`, 'tar', ['--format', format, '-cf', 'out', 'snap']] as const,
    ),
    ['tar -z', 'tar', ['-czf', 'out', 'snap']],
    ['zip', 'zip', ['-q', '-r', 'out.zip', 'snap']],
    ['zip -0', 'zip', ['-q', '-0', '-r', 'out.zip', 'snap']],
    ['zip -fz (zip64)', 'zip', ['-q', '-fz', '-r', 'out.zip', 'snap']],
  ]
  it.each(commands.filter(([, tool]) => tools.includes(tool)))('%s', (_, tool, args) => {
    execFileSync(tool, args, { cwd: folder })
    const path = join(folder, tool === 'zip' ? 'out.zip' : 'out')
    const loaded = load(readInput([path]).files)
    rmSync(path)
    expect(errorsOf(loaded)).toEqual([])
    expect(clusterText(loaded.cluster) === expected()).toBe(true)
  })
})
