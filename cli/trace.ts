import { ask, askAgain, askAll } from '../engine/ask.ts'
import type { Built } from '../engine/build.ts'
import type { Conversation } from '../engine/conversation.ts'
import { enterBy, entryNodes } from '../engine/enter-by.ts'
import type { Probe } from '../engine/probe.ts'
import { renderBranches } from '../render/branches-text.ts'
import { renderConversationJson } from '../render/conversation-json.ts'
import { renderConversation } from '../render/conversation-text.ts'
import { renderEntries } from '../render/entries-text.ts'
import type { Detail } from '../render/hop-lines.ts'
import { renderPhasesJson } from '../render/phases-json.ts'
import { renderPhases } from '../render/phases-text.ts'
import { renderRepeats } from '../render/repeats-text.ts'
import type { TextOptions } from '../render/text-options.ts'
import { EXIT, exitCodeOf } from './exit-code.ts'
import { probeOf, questionOf } from './question-options.ts'
import { openBuilt } from './snapshot.ts'
import { type ColorChoice, paintFor, print, Stop } from './terminal.ts'
import { askThen, type ThenOptions } from './then.ts'

/** How an answer is told. */
export interface TextChoice extends ColorChoice {
  readonly output: 'text' | 'wide' | 'json'
  readonly verbose: number
  readonly ascii?: boolean
}

export interface TraceOptions extends ThenOptions, TextChoice {
  readonly explore?: 'all'
  /** The node at which packets enter the cluster, or `all`. */
  readonly via?: string
}

/** `podwalk trace`: one conversation, hop by hop. Returns the exit code. */
export function trace(options: TraceOptions): number {
  const built = openBuilt(options)
  refuseTogether(options)
  if (options.then !== undefined) return traceThen(built, options.then, options)
  if (options.via !== undefined) return traceVia(built, options.via, options)
  const probe = probeOf(built, options)
  if (options.explore !== undefined) return exploreAll(built, probe, options)
  if (options.repeat !== undefined) return repeat(built, probe, { times: options.repeat, options })
  const conversation = ask(built, probe, { seed: options.seed })
  print(render(conversation, options))
  return exitCodeOf(conversation)
}

/** Options that each tell another story. */
function refuseTogether({ via, explore, then }: TraceOptions): void {
  const given = [
    ['--via', via],
    ['--explore', explore],
    ['--then', then],
  ].flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (given.length > 1)
    throw new Stop(`${given.join(' and ')} cannot be asked together`, { todo: 'leave all but one out' })
}

/** The same question before and after changes of the cluster. */
function traceThen(built: Built, changes: readonly string[], options: TraceOptions): number {
  const { phases } = askThen(built, options)
  if (options.output === 'json') print(renderPhasesJson(phases, changes, detailOf(options.verbose)))
  else print(renderPhases(`${options.from} -> ${options.to}`, phases, changes, textOptions(options)))
  return worstCode(phases.flatMap(({ walks }) => walks))
}

/** The same question by one entry node, or a verdict for each of them. */
function traceVia(built: Built, via: string, options: TraceOptions): number {
  const nodes = entryNodes(built, via)
  if (!nodes.ok) throw new Stop(nodes.reason, { todo: 'for example: --from ext/laptop --to svc/my-nginx --via all' })
  const answers = nodes.value.map((node) => {
    const entered = enterBy(built, questionOf(options), node)
    if (!entered.ok)
      throw new Stop(entered.reason, { todo: 'for example: --from ext/laptop --to svc/my-nginx --via all' })
    return {
      node: entered.value.node,
      conversation: ask(entered.value.built, entered.value.probe, { seed: options.seed }),
    }
  })
  const conversations = answers.map(({ conversation }) => conversation)
  const [only] = conversations
  if (via !== 'all' && only !== undefined) print(render(only, options))
  else if (options.output === 'json') print(jsonList(conversations, options))
  else print(renderEntries(`${options.from} -> ${options.to}`, answers, textOptions(options)))
  return worstCode(conversations)
}

function repeat(built: Built, probe: Probe, { times, options }: { times: number; options: TraceOptions }): number {
  const walks = askAgain(built, probe, { times, every: options.every * SECOND }, { seed: options.seed })
  if (options.output === 'json') print(jsonList(walks, options))
  else print(renderRepeats(`${options.from} -> ${options.to}`, walks, textOptions(options)))
  return worstCode(walks)
}

const SECOND = 1_000_000_000

function exploreAll(built: Built, probe: Probe, options: TraceOptions): number {
  const branches = askAll(built, probe, { seed: options.seed })
  if (options.output === 'json') print(jsonList(branches, options))
  else print(renderBranches(branches, textOptions(options)))
  return worstCode(branches)
}

const jsonList = (conversations: readonly Conversation[], options: TraceOptions): string =>
  `[\n${conversations.map((one) => render(one, options).trimEnd()).join(',\n')}\n]\n`

export const worstCode = (conversations: readonly Conversation[]): number =>
  conversations.map(exitCodeOf).find((code) => code !== EXIT.yes) ?? EXIT.yes

export const detailOf = (verbose: number): Detail => (verbose === 0 ? 'normal' : verbose === 1 ? 'headers' : 'rules')

export function textOptions(options: TextChoice): TextOptions {
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
