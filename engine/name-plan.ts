import type { Pod } from '../cluster/objects.ts'
import type { ResolverName } from '../dns/resolver/registry.ts'
import { once } from '../linux/netfilter/block.ts'
import type { Built } from './build.ts'
import { type PlannedLookup, type PlanningPod, type PlanPace, planningPod } from './planned-lookup.ts'

/** What every ndots would cost the names that a program uses, and which would find something else. */
export interface NamePlan {
  readonly pod: Pod
  readonly names: readonly string[]
  /** As the pod has it now. */
  readonly ndots: number
  readonly rows: readonly PlanRow[]
  /** The cheapest ndots that changes no result with any of the resolvers. */
  readonly best: number
}

export interface PlanRow {
  readonly resolver: ResolverName
  readonly cells: readonly PlanCell[]
}

export interface PlanCell {
  readonly ndots: number
  readonly queries: number
  /** Names that are found differently than now, or not at all. */
  readonly broken: readonly BrokenName[]
}

export interface BrokenName {
  readonly name: string
  readonly now: string
  readonly changed: string
}

/** The settings that are tried, and the one the pod has. glibc takes more than 15 as 15. */
export const PLAN_NDOTS: readonly number[] = [1, 2, 3, 4, 5]

export interface PlannedNames {
  readonly names: readonly string[]
  readonly resolvers: readonly ResolverName[]
  /** `eachClass` unless said; both find the same. */
  readonly pace?: PlanPace
}

/**
 * Looks every name up with every ndots and resolver. The programs talk directly, without packets: what they say and
 * how often does not depend on the network between. `undefined`: no CoreDNS of the cluster runs.
 */
export function planNames(
  built: Built,
  pod: Pod,
  { names, resolvers, pace = 'eachClass' }: PlannedNames,
): NamePlan | undefined {
  const asker = planningPod(built, pod, pace)
  if (asker === undefined) return undefined
  const distinct = [...new Set(names)].sort()
  const { ndots } = asker
  const tried = [...new Set([...PLAN_NDOTS, ndots])].sort((x, y) => x - y)
  const found = distinct.map((name) => {
    asker.forget()
    return resolvers.map((resolver) => lookUpAtEach(asker, resolver, { name, tried }))
  })
  const rows = resolvers.map((resolver, i): PlanRow => {
    const own = found.map((ofName) => ofName[i] ?? new Map<number, PlannedLookup>())
    return { resolver, cells: tried.map((n) => cellOf(n, ndots, distinct, own)) }
  })
  return { pod, names: distinct, ndots, rows, best: bestOf(rows, ndots) }
}

/** Only whether the name has as many dots as ndots matters to a resolver: two lookups tell all. */
function lookUpAtEach(
  asker: PlanningPod,
  resolver: ResolverName,
  { name, tried }: { readonly name: string; readonly tried: readonly number[] },
): ReadonlyMap<number, PlannedLookup> {
  const dots = name.split('.').length - 1
  const searched = once(() => asker.lookUp(resolver, name, Math.max(...tried)))
  const asIs = once(() => asker.lookUp(resolver, name, Math.min(...tried)))
  return new Map(tried.map((ndots) => [ndots, dots < ndots ? searched() : asIs()]))
}

function cellOf(
  ndots: number,
  now: number,
  names: readonly string[],
  found: readonly ReadonlyMap<number, PlannedLookup>[],
): PlanCell {
  let queries = 0
  const broken: BrokenName[] = []
  for (const [i, name] of names.entries()) {
    const after = found[i]?.get(ndots)
    const before = found[i]?.get(now)
    queries += after?.queries ?? 0
    if (after !== undefined && before !== undefined && after.result !== before.result)
      broken.push({ name, now: before.result, changed: after.result })
  }
  return { ndots, queries, broken }
}

/** Fewest queries over all resolvers among those that break nothing; of equals the one nearest to what is now. */
function bestOf(rows: readonly PlanRow[], now: number): number {
  const totals = new Map<number, number>()
  for (const { cells } of rows)
    for (const { ndots, queries, broken } of cells) {
      const total = totals.get(ndots) ?? 0
      totals.set(ndots, broken.length > 0 ? Number.POSITIVE_INFINITY : total + queries)
    }
  const order = [...totals].toSorted(([x, a], [y, b]) => a - b || Math.abs(x - now) - Math.abs(y - now))
  return order[0]?.[0] ?? now
}
