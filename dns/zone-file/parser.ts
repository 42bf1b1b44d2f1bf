import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { className, type ResourceRecord } from '../record.ts'
import { type Token, ZoneLexer } from './lexer.ts'
import { absoluteName, parseRdata, remainder, seconds } from './rdata.ts'

/** A zone file and where what it includes comes from. */
export interface ZoneSource {
  readonly text: string
  /** As messages name it; `''` names none. */
  readonly file: string
  readonly origin: string
  /** TTL of a record that names none, before any other record did. */
  readonly defaultTtl?: number
  readonly read?: (path: string) => string | undefined
}

export interface ZoneRecords {
  readonly records: readonly ResourceRecord[]
  /** Records of types that are not read: `NAPTR at line 7`. */
  readonly notModelled: readonly string[]
}

/** Files that include each other, and records that $GENERATE makes (miekg/dns scan.go, generate.go). */
const MAX_INCLUDES = 7
const MAX_GENERATED = 65_535
/** TTL of generated records that name none, whatever $TTL says. */
const GENERATED_TTL = 3600

/** Reads a zone file as miekg/dns 1.1.73 does; refused in its words: `db: dns: bad A A: "x" at line: 2:9`. */
export function parseZoneFile(source: ZoneSource): Parsed<ZoneRecords> {
  const reader = new ZoneReader(source, 0)
  const wrong = reader.readAll()
  return wrong === undefined ? parsed({ records: reader.records, notModelled: reader.notModelled }) : refused(wrong)
}

/** The first record of a text, as dns.NewRR reads it: absolute names, 3600 s unless said. */
export function parseOneRecord(text: string): Parsed<ResourceRecord> {
  const source = { text: text.endsWith('\n') ? text : `${text}\n`, file: '', origin: '.', defaultTtl: 3600 }
  const reader = new ZoneReader(source, 0)
  const wrong = reader.readAll('one')
  if (wrong !== undefined) return refused(wrong)
  const [record] = reader.records
  return record ? parsed(record) : refused(reader.notModelled[0] ?? 'no record')
}

interface Ttl {
  readonly value: number
  readonly byDirective: boolean
}

class ZoneReader {
  readonly records: ResourceRecord[] = []
  readonly notModelled: string[] = []
  private readonly source: ZoneSource
  private readonly depth: number
  private readonly lexer: ZoneLexer
  private origin: string
  private ttl: Ttl | undefined
  private owner = ''

  constructor(source: ZoneSource, depth: number) {
    this.source = source
    this.depth = depth
    this.lexer = new ZoneLexer(source.text)
    this.origin = source.origin
    if (source.defaultTtl !== undefined) this.ttl = { value: source.defaultTtl, byDirective: false }
  }

  private error(what: string, { text, line, column }: Token): string {
    const file = this.source.file === '' ? '' : `${this.source.file}: `
    return `${file}dns: ${what}: ${JSON.stringify(text)} at line: ${line}:${column}`
  }

  readAll(how: 'all' | 'one' = 'all'): string | undefined {
    while (how === 'all' || this.records.length === 0) {
      const token = this.lexer.next()
      if (token.kind === 'end') return undefined
      const wrong = this.entry(token)
      if (wrong !== undefined) return wrong
      if (how === 'one' && this.notModelled.length > 0) return undefined
    }
    return undefined
  }

  /** A directive, a record, or an empty line that begins with this piece. */
  private entry(first: Token): string | undefined {
    if (first.kind === 'fault') return this.error(first.text, first)
    if (first.kind === 'newline') return undefined
    if (first.kind === 'directive') return this.directive(first)
    let token = first
    if (token.kind === 'owner') {
      const owner = absoluteName(token.text, this.origin)
      if (owner === undefined) return this.error('bad owner name', token)
      this.owner = owner
      const blank = this.lexer.next()
      if (blank.kind === 'fault') return this.error(blank.text, blank)
      if (blank.kind !== 'blank') return this.error('no blank after owner', blank)
      token = this.lexer.next()
      return this.fields(token, 'owner')
    }
    if (token.kind === 'blank') {
      token = this.lexer.next()
      if (token.kind === 'newline' || token.kind === 'end') return undefined
    }
    return this.fields(token, 'none')
  }

