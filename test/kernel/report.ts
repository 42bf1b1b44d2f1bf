import type { Hello } from './agent.ts'
import { missing, skipped } from './capability.ts'
import type { Comparison, Difference } from './compare.ts'
import { observedText } from './compare.ts'
import { EXCEPTIONS, type ExceptionName } from './exceptions.ts'
import { FEATURES } from './features.ts'
import type { Judgement } from './judge.ts'
import type { Options } from './options.ts'
import type { Scenario } from './scenario.ts'

/** What was compared over many scenarios. */
export interface Tally {
  labs: number
  /** Rounds of flows, each judged by itself. */
  scenarios: number
  /** Sockets that asked something. */
  probes: number
  /** Labs by what they are about. */
  readonly features: Map<string, number>
  /** Scenarios of which no frame was seen: a send that fails at once. */
  silent: number
  same: number
  differences: number
  fed: number
  /** Scenarios that differed and did not when asked again. */
  notRepeated: number
  readonly compared: { frames: number; rules: number; socketEvents: number; entries: number }
  readonly exceptions: Map<ExceptionName, number>
}

export const newTally = (): Tally => ({
  labs: 0,
  scenarios: 0,
  probes: 0,
  features: new Map(),
  silent: 0,
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
  if (!comparedAnything(judged)) tally.silent++
  if (judged.differences.length === 0) tally.same++
  tally.differences += judged.differences.length
  tally.fed += judged.fed
  for (const key of ['frames', 'rules', 'socketEvents', 'entries'] as const) tally.compared[key] += judged.compared[key]
  for (const [name, count] of judged.exceptions) tally.exceptions.set(name, (tally.exceptions.get(name) ?? 0) + count)
}

interface Run {
  readonly seconds: number
  /** Whether every feature must have come up. */
  readonly expectAll: boolean
}

export function tallyText(tally: Tally, { seconds, expectAll }: Run): string {
  const { compared, exceptions, features } = tally
  const lines = [
    `labs             ${tally.labs} in ${Math.round(seconds)} s`,
    `scenarios        ${tally.same} of ${tally.scenarios} the same, ${tally.silent} of them without any frame`,
    `probes           ${tally.probes}, ${(tally.probes / Math.max(seconds, 0.001)).toFixed(1)} a second`,
    `frames           ${compared.frames}`,
    `rule hits        ${compared.rules}`,
    `socket events    ${compared.socketEvents}`,
    `table entries    ${compared.entries} of conntrack, neighbours, forwarding databases`,
    `draws            ${tally.fed} fed from the kernel`,
    `differences      ${tally.differences}, and ${tally.notRepeated} scenarios that differed once and not again`,
  ]
  for (const name of Object.keys(EXCEPTIONS) as ExceptionName[])
    lines.push(`exception        ${name}: ${exceptions.get(name) ?? 0} times. ${EXCEPTIONS[name]}`)
  const counted = FEATURES.map((name) => [name, features.get(name) ?? 0] as const)
  if (features.size > 0)
    lines.push(`labs with        ${counted.flatMap(([name, n]) => (n > 0 ? [`${name} ${n}`] : [])).join(', ')}`)
  const absent = counted.flatMap(([name, n]) => (n === 0 ? [name] : []))
  if (expectAll && absent.length > 0) lines.push(`not come up      ${absent.join(', ')}`)
  return lines.join('\n')
}

/** What a run compared, for docs/fidelity.md. */
export function reportOf(
  tally: Tally,
  { seconds, hello, options }: { readonly seconds: number; readonly hello: Hello; readonly options: Options },
) {
  return {
    versions: hello.versions,
    missing: missing(hello.capabilities),
    skipped: skipped(hello.capabilities),
    seed: options.seed,
    seconds: Math.round(seconds),
    labs: tally.labs,
    scenarios: tally.scenarios,
    probes: tally.probes,
    compared: tally.compared,
    fed: tally.fed,
    differences: tally.differences,
    notRepeated: tally.notRepeated,
    exceptions: Object.fromEntries(
      Object.keys(EXCEPTIONS).map((name) => [name, tally.exceptions.get(name as ExceptionName) ?? 0]),
    ),
    features: Object.fromEntries(FEATURES.map((name) => [name, tally.features.get(name) ?? 0])),
  }
}

/** The differences of a scenario side by side, with the frames around the first one. */
export function differencesText(name: string, judged: Omit<Judgement, 'steps'>, limit = 5): string {
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
function framesAround({ ours, kernel }: Pick<Judgement, 'ours' | 'kernel'>, at: number): string[] {
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
export const comparedAnything = ({ compared }: Pick<Comparison, 'compared'>): boolean =>
  compared.frames + compared.rules + compared.socketEvents > 0
