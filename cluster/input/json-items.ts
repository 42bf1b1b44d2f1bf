import { emitItems, type ListKind } from './emit-items.ts'
import type { ItemSink, SourceFile } from './item.ts'
import { isObject, type Json } from './json-value.ts'
import { type LineCounter, lineCounter, positionIn } from './line-counter.ts'
import { parseYaml, plainValue } from './yaml-tree.ts'

/**
 * Finds the objects of a JSON file by their brackets and gives each to JSON.parse alone, so that a large file is never
 * one string and one broken object does not hide the others. Reads a List, a typed list (`PodList`, whose items carry
 * no kind), single objects, an array, and any number of these behind each other (NDJSON).
 */
export function readJsonItems(file: SourceFile, sink: ItemSink): void {
  const scan: Scan = { file, bytes: file.bytes, lines: lineCounter(file.bytes), sink, read: 0 }
  let at = skipBlank(file.bytes, 0)
  while (at < file.bytes.length) {
    const end = topLevelValue(scan, at)
    if (end < 0) return
    at = skipBlank(file.bytes, end)
  }
}

interface Scan {
  readonly file: SourceFile
  readonly bytes: Uint8Array
  readonly lines: LineCounter
  readonly sink: ItemSink
  /** Objects found so far, for the message about a cut-off file. */
  read: number
}

interface Span {
  readonly offset: number
  readonly end: number
  readonly line: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const RECORD_SEPARATOR = 0x1e

function skipBlank(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0
    if (byte > 0x20 || (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== RECORD_SEPARATOR)) break
    at++
  }
  return at
}

/** The offset after the string that opens at `at`; -1 where the file ends inside it. */
function skipString(bytes: Uint8Array, at: number): number {
  let end = bytes.indexOf(QUOTE, at + 1)
  while (end >= 0) {
    let backslashes = 0
    for (let i = end - 1; i > at && bytes[i] === BACKSLASH; i--) backslashes++
    if (backslashes % 2 === 0) return end + 1
    end = bytes.indexOf(QUOTE, end + 1)
  }
  return -1
}

/** The offset after the value that begins at `at`; -1 where the file ends inside it. */
function skipValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === QUOTE) return skipString(bytes, at)
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return skipWord(bytes, at)
  let depth = 0
  for (let i = at; i < bytes.length; ) {
    const byte = bytes[i]
    if (byte === QUOTE) {
      i = skipString(bytes, i)
      if (i < 0) return -1
      continue
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return i + 1
    i++
  }
  return -1
}

function skipWord(bytes: Uint8Array, from: number): number {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === COLON || byte <= 0x20) break
  }
  return at > from ? at : -1
}

/** One value at the top of the file; answers the offset after it, or -1 where reading cannot go on. */
function topLevelValue(scan: Scan, at: number): number {
  const first = scan.bytes[at]
  if (first === OPEN_BRACE) return topLevelObject(scan, at)
  const line = scan.lines.lineAt(at)
  if (first === OPEN_BRACKET) {
    const end = array(scan, at, (span) => single(scan, span, undefined))
    return end < 0 ? unfinished(scan, at, line, true) : end
  }
  scan.sink.diagnose({
    severity: 'error',
    code: 'json-syntax',
    message: `expected an object or a list of objects`,
    at: { file: scan.file.name, line },
    suggestion: 'give what `kubectl get ... -o json` prints',
  })
  return -1
}

/**
 * An object: either a list of objects, whose items are read one by one, or an object itself. `kind` stands behind
 * `items` in what kubectl prints, so the items' spans wait until the end of the list is seen.
 */
