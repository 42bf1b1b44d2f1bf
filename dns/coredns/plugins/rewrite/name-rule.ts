import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import type { Request } from '../../plugin.ts'
import { changed } from '../../request.ts'
import { type AnswerRules, parseAnswerRules } from './answer-rules.ts'
import { compilePair, filledIn, isMatchKind, type MatchKind, normalized } from './matcher.ts'
import { parseMetadataReplacement } from './metadata-name.ts'
import type { ResponseRule, Rule } from './rule.ts'

/** The new name of a name in lower case; undefined where the rule is not for it. */
type Rewrite = (name: string) => string | undefined

/** name [exact|prefix|suffix|substring|regex] FROM TO [answer ...]: plugin/rewrite/name.go. */
export function parseNameRule(mode: Rule['mode'], args: readonly string[]): Parsed<Rule> {
  if (args.length < 2) return refused('too few arguments for a name rule')
  const [first = '', second = '', third = ''] = args
  const kind = args.length === 2 ? 'exact' : first.toLowerCase()
  const [from, to] = args.length === 2 ? [first, second] : [second, third]
  const withMetadata = args[3] === 'metadata'
  if (withMetadata && kind !== 'regex') return refused('metadata is only supported for regex name rules')
  const rest = args.slice(withMetadata ? 4 : 3)
  const none: AnswerRules = { auto: false, rules: [] }
  const answers = rest.length > 0 ? parseAnswerRules(kind, rest) : parsed(none)
  if (!answers.ok) return answers
  if (!isMatchKind(kind))
    return refused(
      `name rule supports only exact, prefix, suffix, substring, and regex name matching, received: ${kind}`,
    )
  const rewrite = withMetadata ? parseMetadataReplacement(from, to) : parseRewrite(kind, from, to)
  if (!rewrite.ok) return rewrite
  const response = responseRules(kind, { from, to, answers: answers.value })
  return parsed({
    mode,
    apply(request) {
      const name = rewrite.value(request.name)
      if (name === undefined) return undefined
      const question = { ...request.question, name }
      const renamed = changed(request, { ...request.message, questions: [question] })
      return { request: renamed, response: response(request, name), detail: `${request.name} becomes ${name}` }
    },
  })
}

function parseRewrite(kind: MatchKind, from: string, to: string): Parsed<Rewrite> {
  if (kind === 'regex') {
    const pattern = compilePair(from, to)
    if (!pattern.ok) return pattern
    const replacement = normalized(to)
    return parsed((name) => {
      const groups = pattern.value.find(name)
      return groups && filledIn(replacement, groups)
    })
  }
  const [old, replacement] = [normalized(from), normalized(to)]
  if (kind === 'exact') {
    // The two change places in this check, so that a new name that is no expression is refused.
    const pattern = compilePair(replacement, old)
    if (!pattern.ok) return pattern
  }
  return parsed((name) => {
    switch (kind) {
      case 'exact':
        return name === old ? replacement : undefined
      case 'prefix':
        return name.startsWith(old) ? replacement + name.slice(old.length) : undefined
      case 'suffix':
        return name.endsWith(old) ? name.slice(0, name.length - old.length) + replacement : undefined
      case 'substring':
        return name.includes(old) ? name.replaceAll(old, () => replacement) : undefined
    }
  })
}

/** Names go back as they were: always after `exact`, else where the rule says `answer auto`. */
function responseRules(
  kind: MatchKind,
  { from, to, answers }: { readonly from: string; readonly to: string; readonly answers: AnswerRules },
): (request: Request, name: string) => readonly ResponseRule[] {
  const own = answers.rules
  if (kind === 'suffix') {
    if (!answers.auto) return () => own
    const [old, replacement] = [normalized(from), normalized(to)]
    const rewrite = (text: string) =>
      text.endsWith(replacement) ? text.slice(0, text.length - replacement.length) + old : text
    return () => [{ kind: 'name', rewrite }, { kind: 'value', rewrite }, ...own]
  }
  if (kind !== 'exact' && !answers.auto) return () => own
  return (request, name) => {
    const rewrite = (text: string) => remapped(text, name, request.name)
    return [{ kind: 'name', rewrite }, { kind: 'value', rewrite }, ...own]
  }
}

/** The name itself, or one below it. */
function remapped(text: string, from: string, to: string): string {
  if (text === from) return to
  return text.endsWith(`.${from}`) ? text.slice(0, text.length - from.length) + to : text
}
