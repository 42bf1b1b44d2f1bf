import type { BrokenName, NamePlan, PlanCell, PlanRow } from '../engine/name-plan.ts'
import { cutMiddle, labelled, table } from './columns.ts'
import type { TextOptions } from './text-options.ts'

/** Broken names told of one ndots; the others are counted. */
const FEW = 4

/** The planner's answer: queries for each ndots and resolver, what would break, and the dnsConfig to write. */
export function renderNamePlan(workload: string, plan: NamePlan, how: TextOptions): string {
  const { rows, ndots, best, names } = plan
  const columns = rows[0]?.cells.map((cell) => cell.ndots) ?? []
  const now = totalAt(rows, ndots)
  const then = totalAt(rows, best)
  const head = best === ndots ? `keep ndots:${ndots}` : `ndots:${best} spares ${percent(now, then)} of the queries`
  const lines = [
    `${how.paint.heading(workload)}  ${names.length === 1 ? '1 name' : `${names.length} names`}: ${how.paint.good(head)}`,
    ...table([
      ['  QUERIES', ...columns.map((n) => `ndots:${n}${n === ndots ? ' (now)' : ''}`)],
      ...rows.map(({ resolver, cells }) => [`  ${resolver}`, ...cells.map(cellText)]),
    ]),
    ...breaks(rows, how),
    ...(best === ndots ? [] : dnsConfig(best)),
  ]
  return `${lines.join('\n')}\n`
}

const cellText = ({ queries, broken }: PlanCell): string =>
  broken.length === 0 ? `${queries}` : `${queries}, ${broken.length} break`

const totalAt = (rows: readonly PlanRow[], ndots: number): number =>
  rows.reduce((sum, { cells }) => sum + (cells.find((cell) => cell.ndots === ndots)?.queries ?? 0), 0)

const percent = (now: number, then: number): string => `${Math.round((1 - then / now) * 100)} %`

/** What a lower ndots would break, by name; the same name with the same end in several resolvers once. */
function breaks(rows: readonly PlanRow[], how: TextOptions): readonly string[] {
  const lines: string[] = []
  for (const ndots of rows[0]?.cells.map((cell) => cell.ndots) ?? []) {
    const broken = new Map<string, BrokenName & { readonly resolvers: string[] }>()
    for (const { resolver, cells } of rows)
      for (const one of cells.find((cell) => cell.ndots === ndots)?.broken ?? []) {
        const key = `${one.name} ${one.now} ${one.changed}`
        const known = broken.get(key) ?? { ...one, resolvers: [] }
        broken.set(key, known)
        known.resolvers.push(resolver)
      }
    const told = [...broken.values()].slice(0, FEW)
    for (const { name, now, changed, resolvers } of told) {
      const who = resolvers.length === rows.length ? '' : ` (${resolvers.join(', ')})`
      lines.push(
        ...labelled(`  ndots:${ndots}`, `breaks ${cutMiddle(name, 60)}${who}: ${now} becomes ${changed}`, {
          indent: 11,
          width: how.width,
        }),
      )
    }
    if (broken.size > told.length) lines.push(`${' '.repeat(11)}and ${broken.size - told.length} more`)
  }
  return lines
}

const dnsConfig = (ndots: number): readonly string[] => [
  '  dnsConfig:',
  '    options:',
  `    - { name: ndots, value: "${ndots}" }`,
]
