import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { type Token, templateTokens } from './lexer.ts'

/** A text of Go's text/template taken apart. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with'
      readonly pipe: Pipe
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }
  | { readonly kind: 'range'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'break' | 'continue' }

export interface Pipe {
  /** Variables that get its value; of a range the index first. */
  readonly variables: readonly string[]
  readonly declares: boolean
  readonly commands: readonly (readonly Operand[])[]
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'dot' }
  /** `.A.B`, `$x.A`, `(pipe).A`. */
  | { readonly kind: 'fields'; readonly of: Operand; readonly names: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }

class TemplateFault {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** How deep actions and parentheses may stand in each other. */
const MAX_DEPTH = 200

/** Reads a template; refused in the words of Go: `template: answer:1: unclosed action`. */
export function parseTemplate(name: string, source: string, functions: readonly string[]): Parsed<readonly Node[]> {
  const reader = new Reader(templateTokens(source), functions)
  try {
    return parsed(reader.whole())
  } catch (error) {
    if (error instanceof TemplateFault) return refused(`template: ${name}:${reader.line}: ${error.text}`)
    throw error
  }
}

class Reader {
  private readonly tokens: readonly Token[]
  private readonly functions: readonly string[]
  private at = 0
  private variables: string[] = ['$']
  private loops = 0
  private depth = 0

  constructor(tokens: readonly Token[], functions: readonly string[]) {
    this.tokens = tokens
    this.functions = functions
  }

  /** Of the piece that was looked at last. */
  get line(): number {
    return (this.tokens[Math.max(this.at - 1, 0)] ?? this.tokens.at(-1))?.line ?? 1
  }

  private next(): Token {
    const token = this.tokens[this.at] ?? { kind: 'end', text: '', line: this.line }
    this.at++
    if (token.kind === 'fault') throw new TemplateFault(token.text)
    return token
  }

  private nextSolid(): Token {
    let token = this.next()
    while (token.kind === 'space') token = this.next()
    return token
  }

  private peekSolid(): Token {
    const token = this.nextSolid()
    this.at--
    return token
  }

  private unexpected(token: Token, where: string): TemplateFault {
    const shown =
      token.kind === 'end'
        ? 'EOF'
        : token.text.length > 10
          ? `${JSON.stringify(token.text.slice(0, 10))}...`
          : JSON.stringify(token.text)
    return new TemplateFault(
      `unexpected ${token.kind === 'word' && KEYWORDS.has(token.text) ? `<${token.text}>` : shown} in ${where}`,
    )
  }

