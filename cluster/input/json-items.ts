import type { Diagnostic } from '../source.ts'
import {
  bracketsEnd,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  emptyShape,
  HASH,
  jsonText,
  MALFORMED,
  MOST_DEPTH,
  nameText,
  OPEN_BRACE,
  OPEN_BRACKET,
  objectEnd,
  QUOTE,
  type Shape,
  skipBlank,
  UNFINISHED,
  valueEnd,
  wordEnd,
} from './brackets.ts'
import { bytesAt } from './byte-source.ts'
import { lineAt, readOn } from './byte-window.ts'
import { emitItems } from './emit-items.ts'
import type { ItemSink, ObjectKind, TextFile } from './item.ts'
import { isObject, type Json } from './json-value.ts'
import { positionIn } from './line-counter.ts'
import { beginReading, cutOff, decodeText, kindInList, type Reading, wanted } from './reading.ts'
import { parseYaml, plainValue } from './yaml-tree.ts'

/**
 * Finds the objects of a JSON file by their brackets and gives each to JSON.parse alone, so that a large file is never
 * one string and one broken object does not hide the others. Reads a List, a typed list (`PodList`, whose items carry
 * no kind), single objects, an array, and any number of these behind each other (NDJSON).
 */
export function readJsonItems(file: TextFile, sink: ItemSink): void {
  const reading = beginReading(file, sink)
  while (peek(reading) >= 0) if (!readJsonValue(reading)) return
}

/** One value at the top of the file, at `reading.at`. False where reading cannot go on behind it. */
export function readJsonValue(reading: Reading): boolean {
  switch (peek(reading)) {
    case OPEN_BRACE:
      return topLevelObject(reading)
    case OPEN_BRACKET:
      return listing(reading, undefined)
    default:
      reading.sink.diagnose({
        severity: 'error',
        code: 'json-syntax',
        message: `expected an object or a list of objects`,
        at: { file: reading.file.name, line: lineAt(reading.window, reading.at) },
        suggestion: 'give what `kubectl get ... -o json` prints',
      })
      return false
  }
}

/** Reads on; indexes of the reading move with the window. False at the end. */
function moreBytes(reading: Reading): boolean {
  const keep = reading.keep < 0 ? reading.at : reading.keep
  const before = reading.window.offset
  const more = readOn(reading.window, keep)
  const moved = reading.window.offset - before
  reading.at -= moved
  if (reading.keep >= 0) reading.keep -= moved
  return more
}

/** The next byte that is no blank, -1 at the end; `reading.at` is moved to it. */
export function peek(reading: Reading): number {
  for (;;) {
    const { bytes } = reading.window
    const found = skipBlank(bytes, reading.at)
    if (found < bytes.length) {
      reading.at = found
      return bytes[found] as number
    }
    // A comment that begins before the end of what is at hand may go on behind it: it is looked at again.
    const comment = bytes.indexOf(HASH, reading.at)
    reading.at = comment < 0 || reading.window.ended ? bytes.length : comment
    if (!moreBytes(reading)) return -1
  }
}

/** Whether something follows; some of it is then at hand, all of it where it is less than `bytes`. */
export function atHand(reading: Reading, bytes: number): boolean {
  while (reading.window.bytes.length - reading.at < bytes) if (!moreBytes(reading)) break
  return reading.at < reading.window.bytes.length
}

type Ender = (bytes: Uint8Array, at: number, shape: Shape) => number

/** The end of what stands at `reading.at`, as `ender` finds it; UNFINISHED where the file ends before. */
function endAt(reading: Reading, ender: Ender, shape: Shape): number {
  for (;;) {
    shape.ended = reading.window.ended
    shape.depth = 0
    const end = ender(reading.window.bytes, reading.at, shape)
    if (end !== UNFINISHED || !moreBytes(reading)) return end
  }
}

/** One object of a list, or what stands in its place. */
const itemEnd: Ender = (bytes, at, shape) => {
  if (bytes[at] !== OPEN_BRACE) return valueEnd(bytes, at, shape)
  const end = objectEnd(bytes, at, shape)
  return end === MALFORMED ? bracketsEnd(bytes, at, shape) : end
}

interface MemberKey {
  readonly key: string
  /** What its value begins with. */
  readonly first: number
}

/** The key of the next member, `reading.at` then being at its value; undefined where no member stands there. */
function memberKey(reading: Reading): MemberKey | undefined {
  const quoted = peek(reading) === QUOTE
  const shape = emptyShape(false)
  const end = endAt(reading, quoted ? valueEnd : wordOf, shape)
  if (end < 0 || end === reading.at) return undefined
  const { bytes } = reading.window
  const key = quoted ? jsonText(bytes, reading.at, end) : decodeText(bytes.subarray(reading.at, end))
  reading.at = end
  if (peek(reading) !== COLON) return undefined
  reading.at++
  return { key, first: peek(reading) }
}

