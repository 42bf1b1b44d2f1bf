import { describe, expect, it } from 'vitest'
import { randomOf } from '../kernel/scenario/random.ts'
import { COMMON_CLIENTS, typedClients } from './real-clients.ts'
import { oursOf, realOf, taskOf } from './real-compare.ts'
import { isInstalled, missingForRealRuns, realRuns } from './real-run.ts'
import { randomScenario } from './resolver-scenario.ts'

/** Scenarios of each program. */
const SCENARIOS = 10
const SECONDS = 120

const all = [...COMMON_CLIENTS, ...['MX', 'SRV'].flatMap(typedClients)]
const clients = all.filter(({ command }) => isInstalled(command('x')[0] ?? ''))
const missing = missingForRealRuns()

/** Whether real programs can be run here; on CI they must. */
function canRun(): boolean {
  const absent = all.filter((client) => !clients.includes(client)).map(({ name }) => name)
  const reason = missing ?? (absent.length > 0 ? `not installed: ${absent.join(', ')}` : undefined)
  if (reason !== undefined && process.env.CI) throw new Error(reason)
  if (reason !== undefined) console.warn(`skipped, wholly or in part: ${reason}`)
  return missing === undefined
}

describe.runIf(canRun())('on random configurations and faults our resolvers do what the real programs do', () => {
  const seed = process.env.PODWALK_SEED ?? 'resolvers'

  it.each(clients.map((client) => [client.name, client] as const))(
    '%s',
    (_, client) => {
      const scenarios = Array.from({ length: SCENARIOS }, (_, i) =>
        randomScenario(randomOf(`${seed} ${i}`), { type: client.type }),
      )
      const runs = realRuns(scenarios.map((scenario) => taskOf(client, scenario)))
      for (const [i, scenario] of scenarios.entries()) {
        const run = runs[i]
        if (!run) throw new Error('a run is missing')
        const real = realOf(client, run)
        const ours = oursOf(client, scenario)
        const described = { seed: `${seed} ${i}`, scenario }
        // What a script prints stands for its exit code.
        expect({ ...described, ...ours, code: client.print ? real.code : ours.code }).toEqual({ ...described, ...real })
      }
    },
    SECONDS * 1000,
  )
})
