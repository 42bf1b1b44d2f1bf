import { formatIp } from '../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { type Flags, type Message, replyTo } from '../../message.ts'
import { encodeMessage } from '../../message-encode.ts'
import { isSubdomain } from '../../name.ts'
import { rcodeName } from '../../record.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import { clientSize } from '../edns.ts'
import { type Controller, type Handler, type Outcome, type Plugin, pluginError, type Request } from '../plugin.ts'
import { type Kind, kindOf } from '../reply-kind.ts'
import { zonesOf } from '../zones.ts'

/** A `log` stanza. */
interface LogRule {
  readonly zones: readonly string[]
  readonly classes: ReadonlySet<ReplyClass>
}

const CLASSES = ['all', 'denial', 'error', 'success'] as const
type ReplyClass = (typeof CLASSES)[number]

/** The two formats that have names; no others are modelled. */
const COMMON = '{common}'
const COMBINED = '{combined}'

/** log [NAMES...] [FORMAT] { class CLASS... }: a line per query, in CoreDNS's common format (plugin/log). */
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
      const begun = request.server.now()
      const outcome = yield* next(request)
      const reply = replyOf(request, outcome)
      if (rule.classes.has('all') || rule.classes.has(classOf(reply))) {
        const detail = commonLine(request, reply, request.server.now() - begun)
        const { question } = request
        request.server.note({ kind: 'dns.plugin', plugin: 'log', line, question, action: 'changed', detail })
      }
      return outcome
    },
  }
}

/** What is written to the client, or would be; undefined where nothing is. */
function replyOf({ message }: Request, outcome: Outcome): Message | undefined {
  if (outcome.kind === 'reply') return outcome.message
  return outcome.kind === 'code' ? replyTo(message, outcome.rcode) : undefined
}

/** pkg/response Classify. */
const CLASS_OF: Readonly<Record<Kind, ReplyClass>> = {
  answer: 'success',
  delegation: 'success',
  nameError: 'denial',
  noData: 'denial',
  serverError: 'error',
  other: 'error',
}

const classOf = (reply: Message | undefined): ReplyClass => (reply ? CLASS_OF[kindOf(reply)] : 'error')

/** `{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}` */
function commonLine(request: Request, reply: Message | undefined, took: number): string {
  const { client, message, question, transport } = request
  const { type, class: cls } = question
  const ip = client.ip.family === 6 ? `[${formatIp(client.ip)}]` : formatIp(client.ip)
  const asked = `"${type} ${cls} ${request.name} ${transport} ${sizeOf(withoutOptions(message))} ${message.edns?.dnssecOk ?? false} ${clientSize(request)}"`
  const told = reply ? `${rcodeName(reply.rcode)} ${flagsText(reply.flags)} ${sizeOf(withoutEdns(reply))}` : '- - 0'
  return `[INFO] ${ip}:${client.port} - ${message.id} ${asked} ${told} ${(took / 1e9).toFixed(9)}s`
}

function sizeOf(message: Message): number {
  const bytes = encodeMessage(message)
  return bytes.ok ? bytes.value.length : 0
}

/** By the time the line is written, the query's OPT has become the reply's, without its options. */
function withoutOptions(message: Message): Message {
  return message.edns ? { ...message, edns: { ...message.edns, options: [] } } : message
}

/** The OPT is put in behind the log plugin's back. */
function withoutEdns({ edns: _, ...bare }: Message): Message {
  return bare
}

const FLAG_WORDS: readonly (readonly [keyof Flags, string])[] = [
  ['response', 'qr'],
  ['authoritative', 'aa'],
  ['truncated', 'tc'],
  ['recursionDesired', 'rd'],
  ['recursionAvailable', 'ra'],
  ['authenticData', 'ad'],
  ['checkingDisabled', 'cd'],
]

function flagsText(flags: Flags): string {
  return FLAG_WORDS.flatMap(([flag, word]) => (flags[flag] ? [word] : [])).join(',')
}

function parseRules(controller: Controller): Parsed<readonly LogRule[]> {
  const { words } = controller
  const rules: LogRule[] = []
  while (words.next()) {
    const args = words.remaining()
    const format = args.length > 1 && args.at(-1)?.includes('{') ? args.at(-1) : undefined
    const names = format === undefined ? args : args.slice(0, -1)
    const classes = new Set<ReplyClass>()
    while (words.nextInBlock()) {
      const error = parseClasses(classes, controller)
      if (error) return pluginError('log', error)
    }
    if (format !== undefined && format !== COMMON)
      controller.notModelled(`log: format ${format === COMBINED ? COMBINED : JSON.stringify(format)}`)
    rules.push({
      zones: names.length > 0 ? zonesOf(names) : ['.'],
      classes: classes.size > 0 ? classes : new Set(['all']),
    })
  }
  return parsed(rules)
}

function parseClasses(classes: Set<ReplyClass>, { words }: Controller): CorefileError | string | undefined {
  if (words.word() !== 'class') return words.argumentError()
  const names = words.remaining()
  if (names.length === 0) return words.argumentError()
  for (const name of names) {
    const known = CLASSES.find((one) => one === name)
    if (!known) return `invalid Class: ${name}`
    classes.add(known)
  }
  return undefined
}
