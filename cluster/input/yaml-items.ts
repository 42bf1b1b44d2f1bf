import type { Diagnostic } from '../source.ts'
import { emitItems, type ListKind } from './emit-items.ts'
import type { ItemSink, SourceFile } from './item.ts'
import { isObject, type Json, type JsonObject, member } from './json-value.ts'
import { positionIn } from './line-counter.ts'
import { parseYaml, plainValue, type YamlNode, type YamlProblem } from './yaml-tree.ts'

/**
 * Reads the objects of a YAML file. The file is cut at `---` lines, and a document that is a block List (what
 * `kubectl get -o yaml` prints) is cut again at its `- ` lines, so that one broken object does not hide the others and
 * the memory needed is that of one object.
 */
export function readYamlItems(file: SourceFile, sink: ItemSink): void {
  for (const chunk of documentsOf(file.bytes)) {
    if (file.bytes.subarray(chunk.offset, chunk.end).some(isInk)) readDocument({ file, sink }, chunk)
  }
}

interface Reading {
  readonly file: SourceFile
  readonly sink: ItemSink
}

/** Bytes `offset` to `end`, of which the first stands on `line`. */
interface Chunk {
  readonly offset: number
  readonly end: number
  readonly line: number
}

const LINE_FEED = 10
const SPACE = 0x20
const DASH = 0x2d
const HASH = 0x23
const PERCENT = 0x25
const CARRIAGE_RETURN = 13

const isInk = (byte: number): boolean => byte > SPACE

interface Line {
  readonly start: number
  readonly end: number
  readonly number: number
}

function* linesOf(bytes: Uint8Array, chunk: Chunk): Generator<Line> {
  let number = chunk.line
  for (let start = chunk.offset; start < chunk.end; number++) {
    const feed = bytes.indexOf(LINE_FEED, start)
    const end = feed < 0 || feed >= chunk.end ? chunk.end : feed + 1
    yield { start, end, number }
    start = end
  }
}

/** A `---` line begins a document whatever stands before it; only directives and comments above belong to it. */
function documentsOf(bytes: Uint8Array): Chunk[] {
  const chunks: Chunk[] = []
  let offset = 0
  let line = 1
  let content = false
  for (const here of linesOf(bytes, { offset: 0, end: bytes.length, line: 1 })) {
    const first = bytes[here.start]
    if (isMarker(bytes, here)) {
      if (content) {
        chunks.push({ offset, end: here.start, line })
        offset = here.start
        line = here.number
      }
      content = true
    } else if (first !== PERCENT && first !== HASH && first !== LINE_FEED && first !== CARRIAGE_RETURN) content = true
  }
  if (offset < bytes.length) chunks.push({ offset, end: bytes.length, line })
  return chunks
}

function isMarker(bytes: Uint8Array, line: Line): boolean {
  const at = line.start
  if (bytes[at] !== DASH || bytes[at + 1] !== DASH || bytes[at + 2] !== DASH) return false
  return !isInk(bytes[at + 3] ?? 0)
}

function readDocument(reading: Reading, chunk: Chunk): void {
  const list = blockList(reading.file.bytes, chunk)
  if (list === undefined || !readList(reading, list)) readWhole(reading, chunk)
}

interface BlockList {
  readonly head: Chunk
  readonly items: readonly Chunk[]
  readonly tail: Chunk
}

