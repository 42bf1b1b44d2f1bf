import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { located, type Token, tokens } from './token.ts'

/** An expression taken apart (expr-lang/expr 1.17, parser). */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'name'; readonly name: string; readonly at: number }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[]; readonly at: number }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression; readonly optional: boolean }
  | { readonly kind: 'slice'; readonly of: Expression; readonly from?: Expression; readonly to?: Expression }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'condition'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }

/** How tightly operators bind (parser/operator/operator.go). */
const UNARY: Readonly<Record<string, number>> = { not: 50, '!': 50, '-': 90, '+': 90 }
const BINARY: Readonly<Record<string, number>> = {
  '|': 0,
  or: 10,
  '||': 10,
  and: 15,
  '&&': 15,
  '==': 20,
  '!=': 20,
  '<': 20,
  '>': 20,
  '>=': 20,
  '<=': 20,
  in: 20,
  matches: 20,
  contains: 20,
  startsWith: 20,
  endsWith: 20,
  '..': 25,
  '+': 30,
  '-': 30,
  '*': 60,
  '/': 60,
  '%': 60,
  '**': 100,
  '^': 100,
  '??': 500,
}
const RIGHT = new Set(['**', '^'])
const NEGATABLE = new Set(['in', 'matches', 'contains', 'startsWith', 'endsWith'])
const COMPARISONS = new Set(['<', '>', '<=', '>='])
/** How deep parts may stand in each other. */
const MAX_DEPTH = 200

class ExpressionFault {
  readonly at: number
  readonly message: string
  constructor(at: number, message: string) {
    this.at = at
    this.message = message
  }
}

/** Reads an expression; refused in the words of expr. */
export function parseExpression(text: string): Parsed<Expression> {
  const words = tokens(text)
  if (!words.ok) return words
  try {
    const reader = new Reader(words.value)
    const expression = reader.expression(0)
    reader.end()
    return parsed(expression)
  } catch (error) {
    if (error instanceof ExpressionFault) return refused(located(text, error.at, error.message))
    throw error
  }
}

class Reader {
  private readonly words: readonly Token[]
  private at = 0
  private depth = 0

  constructor(words: readonly Token[]) {
    this.words = words
  }

  private get current(): Token {
    return this.words[this.at] ?? { kind: 'EOF', text: '', at: 0 }
  }

  private is(kind: Token['kind'], text: string): boolean {
    return this.current.kind === kind && this.current.text === text
  }

  private take(): Token {
    const token = this.current
    if (this.at < this.words.length - 1) this.at++
    return token
  }

  private unexpected(token: Token = this.current): ExpressionFault {
    const shown = token.text === '' ? token.kind : `${token.kind}(${JSON.stringify(token.text)})`
    return new ExpressionFault(token.at, `unexpected token ${shown}`)
  }

  private expect(kind: Token['kind'], text: string): void {
    if (!this.is(kind, text)) throw this.unexpected()
    this.take()
  }

  end(): void {
    if (this.current.kind !== 'EOF') throw this.unexpected()
  }

  expression(precedence: number): Expression {
    if (++this.depth > MAX_DEPTH) throw new ExpressionFault(this.current.at, 'expression is nested too deeply')
    let left = this.primary()
    for (;;) {
      const next = this.binary(left, precedence)
      if (!next) break
      left = next
    }
    if (precedence === 0) left = this.conditional(left)
    this.depth--
    return left
  }

  /** One more operator behind `left`; undefined where none binds tightly enough. */
  private binary(left: Expression, precedence: number): Expression | undefined {
    if (this.current.kind !== 'Operator') return undefined
    const start = this.at
    const negated = this.is('Operator', 'not')
    if (negated) {
      this.take()
      if (!NEGATABLE.has(this.current.text)) throw this.unexpected()
    }
    const operator = this.current.text
    const own = BINARY[operator]
    if (own === undefined || own < precedence) {
      this.at = start
      return undefined
    }
    this.take()
    if (operator === '|') {
      const name = this.take()
      if (name.kind !== 'Identifier') throw this.unexpected(name)
      return this.call(name, [left])
    }
    const right = this.expression(RIGHT.has(operator) ? own : own + 1)
    const made: Expression = { kind: 'binary', operator, left, right }
    if (COMPARISONS.has(operator)) return this.chained(made, right, own)
    return negated ? { kind: 'unary', operator: 'not', operand: made } : made
  }

