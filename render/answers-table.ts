import type { Conversation } from '../engine/conversation.ts'
import { cutMiddle, table } from './columns.ts'

/** Conversations under each other, a line each: a label of their own, the verdict, whom the server sees, who answers. */
export function answersTable(
  head: readonly string[],
  answers: readonly { readonly labels: readonly string[]; readonly conversation: Conversation }[],
  width: number,
): readonly string[] {
  const rows = [
    [...head, 'VERDICT', 'SERVER SEES', 'WHO ANSWERS, OR WHY NOBODY'],
    ...answers.map(({ labels, conversation: { disposition, server } }) => [
      ...labels,
      disposition.kind,
      server?.peer ?? '-',
      server === undefined ? reasonOf(disposition.detail) : `${server.process} on ${server.host}`,
    ]),
  ]
  const fixed = Math.max(...table(rows.map((row) => [...row.slice(0, -1), ''])).map((line) => line.length))
  return table(rows.map((row) => [...row.slice(0, -1), cutMiddle(row.at(-1) ?? '', Math.max(width - fixed - 2, 20))]))
}

/** What a rule says of itself tells more than its number; that it is about the Service that was asked is known. */
const reasonOf = (detail: string): string =>
  (/"([^"]+)"/.exec(detail)?.[1] ?? detail).replace(/^\S+\/\S+ has (?=no )/, '')
