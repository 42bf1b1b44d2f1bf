/** A word of a Corefile with its place (coredns/caddy, caddyfile/lexer.go). */
export interface Token {
  readonly text: string
  readonly file: string
  /** 1-based. */
  readonly line: number
}

/**
 * Splits a Corefile into words. A quote counts only at the start of a word, and runs over line ends; inside it only
 * `\"` is an escape. `#` starts a comment: between words up to the end of the line, inside a word up to the next blank.
 */
export function lex(text: string, file: string): readonly Token[] {
  const tokens: Token[] = []
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  let line = 1
  let word: { text: string; line: number } | undefined
  let quoted = false
  let escaped = false
  let comment = false
  const end = () => {
    if (word && (word.text !== '' || quoted)) tokens.push({ file, ...word })
    word = undefined
    quoted = false
  }
  for (const character of source) {
    if (quoted && word) {
      if (!escaped && character === '\\') {
        escaped = true
        continue
      }
      if (!escaped && character === '"') {
        end()
        continue
      }
      if (character === '\n') line++
      if (escaped && character !== '"') word.text += '\\'
      word.text += character
      escaped = false
      continue
    }
    if (/\s/.test(character)) {
      if (character === '\r') continue
      // Of a comment inside a word only the word is left behind.
      if (word || character === '\n') comment = false
      end()
      if (character === '\n') line++
      continue
    }
    if (character === '#') comment = true
    if (comment) continue
    if (!word) {
      word = { text: '', line }
      if (character === '"') {
        quoted = true
        continue
      }
    }
    word.text += character
  }
  if (word && word.text !== '') tokens.push({ file, ...word })
  return tokens
}

/** How many line ends stand inside a word: a quoted one may hold some. */
export const lineBreaks = (token: Token): number => token.text.split('\n').length - 1
