import * as yaml from 'js-yaml'
import type { Json } from './json-value.ts'
import { plainScalar } from './yaml-scalar.ts'

/**
 * A YAML document with the place of every node (offsets into its text). js-yaml only tokenizes; what a scalar means is
 * decided in yaml-scalar.ts.
 */
export type YamlNode =
  | { readonly kind: 'scalar'; readonly start: number; readonly end: number; readonly value: Json }
  | { readonly kind: 'list'; readonly start: number; end: number; readonly items: YamlNode[] }
  | { readonly kind: 'map'; readonly start: number; end: number; readonly entries: YamlEntry[] }

export interface YamlEntry {
  readonly key: string
  readonly keyStart: number
  readonly value: YamlNode
}

export interface YamlProblem {
  readonly code: 'yaml-syntax' | 'yaml-duplicate-key' | 'yaml-alias-bomb'
  readonly message: string
  /** Offset into the text. */
  readonly position: number
}

export interface YamlTree {
  /** The documents that could be read; an empty document is left out. */
  readonly documents: readonly YamlNode[]
  readonly problems: readonly YamlProblem[]
}

/** Nodes that one document may have after aliases are followed: a "billion laughs" file stops here. */
const MAX_EXPANDED_NODES = 1_000_000

/** Reads all documents of a text. A syntax error leaves no document: there is no telling what the rest means. */
export function parseYaml(text: string): YamlTree {
  let events: readonly yaml.Event[]
  try {
    events = yaml.parseEvents(text, {})
  } catch (error) {
    return { documents: [], problems: [syntaxProblem(error)] }
  }
  const problems: YamlProblem[] = []
  return { documents: documentsOf({ text, events, problems }), problems }
}

function syntaxProblem(error: unknown): YamlProblem {
  const at = error instanceof yaml.YAMLException ? error : undefined
  return {
    code: 'yaml-syntax',
    message: at?.reason ?? (error instanceof Error ? error.message : String(error)),
    position: at?.mark?.position ?? 0,
  }
}

interface Stream {
  readonly text: string
  readonly events: readonly yaml.Event[]
  readonly problems: YamlProblem[]
}

type Container = Exclude<YamlNode, { kind: 'scalar' }>

interface Open {
  readonly node: Container
  readonly flow: boolean
  readonly anchor: string
  /** The key that waits for its value. */
  key: { readonly name: string; readonly start: number; readonly merge: boolean } | undefined
  readonly seen: Set<string>
  readonly merged: YamlNode[]
}

function documentsOf({ text, events, problems }: Stream): YamlNode[] {
  const documents: YamlNode[] = []
  const open: Open[] = []
  let anchors = new Map<string, YamlNode>()
  let sizes = new Map<YamlNode, number>()
  let expanded = 0

  const place = (node: YamlNode) => {
    const parent = open.at(-1)
    if (parent === undefined) documents.push(node)
    else if (parent.node.kind === 'list') parent.node.items.push(node)
    else if (parent.key === undefined) openKey(parent, node)
    else closeEntry(parent, node)
  }
  const openKey = (parent: Open, node: YamlNode) => {
    const name = node.kind === 'scalar' ? keyText(node.value) : '?'
    const plain = node.kind === 'scalar' && text.slice(node.start, node.end) === '<<'
    parent.key = { name, start: node.start, merge: plain }
    if (node.kind !== 'scalar')
      problems.push({
        code: 'yaml-syntax',
        message: 'a key that is not a text is not understood',
        position: node.start,
      })
  }
  const closeEntry = (parent: Open, node: YamlNode) => {
    const key = parent.key
    if (key === undefined || parent.node.kind !== 'map') return
    parent.key = undefined
    if (key.merge) return void parent.merged.push(node)
    const entries = parent.node.entries
    if (parent.seen.has(key.name)) {
      const message = `key "${key.name}" stands twice in one mapping; the last one counts`
      problems.push({ code: 'yaml-duplicate-key', message, position: key.start })
      entries.splice(
        entries.findIndex((entry) => entry.key === key.name),
        1,
      )
    }
    parent.seen.add(key.name)
    entries.push({ key: key.name, keyStart: key.start, value: node })
  }
  const start = (event: yaml.SequenceEvent | yaml.MappingEvent) => {
    const at = event.start
    const node: Container =
      event.type === yaml.EVENT_ID.MAPPING
        ? { kind: 'map', start: at, end: at, entries: [] }
        : { kind: 'list', start: at, end: at, items: [] }
    const anchor = event.anchorStart < 0 ? '' : text.slice(event.anchorStart, event.anchorEnd)
    const flow = event.style === yaml.COLLECTION_STYLE.FLOW
    open.push({ node, flow, anchor, key: undefined, seen: new Set(), merged: [] })
  }
  const close = () => {
    const done = open.pop()
    if (done === undefined) return
    merge(done, problems)
    done.node.end = endOf(done.node, text, done.flow)
    if (done.anchor !== '') anchors.set(done.anchor, done.node)
    place(done.node)
  }

  for (const event of events) {
    switch (event.type) {
      case yaml.EVENT_ID.DOCUMENT:
        anchors = new Map()
        sizes = new Map()
        expanded = 0
        break
      case yaml.EVENT_ID.SEQUENCE:
      case yaml.EVENT_ID.MAPPING:
        expanded++
        start(event)
        break
      case yaml.EVENT_ID.SCALAR: {
        expanded++
        const node = scalarNode(text, event)
        if (event.anchorStart >= 0) anchors.set(text.slice(event.anchorStart, event.anchorEnd), node)
        place(node)
        break
      }
      case yaml.EVENT_ID.ALIAS: {
        const name = text.slice(event.anchorStart, event.anchorEnd)
        const target = anchors.get(name)
        if (target === undefined)
          problems.push({ code: 'yaml-syntax', message: `unknown alias "${name}"`, position: event.anchorStart })
        expanded += target === undefined ? 1 : sizeOf(target, sizes)
        if (expanded > MAX_EXPANDED_NODES) {
          const message = `aliases make this document larger than ${MAX_EXPANDED_NODES} nodes`
          problems.push({ code: 'yaml-alias-bomb', message, position: event.anchorStart })
          return []
        }
        place(target ?? { kind: 'scalar', start: event.anchorStart, end: event.anchorEnd, value: null })
        break
      }
      default:
        close()
    }
  }
  return documents.filter((node) => node.kind !== 'scalar' || node.value !== null)
}

