import type { Conversation } from '../engine/conversation.ts'
import { answersTable } from './answers-table.ts'
import { toAscii } from './ascii.ts'
import type { TextOptions } from './text-options.ts'

/** The same request at several times: which server each reached, and whether they stayed with one. */
export function renderRepeats(question: string, walks: readonly Conversation[], how: TextOptions): string {
  const rows = walks.map((conversation, i) => ({
    labels: [`${i + 1}`, secondsText(conversation.steps[0]?.at ?? 0)],
    conversation,
  }))
  const text = [
    `${how.paint.heading(headWord(walks))}  ${question}`,
    ...answersTable(['#', 'AT'], rows, how.width - 2).map((line) => `  ${line}`),
    '',
  ].join('\n')
  return how.ascii ? toAscii(text) : text
}

const secondsText = (ns: number): string => `${Number((ns / 1_000_000_000).toFixed(1))} s`

function headWord(walks: readonly Conversation[]): string {
  const servers = new Set(
    walks.flatMap(({ server }) => (server === undefined ? [] : [`${server.host} ${server.netns}`])),
  )
  const count = walks.length === 1 ? '1 request' : `${walks.length} requests`
  return `${count}, ${servers.size === 0 ? 'no server' : servers.size === 1 ? 'one server' : `${servers.size} servers`}`
}
