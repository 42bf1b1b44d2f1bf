import { type Draw, type DrawSite, seededDraw } from '../linux/draw.ts'

/** A choice that decides which way a packet goes; others (ports, ids) only decide what it looks like. */
const DECIDING: ReadonlySet<DrawSite['purpose']> = new Set(['statistic', 'numgen', 'turn'])

/** One decision of a run: which site asked, what was taken, and how likely that was. */
export interface Decision {
  readonly site: DrawSite
  readonly taken: number
  readonly weights: readonly number[]
}

export interface ScriptedRun {
  readonly draw: Draw
  /** Filled while the run goes on. */
  readonly decisions: Decision[]
}

/** A seeded run whose first deciding choices are forced. */
export function scriptedRun(seed: number, forced: readonly number[]): ScriptedRun {
  const seeded = seededDraw(seed)
  const decisions: Decision[] = []
  const draw: Draw = (site, choices) => {
    if (!DECIDING.has(site.purpose)) return seeded(site, choices)
    const weights = typeof choices === 'number' ? Array<number>(choices).fill(1) : choices
    const taken = forced[decisions.length] ?? firstPossible(weights)
    decisions.push({ site, taken, weights })
    return taken
  }
  return { draw, decisions }
}

const firstPossible = (weights: readonly number[]): number =>
  Math.max(
    0,
    weights.findIndex((weight) => weight > 0),
  )

/** The forced prefixes that follow from a run: at each free decision, the alternatives it did not take. */
export function alternatives(decisions: readonly Decision[], forced: number): readonly (readonly number[])[] {
  const found: number[][] = []
  for (let i = forced; i < decisions.length; i++) {
    const decision = decisions[i]
    if (decision === undefined) continue
    const before = decisions.slice(0, i).map((earlier) => earlier.taken)
    for (const [choice, weight] of decision.weights.entries())
      if (choice !== decision.taken && weight > 0) found.push([...before, choice])
  }
  return found
}

/** How likely a run's decisions were, all together. */
export function probabilityOf(decisions: readonly Decision[]): number {
  let probability = 1
  for (const { weights, taken } of decisions) {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    probability *= (weights[taken] ?? 0) / total
  }
  return probability
}
