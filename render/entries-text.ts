import type { Conversation } from '../engine/conversation.ts'
import { isSuccess } from '../engine/trace.ts'
import { toAscii } from './ascii.ts'
import { cutMiddle, table } from './columns.ts'
import type { TextOptions } from './text-options.ts'

/** A conversation, by the node at which its packets entered the cluster. */
export interface EntryAnswer {
  readonly node: string
  readonly conversation: Conversation
}

/** One verdict for each entry node: who answers there and whom the server sees, or why nobody does. */
export function renderEntries(question: string, answers: readonly EntryAnswer[], how: TextOptions): string {
  const good = answers.filter(({ conversation }) => isSuccess(conversation.disposition.kind)).length
  const all = good === answers.length
  const head = `${all ? '✓' : '✗'} ${good} of ${answers.length} entry nodes`
  const text = [
    `${(all ? how.paint.good : how.paint.bad)(head)}  ${question}`,
    ...answerTable(answers, how.width - 2).map((line) => `  ${line}`),
    '',
    'One of them in full: --via NODE',
    '',
  ].join('\n')
  return how.ascii ? toAscii(text) : text
}

function answerTable(answers: readonly EntryAnswer[], width: number): readonly string[] {
  const rows = [
    ['ENTERS BY', 'VERDICT', 'SERVER SEES', 'WHO ANSWERS, OR WHY NOBODY'],
    ...answers.map(({ node, conversation: { disposition, server } }) => [
      node,
      disposition.kind,
      server?.peer ?? '-',
      server === undefined ? disposition.detail : `${server.process} on ${server.host}`,
    ]),
  ]
  const fixed = Math.max(...table(rows.map((row) => [...row.slice(0, -1), ''])).map((line) => line.length))
  return table(rows.map((row) => [...row.slice(0, -1), cutMiddle(row.at(-1) ?? '', Math.max(width - fixed - 2, 20))]))
}
