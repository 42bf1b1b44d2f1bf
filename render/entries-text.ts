import type { Conversation } from '../engine/conversation.ts'
import { isSuccess } from '../engine/trace.ts'
import { answersTable } from './answers-table.ts'
import { toAscii } from './ascii.ts'
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
  const rows = answers.map(({ node, conversation }) => ({ labels: [node], conversation }))
  const text = [
    `${(all ? how.paint.good : how.paint.bad)(head)}  ${question}`,
    ...answersTable(['ENTERS BY'], rows, how.width - 2).map((line) => `  ${line}`),
    '',
    'One of them in full: --via NODE',
    '',
  ].join('\n')
  return how.ascii ? toAscii(text) : text
}
