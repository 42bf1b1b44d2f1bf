import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { classCode, RCODE, typeCode } from '../../../record.ts'
import type { Request } from '../../plugin.ts'
import { changed } from '../../request.ts'
import { type Matcher, normalized, parseMatcher } from './matcher.ts'
import type { Rule } from './rule.ts'

/** type FROM TO, class FROM TO: plugin/rewrite/type.go, class.go. */
export function parseFieldRule(field: 'type' | 'class', mode: Rule['mode'], args: readonly string[]): Parsed<Rule> {
  const code = field === 'type' ? typeCode : classCode
  for (const text of args.map((arg) => arg.toUpperCase()))
    if (code(text) === undefined || /^(TYPE|CLASS)\d/.test(text))
      return refused(`invalid ${field} ${JSON.stringify(text)}`)
  const [from = '', to = ''] = args.map((arg) => arg.toUpperCase())
  return parsed({
    mode,
    apply(request) {
      if (request.question[field] !== from) return undefined
      const question = { ...request.question, [field]: to }
      const detail = `${field} ${from} becomes ${to}`
      return { request: changed(request, { ...request.message, questions: [question] }), response: [], detail }
    },
  })
}

/** ttl [KIND] NAME TTL|MIN-MAX: plugin/rewrite/ttl.go. */
export function parseTtlRule(mode: Rule['mode'], args: readonly string[]): Parsed<Rule> {
  if (args.length < 2) return refused(`too few (${args.length}) arguments for a ttl rule`)
  const text = args.length > 3 ? '' : (args.at(-1) ?? '')
  const range = parseTtlRange(text)
  if (!range) return refused(`invalid TTL '${text}' for a ttl rule`)
  const matcher = matcherOf(args.slice(0, -1), 'ttl')
  if (!matcher.ok) return matcher
  return parsed(responseOnly(mode, matcher.value, [{ kind: 'ttl', ...range }]))
}

const MAX_TTL = 2147483647
const MAX_UINT32 = 4294967295

/** `30`, `5-`, `-30`, `5-30`. */
function parseTtlRange(text: string): { readonly min: number; readonly max: number } | undefined {
  const match = /^(\d*)(?:(-)(\d*))?$/.exec(text)
  if (!match) return undefined
  const [, low = '', dash, high = ''] = match
  if (low === '' && high === '') return undefined
  if (dash === undefined && low === '') return undefined
  const min = low === '' ? 0 : Number(low)
  const max = dash === undefined ? min : high === '' ? MAX_TTL : Number(high)
  return min > max || max > MAX_UINT32 ? undefined : { min, max }
}

/** rcode [KIND] NAME FROM TO: plugin/rewrite/rcode.go. */
export function parseRcodeRule(mode: Rule['mode'], args: readonly string[]): Parsed<Rule> {
  if (args.length < 3) return refused(`too few (${args.length}) arguments for a rcode rule`)
  const [old = '', text = ''] = args.length > 4 ? [] : args.slice(-2)
  const from = rcodeOf(old)
  if (from === undefined) return refused(`invalid matching RCODE '${old}' for a rcode rule`)
  const to = rcodeOf(text)
  if (to === undefined) return refused(`invalid replacement RCODE '${text}' for a rcode rule`)
  const matcher = matcherOf(args.slice(0, -2), 'rcode')
  if (!matcher.ok) return matcher
  return parsed(responseOnly(mode, matcher.value, [{ kind: 'rcode', from, to }]))
}

function rcodeOf(text: string): number | undefined {
  if (/^\d+$/.test(text) && Number(text) <= 23) return Number(text)
  const name = text.toUpperCase()
  return name === 'BADSIG' ? 16 : (RCODE as Readonly<Record<string, number>>)[name]
}

/** `[KIND] NAME`. */
function matcherOf(args: readonly string[], what: string): Parsed<Matcher> {
  const [first = '', second] = args
  if (second !== undefined) return parseMatcher(first, second, what)
  const name = normalized(first)
  return parsed((asked) => asked === name)
}

const responseOnly = (
  mode: Rule['mode'],
  matches: Matcher,
  response: ReturnType<typeof applied>['response'],
): Rule => ({
  mode,
  apply: (request) => (matches(request.name) ? applied(request, response) : undefined),
})

const applied = (request: Request, response: NonNullable<ReturnType<Rule['apply']>>['response']) => ({
  request,
  response,
  detail: response.map((rule) => `${rule.kind} of the reply`).join(', '),
})
