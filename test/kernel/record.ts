import type { Actor, Flow, KernelAgent, ProbeAnswer, ProbeRequest } from './agent.ts'
import type { KernelLab, Place } from './lab.ts'
import { withKnobs } from './lab.ts'
import type { Materialised } from './materialise.ts'
import { flowName, messageBytes, type Scenario, type ScenarioFlow, type Standing, standingName } from './scenario.ts'

/** What the kernel did with a scenario: raw, by real namespace names. */
export interface KernelRun {
  readonly lab: KernelLab
  readonly materialised: Materialised
  readonly refused: readonly string[]
  readonly answer: ProbeAnswer
}

/** Builds the scenario's lab, starts its programs, and runs its flows. */
export async function runInKernel(agent: KernelAgent, scenario: Scenario): Promise<KernelRun> {
  const [run] = await runRounds(agent, [scenario])
  if (run === undefined) throw new Error(`${scenario.name}: nothing was run`)
  return run
}

/**
 * Runs scenarios that share one lab in one building of it, each as if it were alone. Where a round taught the kernel
 * what it cannot forget, those after it get a lab of their own.
 */
export async function runRounds(agent: KernelAgent, scenarios: readonly Scenario[]): Promise<readonly KernelRun[]> {
  const [first] = scenarios
  if (first === undefined) return []
  const lab = withKnobs(first.lab)
  const { materialised, refused, rounds } = await agent.run(lab, first.backend ?? 'legacy', {
    actors: (made) => first.standing.map((one) => actorOf(one, namesOf(made))),
    rounds: (made) => scenarios.map((one) => requestOf(one, made)),
  })
  const runs = rounds.map((answer): KernelRun => ({ lab, materialised, refused, answer }))
  return [...runs, ...(await runRounds(agent, scenarios.slice(runs.length)))]
}

const namesOf = ({ places }: Materialised): ReadonlyMap<string, string> =>
  new Map([...places].map(([name, place]) => [placeKey(place), name]))

function requestOf(scenario: Scenario, made: Materialised): ProbeRequest {
  const names = namesOf(made)
  return {
    flows: scenario.flows.map((flow, index) => flowOf(flow, index, names)),
    ...(scenario.observeMs === undefined ? {} : { observeMs: scenario.observeMs }),
    collect: [...made.places.keys()],
  }
}

const placeKey = (place: Place): string => `${place.host} ${place.netns}`

function realName(place: Place, names: ReadonlyMap<string, string>): string {
  const name = names.get(placeKey(place))
  if (name === undefined) throw new Error(`no namespace ${place.netns} on ${place.host}`)
  return name
}

function actorOf(one: Standing, names: ReadonlyMap<string, string>): Actor {
  const { host, netns, ...rest } = one
  return { ...rest, name: standingName(one), netns: realName({ host, netns }, names) }
}

function flowOf(flow: ScenarioFlow, index: number, names: ReadonlyMap<string, string>): Flow {
  const { host, netns, sends, ...rest } = flow
  return {
    ...rest,
    name: flowName(index),
    netns: realName({ host, netns }, names),
    family: flow.to.ip.includes(':') ? 6 : 4,
    sends: sends.map((message) => Buffer.from(messageBytes(message)).toString('hex')),
  }
}
