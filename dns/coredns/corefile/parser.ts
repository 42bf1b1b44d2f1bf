import { type CorefileError, Dispenser } from './dispenser.ts'
import { lex, type Token } from './lexer.ts'

/** A server block as written: its keys, and the words of each directive (all its lines one after the other). */
export interface ServerBlock {
  readonly keys: readonly string[]
  readonly line: number
  readonly directives: ReadonlyMap<string, readonly Token[]>
}

/** Where a Corefile and what it imports come from. */
export interface CorefileSource {
  /** As messages name it: `Corefile`. */
  readonly name: string
  readonly text: string
  /** The folder it stands in, for `import`. */
  readonly folder: string
  readonly read: (path: string) => string | undefined
  /** Paths that match a pattern with one `*`; undefined where folders cannot be listed. */
  readonly glob?: (pattern: string) => readonly string[]
  readonly env: ReadonlyMap<string, string>
  readonly isDirective: (name: string) => boolean
}

export type ParsedCorefile =
  | {
      readonly ok: true
      readonly blocks: readonly ServerBlock[]
      /** Imports with a wildcard that matched no file: CoreDNS only warns. */
      readonly emptyImports: readonly { readonly pattern: string; readonly file: string; readonly line: number }[]
      /** Nothing was read but the text itself: the same text always gives the same blocks. */
      readonly isWhole: boolean
    }
  | { readonly ok: false; readonly error: CorefileError }

/** maxSnippetExpansions and maxFileExpansions of coredns/caddy, caddyfile/parse.go. */
const MAX_SNIPPETS = 10_000
const MAX_FILES = 100_000
/** The message names the first of them for files too. */
const TOO_DEEP = `import depth (${MAX_SNIPPETS}) exceeded`
/** Words that imports may make in all: CoreDNS takes memory until it has none. */
const MAX_WORDS = 1_000_000

/** Reads a Corefile into its server blocks: coredns/caddy caddyfile/parse.go. */
export function parseCorefile(source: CorefileSource): ParsedCorefile {
  const parser = new Parser(source)
  const error = parser.parseAll()
  return error
    ? { ok: false, error }
    : {
        ok: true,
        blocks: parser.blocks,
        emptyImports: parser.emptyImports,
        isWhole: parser.isWhole,
      }
}

class Parser extends Dispenser {
  readonly blocks: ServerBlock[] = []
  readonly emptyImports: { readonly pattern: string; readonly file: string; readonly line: number }[] = []
  private readonly source: CorefileSource
  private readonly snippets = new Map<string, readonly Token[]>()
  private keys: string[] = []
  private line0 = 0
  private directives = new Map<string, Token[]>()
  private readonly files = new Map<string, readonly Token[]>()
  private snippetImports = 0
  private fileImports = 0
  private atEnd = false

  get isWhole(): boolean {
    return this.fileImports === 0
  }

  constructor(source: CorefileSource) {
    super(source.name, lex(source.text, source.name))
    this.source = source
  }

  parseAll(): CorefileError | undefined {
    while (this.next()) {
      this.keys = []
      this.directives = new Map()
      this.line0 = this.line
      const error = this.parseBlock()
      if (error) return error
      if (this.keys.length > 0) this.blocks.push({ keys: this.keys, line: this.line0, directives: this.directives })
    }
    return undefined
  }

  private parseBlock(): CorefileError | undefined {
    const error = this.parseKeys()
    if (error || this.atEnd) return error
    const [key] = this.keys
    if (this.keys.length === 1 && key?.startsWith('(') && key.endsWith(')')) return this.parseSnippet(key.slice(1, -1))
    return this.parseContents()
  }

  private parseKeys(): CorefileError | undefined {
    let expectingAnother = false
    for (;;) {
      const word = this.expanded(this.word())
      if (word === 'import' && this.isNewLine()) {
        const error = this.doImport()
        if (error) return error
        continue
      }
      if (word === '{') {
        if (expectingAnother) return this.error(`Expected another address but had '${word}' - check for extra comma`)
        return undefined
      }
      if (word !== '') {
        expectingAnother = word.endsWith(',')
        this.keys.push(expectingAnother ? word.slice(0, -1) : word)
      }
      const more = this.next()
      if (expectingAnother && !more) return this.endError()
      if (!more) {
        this.atEnd = true
        return undefined
      }
      if (!expectingAnother && this.isNewLine()) return undefined
    }
  }

  private parseSnippet(name: string): CorefileError | undefined {
    if (this.snippets.has(name)) return this.error(`redeclaration of previously declared snippet ${name}`)
    if (this.word() !== '{') return this.syntaxError('{')
    const tokens: Token[] = []
    let nesting = 1
    while (this.next()) {
      if (this.word() === '}' && --nesting === 0) break
      if (this.word() === '{') nesting++
      if (this.current) tokens.push(this.current)
    }
    if (nesting !== 0) return this.syntaxError('}')
    if (this.importsItself(name, tokens)) return this.error(`maximum snippet ${TOO_DEEP}`)
    this.snippets.set(name, tokens)
    this.keys = []
    return undefined
  }

