import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { contains, type Prefix, parsePrefix } from '../../../packet/prefix.ts'
import { replyTo } from '../../message.ts'
import { longestZone } from '../../name.ts'
import { RCODE, typeCode } from '../../record.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import { type Controller, type Outcome, type Plugin, pluginError, type Request } from '../plugin.ts'
import { zonesOf } from '../zones.ts'

const ACTIONS = ['allow', 'block', 'filter', 'drop'] as const
type Action = (typeof ACTIONS)[number]

interface Policy {
  readonly action: Action
  /** Type names; undefined: all. */
  readonly types: ReadonlySet<string> | undefined
  /** Source addresses; undefined: all. */
  readonly nets: readonly Prefix[] | undefined
}

interface Rule {
  readonly zones: readonly string[]
  readonly policies: readonly Policy[]
}

/** Extended DNS errors (RFC 8914 §4): blocked, filtered. */
const EDE = 15
const BLOCKED = 15
const FILTERED = 17

/** acl [ZONES...] { ACTION [type TYPES...] [net SOURCES...] }: who may ask what; the first match counts (plugin/acl). */
export const acl: Plugin = {
  name: 'acl',
  setup(controller) {
    const rules = parseRules(controller)
    if (!rules.ok) return rules
    const { line } = controller
    return parsed([
      {
        plugin: 'acl',
        line,
        *serve(request, next) {
          const action = actionFor(rules.value, request)
          if (action === undefined || action === 'allow') return yield* next(request)
          const { question, server } = request
          const detail = `${action}: ${request.question.type} from that address`
          server.note({ kind: 'dns.plugin', plugin: 'acl', line, question, action: 'answered', detail })
          return outcomeOf(request, action)
        },
      },
    ])
  },
}

/** A rule of a zone that the name is not in, or without a policy that fits, leaves it to the next one. */
function actionFor(rules: readonly Rule[], { name, question, client }: Request): Action | undefined {
  for (const { zones, policies } of rules) {
    if (longestZone(zones, name) === undefined) continue
    const policy = policies.find(
      ({ types, nets }) =>
        (types === undefined || types.has(question.type)) &&
        (nets === undefined || nets.some((net) => contains(net, client.ip))),
    )
    if (policy) return policy.action
  }
  return undefined
}

function outcomeOf({ message }: Request, action: Exclude<Action, 'allow'>): Outcome {
  if (action === 'drop') return { kind: 'silence' }
  const [rcode, code] = action === 'block' ? [RCODE.REFUSED, BLOCKED] : [RCODE.NOERROR, FILTERED]
  const edns = { size: 4096, version: 0, dnssecOk: true, options: [{ code: EDE, bytes: Uint8Array.of(0, code) }] }
  return { kind: 'reply', by: 'acl', message: { ...replyTo(message, rcode), edns } }
}

function parseRules({ words, zones }: Controller): Parsed<readonly Rule[]> {
  const rules: Rule[] = []
  while (words.next()) {
    const args = words.remaining()
    const policies: Policy[] = []
    while (words.nextInBlock()) {
      const policy = parsePolicy(words)
      if ('message' in policy) return pluginError('acl', policy)
      policies.push(policy)
    }
    rules.push({ zones: args.length > 0 ? zonesOf(args) : zones, policies })
  }
  return parsed(rules)
}

const isSection = (word: string | undefined): word is string => /^(type|net)$/i.test(word ?? '')

function parsePolicy(words: Controller['words']): Policy | CorefileError {
  const quoted = JSON.stringify
  const action = ACTIONS.find((name) => name === words.word().toLowerCase())
  if (!action)
    return words.error(`unexpected token ${quoted(words.word())}; expect 'allow', 'block', 'filter' or 'drop'`)
  let types: Set<string> | undefined
  let nets: Prefix[] | undefined
  let allTypes = false
  let allNets = false
  const rest = [...words.remaining()]
  for (let head = rest.shift(); head !== undefined; head = rest.shift()) {
    if (!isSection(head)) return words.error(`unexpected token ${quoted(head)}; expect 'type | net'`)
    const section = head.toLowerCase()
    const tokens: string[] = []
    while (rest.length > 0 && !isSection(rest[0])) tokens.push(rest.shift() ?? '')
    if (tokens.length === 0) return words.error(`no token specified in ${quoted(section)} section`)
    for (const token of tokens) {
      if (token === '*') {
        if (section === 'type') allTypes = true
        else allNets = true
        break
      }
      if (section === 'type') {
        if (typeCode(token) === undefined || /^TYPE\d/.test(token))
          return words.error(`unexpected token ${quoted(token)}; expect legal QTYPE`)
        types ??= new Set()
        types.add(token)
      } else {
        const text = token.includes('/') ? token : `${token}/${token.includes(':') ? 128 : 32}`
        const net = parsePrefix(text, 'mask')
        if (!net.ok) return words.error(`illegal CIDR notation ${quoted(text)}`)
        nets ??= []
        nets.push(net.value)
      }
    }
  }
  return { action, types: allTypes ? undefined : types, nets: allNets ? undefined : nets }
}