  whole(): readonly Node[] {
    const nodes: Node[] = []
    for (;;) {
      const token = this.next()
      if (token.kind === 'end') return nodes
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text })
      else {
        const node = this.action()
        if ('ends' in node) throw new TemplateFault(`unexpected {{${node.ends}}}`)
        nodes.push(node)
      }
    }
  }

  /** Behind `{{`. */
  private action(): Node | { readonly ends: 'else' | 'end' } {
    if (++this.depth > MAX_DEPTH) throw new TemplateFault('template is nested too deeply')
    try {
      const token = this.nextSolid()
      if (token.kind === 'word')
        switch (token.text) {
          case 'if':
          case 'with':
            return this.condition(token.text)
          case 'range':
            return this.range()
          case 'end':
            this.close('end')
            return { ends: 'end' }
          case 'else':
            if (this.peekSolid().kind === 'close') this.nextSolid()
            return { ends: 'else' }
          case 'break':
          case 'continue':
            this.close(token.text)
            if (this.loops === 0) throw new TemplateFault(`{{${token.text}}} outside {{range}}`)
            return { kind: token.text }
          case 'block':
          case 'define':
          case 'template':
            throw new TemplateFault(`not modelled: {{${token.text}}}`)
        }
      this.at--
      return { kind: 'action', pipe: this.pipe('command', 'close') }
    } finally {
      this.depth--
    }
  }

  private close(where: string): void {
    const token = this.nextSolid()
    if (token.kind !== 'close') throw this.unexpected(token, where)
  }

  /** Nodes up to `{{else}}` or `{{end}}`. */
  private block(where: string): { readonly nodes: readonly Node[]; readonly ends: 'else' | 'end' } {
    const nodes: Node[] = []
    for (;;) {
      const token = this.next()
      if (token.kind === 'end') throw new TemplateFault('unexpected EOF')
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text })
        continue
      }
      if (token.kind !== 'open') throw this.unexpected(token, where)
      const node = this.action()
      if ('ends' in node) return { nodes, ends: node.ends }
      nodes.push(node)
    }
  }

  private scoped<Result>(read: () => Result): Result {
    const outer = this.variables
    this.variables = [...outer]
    const result = read()
    this.variables = outer
    return result
  }

  private condition(kind: 'if' | 'with'): Node {
    return this.scoped(() => {
      const pipe = this.pipe(kind, 'close')
      const first = this.block(kind)
      if (first.ends === 'end') return { kind, pipe, body: first.nodes, otherwise: [] }
      return { kind, pipe, body: first.nodes, otherwise: this.otherwise(kind) }
    })
  }

  /** Behind `{{else}}`, or in front of the `if` of `{{else if}}`. */
  private otherwise(kind: 'if' | 'with'): readonly Node[] {
    const before = this.tokens[this.at - 1]
    if (before?.kind !== 'close') {
      const token = this.nextSolid()
      if (token.kind === 'word' && token.text === kind) return [this.condition(kind)]
      throw this.unexpected(token, 'else')
    }
    const rest = this.block(kind)
    if (rest.ends === 'else') throw new TemplateFault('expected end; found {{else}}')
    return rest.nodes
  }

  private range(): Node {
    return this.scoped(() => {
      const pipe = this.pipe('range', 'close')
      this.loops++
      const body = this.block('range')
      this.loops--
      if (body.ends === 'end') return { kind: 'range', pipe, body: body.nodes, otherwise: [] }
      const rest = this.block('range')
      if (rest.ends === 'else') throw new TemplateFault('expected end; found {{else}}')
      return { kind: 'range', pipe, body: body.nodes, otherwise: rest.nodes }
    })
  }

  private pipe(where: string, end: 'close' | 'paren'): Pipe {
    const { variables, declares } = this.declaration(where)
    const commands: (readonly Operand[])[] = []
    for (;;) {
      const token = this.nextSolid()
      if (end === 'close' ? token.kind === 'close' : token.kind === 'other' && token.text === ')') {
        this.checkPipe(commands, where)
        return { variables, declares, commands }
      }
      const isOperand = OPERAND_KINDS.has(token.kind) || (token.kind === 'other' && token.text === '(')
      if (!isOperand || KEYWORDS.has(token.text)) throw this.unexpected(token, where)
      this.at--
      commands.push(this.command())
    }
  }

  private checkPipe(commands: readonly (readonly Operand[])[], where: string): void {
    if (commands.length === 0) throw new TemplateFault(`missing value for ${where}`)
    for (const [i, [first]] of commands.entries())
      if (i > 0 && (first?.kind === 'literal' || first?.kind === 'dot'))
        throw new TemplateFault(`non executable command in pipeline stage ${i + 1}`)
  }

  /** `$x :=`, `$x =`, and of a range `$i, $x :=`. */
  private declaration(where: string): Pick<Pipe, 'variables' | 'declares'> {
    const start = this.at
    const names: string[] = []
    for (;;) {
      const token = this.nextSolid()
      if (token.kind !== 'variable') break
      names.push(token.text)
      const after = this.nextSolid()
      if (after.kind === 'declare' || after.kind === 'assign') {
        const declares = after.kind === 'declare'
        if (declares) this.variables.push(...names)
        else for (const name of names) this.checkVariable(name)
        return { variables: names, declares }
      }
      if (!(after.kind === 'other' && after.text === ',' && where === 'range' && names.length < 2)) break
    }
    this.at = start
    return { variables: [], declares: false }
  }

  private checkVariable(name: string): void {
    if (!this.variables.includes(name)) throw new TemplateFault(`undefined variable ${JSON.stringify(name)}`)
  }

  private command(): readonly Operand[] {
    const operands: Operand[] = []
    for (;;) {
      const before = this.at
      const token = this.nextSolid()
      if (token.kind === 'other' && token.text === '|') break
      if (token.kind === 'close' || (token.kind === 'other' && token.text === ')')) {
        this.at--
        break
      }
      if (operands.length > 0 && this.tokens[before]?.kind !== 'space') throw this.unexpected(token, 'operand')
      this.at--
      operands.push(this.operand())
    }
    if (operands.length === 0) throw new TemplateFault('empty command')
    return operands
  }

  private operand(): Operand {
    const at = this.at
    const of = this.term()
    const written = () => this.tokens.slice(at).find(({ kind }) => kind !== 'space')?.text ?? ''
    const names: string[] = []
    while (this.tokens[this.at]?.kind === 'field') {
      const { text } = this.next()
      if (text === '.') throw new TemplateFault('unexpected . after term')
      if (of.kind === 'literal') throw new TemplateFault(`unexpected . after term ${JSON.stringify(written())}`)
      names.push(text.slice(1))
    }
    return names.length > 0 ? { kind: 'fields', of, names } : of
  }

  private term(): Operand {
    const token = this.nextSolid()
    switch (token.kind) {
      case 'string':
        return { kind: 'literal', value: token.value ?? '' }
      case 'number':
        return { kind: 'literal', value: Number(token.value) }
      case 'field':
        if (token.text === '.') return { kind: 'dot' }
        return { kind: 'fields', of: { kind: 'dot' }, names: [token.text.slice(1)] }
      case 'variable':
        this.checkVariable(token.text)
        return { kind: 'variable', name: token.text }
      case 'word':
        return this.wordTerm(token)
    }
    if (token.kind === 'other' && token.text === '(') {
      if (++this.depth > MAX_DEPTH) throw new TemplateFault('template is nested too deeply')
      const pipe = this.pipe('parenthesized pipeline', 'paren')
      this.depth--
      return { kind: 'pipe', pipe }
    }
    throw this.unexpected(token, 'operand')
  }

  private wordTerm(token: Token): Operand {
    switch (token.text) {
      case 'true':
      case 'false':
        return { kind: 'literal', value: token.text === 'true' }
      case 'nil':
        return { kind: 'literal', value: null }
    }
    if (KEYWORDS.has(token.text)) throw this.unexpected(token, 'operand')
    if (!this.functions.includes(token.text))
      throw new TemplateFault(`function ${JSON.stringify(token.text)} not defined`)
    return { kind: 'function', name: token.text }
  }
}

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with'])
const OPERAND_KINDS: ReadonlySet<Token['kind']> = new Set(['string', 'number', 'field', 'variable', 'word'])