/** Cuts a document with `items:` at the left margin and `- ` lines below it; undefined for any other document. */
function blockList(bytes: Uint8Array, chunk: Chunk): BlockList | undefined {
  const items: Chunk[] = []
  let head: Chunk | undefined
  let indent = -1
  let open: Line | undefined
  const closeItem = (end: number) => {
    if (open !== undefined) items.push({ offset: open.start, end, line: open.number })
    open = undefined
  }
  for (const line of linesOf(bytes, chunk)) {
    if (head === undefined) {
      if (isItemsKey(bytes, line)) head = { ...chunk, end: line.start }
      continue
    }
    const left = indentOf(bytes, line)
    const first = bytes[line.start + left]
    if (left === line.end - line.start || first === HASH || first === LINE_FEED || first === CARRIAGE_RETURN) continue
    const dash = first === DASH && !isInk(bytes[line.start + left + 1] ?? 0)
    if (indent < 0) {
      if (!dash) return undefined
      indent = left
    }
    if (dash && left === indent) {
      closeItem(line.start)
      open = line
    } else if (left <= indent) {
      closeItem(line.start)
      if (left > 0) return undefined
      const tail = { offset: line.start, end: chunk.end, line: line.number }
      return { head, items, tail }
    }
  }
  if (head === undefined || indent < 0) return undefined
  closeItem(chunk.end)
  const end = { offset: chunk.end, end: chunk.end, line: items.at(-1)?.line ?? chunk.line }
  return { head, items, tail: end }
}

const ITEMS_KEY = [...'items:'].map((letter) => letter.charCodeAt(0))

function isItemsKey(bytes: Uint8Array, line: Line): boolean {
  if (!ITEMS_KEY.every((byte, i) => bytes[line.start + i] === byte)) return false
  const rest = bytes.subarray(line.start + ITEMS_KEY.length, line.end)
  const ink = rest.findIndex(isInk)
  return ink < 0 || (rest[ink] === HASH && ink > 0)
}

function indentOf(bytes: Uint8Array, line: Line): number {
  let at = line.start
  while (at < line.end && bytes[at] === SPACE) at++
  return at - line.start
}

/** Reads a cut List item by item. False where it must be read as one document after all (aliases across items). */
function readList(reading: Reading, list: BlockList): boolean {
  const { file, sink } = reading
  const frame = frameOf(file, list)
  if (frame === undefined) return false
  const texts = list.items.map((chunk) => blankDash(decode(file, chunk)))
  const trees = texts.map(parseYaml)
  if (trees.some((tree) => tree.problems.some((problem) => problem.message.startsWith('unknown alias')))) return false
  for (const [i, tree] of trees.entries()) {
    const chunk = list.items[i]
    const text = texts[i]
    if (chunk === undefined || text === undefined) continue
    if (frame.cut === 'inside' && i === trees.length - 1) continue
    for (const problem of tree.problems) sink.diagnose(problemAt({ file, chunk, text, problem, item: i + 1 }))
    for (const node of tree.documents) emitNode({ file, sink }, { node, chunk, text, list: frame.kind })
  }
  if (frame.cut !== 'not') sink.diagnose(cutOff(file.name, list, frame.cut))
  return true
}

interface Frame {
  readonly kind: ListKind
  /** Where the file was cut off: in the last item, or behind it. */
  readonly cut: 'not' | 'inside' | 'behind'
}

/**
 * What stands around the items. kubectl prints apiVersion, items, kind, metadata: a list without a kind behind its items
 * was cut off in its last item, or right behind it. Undefined where it is no list.
 */
function frameOf(file: SourceFile, list: BlockList): Frame | undefined {
  const head = decode(file, list.head)
  const tail = decode(file, list.tail)
  const whole = objectIn(`${head}\n${tail}`)
  const found = whole ?? objectIn(head)
  if (found === undefined) return undefined
  const name = textMember(found, 'kind')
  const kind = { kind: name, apiVersion: textMember(found, 'apiVersion') }
  if (whole !== undefined && name.endsWith('List')) return { kind, cut: 'not' }
  if (whole === undefined || (name !== '' && 'List'.startsWith(name))) return { kind, cut: 'behind' }
  return name === '' ? { kind, cut: tail.trim() === '' ? 'inside' : 'behind' } : undefined
}

/** The one object of a text without a mistake; an empty one where there is nothing. */
function objectIn(text: string): JsonObject | undefined {
  const { documents, problems } = parseYaml(text)
  const [first] = documents
  if (problems.length > 0 || documents.length > 1) return undefined
  const value = first === undefined ? {} : plainValue(first)
  return isObject(value) ? value : undefined
}

