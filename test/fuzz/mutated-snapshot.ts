import { gzipSync } from 'node:zlib'
import { dump } from 'js-yaml'
import { tarOf, zipOf } from '../../cluster/testing/archives.ts'
import { type Random, randomOf } from './random.ts'

/** Objects of real clusters, from which snapshots are made and then broken. */
export type Corpus = readonly Readonly<Record<string, unknown>>[]

/** A snapshot that somebody or something has damaged: by its seed, always the same. */
export interface MutatedSnapshot {
  readonly name: string
  readonly bytes: Uint8Array
}

const MOST_OBJECTS = 5

export function mutatedSnapshot(corpus: Corpus, seed: number): MutatedSnapshot {
  const random = randomOf(seed)
  const objects = Array.from({ length: 1 + random.below(MOST_OBJECTS) }, () => structuredClone(random.pick(corpus)))
  const form = random.pick(Object.keys(FORMS))
  const structural = random.below(3)
  for (let i = 0; i < structural; i++) mutateValue(objects, random)
  const write = FORMS[form] as (typeof FORMS)[string]
  // What was deleted from a list leaves a hole in it.
  let bytes = write(
    Array.from(objects, (object) => object ?? null),
    random,
  )
  const damages = structural === 0 ? 1 + random.below(3) : random.below(2)
  for (let i = 0; i < damages; i++) bytes = random.pick(DAMAGES)(bytes, random)
  return { name: `${form}-${seed}`, bytes }
}

const encoder = new TextEncoder()
const list = (items: readonly unknown[]) => ({
  apiVersion: 'v1',
  items,
  kind: 'List',
  metadata: { resourceVersion: '' },
})
/** js-yaml's writer goes down the value by calling itself; what is deeper is written as JSON, which is YAML too. */
const MOST_YAML_DEPTH = 100

const isDeep = (value: unknown, left = MOST_YAML_DEPTH): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (left === 0 || Object.values(value).some((one) => isDeep(one, left - 1)))

const yaml = (value: unknown, flowLevel = -1): string =>
  isDeep(value)
    ? `${JSON.stringify(value)}\n`
    : dump(value, { seqNoIndent: true, noRefs: true, lineWidth: 80, skipInvalid: true, flowLevel })

/** Some copies of what is deeper than this, indented, are longer than a text can be. */
const MOST_INDENTED_DEPTH = 1000

const json = (value: unknown) => JSON.stringify(value, undefined, isDeep(value, MOST_INDENTED_DEPTH) ? 0 : 4)

const FORMS: Readonly<Record<string, (objects: readonly unknown[], random: Random) => Uint8Array>> = {
  json: (objects) => encoder.encode(json(list(objects))),
  compact: (objects) => encoder.encode(JSON.stringify(list(objects))),
  lines: (objects) => encoder.encode(objects.map((object) => JSON.stringify(object)).join('\n')),
  yaml: (objects) => encoder.encode(yaml(list(objects))),
  documents: (objects) => encoder.encode(objects.map((object) => yaml(object)).join('---\n')),
  flow: (objects) => encoder.encode(yaml(list(objects), 2)),
  gz: (objects) => new Uint8Array(gzipSync(json(list(objects)))),
  tar: (objects) => tarOf(objects.map((object, i) => ({ name: `snap/${i}.json`, content: json(object) ?? '' }))),
  tgz: (objects) =>
    new Uint8Array(gzipSync(tarOf(objects.map((object, i) => ({ name: `${i}.yaml`, content: yaml(object) }))))),
  zip: (objects, random) =>
    zipOf(
      objects.map((object, i) => ({ name: `${i}.json`, content: json(object) ?? '', method: random.pick([0, 8]) })),
    ),
  bomb: (objects, random) =>
    encoder.encode(`${yamlBomb(random)}\n---\n${objects.map((object) => yaml(object)).join('---\n')}`),
}

/** Aliases of aliases: a few lines that mean billions of values. */
function yamlBomb(random: Random): string {
  const width = 2 + random.below(9)
  const depth = 2 + random.below(40)
  const one = (level: number) =>
    `a${level}: &a${level} [${Array.from({ length: width }, () => `*a${level - 1}`).join(', ')}]`
  const levels = Array.from({ length: depth }, (_, i) => (i === 0 ? 'a0: &a0 [x, y]' : one(i)))
  const merged =
    random.below(2) === 0
      ? ''
      : `\nmetadata:\n  <<: [${Array.from({ length: width }, () => `*a${depth - 1}`).join(', ')}]`
  return `apiVersion: v1\nkind: ConfigMap\n${levels.join('\n')}${merged}`
}

