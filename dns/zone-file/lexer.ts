import { classCode, typeCode } from '../record.ts'

/** A piece of a zone file (RFC 1035 §5.1), cut as miekg/dns 1.1.73 scan.go cuts it. */
export interface Token {
  readonly kind: 'owner' | 'directive' | 'type' | 'class' | 'word' | 'blank' | 'quote' | 'newline' | 'end' | 'fault'
  readonly text: string
  /** Where the piece was known to have ended: what messages name. */
  readonly line: number
  readonly column: number
}

const DIRECTIVES = new Set(['$TTL', '$ORIGIN', '$INCLUDE', '$GENERATE'])

/** Takes a zone file apart, one piece at a time. */
export class ZoneLexer {
  private readonly text: string
  private at = 0
  private line = 1
  private column = 0
  private afterLineEnd = false
  /** The next word stands at the beginning of a line. */
  private atOwner = true
  private lastWasBlank = false
  private seenType = false
  private quoted = false
  private comment = false
  private braces = 0
  private readonly ahead: Token[] = []
  private fault: Token | undefined

  constructor(text: string) {
    this.text = text
  }

  peek(): Token {
    const token = this.ahead[0] ?? this.next()
    if (this.ahead[0] !== token) this.ahead.unshift(token)
    return token
  }

  next(): Token {
    const waiting = this.ahead.shift()
    if (waiting) return waiting
    if (this.fault) return this.token('end', '')
    const token = this.scan()
    if (token.kind === 'fault') this.fault = token
    return token
  }

  private token(kind: Token['kind'], text: string): Token {
    return { kind, text, line: this.line, column: this.column }
  }

  private read(): string | undefined {
    const character = this.text[this.at]
    if (character === undefined) return undefined
    this.at++
    if (this.afterLineEnd) {
      this.line++
      this.column = 0
      this.afterLineEnd = false
    }
    if (character === '\n') this.afterLineEnd = true
    else this.column++
    return character
  }

  private scan(): Token {
    let word = ''
    let escaped = false
    for (let character = this.read(); character !== undefined; character = this.read()) {
      if (this.comment) {
        if (character === '\n' && this.endOfComment()) return this.token('newline', '\n')
        continue
      }
      if (character === '\n' && !this.quoted) {
        escaped = false
        if (this.braces === 0) return this.endOfLine(word)
        continue
      }
      if (character === '\r' && !this.quoted) {
        escaped = false
        continue
      }
      if (escaped || character === '\\' || (this.quoted && character !== '"')) {
        word += character
        escaped = !escaped && character === '\\'
        if (!escaped && !/[ \t;()"\\]/.test(character)) this.lastWasBlank = false
        continue
      }
      switch (character) {
        case ' ':
        case '\t': {
          const token = this.endOfWord(word)
          if (token) return token
          continue
        }
        case ';':
          this.comment = true
          if (word !== '') return this.token('word', word)
          continue
        case '"': {
          this.lastWasBlank = false
          this.quoted = !this.quoted
          const quote = this.token('quote', '"')
          if (word === '') return quote
          this.ahead.push(quote)
          return this.token('word', word)
        }
        case '(':
          this.braces++
          continue
        case ')':
          if (--this.braces < 0) return this.token('fault', 'extra closing brace')
          continue
        default:
          word += character
          this.lastWasBlank = false
      }
    }
    if (word !== '') return this.token('word', word)
    if (this.comment) {
      this.comment = false
      return this.token('newline', '\n')
    }
    return this.braces > 0 ? this.token('fault', 'unbalanced brace') : this.token('end', '')
  }

  /** Whether the end of a comment ends the record too: not between braces. */
  private endOfComment(): boolean {
    this.comment = false
    this.seenType = false
    if (this.braces > 0) return false
    this.atOwner = true
    return true
  }

  /** The word before a blank, then the blank; of several blanks one counts. */
  private endOfWord(word: string): Token | undefined {
    const token = word === '' ? undefined : this.wordToken(word)
    this.atOwner = false
    if (this.lastWasBlank || token?.kind === 'fault') return token
    this.lastWasBlank = true
    const blank = this.token('blank', ' ')
    if (!token) return blank
    this.ahead.push(blank)
    return token
  }

  private wordToken(word: string): Token {
    const upper = word.toUpperCase()
    if (this.atOwner) return this.token(DIRECTIVES.has(upper) ? 'directive' : 'owner', word)
    if (this.seenType) return this.token('word', word)
    if (classCode(upper) !== undefined && typeCode(upper) === undefined) return this.token('class', upper)
    if (typeCode(upper) !== undefined) {
      this.seenType = true
      return this.token(upper === 'ANY' ? 'class' : 'type', upper)
    }
    if (upper.startsWith('TYPE')) return this.token('fault', 'unknown RR type')
    if (upper.startsWith('CLASS')) return this.token('fault', 'unknown class')
    return this.token('word', word)
  }

  /** What stands before the end of a line, then that end. */
  private endOfLine(word: string): Token {
    const upper = word.toUpperCase()
    const isType = !this.seenType && typeCode(upper) !== undefined && !/^TYPE\d/.test(upper)
    const last = word === '' ? undefined : isType ? this.token('type', upper) : this.token('word', word)
    const newline = this.token('newline', '\n')
    this.seenType = false
    this.atOwner = true
    if (!last) return newline
    this.ahead.push(newline)
    return last
  }
}
