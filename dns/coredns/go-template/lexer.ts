/** A piece of a text in Go's text/template (Go 1.26, text/template/parse/lex.go). */
export interface Token {
  readonly kind:
    | 'text'
    | 'open'
    | 'close'
    | 'space'
    | 'string'
    | 'number'
    | 'field'
    | 'variable'
    | 'word'
    | 'declare'
    | 'assign'
    | 'other'
    | 'fault'
    | 'end'
  /** What was written; of a string its value stands in `value`. */
  readonly text: string
  readonly value?: string
  readonly line: number
}

const OPEN = '{{'
const WORD = /^[\p{L}_][\p{L}\p{N}_]*/u
const NUMBER = /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?|\.\d+)/

/** Cuts a template into text and the pieces of its actions. */
export function templateTokens(source: string): readonly Token[] {
  const tokens: Token[] = []
  let rest = source
  let line = 1
  let trimNext = false
  const push = (kind: Token['kind'], text: string, value?: string) => {
    tokens.push({ kind, text, line, ...(value !== undefined && { value }) })
    line += text.split('\n').length - 1
  }
  while (rest !== '') {
    const open = rest.indexOf(OPEN)
    const text = open < 0 ? rest : rest.slice(0, open)
    const inner = open < 0 ? '' : rest.slice(open + OPEN.length)
    const trimsBefore = /^-[ \t\r\n]/.test(inner)
    const shown = trimsBefore ? text.replace(/[ \t\r\n]+$/, '') : text
    const kept = trimNext ? shown.replace(/^[ \t\r\n]+/, '') : shown
    if (kept !== '') tokens.push({ kind: 'text', text: kept, line })
    line += text.split('\n').length - 1
    trimNext = false
    if (open < 0) break
    const action = trimsBefore ? inner.slice(2) : inner
    const comment = /^\/\*[\s\S]*?\*\/(?:[ \t\r\n]-)?\}\}/.exec(action)
    if (comment) {
      trimNext = /[ \t\r\n]-\}\}$/.test(comment[0])
      line += comment[0].split('\n').length - 1
      rest = action.slice(comment[0].length)
      continue
    }
    if (action.startsWith('/*')) {
      push('fault', 'unclosed comment')
      return tokens
    }
    tokens.push({ kind: 'open', text: OPEN, line })
    const inside = actionTokens(action, push)
    if (!inside) return tokens
    trimNext = inside.trims
    rest = action.slice(inside.length)
  }
  push('end', '')
  return tokens
}

type Push = (kind: Token['kind'], text: string, value?: string) => void

/** The pieces of one action up to its end; undefined behind a fault. */
function actionTokens(action: string, push: Push): { readonly length: number; readonly trims: boolean } | undefined {
  let at = 0
  let parens = 0
  const fail = (text: string): undefined => {
    push('fault', text)
    return undefined
  }
  for (;;) {
    const rest = action.slice(at)
    const close = /^(?:[ \t\r\n]-)?\}\}/.exec(rest)
    if (close) {
      if (parens > 0) return fail('unclosed left paren')
      push('close', '}}')
      return { length: at + close[0].length, trims: close[0].length > 2 }
    }
    if (rest === '') return fail('unclosed action')
    const piece = pieceOf(rest)
    if (piece.kind === 'fault') return fail(piece.text)
    if (piece.text === '(') parens++
    if (piece.text === ')' && piece.kind === 'other' && --parens < 0) return fail('unexpected right paren')
    push(piece.kind, piece.text, piece.value)
    at += piece.text.length
  }
}

function pieceOf(rest: string): Pick<Token, 'kind' | 'text' | 'value'> {
  const space = /^[ \t\r\n]+/.exec(rest)
  if (space) {
    const trim = /^([ \t\r\n]*?)[ \t\r\n]-\}\}/.exec(rest)
    const text = trim ? (trim[1] ?? '') : space[0]
    return { kind: 'space', text: text === '' ? space[0].slice(0, 1) : text }
  }
  const first = rest[0] ?? ''
  if (first === '"') {
    const quoted = /^"(?:\\.|[^"\\\n])*"/.exec(rest)
    return quoted
      ? { kind: 'string', text: quoted[0], value: unquoted(quoted[0]) }
      : { kind: 'fault', text: 'unterminated quoted string' }
  }
  if (first === '`') {
    const raw = /^`[^`]*`/.exec(rest)
    return raw
      ? { kind: 'string', text: raw[0], value: raw[0].slice(1, -1) }
      : { kind: 'fault', text: 'unterminated raw quoted string' }
  }
  if (first === "'") {
    const character = /^'(?:\\.|[^'\\\n])+'/.exec(rest)
    if (!character) return { kind: 'fault', text: 'unterminated character constant' }
    const value = unquoted(`"${character[0].slice(1, -1)}"`).codePointAt(0) ?? 0
    return { kind: 'number', text: character[0], value: String(value) }
  }
  if (rest.startsWith(':=')) return { kind: 'declare', text: ':=' }
  if (rest.startsWith(':')) return { kind: 'fault', text: 'expected :=' }
  if (first === '=') return { kind: 'assign', text: '=' }
  if (first === '$') return { kind: 'variable', text: `$${WORD.exec(rest.slice(1))?.[0] ?? ''}` }
  if (first === '.' && !/^\.\d/.test(rest)) return { kind: 'field', text: `.${WORD.exec(rest.slice(1))?.[0] ?? ''}` }
  const number = NUMBER.exec(rest)
  if (number) {
    const after = /^[\p{L}\p{N}_]+/u.exec(rest.slice(number[0].length))
    if (after) return { kind: 'fault', text: `bad number syntax: ${JSON.stringify(number[0] + after[0])}` }
    return { kind: 'number', text: number[0], value: String(Number(number[0].replaceAll('_', ''))) }
  }
  const word = WORD.exec(rest)
  if (word) return { kind: 'word', text: word[0] }
  if (/^[ -~]/.test(first)) return { kind: 'other', text: first }
  const code = rest.codePointAt(0) ?? 0
  const shown = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
  return { kind: 'fault', text: `unrecognized character in action: ${shown} '${String.fromCodePoint(code)}'` }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v' }

const unquoted = (text: string): string =>
  text
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|(.))/g,
      (_, x: string | undefined, u: string | undefined, octal: string | undefined, letter = '') =>
        octal !== undefined
          ? String.fromCharCode(Number.parseInt(octal, 8))
          : x === undefined && u === undefined
            ? (ESCAPES[letter] ?? letter)
            : String.fromCharCode(Number.parseInt(x ?? u ?? '0', 16)),
    )
