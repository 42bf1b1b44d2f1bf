import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { podwalk } from './run-podwalk.ts'

/** What is broken in the input is told with its place, and everything else of it is used. */

const LAB = readFileSync(
  join(import.meta.dirname, '..', '..', 'topologies', 'textbook-flannel-vxlan', 'lab.yaml'),
  'utf8',
)
const NODE = LAB.slice(LAB.indexOf('apiVersion: v1\nkind: Node\nmetadata:\n  name: xianchaonode1'))

const with_ = (more: string): string => `${LAB}\n---\n${more}\n`
const lineOf = (text: string, part: string): number => text.slice(0, text.lastIndexOf(part)).split('\n').length

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwalk-broken-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const ask = (path: string, to = 'pod/near:80') => podwalk('trace', '-f', path, '--from', 'pod/client', '--to', to)

interface Broken {
  readonly text: string
  /** Line and message, as they follow the file's name. */
  readonly says: (text: string) => RegExp
  /** Another place that is named beside it. */
  readonly note?: (text: string) => RegExp
}

const half = LAB.indexOf('kind: Pod\nmetadata: { name: near,')

const BROKEN: readonly (readonly [string, Broken])[] = [
  [
    'YAML that is cut off',
    {
      text: `${LAB.slice(0, half)}kind: Pod\nmetadata: { name: near, labels: { app: ne`,
      says: (text) => new RegExp(`^error: FILE:${lineOf(text, 'name: near, labels')}:\\d+: unexpected end`, 'm'),
    },
  ],
  [
    'a pod whose address is half an address',
    {
      text: with_('apiVersion: v1\nkind: Pod\nmetadata: { name: half }\nstatus: { phase: Running, podIP: 10.244.1 }'),
      says: (text) => new RegExp(`^error: FILE:${lineOf(text, 'podIP')}:\\d+: Pod default/half: .*"10\\.244\\.1"`, 'm'),
    },
  ],
  [
    'a Service port with too long a name',
    {
      text: with_(
        `apiVersion: v1\nkind: Service\nmetadata: { name: long }\nspec:\n  clusterIP: 10.100.0.77\n  ports:\n  - { name: ${'n'.repeat(70)}, port: 80 }`,
      ),
      says: (text) =>
        new RegExp(
          `^error: FILE:${lineOf(text, 'nnn, port')}:\\d+: Service default/long .*spec\\.ports\\[0\\]\\.name`,
          'm',
        ),
    },
  ],
  [
    'two nodes with one podCIDR',
    {
      text: LAB.replaceAll('10.244.0.0/24', '10.244.2.0/24'),
      says: (text) => new RegExp(`^error: FILE:${lineOf(text, 'podCIDRs: [10.244.2')}:\\d+: Node \\S+: podCIDR`, 'm'),
      note: (text) =>
        new RegExp(`^ {2}note: FILE:${text.slice(0, text.indexOf('podCIDRs: [10.244.2')).split('\n').length}:`, 'm'),
    },
  ],
  [
    'two nodes of one name',
    {
      text: with_(NODE.slice(0, NODE.indexOf('\n---')).replaceAll('10.244.1.0/24', '10.244.9.0/24')),
      says: (text) => new RegExp(`^error: FILE:${lineOf(text, 'apiVersion: v1')}: Node xianchaonode1 .*twice`, 'm'),
      note: (text) => new RegExp(`^ {2}note: FILE:${text.slice(0, text.indexOf(NODE)).split('\n').length}:`, 'm'),
    },
  ],
]

describe.each(BROKEN)('%s', (name, { text, says, note }) => {
  const named = (path: string, words: RegExp) =>
    new RegExp(words.source.replace('FILE', path.replaceAll('.', '\\.')), 'm')

  test('is told with its line', () => {
    const path = file(`${name.replaceAll(' ', '-')}.yaml`, text)
    const { err } = ask(path)
    expect(err).toMatch(named(path, says(text)))
    if (note !== undefined) expect(err).toMatch(named(path, note(text)))
  })

  test('and the rest answers', () => {
    const ran = ask(file('rest.yaml', text), 'svc/kubernetes:443')
    expect(ran.out).toMatch(/^✓ DELIVERED /)
    expect(ran.code).toBe(0)
  })

  test('unless one is strict', () => {
    const path = file('strict.yaml', text)
    const ran = podwalk('trace', '--strict', '-f', path, '--from', 'pod/client', '--to', 'svc/kubernetes:443')
    expect(ran).toMatchObject({ code: 2, out: '' })
    expect(ran.err).toMatch(/^error: stopped at the errors above/m)
  })
})

test('a pod network that nobody knows: its line, what it could be, and no verdict on pods', () => {
  const text = LAB.replace('  versions:', '  cni: { name: pigeon }\n  versions:')
  const path = file('pigeon.yaml', text)
  const ran = ask(path)
  expect(ran.err).toContain(`error: ${path}:${lineOf(text, 'pigeon')}:`)
  expect(ran.err).toMatch(/"pigeon" is not known/)
  expect(ran.err).toMatch(/\n {2}do: one of flannel, calico/)
  expect(ran.out).toMatch(/^\? INSUFFICIENT INFO /)
  expect(ran.out).not.toContain('The client')
  expect(ran.code).toBe(3)
})

test('and the nodes still reach each other', () => {
  const path = file('pigeon.yaml', LAB.replace('  versions:', '  cni: { name: pigeon }\n  versions:'))
  const ran = podwalk('trace', '-f', path, '--from', 'node/xianchaonode1', '--to', '192.168.40.182:3306')
  expect(ran.out).toMatch(/^✓ DELIVERED /)
  expect(ran.code).toBe(0)
})

test.each<[string, string | Uint8Array, RegExp]>([
  ['an empty file', '', /:1: the file is empty/],
  ['a file of comments', '# nothing\n---\n', /holds no Kubernetes object/],
  ['a binary file', Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7) % 256), /^error: .*:1: a binary file/],
])('%s is told, and there is nothing to answer from', (_, content, says) => {
  const path = file('useless.yaml', content)
  const ran = ask(path)
  expect(ran).toMatchObject({ code: 2, out: '' })
  expect(ran.err).toMatch(says)
  expect(ran.err).toContain(path)
  expect(ran.err).toMatch(/\n {2}do: /)
})

test.each<[string, string | Uint8Array]>([
  ['an empty file', ''],
  ['a binary file', Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7) % 256)],
])('%s beside a good one does no harm', (_, content) => {
  const good = file('good.yaml', LAB)
  const bad = file('bad.yaml', content)
  const ran = podwalk('trace', '-f', bad, '-f', good, '--from', 'pod/client', '--to', 'pod/near:80')
  expect(ran.code).toBe(0)
  expect(ran.err).toContain(`${bad}:1`)
})

test.each([
  ['text that is no object', 'README.txt', /empty\/README\.txt:1: the input holds no Kubernetes object \[no-objects\]/],
  ['nothing', undefined, /empty: /],
] as const)('a directory with %s is told, and what to collect', (name, content, words) => {
  const empty = join(folder, name, 'empty')
  mkdirSync(join(empty, 'below'), { recursive: true })
  if (content !== undefined) writeFileSync(join(empty, content), 'nothing here')
  const ran = ask(empty)
  expect(ran).toMatchObject({ code: 2, out: '' })
  expect(ran.err).toMatch(words)
  expect(ran.err).toMatch(/\n {2}do: .*kubectl get /)
})
