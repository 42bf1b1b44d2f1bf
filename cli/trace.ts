import { ask, askAll } from '../engine/ask.ts'
import type { Built } from '../engine/build.ts'
import type { Conversation } from '../engine/conversation.ts'
import type { Probe } from '../engine/probe.ts'
import { type Question, readQuestion } from '../engine/question.ts'
import { renderBranches } from '../render/branches-text.ts'
import { renderConversationJson } from '../render/conversation-json.ts'
import { renderConversation, type TextOptions } from '../render/conversation-text.ts'
import type { Detail } from '../render/hop-lines.ts'
import { EXIT, exitCodeOf } from './exit-code.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { type ColorChoice, paintFor, print, Stop } from './terminal.ts'

export const PROTOCOLS = ['tcp', 'udp', 'icmp', 'sctp'] as const

/** Options of every command that asks a question. */
export interface QuestionOptions extends SnapshotOptions {
  readonly from: string
  readonly to: string
  readonly namespace: string
  readonly protocol?: (typeof PROTOCOLS)[number]
  readonly ttl?: number
  readonly seed: number
}

export interface TraceOptions extends QuestionOptions, ColorChoice {
  readonly explore?: 'all'
  readonly output: 'text' | 'wide' | 'json'
  readonly verbose: number
  readonly ascii?: boolean
}

/** `podwalk trace`: one conversation, hop by hop. Returns the exit code. */
export function trace(options: TraceOptions): number {
  const built = openBuilt(options)
  const probe = probeOf(built, options)
  if (options.explore !== undefined) return exploreAll(built, probe, options)
  const conversation = ask(built, probe, { seed: options.seed })
  print(render(conversation, options))
  return exitCodeOf(conversation)
}

/** The probe that the options ask for. */
export function probeOf(built: Built, { from, to, namespace, protocol, ttl }: QuestionOptions): Probe {
  const question: Question = {
    from,
    to,
    namespace,
    ...(protocol === undefined ? {} : { protocol }),
    ...(ttl === undefined ? {} : { ttl }),
  }
  const probe = readQuestion(built, question)
  if (!probe.ok) throw new Stop(probe.reason, { todo: 'for example: --from pod/client --to svc/my-nginx:80' })
  return probe.value
}

function exploreAll(built: Built, probe: Probe, options: TraceOptions): number {
  const branches = askAll(built, probe, { seed: options.seed })
  if (options.output === 'json')
    print(`[\n${branches.map((branch) => render(branch, options).trimEnd()).join(',\n')}\n]\n`)
  else print(renderBranches(branches, textOptions(options)))
  const codes = branches.map(exitCodeOf)
  return codes.find((code) => code !== EXIT.yes) ?? EXIT.yes
}

const detailOf = (verbose: number): Detail => (verbose === 0 ? 'normal' : verbose === 1 ? 'headers' : 'rules')

function textOptions(options: TraceOptions): TextOptions {
  return {
    detail: detailOf(options.verbose),
    width: options.output === 'wide' ? Number.POSITIVE_INFINITY : 80,
    paint: paintFor(options),
    ascii: options.ascii ?? false,
  }
}

function render(conversation: Conversation, options: TraceOptions): string {
  return options.output === 'json'
    ? renderConversationJson(conversation, detailOf(options.verbose))
    : renderConversation(conversation, textOptions(options))
}
