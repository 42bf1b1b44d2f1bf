import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import { classCode, RCODE, typeCode } from '../../../record.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { BUILTINS, compileExpression, type Program } from '../../expression/evaluate.ts'
import { QUERY_FUNCTIONS } from '../../expression/query-environment.ts'
import { compileTemplate, type Template } from '../../go-template/execute.ts'
import { type Controller, pluginError } from '../../plugin.ts'
import { compileRegexp, type Regexp } from '../../regexp/regexp.ts'
import { type FallThrough, fallThroughOf, zonesOf } from '../../zones.ts'

/** A `template` stanza. */
export interface TemplateOptions {
  readonly class: string
  readonly type: string
  readonly zones: readonly string[]
  readonly rcode: number
  readonly patterns: readonly Regexp[]
  readonly answers: readonly Template[]
  readonly additionals: readonly Template[]
  readonly authorities: readonly Template[]
  /** Extended DNS error (RFC 8914). */
  readonly error: { readonly code: number; readonly text: string } | undefined
  readonly fallThrough: FallThrough
  readonly variables: readonly { readonly name: string; readonly program: Program }[]
  readonly expressions: readonly Program[]
}

type Editable = { -readonly [Key in keyof TemplateOptions]: TemplateOptions[Key] }

/** Longest expression that is compiled. */
const MAX_REGEXP = 10_000
const EVERYTHING = compileRegexp('.*')
const FUNCTION_NAMES = [...QUERY_FUNCTIONS, 'group']

/** Reads all stanzas: plugin/template/setup.go. */
export function parseTemplates(controller: Controller): Parsed<readonly TemplateOptions[]> {
  const { words } = controller
  const all: TemplateOptions[] = []
  const wrong = (error: CorefileError) => pluginError('template', error)
  while (words.next()) {
    if (!words.nextArgument()) return wrong(words.argumentError())
    const cls = words.word()
    if (classCode(cls) === undefined || /^CLASS\d/.test(cls)) return wrong(words.error(`invalid query class ${cls}`))
    if (!words.nextArgument()) return wrong(words.argumentError())
    const type = words.word()
    if (typeCode(type) === undefined || /^TYPE\d/.test(type)) return wrong(words.error(`invalid RR class ${type}`))
    const args = words.remaining()
    const options: Editable = {
      class: cls,
      type,
      zones: args.length > 0 ? zonesOf(args) : controller.zones,
      rcode: RCODE.NOERROR,
      patterns: [],
      answers: [],
      additionals: [],
      authorities: [],
      error: undefined,
      fallThrough: undefined,
      variables: [],
      expressions: [],
    }
    while (words.nextInBlock()) {
      const error = parseProperty(options, controller)
      if (error) return wrong(error)
    }
    if (options.patterns.length === 0 && EVERYTHING.ok) options.patterns = [EVERYTHING.value]
    all.push(options)
  }
  return parsed(all)
}

const SECTIONS = { answer: 'answers', additional: 'additionals', authority: 'authorities' } as const

function parseProperty(options: Editable, controller: Controller): CorefileError | undefined {
  const { words } = controller
  const property = words.word()
  switch (property) {
    case 'match':
      return parsePatterns(options, controller)
    case 'answer':
    case 'additional':
    case 'authority': {
      const args = words.remaining()
      if (args.length === 0) return words.argumentError()
      for (const text of args) {
        const template = compileTemplate(property, text)
        if (!template.ok) {
          const end = property === 'answer' ? '' : '\n'
          return words.error(`could not compile template: ${words.word()}, ${template.reason}${end}`)
        }
        options[SECTIONS[property]] = [...options[SECTIONS[property]], template.value]
      }
      return undefined
    }
    case 'var':
      return parseVariable(options, controller)
    case 'expr': {
      const args = words.remaining()
      if (args.length === 0) return words.argumentError()
      const program = compileExpression(args.join(' '), known(options))
      if (!program.ok) return words.error(`could not compile expression: ${program.reason}`)
      options.expressions = [...options.expressions, program.value]
      return undefined
    }
    case 'rcode': {
      if (!words.nextArgument()) return words.argumentError()
      const rcode = (RCODE as Readonly<Record<string, number>>)[words.word()]
      if (rcode === undefined) return words.error(`unknown rcode ${words.word()}`)
      options.rcode = rcode
      return undefined
    }
    case 'ederror': {
      const args = words.remaining()
      const [code = '', text = ''] = args
      if (args.length !== 1 && args.length !== 2) return words.argumentError()
      const digits = /^\d+$/.test(code)
      if (!digits || Number(code) > 0xffff) {
        const why = digits ? 'value out of range' : 'invalid syntax'
        const detail = `strconv.ParseUint: parsing ${JSON.stringify(code)}: ${why}`
        return words.error(`error parsing extended DNS error code ${words.word()}, ${detail}\n`)
      }
      options.error = { code: Number(code), text }
      return undefined
    }
    case 'fallthrough':
      options.fallThrough = fallThroughOf(words.remaining())
      return undefined
    case 'upstream':
      words.remaining()
      return undefined
    default:
      return words.argumentError()
  }
}

function parsePatterns(options: Editable, { words }: Controller): CorefileError | undefined {
  const args = words.remaining()
  if (args.length === 0) return words.argumentError()
  for (const text of args) {
    if (text.length > MAX_REGEXP) return words.error(`regex pattern too long: ${text.length} > ${MAX_REGEXP}`)
    const pattern = compileRegexp(text)
    if (!pattern.ok) return words.error(`could not parse regex: ${text}, ${pattern.reason}`)
    options.patterns = [...options.patterns, pattern.value]
  }
  return undefined
}

const known = ({ variables }: Editable) => ({
  functions: FUNCTION_NAMES,
  variables: variables.map(({ name }) => name),
})

function parseVariable(options: Editable, { words }: Controller): CorefileError | undefined {
  const [name, ...rest] = words.remaining()
  if (name === undefined || rest.length === 0) return words.argumentError()
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return words.error(`invalid variable name ${JSON.stringify(name)}`)
  const names = [...FUNCTION_NAMES, ...options.variables.map((variable) => variable.name)]
  if (names.includes(name) || Object.hasOwn(BUILTINS, name) || RESERVED.has(name))
    return words.error(`variable name ${JSON.stringify(name)} is reserved`)
  const program = compileExpression(rest.join(' '), known(options))
  if (!program.ok) return words.error(`could not compile expression: ${name}, ${program.reason}`)
  options.variables = [...options.variables, { name, program: program.value }]
  return undefined
}

/** Words that are no identifiers of an expression. */
const RESERVED = new Set([
  'true',
  'false',
  'nil',
  'in',
  'or',
  'and',
  'not',
  'let',
  'if',
  'else',
  'matches',
  'contains',
  'startsWith',
  'endsWith',
])