/** Nodes below and including `node`, each counted once per place where it stands. */
function sizeOf(node: YamlNode, sizes: Map<YamlNode, number>): number {
  if (node.kind === 'scalar') return 1
  const known = sizes.get(node)
  if (known !== undefined) return known
  const children = node.kind === 'list' ? node.items : node.entries.map((entry) => entry.value)
  let size = 1
  for (const child of children) size = Math.min(size + sizeOf(child, sizes), MAX_EXPANDED_NODES + 1)
  sizes.set(node, size)
  return size
}

function scalarNode(text: string, event: yaml.ScalarEvent): YamlNode {
  const value = yaml.getScalarValue(text, event)
  const tag = event.tagStart < 0 ? '' : text.slice(event.tagStart, event.tagEnd)
  const plain = event.style === yaml.SCALAR_STYLE.PLAIN && tag !== '!' && !/^!!(str|binary)$/.test(tag)
  // The offsets of a quoted scalar leave its quotes out.
  const quotes = event.style === yaml.SCALAR_STYLE.SINGLE_QUOTED || event.style === yaml.SCALAR_STYLE.DOUBLE_QUOTED
  const edge = quotes ? 1 : 0
  const start = event.valueStart < 0 ? 0 : event.valueStart - edge
  return { kind: 'scalar', start, end: event.valueEnd + edge, value: plain ? plainScalar(value) : value }
}

/** kubectl turns keys into text as JSON needs it: `on:` becomes "true". */
const keyText = (value: Json): string => (typeof value === 'string' ? value : String(value))

/** `<<: *base`: keys that the mapping does not have itself come from the merged one (YAML 1.1 merge key). */
function merge(done: Open, problems: YamlProblem[]): void {
  if (done.node.kind !== 'map') return
  for (const source of done.merged.flatMap((node) => (node.kind === 'list' ? node.items : [node]))) {
    if (source.kind !== 'map') {
      problems.push({ code: 'yaml-syntax', message: '"<<" merges mappings only', position: source.start })
      continue
    }
    for (const entry of source.entries)
      if (!done.seen.has(entry.key)) {
        done.seen.add(entry.key)
        done.node.entries.push(entry)
      }
  }
}

/** Where a collection ends: after its last child, and for `{ }` and `[ ]` after the closing bracket. */
function endOf(node: Container, text: string, flow: boolean): number {
  let end = flow ? node.start + 1 : node.start
  const children = node.kind === 'list' ? node.items : node.entries.map((entry) => entry.value)
  // An alias stands before the text that it stands for, so the ends do not grow with the order.
  for (const child of children) end = Math.max(end, child.end)
  if (!flow) return end
  const closing = node.kind === 'list' ? ']' : '}'
  for (let i = end; i < text.length; i++) {
    if (text[i] === '#') i = Math.max(i, text.indexOf('\n', i))
    else if (text[i] === closing) return i + 1
  }
  return text.length
}

/** The plain value of a node. */
export function plainValue(node: YamlNode): Json {
  switch (node.kind) {
    case 'scalar':
      return node.value
    case 'list':
      return node.items.map(plainValue)
    default:
      return Object.fromEntries(node.entries.map((entry) => [entry.key, plainValue(entry.value)]))
  }
}
