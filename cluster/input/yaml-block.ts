import type { Json } from './json-value.ts'
import { plainScalar } from './yaml-scalar.ts'

/**
 * A fast parser of the part of YAML that kubectl prints: block mappings and lists, scalars of one line, folded plain
 * scalars and literal blocks. It gives what yaml-tree.ts gives, or undefined wherever it is not sure; then the whole
 * text is read by js-yaml.
 */
export function parseBlock(text: string): Json | undefined {
  if (STRANGE.test(text)) return undefined
  const parser: Parser = { text, at: 0, end: 0, indent: 0, first: 0 }
  if (!toLine(parser, 0)) return undefined
  const value = parser.first === 0 ? undefined : block(parser, { indent: parser.indent, depth: 0 })
  // What follows the value on a smaller indent belongs to nothing.
  return value === NOT_SURE || value === undefined || parser.first !== 0 ? undefined : value
}

/** Characters that YAML forbids, or whose meaning for line breaks and offsets differs between its versions. */
const STRANGE = /[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/

interface Parser {
  readonly text: string
  /** Index of the first character of the line that is ink. */
  at: number
  /** Index of the line feed behind the line, or of the end. */
  end: number
  /** Column of `at` in its line. */
  indent: number
  /** Character code at `at`; 0 at the end of the text. */
  first: number
}

const NOT_SURE = Symbol('not sure')
type Found = Json | typeof NOT_SURE

const SPACE = 0x20
const LINE_FEED = 10
const DASH = 0x2d
const COLON = 0x3a
const HASH = 0x23
const QUOTE = 0x22
const APOSTROPHE = 0x27
const BACKSLASH = 0x5c
const MOST_DEPTH = 60
/** YAML lets a key without `?` be 1024 characters long. */
const LONGEST_KEY = 512

/** Goes to the next line that has ink. False where that is a comment, which means nothing here but hides what follows. */
function toLine(parser: Parser, from: number): boolean {
  const { text } = parser
  for (let start = from; start < text.length; ) {
    let at = start
    while (text.charCodeAt(at) === SPACE) at++
    const first = text.charCodeAt(at)
    if (first === LINE_FEED) {
      start = at + 1
      continue
    }
    if (Number.isNaN(first)) break
    const feed = text.indexOf('\n', at)
    parser.at = at
    parser.indent = at - start
    parser.first = first
    parser.end = feed < 0 ? text.length : feed
    return first !== HASH
  }
  parser.at = text.length
  parser.end = text.length
  parser.indent = -1
  parser.first = 0
  return true
}

const nextLine = (parser: Parser): boolean => toLine(parser, parser.end + 1)

/** `- ` or a dash that ends the line. */
const isDash = ({ text, at, first }: Parser): boolean =>
  first === DASH && (text.charCodeAt(at + 1) === SPACE || isEnd(text.charCodeAt(at + 1)))

const isEnd = (code: number): boolean => code === LINE_FEED || Number.isNaN(code)

interface Level {
  readonly indent: number
  readonly depth: number
}

/** The value that begins on this line, whose lines stand at `indent`. */
function block(parser: Parser, level: Level): Found {
  if (level.depth > MOST_DEPTH) return NOT_SURE
  if (isDash(parser)) return sequence(parser, level)
  return keyEnd(parser) < 0 ? NOT_SURE : mapping(parser, level)
}

function sequence(parser: Parser, { indent, depth }: Level): Found {
  const items: Json[] = []
  while (parser.indent === indent && isDash(parser)) {
    const item = dashed(parser, { indent, depth: depth + 1 })
    if (item === NOT_SURE) return NOT_SURE
    items.push(item as Json)
  }
  return parser.indent > indent ? NOT_SURE : items
}

/** What stands behind a dash. */
function dashed(parser: Parser, { indent, depth }: Level): Found {
  const { text } = parser
  if (parser.at + 1 >= parser.end) {
    if (!nextLine(parser)) return NOT_SURE
    return parser.indent > indent ? block(parser, { indent: parser.indent, depth }) : null
  }
  let at = parser.at + 2
  while (text.charCodeAt(at) === SPACE) at++
  if (at >= parser.end) return NOT_SURE
  parser.indent += at - parser.at
  parser.at = at
  parser.first = text.charCodeAt(at)
  if (isDash(parser) || keyEnd(parser) >= 0) return block(parser, { indent: parser.indent, depth })
  return scalar(parser, indent)
}

/** The index of the colon behind the key that begins here; -1 where no key does, or one that is not simple. */
function keyEnd({ text, at, end }: Parser): number {
  for (let i = at; i < end; i++) {
    const code = text.charCodeAt(i)
    if (isKeyCharacter(code)) continue
    if (code !== COLON || i === at || i - at > LONGEST_KEY) return -1
    const next = text.charCodeAt(i + 1)
    if (next === SPACE || isEnd(next)) return i
  }
  return -1
}

/** Letters, digits, `_`, `-`, `.` and `/`. */
const isKeyCharacter = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x2d && code <= 0x39) || code === 0x5f

