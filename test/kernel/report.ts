import type { Comparison, Difference } from './compare.ts'
import { observedText } from './compare.ts'
import { EXCEPTIONS, type ExceptionName } from './exceptions.ts'
import type { Judgement } from './judge.ts'
import type { Scenario } from './scenario.ts'

/** What was compared over many scenarios. */
export interface Tally {
  scenarios: number
  /** Sockets that asked something. */
  probes: number
  readonly modes: Map<string, number>
  same: number
  differences: number
  fed: number
  /** Scenarios that differed and did not when asked again. */
  notRepeated: number
  readonly compared: { frames: number; rules: number; socketEvents: number; entries: number }
  readonly exceptions: Map<ExceptionName, number>
}

export const newTally = (): Tally => ({
  scenarios: 0,
  probes: 0,
  modes: new Map(),
  same: 0,
  differences: 0,
  fed: 0,
  notRepeated: 0,
  compared: { frames: 0, rules: 0, socketEvents: 0, entries: 0 },
  exceptions: new Map(),
})

export function addToTally(tally: Tally, judged: Judgement, scenario: Scenario): void {
  tally.scenarios++
  tally.probes += scenario.flows.length
  const mode = scenario.mode ?? 'by hand'
  tally.modes.set(mode, (tally.modes.get(mode) ?? 0) + 1)
  if (judged.differences.length === 0) tally.same++
  tally.differences += judged.differences.length
  tally.fed += judged.fed
  for (const key of ['frames', 'rules', 'socketEvents', 'entries'] as const) tally.compared[key] += judged.compared[key]
  for (const [name, count] of judged.exceptions) tally.exceptions.set(name, (tally.exceptions.get(name) ?? 0) + count)
}

export function tallyText(tally: Tally): string {
  const { compared, exceptions } = tally
  const lines = [
    `scenarios        ${tally.same} of ${tally.scenarios} the same: ${[...tally.modes].map(([mode, count]) => `${mode} ${count}`).join(', ')}`,
    `probes           ${tally.probes}`,
    `frames           ${compared.frames}`,
    `rule hits        ${compared.rules}`,
    `socket events    ${compared.socketEvents}`,
    `table entries    ${compared.entries} of conntrack, neighbours, forwarding databases`,
    `draws            ${tally.fed} fed from the kernel`,
    `differences      ${tally.differences}, and ${tally.notRepeated} scenarios that differed once and not again`,
  ]
  for (const name of Object.keys(EXCEPTIONS) as ExceptionName[]) {
    const used = exceptions.get(name) ?? 0
    if (used > 0) lines.push(`exception        ${name}: ${used} times. ${EXCEPTIONS[name]}`)
  }
  return lines.join('\n')
}

/** The differences of a scenario side by side, with the frames around the first one. */
export function differencesText(name: string, judged: Judgement, limit = 5): string {
  const { differences } = judged
  const lines = [`${name}: ${differences.length} differences`]
  for (const one of differences.slice(0, limit)) lines.push(...differenceLines(one))
  if (differences.length > limit) lines.push(`  and ${differences.length - limit} more`)
  const first = differences.find(({ what }) => what === 'frame')
  if (first !== undefined) lines.push(...framesAround(judged, first.index))
  return lines.join('\n')
}

const differenceLines = ({ what, where, index, ours, kernel }: Difference): string[] => [
  `  ${what} ${index} at ${where}`,
  `    ours    ${ours}`,
  `    kernel  ${kernel}`,
]

const BEFORE = 3
const AFTER = 4

/** The frames before and after the first that differs. */
function framesAround({ ours, kernel }: Judgement, at: number): string[] {
  const lines = ['  frames around the first that differs:']
  for (let i = Math.max(0, at - BEFORE); i <= at + AFTER; i++) {
    const [mine, theirs] = [ours.frames[i], kernel.frames[i]]
    if (mine === undefined && theirs === undefined) break
    const [left, right] = [observedText(mine), observedText(theirs)]
    if (left === right) lines.push(`    ${i} both    ${left}`)
    else lines.push(`    ${i} ours    ${left}`, `    ${i} kernel  ${right}`)
  }
  return lines
}

/** Whether anything was compared at all: a judge that looked at nothing has not agreed. */
export const comparedAnything = ({ compared }: Pick<Comparison, 'compared'>): boolean => compared.frames > 0
