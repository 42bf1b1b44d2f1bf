import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { type Message, replyTo } from '../../../message.ts'
import { isDomainName } from '../../../name.ts'
import { RCODE } from '../../../record.ts'
import { type Controller, type Outcome, type Plugin, pluginError, type Request, type Serving } from '../../plugin.ts'
import { parseCnameRule } from './cname-rule.ts'
import { parseEdnsRule } from './edns-rule.ts'
import { parseFieldRule, parseRcodeRule, parseTtlRule } from './field-rules.ts'
import { parseNameRule } from './name-rule.ts'
import { revertedOptions, rewritten } from './response.ts'
import type { ResponseRule, Rule } from './rule.ts'

/** rewrite [continue|stop] FIELD ...: changes queries on the way in and replies on the way out (plugin/rewrite). */
export const rewrite: Plugin = {
  name: 'rewrite',
  setup(controller) {
    const rules = parseRules(controller)
    if (!rules.ok) return rules
    const { line } = controller
    return parsed([
      {
        plugin: 'rewrite',
        line,
        *serve(original, next) {
          let request = original
          const response: ResponseRule[] = []
          let stopped = false
          for (const rule of rules.value) {
            // Some rules leave a mark on the query although they are not for it.
            const applied = rule.apply({ ...request, message: request.shared.message })
            if (!applied) continue
            request = applied.request
            const { name } = request.question
            if (!isDomainName(name)) {
              request.shared.message = { ...request.shared.message, questions: [original.question] }
              return { kind: 'code', rcode: RCODE.SERVFAIL, error: `invalid name after rewrite: ${name}` }
            }
            response.push(...applied.response)
            const { question, server } = original
            const detail = applied.detail
            server.note({ kind: 'dns.plugin', plugin: 'rewrite', line, question, action: 'changed', detail })
            stopped = rule.mode === 'stop'
            if (stopped) break
          }
          const outcome = yield* next({ ...request, message: request.shared.message })
          // Without rules for the reply nobody puts the question back either.
          if (!stopped && response.length === 0) return outcome
          return yield* reverted(original, { outcome, response })
        },
      },
    ])
  },
}

/** The reply with the client's own question; a failure behind this plugin is written here. */
function* reverted(
  original: Request,
  { outcome, response }: { readonly outcome: Outcome; readonly response: readonly ResponseRule[] },
): Serving {
  if (outcome.kind === 'silence' || (outcome.kind === 'code' && outcome.rcode === RCODE.NOERROR)) return outcome
  const message: Message = outcome.kind === 'reply' ? outcome.message : replyTo(original.shared.message, outcome.rcode)
  const asked = { ...message, questions: [original.question] }
  const done = yield* rewritten(asked, response)
  original.shared.message = revertedOptions(original.shared.message, response)
  const by = outcome.kind === 'reply' ? outcome.by : 'rewrite'
  return { kind: 'reply', by, message: done, ...(outcome.error !== undefined && { error: outcome.error }) }
}

function parseRules({ words, echoedOptions }: Controller): Parsed<readonly Rule[]> {
  const rules: Rule[] = []
  while (words.next()) {
    const args = [...words.remaining()]
    if (args.length < 2) while (words.nextInBlock()) args.push(words.word())
    const rule = parseRule(args, echoedOptions)
    if (!rule.ok) return pluginError('rewrite', rule.reason)
    rules.push(rule.value)
  }
  return parsed(rules)
}

function parseRule(args: readonly string[], echoedOptions: Set<number>): Parsed<Rule> {
  const [first] = args
  if (first === undefined) return refused('no rule type specified for rewrite')
  const word = first.toLowerCase()
  const explicit = word === 'stop' || word === 'continue' ? word : undefined
  const mode = explicit ?? 'stop'
  const [type = '', ...rest] = explicit ? args.slice(1) : args
  if (explicit && args.length < 2) return refused(`${explicit} rule must begin with a rule type`)
  const kind = type.toLowerCase()
  switch (kind) {
    case 'answer':
      return refused('response rewrites must begin with a name rule')
    case 'name':
      return parseNameRule(mode, rest)
    case 'class':
    case 'type':
      if (rest.length !== 2) return refused(`${kind} rules must have exactly two arguments`)
      return parseFieldRule(kind, mode, rest)
    case 'edns0':
      return parseEdnsRule(mode, rest, echoedOptions)
    case 'ttl':
      return parseTtlRule(mode, rest)
    case 'cname':
      return parseCnameRule(mode, rest)
    case 'rcode':
      return parseRcodeRule(mode, rest)
    default:
      return refused(`invalid rule type ${JSON.stringify(first)}`)
  }
}
