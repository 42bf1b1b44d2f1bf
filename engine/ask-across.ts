import { seededDraw } from '../linux/draw.ts'
import { type AskOptions, type Repeats, tell, waitUntil, watch } from './ask.ts'
import type { Blueprint } from './blueprint.ts'
import type { Built } from './build.ts'
import type { Conversation } from './conversation.ts'
import { type Network, newNetwork } from './network.ts'
import type { Probe } from './probe.ts'
import { livePrograms } from './programs.ts'
import { strayWhy } from './stray-why.ts'
import { changeWorld, type DrainingServers, drainServers, type WorldChange } from './world-change.ts'

/** One state of a cluster, and what is asked in it. */
export interface Stage {
  readonly built: Built
  readonly probe: Probe
}

/** What was asked in one state of the cluster, after the change that led to it. */
export interface Phase {
  /** Absent in the first. */
  readonly change?: WorldChange
  readonly walks: readonly Conversation[]
}

/** What remains when everything has been asked. */
export interface Aftermath {
  readonly stages: readonly Stage[]
  /** One for each stage. */
  readonly phases: readonly Phase[]
  readonly network: Network
}

/** How a question is asked across changes. */
export interface AcrossOptions extends AskOptions, Partial<Repeats> {
  /** The client opens another socket each time; else it keeps the one it has. */
  readonly anew?: boolean
}

/** The same question in each state of a cluster, in one world; each state comes of the one before it by a change. */
export function traceAcross(states: readonly Built[], probe: Probe, options: AcrossOptions = {}): readonly Phase[] {
  const { times = 1, every = 1_000_000_000, anew = false } = options
  const asked = anew ? probe : { ...probe, keeps: true }
  const stages = states.map((built): Stage => ({ built, probe: asked }))
  return askAcross(stages, { times, every }, options).phases
}

/**
 * Asks in one state of a cluster after the other, in the same world: machines keep what traffic has left in them, and
 * kube-proxy does what its release does when Services and endpoints change.
 */
export function askAcross(stages: readonly Stage[], { times, every }: Repeats, options: AskOptions = {}): Aftermath {
  const [first] = stages
  if (first === undefined) throw new Error('askAcross needs a cluster to begin with')
  let built = first.built
  let changedAt = 0
  const programsOf = (blueprint: Blueprint): Blueprint => ({
    ...blueprint,
    program: programs,
  })
  const programs = livePrograms(
    (name, args) => built.blueprint.program(name, args),
    () => built.cluster,
  )
  const network = newNetwork(programsOf(built.blueprint), seededDraw(options.seed ?? 1))
  const draining: DrainingServers = new Map()
  let turn = 0
  const phases = stages.map(({ built: next, probe }): Phase => {
    const before = built
    built = next
    const change =
      next === before
        ? undefined
        : changeWorld(network, { before, after: next, blueprint: programsOf(next.blueprint), draining })
    if (change !== undefined) changedAt = change.at
    const walks = Array.from({ length: times }, () => {
      waitUntil(network, probe, turn++ * every)
      drainServers(network, draining, changedAt)
      const answer = tell(next, probe, { observed: watch(network, probe, options), probability: 1 })
      const stray = change === undefined ? [] : strayWhy(next, answer, change)
      // Where a flow goes on as before, the endpoints of now have no say.
      return stray.length === 0 ? answer : { ...answer, why: stray }
    })
    return { walks, ...(change === undefined ? {} : { change }) }
  })
  return { stages, phases, network }
}
