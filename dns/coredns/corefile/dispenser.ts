import { lineBreaks, type Token } from './lexer.ts'
import { Words } from './words.ts'

/** A wrong Corefile, in CoreDNS's own words: `Corefile:2 - Error during parsing: Unknown directive 'nosuch'`. */
export interface CorefileError {
  readonly message: string
  /** Undefined where CoreDNS names no line. */
  readonly file?: string
  readonly line?: number
}

/**
 * A cursor over the words of one directive, as coredns/caddy caddyfile/dispenser.go: it knows which words stand on one
 * line and where blocks begin and end.
 */
export class Dispenser {
  protected readonly tokens: Words
  protected cursor = -1
  private nesting = 0
  private readonly file: string

  constructor(file: string, tokens: readonly Token[]) {
    this.file = file
    this.tokens = new Words(tokens)
  }

  /** The current word. */
  word(): string {
    return this.current?.text ?? ''
  }

  get current(): Token | undefined {
    return this.tokens.at(this.cursor)
  }

  /** The current word's line, or the one before where the cursor is past the end. */
  get line(): number {
    return this.current?.line ?? 0
  }

  /** Goes to the next word. */
  next(): boolean {
    if (this.cursor >= this.tokens.length - 1) return false
    this.cursor++
    return true
  }

  /** Goes to the next word if it is on the same line. */
  nextArgument(): boolean {
    if (this.cursor < 0) {
      this.cursor++
      return true
    }
    const [here, there] = [this.tokens.at(this.cursor), this.tokens.at(this.cursor + 1)]
    if (!here || !there || here.file !== there.file || here.line + lineBreaks(here) !== there.line) return false
    this.cursor++
    return true
  }

  /** Goes to the next word of a block, and into a block that begins here; false at its end. */
  nextInBlock(): boolean {
    if (this.nesting > 0) {
      if (!this.next()) return false
      if (this.word() !== '{') {
        if (this.word() !== '}') return true
        this.nesting--
        return false
      }
      this.cursor--
    }
    if (!this.nextArgument()) return false
    if (this.word() !== '{') {
      this.cursor--
      return false
    }
    if (!this.next() || this.word() === '}') return false
    this.nesting++
    return true
  }

  /** The words left on this line; a block's brace is not one of them. */
  remaining(): readonly string[] {
    const words: string[] = []
    while (this.nextArgument()) {
      if (this.word() === '{') {
        this.cursor--
        break
      }
      words.push(this.word())
    }
    return words
  }

  /** Whether the current word is the first of its line. */
  isNewLine(): boolean {
    if (this.cursor < 1) return true
    const [before, here] = [this.tokens.at(this.cursor - 1), this.tokens.at(this.cursor)]
    if (!before || !here) return false
    return before.file !== here.file || before.line + lineBreaks(before) < here.line
  }

  error(text: string): CorefileError {
    return { message: `${this.place} - Error during parsing: ${text}`, file: this.fileHere, line: this.line }
  }

  argumentError(): CorefileError {
    if (this.word() === '{') return this.error("Unexpected token '{', expecting argument")
    return this.error(`Wrong argument count or unexpected line ending after '${this.word()}'`)
  }

  syntaxError(expected: string): CorefileError {
    const message = `${this.place} - Syntax error: Unexpected token '${this.word()}', expecting '${expected}'`
    return { message, file: this.fileHere, line: this.line }
  }

  endError(): CorefileError {
    return this.error('Unexpected EOF')
  }

  private get fileHere(): string {
    return this.current?.file ?? this.file
  }

  private get place(): string {
    return `${this.fileHere}:${this.line}`
  }
}