const nested = (depth: number): unknown => {
  let value: unknown = 'x'
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

/** Values that stand where nobody expects them. */
const WRONG: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => true,
  () => '',
  () => [],
  () => ({}),
  () => [null],
  () => [[]],
  () => ({ a: null }),
  (random) =>
    random.pick([0, -1, 0.5, 1e9, 1e21, 1e308, -1e308, 2 ** 31, 2 ** 53, 65535, 65536, Number.MAX_SAFE_INTEGER]),
  (random) =>
    random.pick([
      'on',
      '~',
      '0777',
      '1e999',
      '::',
      '::1',
      '0.0.0.0',
      '255.255.255.255',
      '10.244.0.0/0',
      'fd00::/0',
      '1.2.3.4/33',
      '010.1.1.1',
      'None',
      'a'.repeat(10_000),
      '\u0000',
      '\ud800',
      '../../x',
      '{{ .Values.x }}',
      '%s%n',
      '__proto__',
      'constructor',
      '2026-13-45T99:99:99Z',
      '-'.repeat(300),
      '9'.repeat(400),
      '10.96.0.0/0',
      '::/0',
      '64',
      '100%',
    ]),
  (random) => nested(random.pick([3, 60, 300, 900, 3000])),
  (random) => Array.from({ length: random.pick([100, 2000]) }, (_, i) => i),
  (random) => Object.fromEntries(Array.from({ length: random.pick([100, 2000]) }, (_, i) => [`k${i}`, `${i}`])),
  () => JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}'),
]
const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  'length',
  '0',
  'on',
  'kind',
  'spec',
  'items',
  'metadata',
  '\u0000',
  'a'.repeat(2000),
]

/** Changes one thing at a random place of the objects: its value, its key, its place, or how often it stands there. */
function mutateValue(root: unknown, random: Random): void {
  let parent = root as Record<string, unknown>
  for (let depth = random.below(9); depth > 0; depth--) {
    const inner = Object.values(parent).filter((value) => typeof value === 'object' && value !== null)
    if (inner.length === 0) break
    parent = random.pick(inner) as Record<string, unknown>
  }
  const keys = Object.keys(parent)
  const key = keys.length === 0 ? '0' : random.pick(keys)
  const put = (name: string, value: unknown) =>
    Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true })
  switch (random.below(6)) {
    case 0:
      delete parent[key]
      break
    case 1: {
      const value = parent[key]
      if (!Array.isArray(parent)) delete parent[key]
      put(Array.isArray(parent) ? key : random.pick(KEYS), value)
      break
    }
    case 2:
      if (Array.isArray(parent))
        for (let i = random.below(30); i > 0; i--) parent.push(structuredClone(parent[Number(key)]))
      else put(key, [parent[key], parent[key]])
      break
    case 3:
      if (typeof parent[key] === 'number') put(key, random.pick([-1, 0, 1e9, 2 ** 31, 1e21, 0.1]))
      else put(key, random.pick(WRONG)(random))
      break
    default:
      put(key, random.pick(WRONG)(random))
  }
}

type Damage = (bytes: Uint8Array, random: Random) => Uint8Array

const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  ':',
  ',',
  '\n',
  '\r\n',
  '\t',
  '- ',
  '---\n',
  '...\n',
  '#',
  '&a ',
  '*a',
  '!!binary ',
  '| ',
  '> ',
  '? ',
  '\\',
  '\\u0000',
  '\u0000',
  'null',
  '1e999',
  '==== START logs for container x of pod y ====\n',
  '==== END logs for container ',
  '<<: ',
  'items:\n',
  'kind: List\n',
  '\ufeff',
  '%YAML 1.1\n',
  '{{',
  '\u2028',
]

const DAMAGES: readonly Damage[] = [
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => bytes.subarray(random.below(bytes.length + 1)),
  (bytes, random) => {
    const broken = bytes.slice()
    for (let i = 1 + random.below(8); i > 0; i--) broken[random.below(broken.length)]! ^= 1 << random.below(8)
    return broken
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return spliced(bytes, at, at + random.below(200), new Uint8Array())
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    const part = bytes.slice(at, at + random.below(400))
    const times = random.pick([1, 2, 50])
    return spliced(bytes, at, at, new Uint8Array(Buffer.concat(Array.from({ length: times }, () => part))))
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return spliced(
      bytes,
      at,
      at + random.below(3),
      encoder.encode(random.pick(TOKENS).repeat(random.pick([1, 1, 1, 3, 2000]))),
    )
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    const deep = random.pick(['[', '{"a":', '- ', '{a: [', '? '])
    return spliced(bytes, at, at, encoder.encode(deep.repeat(random.pick([10, 600, 20_000]))))
  },
  (bytes, random) => {
    const [from, to] = [random.below(bytes.length), random.below(bytes.length)]
    return spliced(bytes, to, to, bytes.slice(from, from + random.below(2000)))
  },
  (bytes) => new Uint8Array(gzipSync(bytes)),
  (bytes) => new Uint8Array(Buffer.from(new TextDecoder().decode(bytes).replaceAll('\n', '\r\n'))),
]

const spliced = (bytes: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(Math.min(to, bytes.length))]))