function topLevelObject(scan: Scan, start: number): number {
  const line = scan.lines.lineAt(start)
  const head: Record<string, string> = {}
  let items: Span[] | undefined
  let at = skipBlank(scan.bytes, start + 1)
  while (at < scan.bytes.length && scan.bytes[at] === QUOTE) {
    const keyEnd = skipString(scan.bytes, at)
    if (keyEnd < 0) break
    const key = decode(scan.bytes, at + 1, keyEnd - 1)
    const colon = skipBlank(scan.bytes, keyEnd)
    if (scan.bytes[colon] !== COLON) break
    const value = skipBlank(scan.bytes, colon + 1)
    let end: number
    if (key === 'items' && scan.bytes[value] === OPEN_BRACKET) {
      const found: Span[] = []
      items = found
      end = array(scan, value, (span) => void found.push(span))
    } else {
      end = skipValue(scan.bytes, value)
      if (end >= 0 && (key === 'kind' || key === 'apiVersion') && scan.bytes[value] === QUOTE)
        head[key] = decode(scan.bytes, value + 1, end - 1)
    }
    if (end < 0) {
      at = -1
      break
    }
    at = skipBlank(scan.bytes, end)
    if (scan.bytes[at] === COMMA) at = skipBlank(scan.bytes, at + 1)
  }
  const kind = head.kind ?? ''
  const isListing = items !== undefined && (kind === '' || kind.endsWith('List'))
  if (isListing) for (const span of items ?? []) single(scan, span, { kind, apiVersion: head.apiVersion ?? '' })
  const complete = at >= 0 && scan.bytes[at] === CLOSE_BRACE
  if (complete) {
    if (!isListing) single(scan, { offset: start, end: at + 1, line }, undefined)
    return at + 1
  }
  return unfinished(scan, start, line, isListing)
}

/** The brackets do not close: the file is cut off, or it is no JSON. Says which, and gives up on the file. */
function unfinished(scan: Scan, start: number, line: number, isListing: boolean): number {
  const end = skipValue(scan.bytes, start)
  if (end >= 0 && !isListing) {
    single(scan, { offset: start, end, line }, undefined)
    return end
  }
  const last = lineCounter(scan.bytes).lineAt(scan.bytes.length)
  const file = scan.file.name
  if (end >= 0)
    scan.sink.diagnose({
      severity: 'error',
      code: 'json-syntax',
      message: `the list is not JSON after item ${scan.read}`,
      at: { file, line },
    })
  else
    scan.sink.diagnose({
      severity: 'error',
      code: 'input-cut-off',
      message: `the file is cut off: ${isListing || scan.read > 0 ? `${scan.read} complete items were read` : 'it ends inside the object'}`,
      at: { file, line: last },
      ...(line === last ? {} : { notes: [{ message: 'what is not closed begins here', at: { file, line } }] }),
      suggestion: 'collect the file again; what was read is used',
    })
  return -1
}

/** The spans of the elements of an array; answers the offset after it, -1 where it does not close. */
function array(scan: Scan, start: number, each: (span: Span) => void): number {
  let at = skipBlank(scan.bytes, start + 1)
  while (at < scan.bytes.length) {
    if (scan.bytes[at] === CLOSE_BRACKET) return at + 1
    const end = skipValue(scan.bytes, at)
    if (end < 0) return -1
    each({ offset: at, end, line: scan.lines.lineAt(at) })
    at = skipBlank(scan.bytes, end)
    if (scan.bytes[at] === COMMA) at = skipBlank(scan.bytes, at + 1)
    else if (scan.bytes[at] !== CLOSE_BRACKET) return -1
  }
  return -1
}

function single(scan: Scan, span: Span, list: ListKind | undefined): void {
  scan.read++
  const text = decode(scan.bytes, span.offset, span.end)
  const file = scan.file.name
  const parsed = parseItem(text)
  if (parsed.ok && isObject(parsed.value)) {
    const at = { file, line: span.line, offset: span.offset, length: span.end - span.offset }
    emitItems(scan.sink, { value: parsed.value, at, list })
    return
  }
  scan.sink.diagnose({
    severity: 'error',
    code: parsed.ok ? 'item-not-object' : 'json-syntax',
    message: `item ${scan.read} is not ${parsed.ok ? 'an object' : `JSON: ${parsed.reason}`}`,
    at: parsed.ok ? { file, line: span.line } : { file, ...positionIn(text, parsed.position, span.line) },
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

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const decode = (bytes: Uint8Array, start: number, end: number): string => decoder.decode(bytes.subarray(start, end))