  /** `1 < x < 5` means both. */
  private chained(first: Expression, middle: Expression, own: number): Expression {
    let all = first
    let left = middle
    while (this.current.kind === 'Operator' && COMPARISONS.has(this.current.text)) {
      const { text: operator } = this.take()
      const right = this.expression(own + 1)
      all = { kind: 'binary', operator: '&&', left: all, right: { kind: 'binary', operator, left, right } }
      left = right
    }
    return all
  }

  private conditional(node: Expression): Expression {
    let test = node
    while (this.is('Operator', '?')) {
      this.take()
      let yes = test
      if (!this.is('Operator', ':')) yes = this.expression(0)
      this.expect('Operator', ':')
      test = { kind: 'condition', test, yes, no: this.expression(0) }
    }
    return test
  }

  private primary(): Expression {
    const token = this.current
    const unary = token.kind === 'Operator' ? UNARY[token.text] : undefined
    if (unary !== undefined) {
      this.take()
      return this.postfix({ kind: 'unary', operator: token.text, operand: this.expression(unary) })
    }
    if (this.is('Bracket', '(')) {
      this.take()
      const inner = this.expression(0)
      this.expect('Bracket', ')')
      return this.postfix(inner)
    }
    switch (token.kind) {
      case 'Identifier':
        return this.identifier()
      case 'Number':
        this.take()
        return { kind: 'literal', value: Number(token.text.replaceAll('_', '')) }
      case 'String':
        this.take()
        return this.postfix({ kind: 'literal', value: token.text })
      default:
        if (this.is('Bracket', '[')) {
          this.take()
          return this.postfix({ kind: 'list', items: this.items(']') })
        }
        throw this.unexpected()
    }
  }

  private identifier(): Expression {
    const token = this.take()
    switch (token.text) {
      case 'true':
      case 'false':
        return { kind: 'literal', value: token.text === 'true' }
      case 'nil':
        return { kind: 'literal', value: null }
    }
    if (this.is('Bracket', '(')) return this.postfix(this.call(token, []))
    return this.postfix({ kind: 'name', name: token.text, at: token.at })
  }

  private call(name: Token, first: readonly Expression[]): Expression {
    this.expect('Bracket', '(')
    return { kind: 'call', name: name.text, args: [...first, ...this.items(')')], at: name.at }
  }

  private items(close: string): readonly Expression[] {
    const items: Expression[] = []
    while (!this.is('Bracket', close)) {
      if (items.length > 0) {
        this.expect('Operator', ',')
        if (this.is('Bracket', close)) break
      }
      items.push(this.expression(0))
    }
    this.take()
    return items
  }

  private postfix(node: Expression): Expression {
    let of = node
    for (;;) {
      const optional = this.is('Operator', '?.')
      if (optional || this.is('Operator', '.')) {
        this.take()
        const name = this.take()
        if (name.kind !== 'Identifier' && !/^\w+$/.test(name.text)) throw this.unexpected(name)
        of = { kind: 'member', of, key: { kind: 'literal', value: name.text }, optional }
      } else if (this.is('Bracket', '[')) {
        this.take()
        of = this.subscript(of)
      } else return of
    }
  }

  private subscript(of: Expression): Expression {
    const from = this.is('Operator', ':') ? undefined : this.expression(0)
    if (this.is('Operator', ':')) {
      this.take()
      const to = this.is('Bracket', ']') ? undefined : this.expression(0)
      this.expect('Bracket', ']')
      return { kind: 'slice', of, ...(from && { from }), ...(to && { to }) }
    }
    this.expect('Bracket', ']')
    return { kind: 'member', of, key: from ?? { kind: 'literal', value: null }, optional: false }
  }
}
