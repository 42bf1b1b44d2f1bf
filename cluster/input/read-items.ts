import { CLOSE_BRACE, COMMA, HASH, OPEN_BRACE, OPEN_BRACKET, QUOTE, skipBlank, stringEnd } from './brackets.ts'
import { readOn } from './byte-window.ts'
import type { FileForm } from './inventory.ts'
import type { ItemSink, TextFile } from './item.ts'
import { atHand, peek, readJsonValue } from './json-items.ts'
import { atLogSection, skipLogSection } from './log-section.ts'
import { beginReading, type Reading } from './reading.ts'
import { readYamlDocument } from './yaml-items.ts'
import { isEmptyLine, isInk, isMarker, type Line, lineHere, lineNumber, standsAt } from './yaml-lines.ts'

export interface ItemsRead {
  readonly form: FileForm
  readonly bytes: number
}

export interface LogSink {
  /** A section of log lines that was passed over. */
  readonly log: (name: string, at: { readonly file: string; readonly line: number }) => void
}

/** Reads all objects of a file: documents of JSON and YAML in any order, and between them logs that are passed over. */
export function readItems(file: TextFile, sink: ItemSink & Partial<LogSink>): ItemsRead {
  const reading = beginReading(file, sink)
  const forms = new Set<FileForm>()
  let behindJson = false
  for (;;) {
    // A list of JSON may be one long line, which must not be read as a line.
    if (atHand(reading, ENOUGH_TO_TELL) && isJson(reading)) {
      if (!readJson()) break
      continue
    }
    const line = lineHere(reading)
    if (line === undefined) break
    if (atLogSection(reading, line.start)) {
      const at = { file: file.name, line: lineNumber(reading) }
      sink.log?.(skipLogSection(reading), at)
      forms.add('mixed')
    } else if (isEmptyLine(reading, line) || isBareMarker(reading, line)) {
      if (isMarker(reading, line)) behindJson = false
      reading.at = line.end
    } else if (behindJson || isJson(reading)) {
      if (!readJson()) break
    } else {
      forms.add('yaml')
      readYamlDocument(reading)
    }
  }
  // What could not be read is still looked at: an archive's checksum stands at its end.
  while (readOn(reading.window, reading.window.bytes.length));
  const [only = 'yaml'] = forms
  return { form: forms.size > 1 ? 'mixed' : only, bytes: reading.window.offset + reading.window.bytes.length }

  function readJson(): boolean {
    forms.add('json')
    behindJson = true
    peek(reading)
    const goesOn = readJsonValue(reading)
    if (goesOn) peek(reading)
    return goesOn
  }
}

const ENOUGH_TO_TELL = 256

/** `---` with nothing but a comment behind it. */
function isBareMarker(reading: Reading, line: Line): boolean {
  if (!isMarker(reading, line)) return false
  const { bytes } = reading.window
  let at = line.start + 3
  while (at < line.end && !isInk(bytes[at])) at++
  return at === line.end || bytes[at] === HASH
}

/** `[`, or `{` with a quote behind it: an object in brackets whose keys have no quotes is YAML, unless it is a list. */
function isJson(reading: Reading): boolean {
  const { bytes } = reading.window
  const first = skipBlank(bytes, reading.at)
  if (bytes[first] === OPEN_BRACKET) return true
  if (bytes[first] !== OPEN_BRACE) return false
  const key = skipBlank(bytes, first + 1)
  const next = bytes[key]
  return next === undefined || next === QUOTE || next === CLOSE_BRACE || isKyamlList(reading, key)
}

/** How kubectl prints a list with `-o kyaml`: in brackets, with keys that have no quotes, apiVersion and items first. */
function isKyamlList(reading: Reading, at: number): boolean {
  const { bytes } = reading.window
  if (standsAt(reading, at, 'items:')) return bytes[skipBlank(bytes, at + 'items:'.length)] === OPEN_BRACKET
  if (!standsAt(reading, at, 'apiVersion:')) return false
  const value = skipBlank(bytes, at + 'apiVersion:'.length)
  const comma = bytes[value] === QUOTE ? stringEnd(bytes, value) : -1
  return comma >= 0 && bytes[comma] === COMMA && standsAt(reading, skipBlank(bytes, comma + 1), 'items:')
}
