import type { Phase } from '../engine/ask-across.ts'
import type { Conversation } from '../engine/conversation.ts'
import { isSuccess } from '../engine/trace.ts'
import { answersTable } from './answers-table.ts'
import { toAscii } from './ascii.ts'
import { changeLines } from './change-text.ts'
import { renderConversation } from './conversation-text.ts'
import type { TextOptions } from './text-options.ts'

/** A question asked before and after changes: the answers under each other, then each in full with what lay between. */
export function renderPhases(
  question: string,
  phases: readonly Phase[],
  words: readonly string[],
  how: TextOptions,
): string {
  const walks = phases.flatMap((phase) => phase.walks)
  const isFull = phases.every((phase) => phase.walks.length === 1)
  const lines = [
    `${how.paint.heading(headWord(walks))}  ${question}`,
    ...answersTable(['#', 'AT'], rowsOf(phases), how.width - 2).map((line) => `  ${line}`),
  ]
  const body = phases.flatMap(({ change, walks: [walk] }, i) => [
    ...(change === undefined ? [] : changeLines(words[i - 1] ?? '', change, how)),
    ...(isFull && walk !== undefined
      ? ['', renderConversation({ ...walk, assumptions: newIn(phases, i) }, how).trimEnd()]
      : []),
  ])
  const text = `${[...lines, ...body].join('\n')}\n`
  return how.ascii ? toAscii(text) : text
}

const rowsOf = (phases: readonly Phase[]) => {
  let count = 0
  return phases.flatMap(({ walks }) =>
    walks.map((conversation) => ({
      labels: [`${++count}`, secondsText(conversation.steps[0]?.at ?? 0)],
      conversation,
    })),
  )
}

const secondsText = (ns: number): string => `${Number((ns / 1_000_000_000).toFixed(1))} s`

/** What an earlier answer rested on already is not told again. */
function newIn(phases: readonly Phase[], i: number): Conversation['assumptions'] {
  const [walk] = phases[i]?.walks ?? []
  const told = new Set(
    phases.slice(0, i).flatMap(({ walks }) => walks.flatMap(({ assumptions }) => assumptions.map(({ text }) => text))),
  )
  return (walk?.assumptions ?? []).filter(({ text }) => !told.has(text))
}

function headWord(walks: readonly Conversation[]): string {
  const good = walks.filter(
    ({ disposition, outcome }) =>
      isSuccess(disposition.kind) && outcome.kind !== 'failed' && outcome.kind !== 'noAnswer',
  )
  const unsure = walks.some(({ disposition }) => disposition.kind === 'insufficientInfo')
  const mark = good.length === walks.length ? '✓' : unsure ? '?' : '✗'
  return good.length === walks.length
    ? `${mark} ALL ${walks.length} GOT THROUGH`
    : `${mark} ${good.length} OF ${walks.length} GOT THROUGH`
}
