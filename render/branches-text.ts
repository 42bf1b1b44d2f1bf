import type { Conversation } from '../engine/conversation.ts'
import { table } from './columns.ts'
import { renderConversation, type TextOptions } from './conversation-text.ts'

/** All ways a question can fall: a line for each with its probability, then the likeliest in full. */
export function renderBranches(branches: readonly Conversation[], options: TextOptions): string {
  const ordered = branches.toSorted((x, y) => y.probability - x.probability)
  const rows = ordered.map(({ probability, disposition, server }) => [
    `${Number((probability * 100).toFixed(1))} %`,
    disposition.kind,
    server === undefined ? disposition.detail : `${server.process} on ${server.host}, which sees ${server.peer}`,
  ])
  const head = `${branches.length === 1 ? '1 way' : `${branches.length} ways`} this can go:`
  const [likeliest] = ordered
  const full =
    likeliest === undefined
      ? ''
      : `\nThe ${branches.length === 1 ? 'only' : 'likeliest'} one:\n\n${renderConversation(likeliest, options)}`
  return `${head}\n${table(rows)
    .map((row) => `  ${row}`)
    .join('\n')}\n${full}`
}