/** Half a policy would be worse than none, so an item that was cut is left out. */
function cutOff(file: string, { items, tail }: BlockList, cut: 'inside' | 'behind'): Diagnostic {
  const last = items.at(-1)?.line ?? tail.line
  const read =
    cut === 'inside'
      ? `${items.length - 1} complete items were read, the last one is left out`
      : `all ${items.length} items were read`
  return {
    severity: 'error',
    code: 'input-cut-off',
    message: `the list is cut off: its end is missing. ${read}`,
    at: { file, line: cut === 'inside' ? last : tail.line },
    suggestion: 'collect the file again; what was read is used',
  }
}

const textMember = (value: JsonObject, key: string): string => {
  const found = member(value, key)
  return typeof found === 'string' ? found : ''
}

/** An item without its dash is a document of its own, at the same offsets. */
const blankDash = (text: string): string => text.replace('-', ' ')

function readWhole({ file, sink }: Reading, chunk: Chunk): void {
  const text = decode(file, chunk)
  const tree = parseYaml(text)
  for (const problem of tree.problems) sink.diagnose(problemAt({ file, chunk, text, problem, item: undefined }))
  for (const node of tree.documents) emitNode({ file, sink }, { node, chunk, text, list: undefined })
}

interface NodeItem {
  readonly node: YamlNode
  readonly chunk: Chunk
  readonly text: string
  readonly list: ListKind | undefined
}

function emitNode({ file, sink }: Reading, found: NodeItem): void {
  const { node, chunk, text } = found
  const value = plainValue(node)
  const line = positionIn(text, node.start, chunk.line).line
  if (!isObject(value)) {
    sink.diagnose({
      severity: 'error',
      code: 'item-not-object',
      message: `a document that is not an object: ${excerpt(value)}`,
      at: { file: file.name, line },
      suggestion: 'give what `kubectl get ... -o yaml` prints, or manifests',
    })
    return
  }
  const inner = node.kind === 'map' ? node.entries.find((entry) => entry.key === 'items')?.value : undefined
  const kind = textMember(value, 'kind')
  if (kind.endsWith('List') && inner?.kind === 'list') {
    const list = { kind, apiVersion: textMember(value, 'apiVersion') }
    for (const item of inner.items) emitNode({ file, sink }, { node: item, chunk, text, list })
    return
  }
  emitItems(sink, { value, at: { file: file.name, line, ...spanOf(node, chunk, text) }, list: found.list })
}

/** The beginning of a value, for a message. */
const excerpt = (value: Json): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : JSON.stringify(value).slice(0, 40)

/** Byte offset and length of a node: its brackets, or the whole lines of a block (with the dash of a list item). */
function spanOf(node: YamlNode, chunk: Chunk, text: string): { offset: number; length: number } {
  const flow = text[node.start] === '{'
  const start = flow ? node.start : text.lastIndexOf('\n', node.start) + 1
  const lineEnd = text.indexOf('\n', Math.max(node.end - 1, node.start))
  const end = flow ? node.end : lineEnd < 0 ? text.length : lineEnd + 1
  return { offset: chunk.offset + byteLength(text.slice(0, start)), length: byteLength(text.slice(start, end)) }
}

function problemAt(found: {
  file: SourceFile
  chunk: Chunk
  text: string
  problem: YamlProblem
  item: number | undefined
}) {
  const { file, chunk, text, problem, item } = found
  const place = positionIn(text, Math.min(problem.position, text.trimEnd().length), chunk.line)
  const fatal = problem.code !== 'yaml-duplicate-key'
  return {
    severity: fatal ? ('error' as const) : ('warning' as const),
    code: problem.code,
    message: `${item === undefined ? '' : `item ${item}: `}${problem.message}`,
    at: { file: file.name, ...place },
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()
const byteLength = (text: string): number => (isAscii(text) ? text.length : encoder.encode(text).length)
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is meant
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)
const decode = (file: SourceFile, chunk: Chunk): string => decoder.decode(file.bytes.subarray(chunk.offset, chunk.end))
