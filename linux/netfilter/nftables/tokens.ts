/** One word or sign of a rule. */
export interface Token {
  /** Of a quoted text: what stands between the quotes. */
  readonly text: string
  readonly quoted: boolean
  /** Where it begins in the rule. */
  readonly at: number
}

/** A place in the words of a rule. */
export interface Cursor {
  readonly source: string
  readonly tokens: readonly Token[]
  at: number
}

const TOKEN = /"([^"]*)"|[{}(),|&^]|[=!<>]=|[<>]|[^\s{}(),|&^<>=!"]+/y

/** The words of a rule; undefined where something in it is no word (an open quote, a lone `=`). */
export function openCursor(source: string): Cursor | undefined {
  const tokens: Token[] = []
  let at = 0
  while (at < source.length) {
    const c = source.charCodeAt(at)
    if (c === 32 || c === 9) {
      at++
      continue
    }
    TOKEN.lastIndex = at
    const match = TOKEN.exec(source)
    if (match === null) return undefined
    tokens.push({ text: match[1] ?? match[0], quoted: match[1] !== undefined, at })
    at = TOKEN.lastIndex
  }
  return { source, tokens, at: 0 }
}

/** The word at the cursor, or the n-th after it; '' at the end. Quoted texts are no words. */
export function peek(cursor: Cursor, ahead = 0): string {
  const token = cursor.tokens[cursor.at + ahead]
  return token === undefined || token.quoted ? '' : token.text
}

export const atEnd = (cursor: Cursor): boolean => cursor.at >= cursor.tokens.length

/** Takes the word at the cursor, whatever it is; '' at the end. */
export function next(cursor: Cursor): string {
  return cursor.tokens[cursor.at++]?.text ?? ''
}

/** Takes the words if they stand at the cursor. */
export function take(cursor: Cursor, ...words: readonly string[]): boolean {
  for (const [i, word] of words.entries()) if (peek(cursor, i) !== word) return false
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
  const token = cursor.tokens[cursor.at]
  return token === undefined ? '' : cursor.source.slice(token.at).trim()
}