const wordOf: Ender = (bytes, at, shape) => {
  const end = wordEnd(bytes, at)
  return end === bytes.length && !shape.ended ? UNFINISHED : end
}

/**
 * An object: either a list of objects, whose items are read one by one, or an object itself. kubectl prints `kind` behind
 * `items`, so a list is known by its items.
 */
function topLevelObject(reading: Reading): boolean {
  const line = lineAt(reading.window, reading.at)
  reading.keep = reading.at
  reading.at++
  const own = { kind: '', apiVersion: '' }
  let depth = 0
  for (;;) {
    if (peek(reading) === CLOSE_BRACE) {
      single(reading, {
        start: reading.keep,
        end: ++reading.at,
        line,
        list: undefined,
        shape: { ...own, depth: depth + 1 },
      })
      reading.keep = -1
      return true
    }
    const found = memberKey(reading)
    if (found === undefined) return notAnObject(reading, line)
    if (found.key === 'items' && found.first === OPEN_BRACKET && (own.kind === '' || own.kind.endsWith('List'))) {
      reading.keep = -1
      return listing(reading, own)
    }
    const shape = emptyShape(false)
    const end = endAt(reading, valueEnd, shape)
    if (end < 0) return notAnObject(reading, line)
    depth = Math.max(depth, shape.depth)
    noteKind(reading, { key: found.key, end }, own)
    reading.at = end
    if (peek(reading) === COMMA) reading.at++
    else if (reading.window.bytes[reading.at] !== CLOSE_BRACE) return notAnObject(reading, line)
  }
}

function noteKind(
  { window, at }: Reading,
  { key, end }: { key: string; end: number },
  own: { kind: string; apiVersion: string },
): void {
  if (key === 'kind' || key === 'apiVersion') own[key] = nameText(window.bytes, at, end)
}

/** The brackets do not close, or what they hold is not JSON: then it may still be YAML in brackets. */
function notAnObject(reading: Reading, line: number): boolean {
  reading.at = reading.keep
  const shape = emptyShape(false)
  const end = endAt(reading, bracketsEnd, shape)
  if (end >= 0) {
    single(reading, { start: reading.at, end, line, list: undefined, shape })
    reading.at = end
    reading.keep = -1
    return true
  }
  reading.sink.diagnose(unclosed(reading, { line, isListing: false }))
  return false
}

function unclosed(reading: Reading, { line, isListing }: { line: number; isListing: boolean }): Diagnostic {
  const last = lineAt(reading.window, reading.window.bytes.length)
  const { name } = reading.file
  const read =
    isListing || reading.found > 0 ? `${reading.found} complete items were read` : 'it ends inside the object'
  return cutOff(reading.file, {
    message: reading.window.overflowed ? 'an object is larger than any text can be' : `the file is cut off: ${read}`,
    line: last,
    ...(line === last ? {} : { notes: [{ message: 'what is not closed begins here', at: { file: name, line } }] }),
  })
}

interface Waiting {
  readonly offset: number
  readonly length: number
  readonly line: number
}

/** A list, at its bracket: items are read as they come, those without a kind when the list has told its own. */
export function listing(reading: Reading, head: { kind: string; apiVersion: string } | undefined): boolean {
  const begin = lineAt(reading.window, reading.at)
  const list = head === undefined ? undefined : { ...head }
  const waiting: Waiting[] = []
  let items = 0
  const failed = (): boolean => {
    emitWaiting(reading, waiting, list)
    return brokenList(reading, begin)
  }
  reading.at++
  for (;;) {
    const first = peek(reading)
    if (first === CLOSE_BRACKET) break
    if (first < 0) return failed()
    const shape = emptyShape(false)
    const line = lineAt(reading.window, reading.at)
    const end = endAt(reading, itemEnd, shape)
    if (end < 0) return failed()
    items++
    if (list !== undefined && list.kind === '' && shape.kind === '' && reading.file.holds === undefined)
      waiting.push({ offset: reading.window.offset + reading.at, length: end - reading.at, line })
    else single(reading, { start: reading.at, end, line, list, shape })
    reading.at = end
    const next = peek(reading)
    if (next === COMMA) reading.at++
    else if (next !== CLOSE_BRACKET) return failed()
  }
  reading.at++
  if (list !== undefined && !restOfList(reading, list)) return failed()
  emitWaiting(reading, waiting, list)
  if (items === 0 && list !== undefined) reading.sink.emptyList?.(list, { file: reading.file.name, line: begin })
  return true
}

