import type { Diagnostic } from '../source.ts'
import { emptyShape, OPEN_BRACE, objectEnd, skipBlank } from './brackets.ts'
import { bytesAt } from './byte-source.ts'
import { emitItems } from './emit-items.ts'
import type { ItemSink, ObjectKind, TextFile } from './item.ts'
import { isObject, type Json, type JsonObject, member } from './json-value.ts'
import { positionIn } from './line-counter.ts'
import { atLogSection } from './log-section.ts'
import { beginReading, cutOff, decodeText, kindInList, type Reading, wanted } from './reading.ts'
import { parseBlock } from './yaml-block.ts'
import { isDashLine, isEmptyLine, isInk, isMarker, type Line, lineHere, lineNumber, standsAt } from './yaml-lines.ts'
import { parseYaml, plainValue, type YamlNode, type YamlProblem } from './yaml-tree.ts'

/**
 * Reads the objects of a YAML file. The file is cut at `---` lines, and a document that is a block List (what
 * `kubectl get -o yaml` prints) is cut again at its `- ` lines, so that one broken object does not hide the others and
 * the memory needed is that of one object.
 */
export function readYamlItems(file: TextFile, sink: ItemSink): void {
  const reading = beginReading(file, sink)
  while (lineHere(reading) !== undefined) readYamlDocument(reading)
}

/** Some bytes of the file, the first of which stands on `line`. */
interface Chunk {
  readonly offset: number
  readonly length: number
  readonly line: number
}

/** A document that is larger than this and no list of objects is none that a cluster has (etcd takes 1.5 MB). */
const MOST_WHOLE = 1 << 25

/** An object's kind, as far as lines can tell: `''` where they cannot. */
interface KindLines {
  kind: string
  apiVersion: string
}

/** The document at `reading.at`, a line's beginning. */
export function readYamlDocument(reading: Reading): void {
  const begin = { offset: reading.window.offset + reading.at, line: lineNumber(reading) }
  const root: KindLines = { kind: '', apiVersion: '' }
  reading.keep = reading.at
  let content = false
  for (let line = lineHere(reading); line !== undefined; line = lineHere(reading)) {
    if (endsDocument(reading, line) && content) break
    const plain = !isMarker(reading, line) && reading.window.bytes[line.start] !== PERCENT
    if (!plain || !isEmptyLine(reading, line)) content = content || !isDirective(reading, line)
    if (line.ink === line.start) noteKind(reading, line.ink, root)
    const isItems = isItemsKey(reading, line)
    reading.at = line.end
    if (isItems && (root.kind === '' || root.kind.endsWith('List')) && atDash(reading)) {
      if (readList(reading, begin)) return
      toDocumentEnd(reading)
      break
    }
    if (reading.window.offset + reading.at - begin.offset > MOST_WHOLE) return skipLarge(reading, begin)
  }
  readWhole(reading, begin, { ...root, from: 0 })
}

const PERCENT = 0x25
const isDirective = ({ window }: Reading, line: Line): boolean => window.bytes[line.start] === PERCENT

const endsDocument = (reading: Reading, line: Line): boolean =>
  isMarker(reading, line) || atLogSection(reading, line.start)

/** `items:` at the left margin. */
function isItemsKey(reading: Reading, line: Line): boolean {
  if (!standsAt(reading, line.start, 'items:')) return false
  const { bytes } = reading.window
  let at = line.start + 'items:'.length
  const gap = at
  while (at < line.end && !isInk(bytes[at])) at++
  return at === line.end || (bytes[at] === HASH && at > gap)
}
const HASH = 0x23

/** Whether the next line that says something begins an item. Nothing is passed over but empty lines. */
function atDash(reading: Reading): boolean {
  for (let line = lineHere(reading); line !== undefined; line = lineHere(reading)) {
    if (!isEmptyLine(reading, line)) return isDashLine(reading, line) && !isMarker(reading, line)
    reading.at = line.end
  }
  return false
}

