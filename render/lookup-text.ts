import type { LookupView, QueryView } from '../engine/lookup-view.ts'
import { cutEnd, cutMiddle, labelled, table } from './columns.ts'
import type { TextOptions } from './text-options.ts'
import { wayLines } from './way-text.ts'

/** A lookup as a table: who was asked for what, and who answered. */
export function lookupLines(lookup: LookupView | undefined, how: TextOptions): readonly string[] {
  if (lookup === undefined) return []
  const servers = lookup.servers.join(' ')
  const head = `${lookup.name}: ${lookup.resolver}, ndots:${lookup.ndots}, server ${servers}`
  const [first = '', ...more] = labelled('', head, { indent: 5, width: how.width })
  const search =
    lookup.search.length === 0 ? [] : labelled('', `search ${lookup.search.join(' ')}`, { indent: 5, width: how.width })
  const rows = sameAnswers(lookup.queries).map(({ first, last, query, types }) => [
    first === last ? `${first}` : `${first}-${last}`,
    query.name,
    types.join(' '),
    query.rcode ?? 'no reply',
    byText(query),
  ])
  // What the other columns and the blanks between take; the name gets the rest.
  const others = [0, 2, 3, 4].reduce(
    (sum, i) => sum + 2 + Math.max(...[COLUMNS, ...rows].map((row) => row[i]?.length ?? 0)),
    0,
  )
  const nameWidth = Number.isFinite(how.width) ? Math.max(how.width - others, 20) : Number.POSITIVE_INFINITY
  const cells = rows.map((row) => row.map((cell, i) => (i === 1 ? cutMiddle(cell, nameWidth) : cell)))
  const found = lookup.queries.flatMap((query) => query.answers.map((answer) => ({ answer, object: query.object })))
  const answers = found.map(
    ({ answer, object }) => ` -> ${answer.replace(/\s+/g, ' ')}${object === undefined ? '' : `  from ${object}`}`,
  )
  return [
    '',
    `${how.paint.heading('DNS')}${first.slice(3)}`,
    ...more,
    ...search,
    ...table([COLUMNS, ...cells]),
    ...answers.map((line) => cutEnd(line, how.width)),
    ...dnsWays(lookup, how),
  ]
}

const COLUMNS = ['#', 'NAME', 'TYPE', 'RCODE', 'BY'] as const

interface SameAnswer {
  readonly first: number
  readonly last: number
  readonly query: QueryView
  readonly types: readonly string[]
}

/** Queries for one name that were answered alike stand on one line: `1-2 web.default.svc. A AAAA NXDOMAIN`. */
function sameAnswers(queries: readonly QueryView[]): readonly SameAnswer[] {
  const groups: SameAnswer[] = []
  for (const [i, query] of queries.entries()) {
    const before = groups.at(-1)
    const alike =
      before !== undefined &&
      before.query.name === query.name &&
      before.query.rcode === query.rcode &&
      byText(before.query) === byText(query)
    if (alike && !before.types.includes(query.type))
      groups[groups.length - 1] = { ...before, last: i + 1, types: [...before.types, query.type] }
    else groups.push({ first: i + 1, last: i + 1, query, types: [query.type] })
  }
  return groups
}

const byText = ({ plugin, line }: QueryView): string => `${plugin ?? ''}${line === undefined ? '' : ` (${line})`}`

/** With headers shown, the first query's own way is opened too: it is a packet like any other. */
function dnsWays(lookup: LookupView, how: TextOptions): readonly string[] {
  const [first] = lookup.queries
  if (first === undefined) return []
  const failed = lookup.queries.find((query) => query.rcode === undefined)
  const opened = how.detail === 'normal' ? failed : first
  if (opened === undefined) return []
  return [...wayLines('QUERY', opened.request, how), ...wayLines('ANSWER', opened.reply, how)]
}