/** The members behind `items`, and the closing brace. */
function restOfList(reading: Reading, list: { kind: string; apiVersion: string }): boolean {
  for (;;) {
    const next = peek(reading)
    if (next === COMMA) {
      reading.at++
      continue
    }
    if (next === CLOSE_BRACE) {
      reading.at++
      return true
    }
    const found = memberKey(reading)
    if (found === undefined) return false
    const end = endAt(reading, valueEnd, emptyShape(false))
    if (end < 0) return false
    noteKind(reading, { key: found.key, end }, list)
    reading.at = end
  }
}

/** The list does not go on as a list: the file is cut off, or it is no JSON. */
function brokenList(reading: Reading, begin: number): boolean {
  if (peek(reading) < 0 || !closes(reading)) reading.sink.diagnose(unclosed(reading, { line: begin, isListing: true }))
  else
    reading.sink.diagnose({
      severity: 'error',
      code: 'json-syntax',
      message: `the list is not JSON after item ${reading.found}`,
      at: { file: reading.file.name, line: begin },
    })
  return false
}

/** Whether a closing bracket of the list that is being read still follows. */
function closes(reading: Reading): boolean {
  let depth = 1
  for (;;) {
    const byte = peek(reading)
    if (byte < 0) return false
    if (byte === QUOTE) {
      const end = endAt(reading, valueEnd, emptyShape(false))
      if (end < 0) return false
      reading.at = end
      continue
    }
    if ((byte | 0x20) === OPEN_BRACE) depth++
    if ((byte | 0x20) === CLOSE_BRACE && --depth === 0) return true
    reading.at++
  }
}

function emitWaiting(reading: Reading, waiting: readonly Waiting[], list: ObjectKind | undefined): void {
  for (const { offset, length, line } of waiting) {
    const bytes = bytesAt(reading.file.source, offset, length)
    const shape = emptyShape(true)
    const end = itemEnd(bytes, 0, shape)
    if (end < 0) continue
    parsed(reading, { bytes, start: 0, end, offset, line, list, shape })
  }
}

interface Single {
  readonly start: number
  readonly end: number
  readonly line: number
  readonly list: ObjectKind | undefined
  readonly shape: Pick<Shape, 'kind' | 'apiVersion' | 'depth'>
}

function single(reading: Reading, found: Single): void {
  const { window } = reading
  parsed(reading, { ...found, bytes: window.bytes, offset: window.offset + found.start })
}

/** Parses one object, unless its kind is not wanted: then its bytes become nothing. */
function parsed(reading: Reading, found: Single & { bytes: Uint8Array; offset: number }): void {
  const { file, sink } = reading
  const { bytes, start, end, offset, line, list, shape } = found
  reading.found++
  const at = { file: file.name, line, offset, length: end - start }
  const kind = kindInList(shape, list, file)
  if (!wanted(sink, kind) && !kind.kind.endsWith('List')) return sink.unread?.({ ...kind, at })
  if (shape.depth > MOST_DEPTH) {
    const message = `item ${reading.found} is nested deeper than ${MOST_DEPTH} levels and is left out`
    return sink.diagnose({ severity: 'error', code: 'item-too-deep', message, at: { file: file.name, line } })
  }
  const text = decodeText(bytes.subarray(start, end))
  const result = parseItem(text)
  if (result.ok && isObject(result.value)) return emitItems(reading, { value: result.value, at, list })
  sink.diagnose({
    severity: 'error',
    code: result.ok ? 'item-not-object' : 'json-syntax',
    message: `item ${reading.found} is not ${result.ok ? 'an object' : `JSON: ${result.reason}`}`,
    at: result.ok ? { file: file.name, line } : { file: file.name, ...positionIn(text, result.position, line) },
  })
}

type ParsedItem =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly reason: string; readonly position: number }

/** JSON, or what kubectl takes for it: YAML in brackets with comments and trailing commas. */
function parseItem(text: string): ParsedItem {
  try {
    return { ok: true, value: JSON.parse(text) as Json }
  } catch (error) {
    const tree = parseYaml(text)
    const [document] = tree.documents
    if (document !== undefined && tree.problems.length === 0) return { ok: true, value: plainValue(document) }
    const words = error instanceof Error ? error.message : String(error)
    const position = Number(/position (\d+)/.exec(words)?.[1] ?? 0)
    return { ok: false, reason: words.replace(/ in JSON at position.*$/s, '').replace(/, ".*$/s, ''), position }
  }
}
