import type { NameAnswer } from '../engine/name-answer.ts'
import { formatIp } from '../packet/ip.ts'
import { toAscii } from './ascii.ts'
import { labelled } from './columns.ts'
import { explanationLines } from './lookup-explanation.ts'
import { lookupLines } from './lookup-text.ts'
import type { TextOptions } from './text-options.ts'

/** A lookup for people: what the name is, which queries it took, why, and what would spare some. */
export function renderNameAnswer(answer: NameAnswer, how: TextOptions, explain = false): string {
  const { conversation, why, fixes, lints } = answer
  const paragraph = (label: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, i) => labelled(i === 0 ? label : '', text, { indent: 6, width: how.width }))
  const slow = conversation.durationNs >= NOTICED_NS
  const spared = fixes.map(({ change, queries, durationNs, note }) => {
    const effect = [count(queries, 'query'), ...(slow ? [`${secondsText(durationNs)} s`] : [])].join(', ')
    return `${change} (${effect}${note === undefined ? '' : `; ${note}`})`
  })
  const lines = [
    headline(answer, how),
    ...lookupLines(conversation.lookup, how),
    ...(explain ? explanationLines(conversation.steps, how) : []),
    '',
    ...paragraph('Why', why),
    ...paragraph('Fix', spared),
    ...paragraph(
      'Note',
      lints.map(({ text }) => text),
    ),
    ...paragraph('Say', decided(answer)),
  ]
  const text = `${lines.join('\n').trimEnd()}\n`
  return how.ascii ? toAscii(text) : text
}

function headline({ conversation, cost }: NameAnswer, how: TextOptions): string {
  const { outcome, probe } = conversation
  const spent = `${count(cost.queries, 'query')}${cost.wasted === 0 ? '' : `, ${cost.wasted} wasted`}`
  const name = probe.target.name ?? probe.target.label
  if (outcome.kind === 'resolved') {
    const found = outcome.addresses.length === 0 ? 'answered' : `-> ${outcome.addresses.map(formatIp).join(' ')}`
    return `${how.paint.good(`✓ ${name} ${found}`)}  ${spent}${seconds(conversation.durationNs)}`
  }
  const why = outcome.kind === 'notResolved' ? `${outcome.message} (${outcome.error})` : 'no answer'
  const unsure = conversation.disposition.kind === 'insufficientInfo'
  const paint = unsure ? how.paint.unsure : how.paint.bad
  return `${paint(`${unsure ? '?' : '✗'} ${name}: ${why}`)}  ${spent}${seconds(conversation.durationNs)}`
}

/** Where the walk, not the name, decided: a packet that was dropped, or what is not known. */
function decided({ conversation: { disposition, outcome, lookup } }: NameAnswer): readonly string[] {
  if (outcome.kind === 'resolved') return []
  if (disposition.kind === 'insufficientInfo') return [`Not enough is known: ${disposition.detail}.`]
  return lookup?.failure === undefined ? [] : [`${lookup.failure.kind}: ${lookup.failure.detail}.`]
}

const NOTICED_NS = 100_000_000

/** Time is told where somebody would notice it. */
const seconds = (ns: number): string => (ns < NOTICED_NS ? '' : `, ${secondsText(ns)} s`)

const secondsText = (ns: number): string => `${Number((ns / 1_000_000_000).toFixed(1))}`

function count(number: number, noun: 'query'): string {
  return number === 1 ? `1 ${noun}` : `${number} queries`
}
