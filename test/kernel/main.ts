import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startAgent } from './agent.ts'
import { missing, missingNeeds } from './capability.ts'
import { emitCase } from './case-file.ts'
import { judge } from './judge.ts'
import { runInKernel } from './record.ts'
import { addToTally, comparedAnything, differencesText, newTally, tallyText } from './report.ts'
import { SCENARIOS } from './scenario/all.ts'
import { truthOf } from './truth.ts'

/**
 * npm run kernel -- [NAME...] [--backend legacy|nft] [--record DIR] [--list]
 *
 * Builds each scenario out of real network namespaces, sends its packets, and compares every frame, rule hit, table
 * and socket event with ours. NAME is a part of a scenario's name. Exit code 0: no difference.
 */
interface Options {
  readonly names: readonly string[]
  readonly backend: 'legacy' | 'nft'
  /** Directory that the kernel's answers are written to. */
  readonly record: string | undefined
  readonly list: boolean
}

function readOptions(argv: readonly string[]): Options {
  const value = (flag: string): string | undefined => {
    const at = argv.indexOf(flag)
    return at < 0 ? undefined : argv[at + 1]
  }
  const taken = new Set(['--backend', '--record'].flatMap((flag) => [flag, value(flag)]))
  return {
    names: argv.filter((word) => !word.startsWith('--') && !taken.has(word)),
    backend: value('--backend') === 'nft' ? 'nft' : 'legacy',
    record: value('--record'),
    list: argv.includes('--list'),
  }
}

const options = readOptions(process.argv.slice(2))
const chosen = SCENARIOS.filter(
  ({ name }) => options.names.length === 0 || options.names.some((part) => name.includes(part)),
)

if (options.list) {
  for (const { name, about } of chosen) console.log(`${name}: ${about}`)
} else process.exitCode = await run()

async function run(): Promise<number> {
  const agent = startAgent()
  const { versions, capabilities } = await agent.hello()
  console.log(
    `kernel ${versions.kernel}, ${versions.iptables}, ${versions.iproute2}, rules by iptables-${options.backend}`,
  )
  for (const words of missing(capabilities)) console.log(`not here         ${words}`)
  const needs = missingNeeds(capabilities)
  if (needs.length > 0) {
    for (const words of needs) console.error(`cannot judge without ${words}`)
    await agent.close()
    return 2
  }
  const tally = newTally()
  for (const scenario of chosen) {
    const truth = truthOf(await runInKernel(agent, scenario, options.backend))
    if (options.record !== undefined) {
      mkdirSync(options.record, { recursive: true })
      const recorded = { ...versions, backend: options.backend }
      writeFileSync(join(options.record, `${scenario.name}.json`), emitCase({ recorded, scenario, kernel: truth }))
    }
    const judged = judge(scenario, truth)
    addToTally(tally, judged)
    if (judged.differences.length > 0) console.log(differencesText(scenario.name, judged))
    if (!comparedAnything(judged)) console.log(`${scenario.name}: the kernel showed no frame at all`)
  }
  await agent.close()
  console.log(tallyText(tally))
  return tally.differences === 0 && tally.scenarios > 0 ? 0 : 1
}
