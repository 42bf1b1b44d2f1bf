import type { ResolverWalk } from '../engine/compare-resolvers.ts'
import type { QueryView } from '../engine/lookup-view.ts'
import { formatIp } from '../packet/ip.ts'
import { toAscii } from './ascii.ts'
import { cutEnd, cutMiddle, labelled, table } from './columns.ts'
import type { TextOptions } from './text-options.ts'

/** One name in several resolvers, side by side: the names that any of them asked for, and who asked which in what order. */
export function renderResolvers(question: string, walks: readonly ResolverWalk[], how: TextOptions): string {
  const asked = namesAsked(walks)
  const rows = walks.map(({ resolver, conversation, cost }) => [
    resolver,
    `${cost.queries}`,
    cost.wasted === 0 ? '-' : `${cost.wasted}`,
    secondsText(conversation.durationNs),
    resultText(conversation.outcome),
    orderText(conversation.lookup?.queries ?? [], asked),
  ])
  const lines = [
    how.paint.heading(question),
    ...table([['RESOLVER', 'QUERIES', 'WASTED', 'TIME', 'RESULT', 'ORDER'], ...rows]).map((line) =>
      cutEnd(line, how.width),
    ),
    '',
    ...[...asked].flatMap(([name, { letter, rcode }]) =>
      labelled(` ${letter}`, `${cutMiddle(name, how.width - 24)}  ${rcode}`, { indent: 4, width: how.width }),
    ),
    '',
    ...labelled('', ORDER_NOTE, { indent: 0, width: how.width }),
  ]
  const text = `${lines.join('\n').trimEnd()}\n`
  return how.ascii ? toAscii(text) : text
}

const ORDER_NOTE =
  'ORDER: these letters in the order they were asked, an address pair (A and AAAA) once; a:A is one type only, a*3 three times.'

interface Asked {
  readonly letter: string
  readonly rcode: string
}

/** The names in the order in which the first that asked for each did, with what they were answered. */
function namesAsked(walks: readonly ResolverWalk[]): ReadonlyMap<string, Asked> {
  const asked = new Map<string, Asked>()
  for (const { conversation } of walks)
    for (const { name, rcode, answers } of conversation.lookup?.queries ?? []) {
      const known = asked.get(keyOf(name))
      const said = rcode === 'NOERROR' && answers.length === 0 ? 'NODATA' : (rcode ?? 'no reply')
      if (known === undefined) asked.set(keyOf(name), { letter: letterOf(asked.size), rcode: said })
      else if (known.rcode === 'NODATA' && said === 'NOERROR') asked.set(keyOf(name), { ...known, rcode: said })
    }
  return asked
}

const keyOf = (name: string): string => name.toLowerCase()
const letterOf = (index: number): string => (index < 26 ? String.fromCharCode(97 + index) : `${index + 1}`)

function orderText(queries: readonly QueryView[], asked: ReadonlyMap<string, Asked>): string {
  const groups: { readonly letter: string; readonly types: Set<string>; times: number }[] = []
  for (const { name, type } of queries) {
    const letter = asked.get(keyOf(name))?.letter ?? '?'
    const last = groups.at(-1)
    if (last?.letter === letter && !last.types.has(type)) last.types.add(type)
    else if (last?.letter === letter) last.times++
    else groups.push({ letter, types: new Set([type]), times: 1 })
  }
  return groups
    .map(({ letter, types, times }) => {
      const pair = types.has('A') && types.has('AAAA') ? '' : `:${[...types].join('+')}`
      return `${letter}${pair}${times === 1 ? '' : `*${times}`}`
    })
    .join(' ')
}

const secondsText = (ns: number): string => (ns < 100_000_000 ? '0 s' : `${Number((ns / 1_000_000_000).toFixed(1))} s`)

function resultText(outcome: ResolverWalk['conversation']['outcome']): string {
  if (outcome.kind === 'resolved') return outcome.addresses.map(formatIp).join(' ') || 'answered'
  return outcome.kind === 'notResolved' ? outcome.error : 'no answer'
}
