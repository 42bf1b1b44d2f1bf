import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { compilePair, filledIn, normalized } from './matcher.ts'
import type { ResponseRule } from './rule.ts'

/** What a name rule says about the reply. */
export interface AnswerRules {
  readonly auto: boolean
  readonly rules: readonly ResponseRule[]
}

/** `answer auto`, `answer name FROM TO`, `answer value FROM TO`, one after the other; `answer` need not be repeated. */
export function parseAnswerRules(kind: string, args: readonly string[]): Parsed<AnswerRules> {
  if (args.length < 2) return refused(`invalid arguments for ${kind} rule`)
  const rules: ResponseRule[] = []
  let auto = false
  let names = 0
  for (let at = 0; at < args.length; ) {
    if (at === 0 && args[at] !== 'answer')
      return refused(`exceeded the number of arguments for a non-answer rule argument for ${kind} rule`)
    if (args[at] === 'answer') at++
    const type = args[at++]
    if (type === undefined) return refused(`type missing for answer rule for ${kind} rule`)
    if (type === 'auto') {
      auto = true
      continue
    }
    if (type !== 'name' && type !== 'value')
      return refused(`invalid type ${JSON.stringify(type)} for answer rule for ${kind} rule`)
    const [from, to] = [args[at], args[at + 1]]
    if (from === undefined || to === undefined)
      return refused(`${type} answer rule for ${kind} rule: 2 arguments required`)
    const pattern = compilePair(from, to)
    if (!pattern.ok) return refused(`${type} answer rule for ${kind} rule: ${pattern.reason}`)
    const replacement = normalized(to)
    const rewrite = (text: string) => {
      const groups = pattern.value.find(text)
      return groups ? filledIn(replacement, groups) : text
    }
    rules.push({ kind: type, rewrite })
    if (type === 'name') names++
    at += 2
  }
  if (auto && names > 0) return refused('auto name answer rule cannot be combined with explicit name anwer rules')
  return parsed({ auto, rules })
}