  /** TTL and class in either order, then the type. */
  private fields(first: Token, after: 'owner' | 'none'): string | undefined {
    let token = first
    let ttl = this.ttl?.value
    let cls = 'IN'
    const seen = { ttl: false, class: false }
    for (;;) {
      if (token.kind === 'fault') return this.error(token.text, token)
      if (token.kind === 'type') break
      if (token.kind === 'class' && !seen.class) {
        seen.class = true
        cls = token.text.startsWith('CLASS') ? className(Number(token.text.slice(5))) : token.text
      } else if (token.kind === 'word' && !seen.ttl) {
        seen.ttl = true
        const value = seconds(token.text)
        if (value === undefined) return this.error('not a TTL', token)
        ttl = value
        if (!this.ttl?.byDirective) this.ttl = { value, byDirective: false }
      } else return this.error(this.expected(seen, after), token)
      const blank = this.lexer.next()
      if (blank.kind === 'fault') return this.error(blank.text, blank)
      if (blank.kind !== 'blank')
        return this.error(
          seen.ttl && seen.class
            ? 'no blank before RR type'
            : seen.ttl
              ? 'no blank before TTL'
              : 'no blank before class',
          blank,
        )
      token = this.lexer.next()
    }
    if (ttl === undefined && after === 'owner' && !seen.class)
      return this.error('missing TTL with no previous value', token)
    return this.data(token, { ttl: ttl ?? 0, class: cls })
  }

  private expected(seen: { readonly ttl: boolean; readonly class: boolean }, after: 'owner' | 'none'): string {
    if (seen.ttl && seen.class) return 'unknown RR type'
    if (seen.ttl) return 'expecting RR type or class, not this...'
    if (seen.class) return 'expecting RR type or TTL, not this...'
    return after === 'owner' ? 'expecting RR type, TTL or class, not this...' : 'syntax error at beginning'
  }

  private data(type: Token, head: { readonly ttl: number; readonly class: string }): string | undefined {
    const blank = this.lexer.next()
    if (blank.kind === 'newline' || blank.kind === 'end') return this.error('unexpected newline', blank)
    const rdata = parseRdata(this.lexer, type.text, this.origin)
    switch (rdata.kind) {
      case 'fault':
        return this.error(rdata.fault.what, rdata.fault.at)
      case 'notModelled':
        this.notModelled.push(`${type.text} at line ${type.line}`)
        this.skipLine()
        return undefined
      case 'data':
        this.records.push({ name: this.owner, ...head, ...rdata.data })
        return undefined
    }
  }

  private skipLine(): void {
    for (let token = this.lexer.next(); token.kind !== 'newline' && token.kind !== 'end' && token.kind !== 'fault'; )
      token = this.lexer.next()
  }

  private directive({ text }: Token): string | undefined {
    const name = text.toUpperCase()
    const blank = this.lexer.next()
    if (blank.kind !== 'blank') return this.error(`no blank after ${name}-directive`, blank)
    const value = this.lexer.next()
    if (value.kind !== 'word' && value.kind !== 'type' && value.kind !== 'class')
      return this.error(`expecting ${name} value, not this...`, value)
    switch (name) {
      case '$TTL': {
        const wrong = remainder(this.lexer)
        if (wrong) return this.error(wrong.what, wrong.at)
        const ttl = seconds(value.text)
        if (ttl === undefined) return this.error('expecting $TTL value, not this...', value)
        this.ttl = { value: ttl, byDirective: true }
        return undefined
      }
      case '$ORIGIN': {
        const wrong = remainder(this.lexer)
        if (wrong) return this.error(wrong.what, wrong.at)
        const origin = absoluteName(value.text, this.origin)
        if (origin === undefined) return this.error('bad origin name', value)
        this.origin = origin
        return undefined
      }
      case '$INCLUDE':
        return this.include(value)
      default:
        return this.generate(value)
    }
  }

