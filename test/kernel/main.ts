import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hello, type KernelAgent, startAgent } from './agent.ts'
import { missing, missingNeeds } from './capability.ts'
import type { KernelTruth } from './case-file.ts'
import { emitCase } from './case-file.ts'
import { type Judgement, judge } from './judge.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { runInKernel } from './record.ts'
import { addToTally, comparedAnything, differencesText, newTally, type Tally, tallyText } from './report.ts'
import { SCENARIOS } from './scenario/all.ts'
import { generate } from './scenario/generate.ts'
import { buildRecipe, type Recipe } from './scenario/recipe.ts'
import { smaller } from './scenario/shrink.ts'
import type { Scenario } from './scenario.ts'
import { truthOf } from './truth.ts'

/** The kernel judge on the command line: see USAGE. */

interface Bench {
  readonly agent: KernelAgent
  readonly hello: Hello
  readonly options: Options
  readonly tally: Tally
}

/** How often a scenario that differs is asked again. */
const TURNS_MORE = 2

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (typeof options === 'string') {
    console.error(`${options}\n\n${USAGE}`)
    return 2
  }
  const chosen = SCENARIOS.filter(
    ({ name }) => options.names.length === 0 || options.names.some((part) => name.includes(part)),
  )
  if (options.list) {
    for (const { name, about } of chosen) console.log(`${name}: ${about}`)
    return 0
  }
  const agent = startAgent()
  const hello = await agent.hello()
  const tally = newTally()
  tellKernel(hello, options)
  const needs = missingNeeds(hello.capabilities)
  for (const words of needs) console.error(`cannot judge without ${words}`)
  if (needs.length === 0) {
    const bench: Bench = { agent, hello, options, tally }
    if (options.scenarios === 0) for (const scenario of chosen) await judgeOne(bench, scenario)
    else await judgeRandom(bench)
    console.log(tallyText(tally))
  }
  await agent.close()
  if (needs.length > 0) return 2
  return tally.differences === 0 && tally.scenarios > 0 ? 0 : 1
}

function tellKernel({ versions, capabilities }: Hello, { backend }: Options): void {
  console.log(`kernel ${versions.kernel}, ${versions.iptables}, ${versions.iproute2}, rules by iptables-${backend}`)
  for (const words of missing(capabilities)) console.log(`not here         ${words}`)
}

interface Judged {
  readonly judged: Judgement
  readonly truth: KernelTruth
}

/** One scenario in both worlds. */
async function inBoth({ agent, options }: Bench, scenario: Scenario): Promise<Judged> {
  const truth = truthOf(await runInKernel(agent, scenario, options.backend))
  return { judged: judge(scenario, truth), truth }
}

/** What the kernel does not do twice (a timer that ran out while the agent was not on its CPU) is no difference. */
async function repeatedly(bench: Bench, scenario: Scenario): Promise<Judged> {
  const first = await inBoth(bench, scenario)
  if (first.judged.differences.length === 0) return first
  for (let turn = 0; turn < TURNS_MORE; turn++) {
    const again = await inBoth(bench, scenario)
    if (again.judged.differences.length > 0) continue
    bench.tally.notRepeated++
    console.log(`once only: ${differencesText(scenario.name, first.judged, 1)}`)
    return again
  }
  return first
}

async function judgeOne(bench: Bench, scenario: Scenario): Promise<boolean> {
  const { judged, truth } = await repeatedly(bench, scenario)
  if (bench.options.record !== undefined) record(bench, scenario, truth)
  addToTally(bench.tally, judged, scenario)
  if (judged.differences.length > 0) console.log(differencesText(scenario.name, judged))
  if (!comparedAnything(judged)) console.log(`${scenario.name}: the kernel showed no frame at all`)
  return judged.differences.length === 0
}

function record({ hello, options }: Bench, scenario: Scenario, kernel: KernelTruth): void {
  if (options.record === undefined) return
  mkdirSync(options.record, { recursive: true })
  const recorded = { ...hello.versions, backend: options.backend }
  writeFileSync(join(options.record, `${scenario.name}.json`), emitCase({ recorded, scenario, kernel }))
}

/** Scenarios made up from the seed; one that differs is made as small as it still differs. */
async function judgeRandom(bench: Bench): Promise<void> {
  const { seed, scenarios, mode, minutes } = bench.options
  console.log(`seed             ${seed}`)
  const end = Date.now() + minutes * 60_000
  for (let index = 0; index < scenarios && Date.now() < end; index++) {
    const recipe = generate({ seed, index, mode })
    const scenario = buildRecipe(recipe, `seed-${seed}-${index}`)
    try {
      if (await judgeOne(bench, scenario)) continue
      await shrink(bench, recipe, scenario.name)
    } catch (failure) {
      console.log(`${scenario.name}: ${(failure as Error).message}\n${JSON.stringify(recipe)}`)
      bench.tally.differences++
    }
  }
}

/** The first smaller recipe that still differs takes the place of the larger one, until none does. */
async function shrink(bench: Bench, recipe: Recipe, name: string): Promise<void> {
  let least = recipe
  for (let found = true; found; ) {
    found = false
    for (const candidate of smaller(least)) {
      const { judged } = await inBoth(bench, buildRecipe(candidate, name))
      if (judged.differences.length === 0) continue
      least = candidate
      found = true
      break
    }
  }
  const scenario = buildRecipe(least, name)
  const { judged, truth } = await inBoth(bench, scenario)
  console.log(`smallest that differs:\n${JSON.stringify(least, null, 1)}`)
  console.log(differencesText(name, judged))
  record(
    { ...bench, options: { ...bench.options, record: bench.options.record ?? bench.options.keep } },
    scenario,
    truth,
  )
}

process.exitCode = await main()
