import { formatIp } from '../../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import { type Message, replyTo } from '../../../message.ts'
import { isSubdomain, longestZone } from '../../../name.ts'
import { classCode, RCODE, type ResourceRecord, typeCode } from '../../../record.ts'
import { parseOneRecord } from '../../../zone-file/parser.ts'
import type { Value as ExpressionValue } from '../../expression/evaluate.ts'
import { queryFunctions } from '../../expression/query-environment.ts'
import type { Template } from '../../go-template/execute.ts'
import type { Struct, Value } from '../../go-template/value.ts'
import type { Outcome, Plugin, Request, Serving } from '../../plugin.ts'
import type { Regexp } from '../../regexp/regexp.ts'
import { lookUp } from '../../request.ts'
import { fallsThrough } from '../../zones.ts'
import { parseTemplates, type TemplateOptions } from './options.ts'

/** Extended DNS error (RFC 8914). */
const EDE = 15

/** template CLASS TYPE [ZONES...] { match; answer; ... }: replies made from texts of Go's text/template (plugin/template). */
export const template: Plugin = {
  name: 'template',
  setup(controller) {
    const all = parseTemplates(controller)
    if (!all.ok) return all
    const { line } = controller
    const zones = all.value.flatMap((options) => options.zones)
    return parsed([
      {
        plugin: 'template',
        line,
        *serve(request, next) {
          const { name, question, server } = request
          if (!zones.some((zone) => isSubdomain(zone, name))) return yield* next(request)
          for (const options of all.value) {
            const found = match(options, request)
            if (found.kind === 'passed') continue
            const note = (action: 'answered' | 'failed', detail: string) =>
              server.note({ kind: 'dns.plugin', plugin: 'template', line, question, action, detail })
            if (found.kind === 'failed') {
              note('failed', 'SERVFAIL: no match, and no fallthrough')
              return { kind: 'code', rcode: RCODE.SERVFAIL }
            }
            note('answered', `from the template for ${options.class} ${options.type}`)
            return yield* reply(options, request, found.data)
          }
          return yield* next(request)
        },
      },
    ])
  },
}

type Match =
  | { readonly kind: 'matched'; readonly data: Struct }
  /** On to the next template. */
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed' }

const PASSED: Match = { kind: 'passed' }
const FAILED: Match = { kind: 'failed' }

function match(options: TemplateOptions, request: Request): Match {
  const { name, question } = request
  const zone = longestZone(options.zones, name)
  if (zone === undefined || !fits(options.class, question.class) || !fits(options.type, question.type)) return PASSED
  const through = fallsThrough(options.fallThrough, name) ? PASSED : FAILED
  for (const pattern of options.patterns) {
    const groups = pattern.find(name)
    if (!groups) continue
    const named = groupsByName(pattern, groups)
    const variables = evaluated(options, request, named)
    if (variables === 'failed') return FAILED
    if (variables === 'false') return through
    return { kind: 'matched', data: templateData({ options, request, zone, pattern, groups, named, variables }) }
  }
  return through
}

const fits = (own: string, asked: string): boolean => own === 'ANY' || asked === 'ANY' || own === asked

/** By number, and by name where they have one. */
function groupsByName({ groupNames }: Regexp, groups: readonly string[]): ReadonlyMap<string, string> {
  const named = new Map(groups.map((group, i) => [String(i), group]))
  for (const [i, group] of groups.entries()) {
    const name = groupNames[i] ?? ''
    if (name !== '') named.set(name, group)
  }
  return named
}

/** The variables; `false` where an expression is not true, `failed` where one cannot be computed. */
function evaluated(
  { variables, expressions }: TemplateOptions,
  request: Request,
  groups: ReadonlyMap<string, string>,
): ReadonlyMap<string, ExpressionValue> | 'false' | 'failed' {
  const values = new Map<string, ExpressionValue>()
  if (variables.length === 0 && expressions.length === 0) return values
  const group = (name: ExpressionValue | undefined) => groups.get(String(name)) ?? ''
  const functions = { ...queryFunctions(request), group }
  const environment = () => ({ functions, variables: Object.fromEntries(values) })
  for (const { name, program } of variables) {
    const value = program.run(environment())
    if (value === undefined) return 'failed'
    values.set(name, value)
  }
  for (const program of expressions) {
    const value = program.run(environment())
    if (value === undefined) return 'failed'
    if (value !== true) return 'false'
  }
  return values
}