function mapping(parser: Parser, { indent, depth }: Level): Found {
  const result: Record<string, Json> = {}
  while (parser.indent === indent && !isDash(parser) && parser.first !== 0) {
    const colon = keyEnd(parser)
    if (colon < 0) return NOT_SURE
    const key = keyText(parser.text.slice(parser.at, colon))
    // A key that stands twice is told by the slow parser.
    if (key === '__proto__' || Object.hasOwn(result, key)) return NOT_SURE
    const value = memberValue(parser, { colon, indent, depth: depth + 1 })
    if (value === NOT_SURE) return NOT_SURE
    result[key] = value as Json
  }
  return parser.indent > indent || (parser.indent === indent && parser.first !== 0) ? NOT_SURE : result
}

/** Keys are read as scalars and then made text: `0x10:` is "16" and `on:` is "true". */
function keyText(text: string): string {
  const value = plainScalar(text)
  return typeof value === 'string' ? value : String(value)
}

function memberValue(parser: Parser, { colon, indent, depth }: Level & { colon: number }): Found {
  const { text } = parser
  let at = colon + 1
  while (text.charCodeAt(at) === SPACE) at++
  if (at < parser.end) {
    parser.at = at
    parser.first = text.charCodeAt(at)
    return scalar(parser, indent)
  }
  if (!nextLine(parser)) return NOT_SURE
  if (parser.indent > indent) return block(parser, { indent: parser.indent, depth })
  // The items of a list in a mapping may stand at the indent of its key.
  if (parser.indent === indent && isDash(parser)) return sequenceInMapping(parser, { indent, depth })
  return null
}

function sequenceInMapping(parser: Parser, level: Level): Found {
  return level.depth > MOST_DEPTH ? NOT_SURE : sequence(parser, level)
}

/** The scalar that begins at `at`; `indent` is that of the mapping or list that it is in. Goes to the line behind it. */
function scalar(parser: Parser, indent: number): Found {
  switch (parser.first) {
    case QUOTE:
      return doubleQuoted(parser)
    case APOSTROPHE:
      return singleQuoted(parser)
    case 0x7b: // {
      return exactly(parser, '{}', {})
    case 0x5b: // [
      return exactly(parser, '[]', [])
    case 0x7c: // |
      return literal(parser, indent)
    default:
      return plain(parser, indent)
  }
}

function exactly(parser: Parser, word: string, value: Json): Found {
  if (parser.end - parser.at !== word.length || !parser.text.startsWith(word, parser.at)) return NOT_SURE
  return nextLine(parser) ? value : NOT_SURE
}

function doubleQuoted(parser: Parser): Found {
  const { text, at, end } = parser
  let close = at + 1
  let escaped = false
  for (; close < end; close++) {
    const code = text.charCodeAt(close)
    if (code === QUOTE) break
    if (code === BACKSLASH) {
      escaped = true
      close++
    }
  }
  if (close !== end - 1) return NOT_SURE
  const value = escaped ? unescaped(text.slice(at, end)) : text.slice(at + 1, close)
  return nextLine(parser) ? value : NOT_SURE
}

