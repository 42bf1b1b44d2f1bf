import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'

/**
 * The words of a rule as iptables-restore splits them: blanks separate, double quotes hold together, inside quotes a
 * backslash takes the next character as it is. Single quotes mean nothing. iptables/xshared.c, iptables 1.8.9.
 */
export function splitWords(text: string): Parsed<readonly string[]> {
  const words: string[] = []
  let word: string | undefined
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? ''
    if (quoted) {
      if (c === '"') quoted = false
      else if (c === '\\' && i + 1 < text.length) word = (word ?? '') + text[++i]
      else word = (word ?? '') + c
    } else if (c === '"') {
      quoted = true
      word ??= ''
    } else if (c === ' ' || c === '\t' || c === '\n') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + c
  }
  if (quoted) return refused('a double quote is not closed')
  if (word !== undefined) words.push(word)
  return parsed(words)
}

/** A word as iptables-save prints it: quoted where it is empty or holds more than letters, digits, `_` and `-`. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(word)) return word
  return `"${word.replaceAll(/["\\']/g, '\\$&')}"`
}