function templateData(state: {
  readonly options: TemplateOptions
  readonly request: Request
  readonly zone: string
  readonly pattern: Regexp
  readonly groups: readonly string[]
  readonly named: ReadonlyMap<string, string>
  readonly variables: ReadonlyMap<string, ExpressionValue>
}): Struct {
  const { options, request, zone, pattern, groups, named, variables } = state
  const { question } = request
  return {
    type: '*template.templateData',
    fields: {
      Zone: zone,
      Name: request.name,
      Regex: pattern.source,
      Match: groups,
      Group: named,
      Class: question.class === 'ANY' ? options.class : question.class,
      Type: question.type === 'ANY' ? options.type : question.type,
      Message: messageValue(request.message),
      Question: questionValue(question),
      Remote: formatIp(request.client.ip),
      Var: variables as ReadonlyMap<string, Value>,
    },
    methods: { Meta: (label) => request.metadata?.get(String(label)) ?? '' },
  }
}

const questionValue = ({ name, type, class: cls }: Request['question']): Struct => ({
  type: '*dns.Question',
  fields: { Name: name, Qtype: typeCode(type) ?? 0, Qclass: classCode(cls) ?? 0 },
})

/** The header and the question; a template that reads records of the query is not served. */
const messageValue = ({ id, opcode, rcode, flags, questions }: Message): Struct => ({
  type: '*dns.Msg',
  fields: {
    Id: id,
    Response: flags.response,
    Opcode: opcode,
    Authoritative: flags.authoritative,
    Truncated: flags.truncated,
    RecursionDesired: flags.recursionDesired,
    RecursionAvailable: flags.recursionAvailable,
    AuthenticatedData: flags.authenticData,
    CheckingDisabled: flags.checkingDisabled,
    Rcode: rcode,
    Question: questions.map(questionValue),
  },
})

function* reply(options: TemplateOptions, request: Request, data: Struct): Serving<Outcome> {
  if (options.rcode === RCODE.SERVFAIL) return { kind: 'code', rcode: RCODE.SERVFAIL }
  const { type } = request.question
  const answers: ResourceRecord[] = []
  let truncated = false
  for (const text of options.answers) {
    const record = made(text, data)
    if (!record.ok) return { kind: 'code', rcode: RCODE.SERVFAIL, error: record.reason }
    answers.push(record.value)
    if (record.value.type !== 'CNAME' || (type !== 'A' && type !== 'AAAA')) continue
    const target = yield* lookUp(request, record.value.target)
    truncated = target ? target.flags.truncated : truncated
    answers.push(...(target?.answers ?? []))
  }
  const additionals = allMade(options.additionals, data)
  if (!additionals.ok) return { kind: 'code', rcode: RCODE.SERVFAIL, error: additionals.reason }
  const authorities = allMade(options.authorities, data)
  if (!authorities.ok) return { kind: 'code', rcode: RCODE.SERVFAIL, error: authorities.reason }
  const empty = replyTo(request.message, options.rcode)
  const message: Message = {
    ...empty,
    flags: { ...empty.flags, authoritative: true, truncated },
    answers,
    additionals: additionals.value,
    authorities: authorities.value,
    ...(options.error && { edns: ednsOf(options.error) }),
  }
  return { kind: 'reply', by: 'template', message }
}

function ednsOf({ code, text }: NonNullable<TemplateOptions['error']>): NonNullable<Message['edns']> {
  const bytes = Uint8Array.from([code >> 8, code & 0xff, ...new TextEncoder().encode(text)])
  return { size: 4096, version: 0, dnssecOk: true, options: [{ code: EDE, bytes }] }
}

function made(text: Template, data: Struct): Parsed<ResourceRecord> {
  const line = text.execute(data)
  return line.ok ? parseOneRecord(line.value) : line
}

function allMade(texts: readonly Template[], data: Struct): Parsed<readonly ResourceRecord[]> {
  const records: ResourceRecord[] = []
  for (const text of texts) {
    const record = made(text, data)
    if (!record.ok) return record
    records.push(record.value)
  }
  return parsed(records)
}
