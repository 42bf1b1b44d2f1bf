import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'

/** A word of an expression of expr-lang/expr 1.17, with its place (parser/lexer). */
export interface Token {
  readonly kind: 'Identifier' | 'Number' | 'String' | 'Operator' | 'Bracket' | 'EOF'
  readonly text: string
  readonly at: number
}

const WORD_OPERATORS = new Set([
  'in',
  'or',
  'and',
  'not',
  'matches',
  'contains',
  'startsWith',
  'endsWith',
  'let',
  'if',
  'else',
])

const NUMBER =
  /^(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[\d_]+(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/
const OPERATOR = /^(?:\?[.?]?|\|\|?|::?|\.\.?|##?|[&!=*<>][&=*]?|[,;%+^/-])/

/** Splits an expression into words; refused as the parser says it, with the place drawn below. */
export function tokens(text: string): Parsed<readonly Token[]> {
  const found: Token[] = []
  let at = 0
  while (at < text.length) {
    const rest = text.slice(at)
    const skipped = /^(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)/.exec(rest)
    if (skipped) {
      at += skipped[0].length
      continue
    }
    const token = tokenAt(rest, at)
    // A text without an end is noticed at the end of all.
    if (!token.ok) return refused(located(text, /^['"`]/.test(rest) ? text.length : at, token.reason))
    const { length, ...made } = token.value
    found.push(made)
    at += length
  }
  found.push({ kind: 'EOF', text: '', at: Math.max(text.length - 1, 0) })
  return parsed(found)
}

function tokenAt(rest: string, at: number): Parsed<Token & { readonly length: number }> {
  const made = (kind: Token['kind'], length: number, text = rest.slice(0, length)) => parsed({ kind, text, at, length })
  const quoted = /^(?:'((?:\\[\s\S]|[^'\\\n])*)'|"((?:\\[\s\S]|[^"\\\n])*)"|`([^`]*)`)/.exec(rest)
  if (quoted) return made('String', quoted[0].length, quoted[3] ?? unescaped(quoted[1] ?? quoted[2] ?? ''))
  if (/^['"`]/.test(rest)) return refused('literal not terminated')
  const number = /^(?:\d|\.\d)/.test(rest) ? NUMBER.exec(rest) : null
  if (number) {
    const after = /^[0-9A-Za-z_$]+/.exec(rest.slice(number[0].length))
    if (after) return refused(`bad number syntax: ${JSON.stringify(number[0] + (after[0][0] ?? ''))}`)
    return made('Number', number[0].length)
  }
  const word = /^[A-Za-z_$][\w$]*/.exec(rest)
  if (word) return made(WORD_OPERATORS.has(word[0]) ? 'Operator' : 'Identifier', word[0].length)
  if (/^[([{)\]}]/.test(rest)) return made('Bracket', 1)
  const operator = OPERATOR.exec(rest)
  if (operator) return made('Operator', operator[0].length)
  const code = rest.codePointAt(0) ?? 0
  const shown = String.fromCodePoint(code)
  return refused(`unrecognized character: U+${code.toString(16).toUpperCase().padStart(4, '0')} '${shown}'`)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v' }

const unescaped = (text: string): string =>
  text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\s\S]))/g,
    (_, x: string | undefined, u: string | undefined, letter = '') =>
      x === undefined && u === undefined
        ? (ESCAPES[letter] ?? letter)
        : String.fromCharCode(Number.parseInt(x ?? u ?? '0', 16)),
  )

/** A message with the line and a mark below it (file/error.go). */
export function located(text: string, at: number, message: string): string {
  const before = text.slice(0, at).split('\n')
  const line = text.split('\n')[before.length - 1] ?? ''
  const column = before.at(-1)?.length ?? 0
  if (line === '') return message
  return `${message} (${before.length}:${column + 1})\n | ${line.replaceAll('\t', ' ')}\n | ${'.'.repeat(column)}^`
}
