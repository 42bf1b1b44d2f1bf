import type { ComparedWalk, Comparison } from '../engine/compare.ts'
import type { Conversation } from '../engine/conversation.ts'
import { isSuccess, type Trace } from '../engine/trace.ts'
import { align } from './align.ts'
import { toAscii } from './ascii.ts'
import { labelled, table } from './columns.ts'
import { hopLines } from './hop-lines.ts'
import type { TextOptions } from './text-options.ts'

/** The same question in several variants of a cluster, laid side by side: what all have in common once, the rest by name. */
export function renderComparison(question: string, { walks, sameServer }: Comparison, how: TextOptions): string {
  const known = walks.filter(({ conversation }) => isKnown(conversation))
  const names = known.map(({ name }) => name)
  const ways = known.map(({ conversation }) => conversation)
  const lines = [
    `${how.paint.heading(headWord(walks))}  ${question}`,
    ...verdicts(walks, how),
    ...(sameServer === undefined && walks.some(({ conversation }) => conversation.server !== undefined)
      ? labelled('', 'They reach no server in common.', { indent: 2, width: how.width })
      : []),
    ...section(
      'REQUEST',
      ways.map(({ request }) => request),
      { names, how },
    ),
    ...section(
      'REPLY',
      ways.map(({ reply }) => reply),
      { names, how },
    ),
  ]
  const text = `${lines.join('\n')}\n`
  return how.ascii ? toAscii(text) : text
}

/** What a user would notice: the end, who answers, and whom the server sees. Ports are chance. */
const noticed = ({ disposition, server }: Conversation): string =>
  `${disposition.kind} ${server?.netns ?? ''} ${server?.peer.replace(/:\d+$/, '') ?? ''}`

const isKnown = ({ disposition }: Conversation): boolean => disposition.kind !== 'insufficientInfo'

function headWord(walks: readonly ComparedWalk[]): string {
  const known = walks.filter(({ conversation }) => isKnown(conversation))
  if (known.length < 2) return '? NOTHING TO COMPARE'
  const ends = new Set(known.map(({ conversation }) => noticed(conversation)))
  return ends.size === 1 ? '= ALIKE FOR CLIENT AND SERVER' : '≠ DIFFERENT'
}

function verdicts(walks: readonly ComparedWalk[], how: TextOptions): readonly string[] {
  const rows = walks.map(({ name, conversation: { disposition, server } }) => [
    `${isSuccess(disposition.kind) ? '✓' : disposition.kind === 'insufficientInfo' ? '?' : '✗'} ${name}`,
    disposition.kind,
    server?.peer ?? '-',
    server === undefined ? '-' : server.netns === 'root' ? `${server.process} on ${server.host}` : server.netns,
  ])
  const reasons = walks.flatMap(({ name, conversation: { disposition } }) =>
    isSuccess(disposition.kind)
      ? []
      : labelled(`  ${name}`, disposition.detail, { indent: NAME + 4, width: how.width }),
  )
  return [...table([['  PROXY', 'VERDICT', 'SERVER SEES', 'SERVER'], ...rows]).map((line) => `  ${line}`), ...reasons]
}

/** Room for a mode's name before its own lines. */
const NAME = 12

interface Line {
  /** A hop's place, or what happened there. */
  readonly kind: 'hop' | 'step'
  readonly label: string
  readonly text: string
}

interface Place {
  readonly names: readonly string[]
  readonly how: TextOptions
}

function section(title: string, traces: readonly (Trace | undefined)[], { names, how }: Place): readonly string[] {
  if (traces.every((trace) => trace === undefined)) return []
  const aligned = align(
    traces.map((trace) => (trace === undefined ? [] : linesOf(trace, how))),
    ({ kind, label, text }) => `${kind} ${label} ${text}`,
  )
  const lines = ['', how.paint.heading(title)]
  let before = ''
  for (const line of aligned) {
    const who = line.of.length === traces.length ? '' : line.of.map((index) => names[index]).join(', ')
    if (who !== before && who !== '') lines.push(how.paint.unsure(`  ≠ ${who}`))
    before = who
    lines.push(...lineText(line.item, who === '' ? '    ' : '  | ', how))
  }
  return lines
}

function linesOf(trace: Trace, how: TextOptions): readonly Line[] {
  return trace.hops.flatMap((hop): Line[] => [
    { kind: 'hop', label: '', text: hop.netns === 'root' ? hop.host : `${hop.netns} on ${hop.host}` },
    ...hopLines(hop, how.detail).map(({ label, text }): Line => ({ kind: 'step', label, text })),
  ])
}

function lineText({ kind, label, text }: Line, edge: string, how: TextOptions): readonly string[] {
  if (kind === 'hop') return [`${edge.trimEnd().padEnd(2)}${how.paint.heading(text)}`]
  return labelled(label, text, { indent: 10, width: how.width - edge.length }).map((line) => `${edge}${line}`)
}