/** The escapes that JSON has mean the same in YAML; it has more. */
function unescaped(quoted: string): Found {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return NOT_SURE
  }
}

function singleQuoted(parser: Parser): Found {
  const { text, at, end } = parser
  let close = at + 1
  let doubled = false
  for (; close < end; close++) {
    if (text.charCodeAt(close) !== APOSTROPHE) continue
    if (text.charCodeAt(close + 1) !== APOSTROPHE || close + 1 >= end) break
    doubled = true
    close++
  }
  if (close !== end - 1) return NOT_SURE
  const inner = text.slice(at + 1, close)
  const value = doubled ? inner.replaceAll("''", "'") : inner
  return nextLine(parser) ? value : NOT_SURE
}

/** A plain scalar, folded over the lines that stand deeper than `indent`. */
function plain(parser: Parser, indent: number): Found {
  if (!beginsPlain(parser)) return NOT_SURE
  let value = plainLine(parser)
  if (value === undefined) return NOT_SURE
  for (;;) {
    const before = parser.end
    if (!nextLine(parser)) return NOT_SURE
    if (parser.indent <= indent) return plainScalar(value)
    // A line between them is kept as a line feed; kubectl quotes such texts.
    if (parser.at - parser.indent !== before + 1) return NOT_SURE
    const line = isDash(parser) ? undefined : plainLine(parser)
    if (line === undefined) return NOT_SURE
    value += ` ${line}`
  }
}

/** Letters and digits always begin a plain scalar; `/`, `.`, `_`, `+`, `(`, `=`, `<`, `$`, `^`, `~` do too, and `-` before ink. */
function beginsPlain({ text, at, first }: Parser): boolean {
  if (first >= 0x2d && first <= 0x39) return first !== DASH || text.charCodeAt(at + 1) > SPACE
  if ((first >= 0x61 && first <= 0x7a) || (first >= 0x41 && first <= 0x5a)) return true
  return first > 0x7f || '_+(<$^~=;)\\'.includes(String.fromCharCode(first))
}

/** One line of a plain scalar; undefined where something in it might end it. */
function plainLine({ text, at, end }: Parser): string | undefined {
  const line = text.slice(at, end)
  if (line.includes(': ') || line.includes(' #') || text.charCodeAt(end - 1) === COLON) return undefined
  return text.charCodeAt(end - 1) === SPACE ? undefined : line
}

/** A literal block: `|`, `|-` or `|+`, without an indentation that is said. */
function literal(parser: Parser, indent: number): Found {
  const { text } = parser
  const header = text.slice(parser.at, parser.end)
  if (header !== '|' && header !== '|-' && header !== '|+') return NOT_SURE
  let lines = ''
  let blank = 0
  let margin = -1
  let start = parser.end + 1
  while (start < text.length) {
    let at = start
    while (text.charCodeAt(at) === SPACE) at++
    const feed = text.indexOf('\n', at)
    const end = feed < 0 ? text.length : feed
    if (at === end) {
      // Blanks may be a part of the text, or not, by what the margin is.
      if (at > start) return NOT_SURE
      blank++
    } else {
      if (margin < 0) margin = at - start
      if (at - start < margin || margin <= indent) break
      lines += `${'\n'.repeat(blank)}${text.slice(start + margin, end)}\n`
      blank = 0
    }
    if (feed < 0) {
      start = text.length
      break
    }
    start = end + 1
  }
  // An unfinished last line keeps no line feed, and a block without text is no text to be sure of.
  if (lines === '' || (start >= text.length && text.charCodeAt(text.length - 1) !== LINE_FEED)) return NOT_SURE
  if (!toLine(parser, start) || parser.indent > indent) return NOT_SURE
  if (header === '|-') return lines.slice(0, -1)
  return header === '|+' ? lines + '\n'.repeat(blank) : lines
}
