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

export interface TraceOptions extends SnapshotOptions, ColorChoice {
  readonly from?: string
  readonly to?: string
  readonly namespace?: string
  readonly protocol?: string
  readonly ttl?: string
  readonly seed?: string
  readonly explore?: string
  readonly output?: string
  readonly verbose?: number
  readonly ascii?: boolean
}

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'sctp'] as const

/** `podwalk trace`: one conversation, hop by hop. Returns the exit code. */
export function trace(options: TraceOptions): number {
  const built = openBuilt(options)
  const probe = probeOf(built, options)
  if (options.explore !== undefined) return exploreAll(built, probe, options)
  const conversation = ask(built, probe, { seed: numberOf('--seed', options.seed, 1) })
  print(render(conversation, options))
  return exitCodeOf(conversation)
}

/** The probe that the options ask for. */
export function probeOf(built: Built, options: TraceOptions): Probe {
  const { from, to } = options
  if (from === undefined || to === undefined)
    throw new Stop('error: trace needs --from and --to\n  do: podwalk trace --from pod/client --to svc/my-nginx:80')
  const protocol = PROTOCOLS.find((known) => known === options.protocol?.toLowerCase())
  if (options.protocol !== undefined && protocol === undefined)
    throw new Stop(`error: --protocol ${options.protocol} is not one of ${PROTOCOLS.join(', ')}`)
  const question: Question = {
    from,
    to,
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(options.ttl === undefined ? {} : { ttl: numberOf('--ttl', options.ttl, 64) }),
  }
  const probe = readQuestion(built, question)
  if (!probe.ok) throw new Stop(`error: ${probe.reason}`)
  return probe.value
}

export function numberOf(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual
  if (!/^\d+$/.test(text)) throw new Stop(`error: ${name} ${text} is not a whole number`)
  return Number(text)
}

function exploreAll(built: Built, probe: Probe, options: TraceOptions): number {
  if (options.explore !== 'all') throw new Stop(`error: --explore ${options.explore} is not "all"`)
  const branches = askAll(built, probe, { seed: numberOf('--seed', options.seed, 1) })
  if (options.output === 'json')
    print(`[\n${branches.map((branch) => render(branch, options).trimEnd()).join(',\n')}\n]\n`)
  else print(renderBranches(branches, textOptions(options)))
  const codes = branches.map(exitCodeOf)
  return codes.find((code) => code !== EXIT.yes) ?? EXIT.yes
}

const detailOf = (verbose: number | undefined): Detail =>
  verbose === undefined || verbose === 0 ? 'normal' : verbose === 1 ? 'headers' : 'rules'

function textOptions(options: TraceOptions): TextOptions {
  return {
    detail: detailOf(options.verbose),
    width: options.output === 'wide' ? Number.POSITIVE_INFINITY : 80,
    paint: paintFor(options),
    ascii: options.ascii ?? false,
  }
}

function render(conversation: Conversation, options: TraceOptions): string {
  switch (options.output ?? 'text') {
    case 'text':
    case 'wide':
      return renderConversation(conversation, textOptions(options))
    case 'json':
      return renderConversationJson(conversation, detailOf(options.verbose))
    default:
      throw new Stop(`error: -o ${options.output} is not one of text, wide, json`)
  }
}
