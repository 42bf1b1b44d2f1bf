import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { fqdn, lowerName } from '../../../name.ts'
import { compileRegexp, type Regexp } from '../../regexp/regexp.ts'

/** How a rule finds its names: by all of it, its beginning, its end, any part, or a regular expression. */
export const MATCH_KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const
export type MatchKind = (typeof MATCH_KINDS)[number]
export const isMatchKind = (text: string): text is MatchKind => (MATCH_KINDS as readonly string[]).includes(text)

/** Whether a name, in lower case and with its final dot, is one of the rule's. */
export type Matcher = (name: string) => boolean

/** Longest expression that is compiled. */
const MAX_REGEXP = 10_000

/** plugin.Name.Normalize. */
export const normalized = (name: string): string => lowerName(fqdn(name))

export function compileRule(source: string): Parsed<Regexp> {
  if (source.length > MAX_REGEXP) return refused(`regex pattern too long: ${source.length} > ${MAX_REGEXP}`)
  const pattern = compileRegexp(source)
  return pattern.ok ? pattern : refused(`invalid regex matching pattern: ${source}`)
}

/** How many of `{0}` .. `{100}` a replacement names. */
const usedGroups = (text: string): number =>
  Array.from({ length: 101 }, (_, i) => i).filter((i) => text.includes(`{${i}}`)).length

/** An expression and what stands for its matches, which may name no more groups than there are. */
export function compilePair(from: string, to: string): Parsed<Regexp> {
  const pattern = compileRule(from)
  if (!pattern.ok || usedGroups(to) <= pattern.value.groups) return pattern
  return refused(
    `the rewrite regex pattern (${to}) uses more subexpressions than its corresponding matching regex pattern (${from})`,
  )
}

/** Matcher of a `ttl` or `rcode` rule; `what` names it in errors. */
export function parseMatcher(kind: string, text: string, what: string): Parsed<Matcher> {
  const name = normalized(text)
  switch (kind.toLowerCase()) {
    case 'exact':
      return parsed((asked) => asked === name)
    case 'prefix':
      return parsed((asked) => asked.startsWith(name))
    case 'suffix':
      return parsed((asked) => asked.endsWith(name))
    case 'substring':
      return parsed((asked) => asked.includes(name))
    case 'regex': {
      if (text.length > MAX_REGEXP)
        return refused(`regex pattern too long in a ${what} rule: ${text.length} > ${MAX_REGEXP}`)
      const pattern = compileRegexp(text)
      return pattern.ok ? parsed(pattern.value.matches) : refused(`invalid regex pattern in a ${what} rule: ${text}`)
    }
    default:
      return refused(`${what} rule supports only exact, prefix, suffix, substring, and regex name matching`)
  }
}

/** `{0}`, `{1}` ... of a replacement filled in with groups, one after the other. */
export function filledIn(replacement: string, groups: readonly string[]): string {
  let text = replacement
  for (const [i, group] of groups.entries()) text = text.replaceAll(`{${i}}`, () => group)
  return text
}
