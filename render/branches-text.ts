import type { Conversation } from '../engine/conversation.ts'
import { cutMiddle, table } from './columns.ts'
import { renderConversation } from './conversation-text.ts'
import type { TextOptions } from './text-options.ts'

/** All ways a question can fall: a line for each with its probability, then the likeliest in full. */
export function renderBranches(branches: readonly Conversation[], options: TextOptions): string {
  const ordered = branches.toSorted((x, y) => y.probability - x.probability)
  const rows = ordered.map(({ probability, disposition, server }) => [
    `${Number((probability * 100).toFixed(1))} %`,
    disposition.kind,
    server === undefined ? disposition.detail : `${server.process} on ${server.host} sees ${server.peer}`,
  ])
  const room = options.width - 2 - table(rows.map((row) => [...row.slice(0, 2), ''])).reduce(longest, 0) - 2
  const lines = table(rows.map(([chance = '', end = '', who = '']) => [chance, end, cutMiddle(who, room)]))
  const head = `${branches.length === 1 ? '1 way' : `${branches.length} ways`} this can go:`
  const [likeliest] = ordered
  const full =
    likeliest === undefined
      ? ''
      : `\nThe ${branches.length === 1 ? 'only' : 'likeliest'} one:\n\n${renderConversation(likeliest, options)}`
  return `${head}\n${lines.map((line) => `  ${line}`).join('\n')}\n${full}`
}

const longest = (most: number, line: string): number => Math.max(most, line.length)
