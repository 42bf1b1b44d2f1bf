import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { CLASS_ESCAPES, negated, POSIX_CLASSES, type Ranges, simplified, withBothCases } from './class.ts'

/** A regular expression of Go's package regexp (RE2), taken apart (regexp/syntax). Positions are UTF-16 units. */
export type Node =
  | { readonly kind: 'empty' }
  /** One character out of ranges, both ends included. */
  | { readonly kind: 'class'; readonly ranges: Ranges }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'group'; readonly index: number; readonly body: Node }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  /** `max` undefined: without end. */
  | {
      readonly kind: 'repeat'
      readonly body: Node
      readonly min: number
      readonly max: number | undefined
      readonly greedy: boolean
    }

export type Assertion = 'lineStart' | 'lineEnd' | 'textStart' | 'textEnd' | 'wordEdge' | 'notWordEdge'

export interface Syntax {
  readonly root: Node
  /** By group; `''` where it has no name. Index 0 is the whole match. */
  readonly groupNames: readonly string[]
}

/** Most often a part may be repeated by number (syntax.Parse maxRepeat), and how deep groups may stand in each other. */
const MAX_REPEAT = 1000
const MAX_DEPTH = 1000

interface Flags {
  readonly fold: boolean
  readonly multiLine: boolean
  readonly dotAll: boolean
  readonly lazy: boolean
}

interface Cursor {
  readonly text: string
  at: number
  flags: Flags
  depth: number
  readonly names: string[]
}

