import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import { type Message, replyTo } from '../../../message.ts'
import { fqdn, isSubdomain } from '../../../name.ts'
import { RCODE } from '../../../record.ts'
import type { CorefileError } from '../../corefile/dispenser.ts'
import { type Controller, type Handler, type Outcome, type Plugin, pluginError, type Request } from '../../plugin.ts'
import { type Kind, kindOf } from '../../reply-kind.ts'
import { COMBINED, COMMON, formatted, parseFormat } from './format.ts'

/** A `log` stanza. */
interface LogRule {
  readonly zones: readonly string[]
  readonly format: ReturnType<typeof parseFormat>
  readonly classes: ReadonlySet<ReplyClass>
}

const CLASSES = ['all', 'denial', 'error', 'success'] as const
type ReplyClass = (typeof CLASSES)[number]

/** log [NAMES...] [FORMAT] { class CLASS... }: a line per query (plugin/log of CoreDNS 1.15). */
export const log: Plugin = {
  name: 'log',
  setup(controller) {
    const rules = parseRules(controller)
    return rules.ok ? parsed([handler(controller, rules.value)]) : rules
  },
}

function handler({ line }: Controller, rules: readonly LogRule[]): Handler {
  return {
    plugin: 'log',
    line,
    *serve(request, next) {
      const rule = rules.find(({ zones }) => zones.some((zone) => isSubdomain(zone, request.name)))
      if (!rule) return yield* next(request)
      const { question, server } = request
      const begun = server.now()
      const outcome = yield* next(request)
      const reply = replyOf(request, outcome)
      const kind = reply ? kindOf(reply) : 'other'
      const { metadata } = request
      metadata?.set('log/type', TYPE_OF[kind])
      metadata?.set('log/class', CLASS_OF[kind])
      if (rule.classes.has('all') || rule.classes.has(CLASS_OF[kind])) {
        const detail = `[INFO] ${formatted(rule.format, { request, reply, took: server.now() - begun })}`
        server.note({ kind: 'dns.plugin', plugin: 'log', line, question, action: 'changed', detail })
      }
      return outcome
    },
  }
}

/** What is written to the client, or would be; undefined where nothing is. */
function replyOf({ shared }: Request, outcome: Outcome): Message | undefined {
  if (outcome.kind === 'reply') return outcome.message
  return outcome.kind === 'code' && outcome.rcode !== RCODE.NOERROR ? replyTo(shared.message, outcome.rcode) : undefined
}

/** pkg/response Classify. */
const CLASS_OF: Readonly<Record<Kind, ReplyClass>> = {
  answer: 'success',
  delegation: 'success',
  nameError: 'denial',
  noData: 'denial',
  serverError: 'error',
  meta: 'error',
  update: 'error',
  other: 'error',
}

/** Type.String of pkg/response. */
const TYPE_OF: Readonly<Record<Kind, string>> = {
  answer: 'NOERROR',
  delegation: 'DELEGATION',
  nameError: 'NXDOMAIN',
  noData: 'NODATA',
  serverError: 'SERVERERROR',
  meta: 'META',
  update: 'UPDATE',
  other: 'OTHERERROR',
}

function parseRules(controller: Controller): Parsed<readonly LogRule[]> {
  const { words } = controller
  const rules: LogRule[] = []
  while (words.next()) {
    const args = words.remaining()
    const last = args.length > 1 && args.at(-1)?.includes('{') ? args.at(-1) : undefined
    const names = last === undefined ? args : args.slice(0, -1)
    const classes = new Set<ReplyClass>()
    while (words.nextInBlock()) {
      const error = parseClasses(classes, controller)
      if (error) return pluginError('log', error)
    }
    const format = (last ?? COMMON).replaceAll('{common}', () => COMMON).replaceAll('{combined}', () => COMBINED)
    rules.push({
      zones: names.length > 0 ? names.map(fqdn) : ['.'],
      format: parseFormat(format),
      classes: classes.size > 0 ? classes : new Set(['all']),
    })
  }
  return parsed(rules)
}

function parseClasses(classes: Set<ReplyClass>, { words }: Controller): CorefileError | string | undefined {
  if (words.word() !== 'class') return words.error(`unknown property '${words.word()}'`)
  const names = words.remaining()
  if (names.length === 0) return words.argumentError()
  for (const name of names) {
    const known = CLASSES.find((one) => one === name)
    if (!known) return `invalid Class: ${name}`
    classes.add(known)
  }
  return undefined
}
