import type { Actor, Flow, KernelAgent, ProbeAnswer } from './agent.ts'
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
export async function runInKernel(
  agent: KernelAgent,
  scenario: Scenario,
  backend: 'legacy' | 'nft',
): Promise<KernelRun> {
  const lab = withKnobs(scenario.lab)
  const { materialised, refused } = await agent.up(lab, backend)
  const names = new Map([...materialised.places].map(([name, place]) => [placeKey(place), name]))
  for (const one of scenario.standing) await agent.start(actorOf(one, names))
  await agent.reset()
  const answer = await agent.probe({
    flows: scenario.flows.map((flow, index) => flowOf(flow, index, names)),
    ...(scenario.observeMs === undefined ? {} : { observeMs: scenario.observeMs }),
    collect: [...materialised.places.keys()],
  })
  return { lab, materialised, refused, answer }
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
