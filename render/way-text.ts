import type { Hop, Trace } from '../engine/trace.ts'
import { summaryOf } from '../packet/text.ts'
import { cutEnd, cutMiddle, labelled } from './columns.ts'
import { type HopLine, hopLines } from './hop-lines.ts'
import type { TextOptions } from './text-options.ts'

const LABEL = 10

/** A packet's way, hop by hop; nothing where there was none. */
export function wayLines(title: string, trace: Trace | undefined, how: TextOptions): readonly string[] {
  if (trace === undefined) return []
  const lines = ['', `${how.paint.heading(title)}  ${cutEnd(summaryOf(trace.sent), how.width - title.length - 2)}`]
  for (const [i, hop] of trace.hops.entries()) lines.push(...hopText(hop, i, how))
  return lines
}

function hopText(hop: Hop, i: number, how: TextOptions): readonly string[] {
  const where = hop.netns === 'root' ? hop.host : `${hop.netns} on ${hop.host}`
  const devices = `${hop.in ?? ''}${hop.in === undefined ? '-> ' : ' -> '}${hop.out ?? ''}`.trim()
  const number = `${i + 1}`.padEnd(3)
  const lines = [
    `${number}${how.paint.heading(cutMiddle(where, how.width - devices.length - 6))}  ${how.paint.faint(devices)}`.trimEnd(),
  ]
  let said = ''
  for (const line of hopLines(hop, how.detail)) {
    // Rules that follow each other for the same reason say it once.
    lines.push(...lineText(line.because === said ? { label: line.label, text: line.text } : line, how))
    said = line.because ?? said
  }
  return lines
}

function lineText(line: HopLine, how: TextOptions): readonly string[] {
  const shout = line.label === line.label.toUpperCase() && line.label !== ''
  const label = `   ${line.label}`
  const body = labelled(label, line.text, { indent: LABEL + 3, width: how.width })
  const because =
    line.because === undefined
      ? []
      : labelled('', line.because, { indent: LABEL + 3, width: how.width }).map(how.paint.faint)
  return [...(shout ? body.map(how.paint.bad) : body), ...because]
}
