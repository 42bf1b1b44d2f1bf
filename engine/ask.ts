import { type Draw, seededDraw } from '../linux/draw.ts'
import { startProcess } from '../linux/run-process.ts'
import type { Built } from './build.ts'
import { CLIENT, clientProgram } from './client.ts'
import { type Conversation, readExchange, serverView } from './conversation.ts'
import { alternatives, probabilityOf, scriptedRun } from './explore.ts'
import { judge } from './judgement.ts'
import { newNetwork, run } from './network.ts'
import type { Probe } from './probe.ts'
import type { Step } from './step.ts'

export interface AskOptions {
  readonly seed?: number
  /** Events after which packets are taken to go round. */
  readonly maxEvents?: number
}

const MAX_EVENTS = 200_000
/** 20 virtual minutes: longer than TCP's last retransmission (tcp_retries2, 924 s). */
const MAX_TIME = 1_200_000_000_000

/** Walks the probe once. Same cluster, probe and seed: the same answer. */
export function ask(built: Built, probe: Probe, options: AskOptions = {}): Conversation {
  return walk(built, probe, { draw: seededDraw(options.seed ?? 1), options, probability: () => 1 })
}

/** Most branches that exploring follows. */
const MAX_BRANCHES = 256

/** Walks the probe once for every way its deciding choices can fall, each with its probability. */
export function askAll(built: Built, probe: Probe, options: AskOptions = {}): readonly Conversation[] {
  const answers: Conversation[] = []
  const open: (readonly number[])[] = [[]]
  for (let forced = open.shift(); forced !== undefined && answers.length < MAX_BRANCHES; forced = open.shift()) {
    const { draw, decisions } = scriptedRun(options.seed ?? 1, forced)
    answers.push(walk(built, probe, { draw, options, probability: () => probabilityOf(decisions) }))
    open.push(...alternatives(decisions, forced.length))
  }
  return answers
}

function walk(
  built: Built,
  probe: Probe,
  { draw, options, probability }: { draw: Draw; options: AskOptions; probability: () => number },
): Conversation {
  const observed = observe(built, probe, draw, options)
  const exchange = readExchange({ probe, ...observed })
  const judged = judge(built, probe, exchange)
  const server = serverView(exchange.request)
  return {
    probe,
    ...exchange,
    ...judged,
    ...(server === undefined ? {} : { server }),
    durationNs: observed.durationNs,
    probability: probability(),
    steps: observed.steps,
  }
}

function observe(
  built: Built,
  probe: Probe,
  draw: Draw,
  options: AskOptions,
): { steps: readonly Step[]; durationNs: number; endless: boolean } {
  const network = newNetwork(built.blueprint, draw)
  const ns = network.host(probe.from.host)?.netns.get(probe.from.netns)
  if (ns === undefined) return { steps: network.steps, durationNs: 0, endless: false }
  network.wake(ns)
  startProcess(ns, CLIENT, clientProgram(probe), {})
  const done = (): boolean => ns.state.processes.get(CLIENT)?.exitCode !== undefined
  const ended = run(network, { until: done, maxEvents: options.maxEvents ?? MAX_EVENTS, maxTime: MAX_TIME })
  return { steps: network.steps, durationNs: network.queue.now, endless: ended === 'tooManyEvents' }
}
