/** A place in the words of a rule. */
export interface Cursor {
  readonly source: string
  /** Words and signs; a quoted text keeps its first quote. */
  readonly words: readonly string[]
  /** Where each begins. */
  readonly starts: readonly number[]
  at: number
}

const SPACE = 32
const TAB = 9
const QUOTE = '"'
const EQUALS = 61
/** Signs that are words by themselves. */
const SIGNS = '{}(),|&^'
/** Signs that `=` may follow; `<` and `>` alone are words too. */
const COMPARED = '=!<>'

const codes = (text: string): readonly number[] => Array.from(text, (character) => character.charCodeAt(0))

/** By character: what it does to a word that it stands in or behind. */
const KIND = new Uint8Array(128)
const PART = 0
const SIGN = 1
const COMPARISON = 2
const BREAK = 3
for (const code of codes(SIGNS)) KIND[code] = SIGN
for (const code of codes(COMPARED)) KIND[code] = COMPARISON
for (const code of codes(` \t\n\v\f\r${QUOTE}`)) KIND[code] = BREAK

const kindOf = (code: number): number => (code < 128 ? (KIND[code] ?? PART) : isSpace(code) ? BREAK : PART)

const isSpace = (code: number): boolean => /\s/.test(String.fromCharCode(code))

/** The words of a rule; undefined where something in it is no word (an open quote, a lone `=`). */
export function openCursor(source: string): Cursor | undefined {
  const words: string[] = []
  const starts: number[] = []
  let at = 0
  while (at < source.length) {
    const code = source.charCodeAt(at)
    if (code === SPACE || code === TAB) {
      at++
      continue
    }
    const end = wordEnd(source, at, code)
    if (end === undefined) return undefined
    starts.push(at)
    words.push(source.slice(at, source[at] === QUOTE ? end - 1 : end))
    at = end
  }
  return { source, words, starts, at: 0 }
}

/** Behind the word or quoted text that begins at a place. */
function wordEnd(source: string, start: number, code: number): number | undefined {
  switch (kindOf(code)) {
    case SIGN:
      return start + 1
    case COMPARISON:
      if (source.charCodeAt(start + 1) === EQUALS) return start + 2
      return source[start] === '<' || source[start] === '>' ? start + 1 : undefined
    case BREAK: {
      const close = source[start] === QUOTE ? source.indexOf(QUOTE, start + 1) : -1
      return close < 0 ? undefined : close + 1
    }
    default: {
      let end = start + 1
      while (end < source.length && kindOf(source.charCodeAt(end)) === PART) end++
      return end
    }
  }
}

/** The word at the cursor, or the n-th after it; '' at the end. Quoted texts are no words. */
export function peek(cursor: Cursor, ahead = 0): string {
  const word = cursor.words[cursor.at + ahead]
  return word === undefined || isQuoted(word) ? '' : word
}

const isQuoted = (word: string): boolean => word.startsWith(QUOTE)

/** The quoted text at the cursor, or the n-th after it; undefined where there is none. */
export function peekQuoted(cursor: Cursor, ahead: number): string | undefined {
  const word = cursor.words[cursor.at + ahead]
  return word === undefined || !isQuoted(word) ? undefined : word.slice(1)
}

export const atEnd = (cursor: Cursor): boolean => cursor.at >= cursor.words.length

/** Takes the word or quoted text at the cursor, whatever it is; '' at the end. */
export function next(cursor: Cursor): string {
  const word = cursor.words[cursor.at++]
  return word === undefined ? '' : isQuoted(word) ? word.slice(1) : word
}

/** Takes the words if they stand at the cursor. */
export function take(cursor: Cursor, ...words: readonly string[]): boolean {
  for (let i = 0; i < words.length; i++) if (peek(cursor, i) !== words[i]) return false
  cursor.at += words.length
  return true
}

/** A whole number that is not negative; undefined where there is none. */
export function takeNumber(cursor: Cursor): number | undefined {
  const text = peek(cursor)
  if (!/^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(text)) return undefined
  cursor.at++
  return Number(text)
}

/** What of the rule is left, as written. */
export function rest(cursor: Cursor): string {
  const start = cursor.starts[cursor.at]
  return start === undefined ? '' : cursor.source.slice(start).trim()
}