  /** A snippet with an import of itself at the start of a line. */
  private importsItself(name: string, tokens: readonly Token[]): boolean {
    return tokens.some((token, i) => {
      const [before, after] = [tokens[i - 1], tokens[i + 1]]
      const startsLine = !before || before.file !== token.file || before.line !== token.line
      return token.text === 'import' && startsLine && after !== undefined && this.expanded(after.text) === name
    })
  }

  private parseContents(): CorefileError | undefined {
    const braces = this.word() === '{'
    if (!braces) this.cursor--
    const error = this.parseDirectives()
    if (error) return error
    return braces && this.word() !== '}' ? this.syntaxError('}') : undefined
  }

  private parseDirectives(): CorefileError | undefined {
    while (this.next()) {
      if (this.word() === '}') break
      if (this.word() === 'import') {
        const error = this.doImport()
        if (error) return error
        this.cursor--
        continue
      }
      const error = this.parseDirective()
      if (error) return error
    }
    return undefined
  }

  private parseDirective(): CorefileError | undefined {
    const name = this.expanded(this.word())
    if (!this.source.isDirective(name)) return this.error(`Unknown directive '${name}'`)
    const words = this.directives.get(name) ?? []
    this.directives.set(name, words)
    if (this.current) words.push({ ...this.current, text: name })
    let nesting = 0
    while (this.next()) {
      if (this.word() === '{') nesting++
      else if (this.isNewLine() && nesting === 0) {
        this.cursor--
        break
      } else if (this.word() === '}' && nesting > 0) nesting--
      else if (this.word() === '}') return this.error("Unexpected '}' because no matching opening brace")
      else if (this.word() === 'import' && this.isNewLine()) {
        const error = this.doImport()
        if (error) return error
        this.cursor--
        continue
      }
      if (this.current) words.push({ ...this.current, text: this.expanded(this.current.text) })
    }
    return nesting > 0 ? this.endError() : undefined
  }

  /** Puts what `import` names in its place. */
  private doImport(): CorefileError | undefined {
    if (!this.nextArgument()) return this.argumentError()
    const pattern = this.expanded(this.word())
    if (pattern === '') return this.error('Import requires a non-empty filepath')
    const at = this.cursor
    if (this.nextArgument()) return this.error('Import takes only one argument (glob pattern or file)')
    const snippet = this.snippets.get(pattern)
    if (snippet ? this.snippetImports++ >= MAX_SNIPPETS : this.fileImports++ >= MAX_FILES)
      return this.error(`maximum ${snippet ? 'snippet' : 'file'} ${TOO_DEEP}`)
    const imported = snippet ?? this.imported(pattern)
    if (!Array.isArray(imported)) return imported as CorefileError
    if (this.tokens.length + imported.length > MAX_WORDS) return this.error(`maximum file ${TOO_DEEP}`)
    this.tokens.replace(at - 1, 2, imported)
    this.cursor = at - 1
    return undefined
  }

  private imported(pattern: string): readonly Token[] | CorefileError {
    const path = pattern.startsWith('/') ? pattern : `${this.folderHere}/${pattern}`
    const isRange = path.includes('[') && path.includes(']')
    if ((path.match(/\*/g) ?? []).length > 1 || (path.match(/\?/g) ?? []).length > 1 || isRange)
      return this.error(`Glob pattern may only contain one wildcard (*), but has others: ${path}`)
    if (/[*?[\]]/.test(path)) {
      const paths = this.source.glob?.(path) ?? []
      const { file = this.source.name, line = 0 } = this.current ?? {}
      if (paths.length === 0) this.emptyImports.push({ pattern, file, line })
      return paths.flatMap((one) => this.lexed(one) ?? [])
    }
    return this.lexed(path) ?? this.error(`File to import not found: ${pattern}`)
  }

  /** The words of a file, read once however often it is imported. */
  private lexed(path: string): readonly Token[] | undefined {
    const known = this.files.get(path)
    if (known) return known
    const text = this.source.read(path)
    if (text === undefined) return undefined
    const tokens = lex(text, path)
    this.files.set(path, tokens)
    return tokens
  }

  /** The folder of the file the current word is in. */
  private get folderHere(): string {
    const file = this.current?.file ?? ''
    return file.startsWith('/') ? file.slice(0, file.lastIndexOf('/')) : this.source.folder
  }

  /** `{$NAME}` and `{%NAME%}` inside a word; a variable that is not set is empty. */
  private expanded(text: string): string {
    const value = (_: string, name: string) => this.source.env.get(name) ?? ''
    return text.replace(/\{%([^%{}]+)%\}/g, value).replace(/\{\$([^{}]+)\}/g, value)
  }
}
