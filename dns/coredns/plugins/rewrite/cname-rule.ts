import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { lowerName } from '../../../name.ts'
import { compileRegexp } from '../../regexp/regexp.ts'
import { filledIn, isMatchKind, normalized } from './matcher.ts'
import type { Rule } from './rule.ts'

/** Gives an alias another target, and the answers of that one. */
export interface CnameRule {
  /** The targets it is for, and the new one; undefined: the alias stays. */
  target(target: string): string | undefined
}

/** cname [KIND] FROM TO: plugin/rewrite/cname_target.go. */
export function parseCnameRule(mode: Rule['mode'], args: readonly string[]): Parsed<Rule> {
  if (args.length !== 2 && args.length !== 3) return refused(`too few (${args.length}) arguments for a cname rule`)
  const kind = args.length === 2 ? 'exact' : (args[0] ?? '').toLowerCase()
  if (!isMatchKind(kind)) return refused(`unknown cname rewrite type: ${kind}`)
  const [from = '', to = ''] = args.slice(-2).map(lowerName)
  const rule = parseTarget(kind, from, to)
  if (!rule.ok) return rule
  const isEmpty = from === '' || to === ''
  return parsed({
    mode,
    apply: (request) =>
      isEmpty
        ? undefined
        : { request, response: [{ kind: 'cname', rule: rule.value, request }], detail: 'aliases of the reply' },
  })
}

function parseTarget(kind: string, from: string, to: string): Parsed<CnameRule> {
  switch (kind) {
    case 'exact':
      return parsed({ target: (target) => (target === normalized(from) ? normalized(to) : undefined) })
    case 'prefix':
      return parsed({
        target: (target) => (target.startsWith(from) ? to + target.slice(from.length) : undefined),
      })
    case 'suffix':
      return parsed({
        target: (target) => (target.endsWith(from) ? target.slice(0, target.length - from.length) + to : undefined),
      })
    case 'substring':
      return parsed({
        target: (target) => (target.includes(from) ? target.replaceAll(from, () => to) : undefined),
      })
    default: {
      const pattern = compileRegexp(from)
      if (!pattern.ok) return refused(`invalid cname rewrite regex pattern: ${pattern.reason}`)
      return parsed({
        target: (target) => {
          const groups = pattern.value.find(target)
          return groups && filledIn(to, groups)
        },
      })
    }
  }
}