/** Thrown inside this file only. */
class SyntaxFault {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const fault = (what: string, where: string): SyntaxFault =>
  new SyntaxFault(`error parsing regexp: ${what}: \`${where}\``)

/** Reads an expression; refused with the words of Go's regexp.Compile. */
export function parseRegexp(text: string): Parsed<Syntax> {
  const flags = { fold: false, multiLine: false, dotAll: false, lazy: false }
  const cursor: Cursor = { text, at: 0, flags, depth: 0, names: [''] }
  try {
    const root = parseChoice(cursor)
    if (cursor.at < text.length) throw fault('unexpected )', text)
    return parsed({ root, groupNames: cursor.names })
  } catch (error) {
    if (error instanceof SyntaxFault) return refused(error.reason)
    throw error
  }
}

function parseChoice(cursor: Cursor): Node {
  const options: Node[] = [parseSequence(cursor)]
  while (cursor.text[cursor.at] === '|') {
    cursor.at++
    options.push(parseSequence(cursor))
  }
  const [only] = options
  return options.length === 1 && only ? only : { kind: 'choice', options }
}

function parseSequence(cursor: Cursor): Node {
  const parts: Node[] = []
  let last: { readonly at: number } | undefined
  for (let next = cursor.text[cursor.at]; next !== undefined && next !== '|' && next !== ')'; ) {
    const start = cursor.at
    const repeat = parseRepeat(cursor)
    if (repeat) {
      const body = parts.pop()
      const operator = cursor.text.slice(start, cursor.at)
      if (!body) throw fault('missing argument to repetition operator', operator)
      if (last) throw fault('invalid nested repetition operator', cursor.text.slice(last.at, cursor.at))
      last = { at: start }
      parts.push({ kind: 'repeat', body, ...repeat })
    } else {
      last = undefined
      const part = parseAtom(cursor)
      if (part) parts.push(part)
    }
    next = cursor.text[cursor.at]
  }
  const [only] = parts
  if (parts.length === 0) return { kind: 'empty' }
  return parts.length === 1 && only ? only : { kind: 'sequence', parts }
}

/** `*`, `+`, `?`, `{n,m}`, each with `?` for as few as possible; undefined where none stands here. */
function parseRepeat(
  cursor: Cursor,
): { readonly min: number; readonly max: number | undefined; readonly greedy: boolean } | undefined {
  const { text, at } = cursor
  let bounds: { readonly min: number; readonly max: number | undefined } | undefined
  const operator = text[at]
  if (operator === '*') bounds = { min: 0, max: undefined }
  else if (operator === '+') bounds = { min: 1, max: undefined }
  else if (operator === '?') bounds = { min: 0, max: 1 }
  let length = 1
  if (operator === '{') {
    const braces = /^\{(\d{1,8})(,(\d{0,8}))?\}/.exec(text.slice(at, at + 24))
    if (!braces || /^\{0\d/.test(braces[0])) return undefined
    length = braces[0].length
    const min = Number(braces[1])
    const max = braces[2] === undefined ? min : braces[3] === '' ? undefined : Number(braces[3])
    if (min > MAX_REPEAT || (max !== undefined && (max > MAX_REPEAT || max < min)))
      throw fault('invalid repeat count', braces[0])
    bounds = { min, max }
  }
  if (!bounds) return undefined
  cursor.at += length
  const lazy = text[cursor.at] === '?'
  if (lazy) cursor.at++
  return { ...bounds, greedy: lazy === cursor.flags.lazy }
}

/** Undefined for what stands for nothing, as `(?i)`. */
function parseAtom(cursor: Cursor): Node | undefined {
  const { text, flags } = cursor
  const character = text[cursor.at] ?? ''
  switch (character) {
    case '(':
      return parseGroup(cursor)
    case '[':
      return parseClass(cursor)
    case '.':
      cursor.at++
      return { kind: 'class', ranges: flags.dotAll ? [[0, 0xffff]] : negated([[10, 10]]) }
    case '^':
      cursor.at++
      return { kind: 'assert', what: flags.multiLine ? 'lineStart' : 'textStart' }
    case '$':
      cursor.at++
      return { kind: 'assert', what: flags.multiLine ? 'lineEnd' : 'textEnd' }
    case '\\':
      return parseEscape(cursor)
    default:
      cursor.at++
      return literal(character.charCodeAt(0), flags)
  }
}

function literal(code: number, { fold }: Flags): Node {
  const ranges: Ranges = [[code, code]]
  return { kind: 'class', ranges: fold ? withBothCases(ranges) : ranges }
}

function parseGroup(cursor: Cursor): Node | undefined {
  const { text } = cursor
  if (++cursor.depth > MAX_DEPTH) throw fault('expression nests too deeply', text)
  const outer = cursor.flags
  const start = cursor.at
  let index: number | undefined
  if (text.startsWith('(?', start)) {
    const named = /^\(\?P?<([^>]*)>/.exec(text.slice(start))
    if (named) {
      const [whole, name = ''] = named
      if (!/^[0-9A-Za-z_]+$/.test(name)) throw fault('invalid named capture', whole)
      index = cursor.names.push(name) - 1
      cursor.at += whole.length
    } else if (/^\(\?P?</.test(text.slice(start))) throw fault('invalid named capture', text.slice(start))
    else if (parseFlags(cursor) === 'flagsOnly') {
      cursor.depth--
      return undefined
    }
  } else {
    index = cursor.names.push('') - 1
    cursor.at++
  }
  const body = parseChoice(cursor)
  if (text[cursor.at] !== ')') throw fault('missing closing )', text)
  cursor.at++
  cursor.flags = outer
  cursor.depth--
  return index === undefined ? { kind: 'sequence', parts: [body] } : { kind: 'group', index, body }
}

/** `(?i)` changes the flags up to the end of the group around; `(?i:` opens a group. */
function parseFlags(cursor: Cursor): 'flagsOnly' | 'group' {
  const { text, at } = cursor
  const match = /^\(\?([imsU]*)(?:(-)([imsU]+))?([:)])/.exec(text.slice(at))
  if (!match) {
    const wrong = /^\(\?[imsU-]*.?/.exec(text.slice(at))?.[0] ?? '(?'
    throw fault('invalid or unsupported Perl syntax', wrong)
  }
  const [whole, on = '', , off = '', end] = match
  let flags = cursor.flags
  for (const [letters, value] of [
    [on, true],
    [off, false],
  ] as const)
    for (const letter of letters) flags = { ...flags, [FLAG_NAME[letter] ?? 'fold']: value }
  cursor.flags = flags
  cursor.at += whole.length
  return end === ')' ? 'flagsOnly' : 'group'
}

const FLAG_NAME: Readonly<Record<string, keyof Flags>> = { i: 'fold', m: 'multiLine', s: 'dotAll', U: 'lazy' }

const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: 'textStart',
  z: 'textEnd',
  b: 'wordEdge',
  B: 'notWordEdge',
}

function parseEscape(cursor: Cursor): Node {
  const letter = cursor.text[cursor.at + 1]
  if (letter === undefined) throw fault('trailing backslash at end of expression', '')
  const what = ASSERTIONS[letter]
  if (what) {
    cursor.at += 2
    return { kind: 'assert', what }
  }
  if (letter === 'Q') {
    const end = cursor.text.indexOf('\\E', cursor.at + 2)
    const quoted = cursor.text.slice(cursor.at + 2, end < 0 ? undefined : end)
    cursor.at = end < 0 ? cursor.text.length : end + 2
    return { kind: 'sequence', parts: [...quoted].map((one) => literal(one.charCodeAt(0), cursor.flags)) }
  }
  const ranges = CLASS_ESCAPES[letter]
  if (ranges) {
    cursor.at += 2
    return { kind: 'class', ranges }
  }
  return literal(parseEscapedCharacter(cursor), cursor.flags)
}

const CONTROL: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }

/** `\n`, `\x41`, `\x{41}`, `\101`, `\.`: leaves the cursor behind it. */
function parseEscapedCharacter(cursor: Cursor): number {
  const rest = cursor.text.slice(cursor.at)
  const number = /^\\(?:x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))/.exec(rest)
  if (number) {
    cursor.at += number[0].length
    const hex = number[1] ?? number[2]
    return hex === undefined ? Number.parseInt(number[3] ?? '0', 8) : Number.parseInt(hex, 16)
  }
  const letter = rest[1] ?? ''
  const control = CONTROL[letter]
  if (control === undefined && /[0-9A-Za-z]/.test(letter)) throw fault('invalid escape sequence', `\\${letter}`)
  cursor.at += 2
  return control ?? letter.charCodeAt(0)
}

function parseClass(cursor: Cursor): Node {
  const { text } = cursor
  const start = cursor.at
  cursor.at++
  const not = text[cursor.at] === '^'
  if (not) cursor.at++
  const ranges: (readonly [number, number])[] = []
  for (let first = true; text[cursor.at] !== ']' || first; first = false) {
    if (cursor.at >= text.length) throw fault('missing closing ]', text.slice(start))
    const posix = /^\[:(\^?)(\w+):\]/.exec(text.slice(cursor.at))
    if (posix) {
      const named = POSIX_CLASSES[posix[2] ?? '']
      if (!named) throw fault('invalid character class range', posix[0])
      ranges.push(...(posix[1] === '^' ? negated(named) : named))
      cursor.at += posix[0].length
      continue
    }
    const escaped = text[cursor.at] === '\\' ? CLASS_ESCAPES[text[cursor.at + 1] ?? ''] : undefined
    if (escaped) {
      ranges.push(...escaped)
      cursor.at += 2
      continue
    }
    const from = cursor.at
    const low = parseClassCharacter(cursor, start)
    let high = low
    if (text[cursor.at] === '-' && text[cursor.at + 1] !== undefined && text[cursor.at + 1] !== ']') {
      cursor.at++
      high = parseClassCharacter(cursor, start)
      if (high < low) throw fault('invalid character class range', text.slice(from, cursor.at))
    }
    ranges.push([low, high])
  }
  cursor.at++
  const whole = simplified(cursor.flags.fold ? withBothCases(ranges) : ranges)
  return { kind: 'class', ranges: not ? negated(whole) : whole }
}

function parseClassCharacter(cursor: Cursor, start: number): number {
  const { text } = cursor
  if (cursor.at >= text.length) throw fault('missing closing ]', text.slice(start))
  if (text[cursor.at] === '\\') {
    if (text[cursor.at + 1] === undefined) throw fault('trailing backslash at end of expression', '')
    return parseEscapedCharacter(cursor)
  }
  return text.charCodeAt(cursor.at++)
}
