import { CLOSE_BRACE, HASH, OPEN_BRACE, OPEN_BRACKET, QUOTE, skipBlank } from './brackets.ts'
import type { FileForm } from './inventory.ts'
import type { ItemSink, TextFile } from './item.ts'
import { peek, readJsonValue } from './json-items.ts'
import { atLogSection, skipLogSection } from './log-section.ts'
import { beginReading, decodeText, type Reading } from './reading.ts'
import { readYamlDocument } from './yaml-items.ts'
import { isEmptyLine, isInk, isMarker, type Line, lineHere, lineNumber } from './yaml-lines.ts'

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
  for (let line = lineHere(reading); line !== undefined; line = lineHere(reading)) {
    if (atLogSection(reading, line.start)) {
      const at = { file: file.name, line: lineNumber(reading) }
      sink.log?.(skipLogSection(reading), at)
      forms.add('mixed')
    } else if (isEmptyLine(reading, line) || isBareMarker(reading, line)) {
      if (isMarker(reading, line)) behindJson = false
      reading.at = line.end
    } else if (behindJson || isJson(reading)) {
      forms.add('json')
      behindJson = true
      peek(reading)
      if (!readJsonValue(reading)) break
      peek(reading)
    } else {
      forms.add('yaml')
      readYamlDocument(reading)
    }
  }
  const [only = 'yaml'] = forms
  return { form: forms.size > 1 ? 'mixed' : only, bytes: reading.window.offset + reading.window.bytes.length }
}

/** `---` with nothing but a comment behind it. */
function isBareMarker(reading: Reading, line: Line): boolean {
  if (!isMarker(reading, line)) return false
  const { bytes } = reading.window
  let at = line.start + 3
  while (at < line.end && !isInk(bytes[at])) at++
  return at === line.end || bytes[at] === HASH
}

/** How kubectl prints a list with `-o kyaml`: YAML in brackets, with keys that have no quotes. */
const KYAML_LIST = /^\{\s*(apiVersion:\s*"[^"]*",\s*)?items:\s*\[/
const KYAML_HEAD = 200

/** `[`, or `{` with a quote behind it: an object in brackets whose keys have no quotes is YAML. */
function isJson({ window, at }: Reading): boolean {
  const { bytes } = window
  const first = skipBlank(bytes, at)
  if (bytes[first] === OPEN_BRACKET) return true
  if (bytes[first] !== OPEN_BRACE) return false
  const next = bytes[skipBlank(bytes, first + 1)]
  if (next === undefined || next === QUOTE || next === CLOSE_BRACE) return true
  return KYAML_LIST.test(decodeText(bytes.subarray(first, first + KYAML_HEAD)))
}