  private include(file: Token): string | undefined {
    let origin = this.origin
    let token = this.lexer.next()
    if (token.kind === 'blank') {
      token = this.lexer.next()
      if (token.kind === 'word') {
        const other = absoluteName(token.text, this.origin)
        if (other === undefined) return this.error('bad origin name', token)
        origin = other
      }
    } else if (token.kind !== 'newline' && token.kind !== 'end') return this.error('garbage after $INCLUDE', token)
    if (this.depth >= MAX_INCLUDES) return this.error('too deeply nested $INCLUDE', file)
    const folder = this.source.file.slice(0, this.source.file.lastIndexOf('/') + 1)
    const path = file.text.startsWith('/') ? file.text : `${folder}${file.text}`
    const text = this.source.read?.(path)
    if (text === undefined) {
      const as = path === file.text ? '' : ` as \`${path}'`
      return this.error(`failed to open \`${file.text}'${as}: open ${path}: no such file or directory`, file)
    }
    return this.take(
      new ZoneReader({ ...this.source, text, file: path, origin, ...this.ttlForOthers() }, this.depth + 1),
    )
  }

  private ttlForOthers(): { readonly defaultTtl?: number } {
    return this.ttl ? { defaultTtl: this.ttl.value } : {}
  }

  private take(other: ZoneReader): string | undefined {
    const wrong = other.readAll()
    this.records.push(...other.records)
    this.notModelled.push(...other.notModelled)
    return wrong
  }

  /** `$GENERATE 1-10[/2] LHS ... RHS`: the rest of the line once for each number, `$` replaced by it. */
  private generate(range: Token): string | undefined {
    const match = /^(\d+)-(\d+)(?:\/(\d+))?$/.exec(range.text)
    const [start, stop, step] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 1)]
    if (!match || step <= 0 || stop < start || (stop - start) / step > MAX_GENERATED)
      return this.error('bad range in $GENERATE', range)
    let line = ''
    const blank = this.lexer.next()
    if (blank.kind !== 'blank') return this.error('garbage after $GENERATE range', blank)
    let token = this.lexer.next()
    for (; token.kind !== 'newline' && token.kind !== 'end'; token = this.lexer.next()) {
      if (token.kind === 'fault') return this.error(`bad data in $GENERATE directive`, token)
      line += token.text
    }
    const lines: string[] = []
    for (let i = start; i <= stop; i += step) {
      const made = generated(line, i)
      if (made === undefined) return this.error('bad modifier in $GENERATE', range)
      lines.push(made)
    }
    const text = `${lines.join('\n')}\n`
    return this.take(
      new ZoneReader({ ...this.source, text, origin: this.origin, defaultTtl: GENERATED_TTL }, this.depth),
    )
  }
}

/** `$` and `${OFFSET,WIDTH,BASE}`; `\\$` stays a dollar. */
function generated(line: string, value: number): string | undefined {
  let wrong = false
  const text = line.replace(/\\\$|\$\$|\$\{([^}]*)\}|\$/g, (whole, modifier: string | undefined) => {
    if (whole === '\\$' || whole === '$$') return '$'
    const parts = /^(-?\d+)(?:,(\d+)(?:,([doxX]))?)?$/.exec(modifier ?? '0')
    if (!parts) {
      wrong = true
      return ''
    }
    const [, offset = '0', width = '0', base = 'd'] = parts
    const radix = base === 'o' ? 8 : base === 'd' ? 10 : 16
    const digits = (value + Number(offset)).toString(radix)
    return (base === 'X' ? digits.toUpperCase() : digits).padStart(Math.min(Number(width), 255), '0')
  })
  return wrong ? undefined : text
}
