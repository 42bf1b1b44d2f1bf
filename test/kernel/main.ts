import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hello, type KernelAgent, startAgent } from './agent.ts'
import { missing, missingNeeds, possibleModes, skipped, unexpectedlyMissing } from './capability.ts'
import type { KernelTruth } from './case-file.ts'
import { emitCase } from './case-file.ts'
import { featuresOf } from './features.ts'
import { type Judgement, judge } from './judge.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { runInKernel, runRounds } from './record.ts'
import { addToTally, differencesText, newTally, reportOf, type Tally, tallyText } from './report.ts'
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
  if (options.help) {
    console.log(USAGE)
    return 0
  }
  const chosen = SCENARIOS.filter(
    ({ name }) => options.names.length === 0 || options.names.some((part) => name.includes(part)),
  )
  if (options.list) {
    for (const { name, about } of chosen) console.log(`${name}: ${about}`)
    return 0
  }
  const agent = startAgent()
  try {
    return await judgeAll({ agent, hello: await agent.hello(), options, tally: newTally() }, chosen)
  } finally {
    await agent.close()
  }
}

async function judgeAll(bench: Bench, chosen: readonly Scenario[]): Promise<number> {
  const { hello, options, tally } = bench
  tellKernel(hello)
  const needs = missingNeeds(hello.capabilities)
  for (const words of needs) console.error(`cannot judge without ${words}`)
  const forbidden = process.env.CI === undefined ? [] : unexpectedlyMissing(hello.capabilities)
  for (const words of forbidden) console.error(`this kernel should have ${words}`)
  if (needs.length + forbidden.length > 0) return 2
  const began = Date.now()
  if (options.scenarios === 0) for (const scenario of chosen) await judgeOne(bench, scenario)
  else await judgeRandom(bench)
  const seconds = (Date.now() - began) / 1000
  console.log(tallyText(tally, { seconds, expectAll: options.scenarios > 0 && options.mode === undefined }))
  if (options.report !== undefined)
    writeFileSync(options.report, `${JSON.stringify(reportOf(tally, { seconds, hello, options }), null, 1)}\n`)
  return tally.differences === 0 && tally.scenarios > 0 ? 0 : 1
}

function tellKernel({ versions, capabilities }: Hello): void {
  console.log(`kernel ${versions.kernel}, ${versions.iptables}, ${versions.iproute2}`)
  for (const words of missing(capabilities)) console.log(`not here         ${words}`)
  for (const words of skipped(capabilities)) console.log(`skipped          ${words}`)
}

interface Judged {
  readonly judged: Judgement
  readonly truth: KernelTruth
}

const withBackend = (scenario: Scenario, { backend }: Options): Scenario =>
  backend === undefined ? scenario : { ...scenario, backend }

/** One scenario in both worlds. */
async function inBoth({ agent, options }: Bench, scenario: Scenario): Promise<Judged> {
  const truth = truthOf(await runInKernel(agent, withBackend(scenario, options)))
  return { judged: judge(scenario, truth), truth }
}

/** What the kernel does not do twice (a timer that ran out while the agent was not on its CPU) is no difference. */
async function repeatedly(bench: Bench, scenario: Scenario, first: Judged): Promise<Judged> {
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

async function judgeOne(bench: Bench, scenario: Scenario): Promise<void> {
  bench.tally.labs++
  await count(bench, scenario, await inBoth(bench, scenario))
}

async function count(bench: Bench, scenario: Scenario, first: Judged): Promise<boolean> {
  const { judged, truth } = await repeatedly(bench, scenario, first)
  if (bench.options.record !== undefined) record(bench, scenario, truth)
  addToTally(bench.tally, judged, scenario)
  if (judged.differences.length > 0) console.log(differencesText(scenario.name, judged))
  return judged.differences.length === 0
}

function record({ hello, options }: Bench, scenario: Scenario, kernel: KernelTruth): void {
  const folder = options.record ?? options.keep
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  const recorded = { ...hello.versions, backend: options.backend ?? scenario.backend ?? 'legacy' }
  writeFileSync(join(folder, `${scenario.name}.json`), emitCase({ recorded, scenario, kernel }))
}

interface Prepared {
  readonly recipe: Recipe
  readonly scenarios: readonly Scenario[]
  readonly truths: Promise<readonly KernelTruth[] | Error>
}

/** Labs made up from the seed; what differs is made as small as it still differs. */
async function judgeRandom(bench: Bench): Promise<void> {
  const { seed, scenarios, minutes, only } = bench.options
  console.log(`seed             ${seed}`)
  const first = only ?? 0
  const end = Date.now() + minutes * 60_000
  // The kernel works on the next lab while this one is judged.
  let next: Prepared | undefined = prepare(bench, first)
  for (let index = first; next !== undefined && Date.now() < end; index++) {
    const current: Prepared = next
    const truths = await current.truths
    next = index + 1 < first + scenarios ? prepare(bench, index + 1) : undefined
    bench.tally.labs++
    for (const feature of featuresOf(current.recipe, current.scenarios))
      bench.tally.features.set(feature, (bench.tally.features.get(feature) ?? 0) + 1)
    if (truths instanceof Error) {
      console.log(`seed-${seed}-${index}: ${truths.message}\n${JSON.stringify(current.recipe)}`)
      bench.tally.differences++
      continue
    }
    await judgeRounds(bench, current, truths)
  }
  await next?.truths
}

function prepare(bench: Bench, index: number): Prepared {
  const { seed, mode } = bench.options
  const modes = mode === undefined ? possibleModes(bench.hello.capabilities) : [mode]
  const recipe = generate({ seed, index, modes })
  const scenarios = buildRecipe(recipe, `seed-${seed}-${index}`)
  const truths = runRounds(
    bench.agent,
    scenarios.map((scenario) => withBackend(scenario, bench.options)),
  ).then(
    (runs) => runs.map(truthOf),
    (failure: Error) => failure,
  )
  return { recipe, scenarios, truths }
}

async function judgeRounds(
  bench: Bench,
  { recipe, scenarios }: Prepared,
  truths: readonly KernelTruth[],
): Promise<void> {
  for (const [round, truth] of truths.entries()) {
    const scenario = scenarios[round]
    const flows = recipe.rounds[round]
    if (scenario === undefined || flows === undefined) continue
    try {
      if ((await count(bench, scenario, { judged: judge(scenario, truth), truth })) || bench.options.quick) continue
      await shrink(bench, { ...recipe, rounds: [flows] }, scenario.name)
    } catch (failure) {
      console.log(`${scenario.name}: ${(failure as Error).stack}\n${JSON.stringify(recipe)}`)
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
      const differs = await differsStill(bench, candidate, name)
      if (!differs) continue
      least = candidate
      found = true
      break
    }
  }
  const [smallest] = buildRecipe(least, name)
  if (smallest === undefined) return
  const scenario = { ...smallest, name }
  const { judged, truth } = await inBoth(bench, scenario)
  console.log(`smallest that differs:\n${JSON.stringify(least)}`)
  console.log(differencesText(name, judged))
  record(bench, scenario, truth)
}

/** A smaller recipe may be one that the tools refuse. */
async function differsStill(bench: Bench, recipe: Recipe, name: string): Promise<boolean> {
  const [scenario] = buildRecipe(recipe, name)
  if (scenario === undefined) return false
  try {
    return (await inBoth(bench, scenario)).judged.differences.length > 0
  } catch {
    return false
  }
}

process.exitCode = await main()