/** `kind: Pod` or `apiVersion: v1` on one line, at the index of its key. */
function noteKind(reading: Reading, index: number, found: KindLines): void {
  const key = standsAt(reading, index, 'kind:') ? 'kind' : standsAt(reading, index, 'apiVersion:') ? 'apiVersion' : ''
  if (key === '') return
  const { bytes } = reading.window
  const start = index + key.length + 1
  const end = bytes.indexOf(LINE_FEED, start)
  const value = decodeText(bytes.subarray(start, end < 0 ? bytes.length : Math.min(end, start + LONGEST_NAME)))
  found[key] = /^[ ]+(?:[&!]\S+[ ]+)*(["']?)([A-Za-z][A-Za-z0-9./-]*)\1\s*(#.*)?$/.exec(value)?.[2] ?? ''
}
const LONGEST_NAME = 256
const LINE_FEED = 10

/** Some bytes: from the window where they are still at hand, else read once more. */
function textBytes({ window, file }: Reading, { offset, length }: Omit<Chunk, 'line'>): Uint8Array {
  const start = offset - window.offset
  const atHand = start >= 0 && start + length <= window.bytes.length
  return atHand ? window.bytes.subarray(start, start + length) : bytesAt(file.source, offset, length)
}

const textOf = (reading: Reading, chunk: Omit<Chunk, 'line'>): string => decodeText(textBytes(reading, chunk))

const UNKNOWN_KIND: ObjectKind = { kind: '', apiVersion: '' }

interface ListReading {
  readonly begin: { readonly offset: number; readonly line: number }
  /** Up to `items:`. */
  readonly head: string
  readonly kind: ObjectKind
  readonly waiting: (Chunk & { readonly number: number })[]
  emitted: number
}

/**
 * A list, at its first dash line. False where it must be read as one document after all; what was read of it by then is
 * not read again.
 */
function readList(reading: Reading, begin: { offset: number; line: number }): boolean {
  const { window } = reading
  const head = textOf(reading, { offset: begin.offset, length: window.offset + reading.at - begin.offset })
  const headKind = objectIn(head)
  if (headKind === undefined) return false
  const list: ListReading = { begin, head, kind: kindOf(headKind), waiting: [], emitted: 0 }
  const first = lineHere(reading)
  if (first === undefined) return false
  const indent = first.ink - first.start
  reading.keep = reading.at
  let open = { offset: window.offset + reading.at, line: lineNumber(reading), root: { kind: '', apiVersion: '' } }
  let margin = -1
  let tail: { readonly offset: number; readonly line: number } | undefined
  const close = (): ItemChunk => ({
    offset: open.offset,
    length: window.offset + reading.at - open.offset,
    line: open.line,
    ...open.root,
  })
  let last: ItemChunk | undefined
  for (let line = lineHere(reading); line !== undefined; line = lineHere(reading)) {
    if (endsDocument(reading, line)) break
    if (tail === undefined && !isEmptyLine(reading, line)) {
      const left = line.ink - line.start
      const dash = isDashLine(reading, line)
      if (dash && left === indent) {
        const here = window.offset + line.start
        if (here > open.offset) {
          if (!readItem(reading, list, close())) return rest(reading, list)
          reading.keep = line.start
        }
        open = { offset: window.offset + line.start, line: lineNumber(reading), root: { kind: '', apiVersion: '' } }
        let key = line.ink + 1
        while (key < line.end && window.bytes[key] === SPACE) key++
        margin = key - line.start
        noteKind(reading, key, open.root)
      } else if (left <= indent) {
        last = close()
        tail = { offset: window.offset + line.start, line: lineNumber(reading) }
        if (left > 0) return rest(reading, list)
      } else if (left === margin) noteKind(reading, line.ink, open.root)
    }
    reading.at = line.end
  }
  last ??= close()
  const end = window.offset + reading.at
  return endList(reading, list, {
    last,
    tail: { offset: tail?.offset ?? end, end, line: tail?.line ?? last.line },
  })
}
const SPACE = 0x20

/** Reads the list as one document from its beginning, without the items that were read. */
function rest(reading: Reading, list: ListReading): boolean {
  toDocumentEnd(reading)
  readWhole(reading, list.begin, { ...UNKNOWN_KIND, from: list.emitted })
  return true
}

/** An item, and what its lines say of its kind. */
interface ItemChunk extends Chunk, ObjectKind {}

/** One item, at hand. False where it names an anchor outside of itself. */
function readItem(reading: Reading, list: ListReading, chunk: ItemChunk): boolean {
  const { file, sink } = reading
  const kind = kindInList(chunk, list.kind, file)
  const at = { file: file.name, line: chunk.line, offset: chunk.offset, length: chunk.length }
  if (kind.kind !== '' && !kind.kind.endsWith('List') && !wanted(sink, kind)) {
    list.emitted++
    sink.unread?.({ ...kind, at })
    return true
  }
  // Nothing is known of its kind before the list has told its own.
  if (kind.kind === '' && list.kind.kind === '') {
    list.emitted++
    list.waiting.push({ ...chunk, number: list.emitted })
    return true
  }
  const text = blankDash(textOf(reading, chunk))
  const value = parseBlock(text)
  if (value === undefined || !isObject(value)) return readSlowly(reading, list, { chunk, text })
  list.emitted++
  emitItems(reading, { value, at, list: list.kind })
  return true
}

function readSlowly(reading: Reading, list: ListReading, { chunk, text }: { chunk: Chunk; text: string }): boolean {
  const tree = parseYaml(text)
  if (tree.problems.some((problem) => problem.message.startsWith('unknown alias'))) return false
  list.emitted++
  for (const problem of tree.problems)
    reading.sink.diagnose(problemAt({ file: reading.file, chunk, text, problem, item: list.emitted }))
  for (const node of tree.documents) emitNode(reading, { node, chunk, text, list: list.kind })
  return true
}

interface ListEnd {
  readonly last: ItemChunk
  readonly tail: { readonly offset: number; readonly end: number; readonly line: number }
}

/** The last item waits for what stands behind the list: where nothing does, it was cut. */
function endList(reading: Reading, list: ListReading, { last, tail }: ListEnd): boolean {
  const frame = frameOf(reading, list, tail)
  if (frame === undefined) {
    readWhole(reading, list.begin, { ...UNKNOWN_KIND, from: 0 })
    return true
  }
  const named = { ...list, kind: frame.kind }
  for (const waiting of list.waiting) readWaiting(reading, named.kind, waiting)
  if (frame.cut !== 'inside') {
    if (!readItem(reading, named, last)) return rest(reading, named)
  }
  if (frame.cut !== 'not')
    reading.sink.diagnose(
      listCutOff(reading.file, {
        items: named.emitted,
        cut: frame.cut,
        line: frame.cut === 'inside' ? last.line : tail.line,
      }),
    )
  return true
}

/** An item whose kind no line told, now that its list has told one. */
function readWaiting(reading: Reading, list: ObjectKind, chunk: Chunk & { number: number }): void {
  const { file, sink } = reading
  const kind = kindInList(UNKNOWN_KIND, list, file)
  const at = { file: file.name, line: chunk.line, offset: chunk.offset, length: chunk.length }
  if (kind.kind !== '' && !wanted(sink, kind)) return sink.unread?.({ ...kind, at })
  const text = blankDash(textOf(reading, chunk))
  const tree = parseYaml(text)
  for (const problem of tree.problems) sink.diagnose(problemAt({ file, chunk, text, problem, item: chunk.number }))
  for (const node of tree.documents) emitNode(reading, { node, chunk, text, list })
}

interface Frame {
  readonly kind: ObjectKind
  /** Where the file was cut off: in the last item, or behind it. */
  readonly cut: 'not' | 'inside' | 'behind'
}

/**
 * What stands around the items. kubectl prints apiVersion, items, kind, metadata: a list without a kind behind its items
 * was cut off in its last item, or right behind it. Undefined where it is no list.
 */
function frameOf(reading: Reading, list: ListReading, tail: ListEnd['tail']): Frame | undefined {
  const { head } = list
  const behind = textOf(reading, { offset: tail.offset, length: tail.end - tail.offset })
  const whole = objectIn(`${head}\n${behind}`)
  const found = whole ?? objectIn(head)
  if (found === undefined) return undefined
  const kind = kindOf(found)
  const name = kind.kind
  if (whole !== undefined && name.endsWith('List')) return { kind, cut: 'not' }
  if (whole === undefined || (name !== '' && 'List'.startsWith(name))) return { kind, cut: 'behind' }
  return name === '' ? { kind, cut: behind.trim() === '' ? 'inside' : 'behind' } : undefined
}

/** The one object of a text without a mistake; an empty one where there is nothing. */
function objectIn(text: string): JsonObject | undefined {
  const { documents, problems } = parseYaml(text)
  const [first] = documents
  if (problems.length > 0 || documents.length > 1) return undefined
  const value = first === undefined ? {} : plainValue(first)
  return isObject(value) ? value : undefined
}

const kindOf = (value: JsonObject): ObjectKind => ({
  kind: textMember(value, 'kind'),
  apiVersion: textMember(value, 'apiVersion'),
})

/** Half a policy would be worse than none, so an item that was cut is left out. */
function listCutOff(
  file: TextFile,
  { items, cut, line }: { items: number; cut: 'inside' | 'behind'; line: number },
): Diagnostic {
  const read =
    cut === 'inside' ? `${items} complete items were read, the last one is left out` : `all ${items} items were read`
  return cutOff(file, { message: `the list is cut off: its end is missing. ${read}`, line })
}

const textMember = (value: JsonObject, key: string): string => {
  const found = member(value, key)
  return typeof found === 'string' ? found : ''
}

/** An item without its dash is a document of its own, at the same offsets. */
const blankDash = (text: string): string => text.replace('-', ' ')

/** A document from its beginning to `reading.at`, parsed as one; the items of a list before number `from` are known. */
function readWhole(
  reading: Reading,
  begin: { offset: number; line: number },
  { kind, apiVersion, from }: ObjectKind & { from: number },
): void {
  const { file, sink, window } = reading
  const length = window.offset + reading.at - begin.offset
  const chunk = { ...begin, length }
  reading.keep = -1
  if (length > MOST_WHOLE) return skipLarge(reading, begin)
  const at = { file: file.name, ...chunk }
  if (kind !== '' && !kind.endsWith('List') && !wanted(sink, { kind, apiVersion }))
    return sink.unread?.({ kind, apiVersion, at })
  const inBrackets = kindInBrackets(textBytes(reading, chunk))
  if (inBrackets !== undefined && !wanted(sink, inBrackets)) return sink.unread?.({ ...inBrackets, at })
  const text = textOf(reading, chunk)
  if (text.trim() === '') return
  const value = parseBlock(text.startsWith('---\n') ? `\n${text.slice(4)}` : text)
  if (value !== undefined && isObject(value)) {
    const start = startOf(text)
    emitItems(reading, {
      value,
      list: undefined,
      at: { ...at, line: begin.line + start.lines, ...spanFrom(chunk, text, start.index) },
    })
    return
  }
  const tree = parseYaml(text)
  for (const problem of tree.problems) sink.diagnose(problemAt({ file, chunk, text, problem, item: undefined }))
  for (const node of tree.documents) emitNode(reading, { node, chunk, text, list: undefined, from })
}

/** The kind of an object in brackets, where they can be counted. */
function kindInBrackets(bytes: Uint8Array): ObjectKind | undefined {
  const start = skipBlank(bytes, 0)
  if (bytes[start] !== OPEN_BRACE) return undefined
  const shape = emptyShape(true)
  const end = objectEnd(bytes, start, shape)
  return end < 0 || shape.kind === '' || shape.kind.endsWith('List') ? undefined : shape
}

/** The first line that says something. */
function startOf(text: string): { index: number; lines: number } {
  let index = 0
  let lines = 0
  for (const line of text.split('\n', 1000)) {
    if (line !== '---' && line.trim() !== '' && !line.startsWith('#')) break
    index += line.length + 1
    lines++
  }
  return { index, lines }
}

/** The bytes of a text from an index to its last line that says something. */
function spanFrom(chunk: Chunk, text: string, index: number): { offset: number; length: number } {
  const end = text.trimEnd().length
  const stop = text.indexOf('\n', end)
  return {
    offset: chunk.offset + byteLength(text.slice(0, index)),
    length: byteLength(text.slice(index, stop < 0 ? text.length : stop + 1)),
  }
}

function skipLarge(reading: Reading, begin: { line: number }): void {
  toDocumentEnd(reading)
  reading.sink.diagnose({
    severity: 'error',
    code: 'yaml-too-large',
    message: `a document of more than ${MOST_WHOLE >> 20} MB that is no list of objects is left out`,
    at: { file: reading.file.name, line: begin.line },
    suggestion: 'give what `kubectl get ... -o yaml` or `-o json` prints',
  })
}

function toDocumentEnd(reading: Reading): void {
  reading.keep = -1
  for (let line = lineHere(reading); line !== undefined && !endsDocument(reading, line); line = lineHere(reading))
    reading.at = line.end
}

interface NodeItem {
  readonly node: YamlNode
  readonly chunk: Chunk
  readonly text: string
  readonly list: ObjectKind | undefined
  /** Items of a list before this one are known already. */
  readonly from?: number
}

function emitNode(reading: Reading, found: NodeItem): void {
  const { file, sink } = reading
  const { node, chunk, text } = found
  const line = positionIn(text, node.start, chunk.line).line
  if (node.kind !== 'map') {
    sink.diagnose({
      severity: 'error',
      code: 'item-not-object',
      message: `a document that is not an object: ${excerpt(plainValue(node))}`,
      at: { file: file.name, line },
      suggestion: 'give what `kubectl get ... -o yaml` prints, or manifests',
    })
    return
  }
  const inner = node.entries.find((entry) => entry.key === 'items')?.value
  const kind = { kind: textEntry(node, 'kind'), apiVersion: textEntry(node, 'apiVersion') }
  if (kind.kind.endsWith('List') && inner?.kind === 'list') {
    for (const item of inner.items.slice(found.from ?? 0)) emitNode(reading, { node: item, chunk, text, list: kind })
    if (inner.items.length === 0) sink.emptyList?.(kind, { file: file.name, line })
    return
  }
  const at = { file: file.name, line, ...spanOf(node, chunk, text) }
  const own = kindInList(kind, found.list, file)
  if (!own.kind.endsWith('List') && !wanted(sink, own)) return sink.unread?.({ ...own, at })
  const value = plainValue(node)
  if (isObject(value)) emitItems(reading, { value, at, list: found.list })
}

function textEntry(node: Extract<YamlNode, { kind: 'map' }>, key: string): string {
  const found = node.entries.find((entry) => entry.key === key)?.value
  return found?.kind === 'scalar' && typeof found.value === 'string' ? found.value : ''
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
  file: TextFile
  chunk: Chunk
  text: string
  problem: YamlProblem
  item: number | undefined
}): Diagnostic {
  const { file, chunk, text, problem, item } = found
  const place = positionIn(text, Math.min(problem.position, text.trimEnd().length), chunk.line)
  const fatal = problem.code !== 'yaml-duplicate-key'
  const template = fatal && text.includes('{{')
  return {
    severity: fatal ? 'error' : 'warning',
    code: template ? 'helm-template' : problem.code,
    message: `${item === undefined ? '' : `item ${item}: `}${template ? 'a Helm template that is not rendered' : problem.message}`,
    at: { file: file.name, ...place },
    ...(template ? { suggestion: 'render it first: helm template NAME CHART > manifests.yaml' } : {}),
  }
}

const encoder = new TextEncoder()
const byteLength = (text: string): number => (isAscii(text) ? text.length : encoder.encode(text).length)
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is meant
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)
