import { type Draw, seededDraw } from '../linux/draw.ts'
import type { Program } from '../linux/process.ts'
import { startProcess, tellProcess } from '../linux/run-process.ts'
import type { Built } from './build.ts'
import { CLIENT, clientProgram, hasAnswered } from './client.ts'
import { type Conversation, readExchange, serverView } from './conversation.ts'
import { alternatives, probabilityOf, scriptedRun } from './explore.ts'
import { judge } from './judgement.ts'
import { type Network, newNetwork, run } from './network.ts'
import type { Probe } from './probe.ts'

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

export interface Repeats {
  readonly times: number
  /** Virtual nanoseconds from one begin to the next; longer where an answer takes longer. */
  readonly every: number
}

/**
 * Asks the same question again and again of machines that remember: conntrack, affinity, neighbours and DNS caches are
 * as the requests before left them.
 */
export function askAgain(
  built: Built,
  probe: Probe,
  { times, every }: Repeats,
  options: AskOptions = {},
): readonly Conversation[] {
  const network = newNetwork(built.blueprint, seededDraw(options.seed ?? 1))
  return Array.from({ length: times }, (_, turn) => {
    waitUntil(network, probe, turn * every)
    return tell(built, probe, { observed: watch(network, probe, options), probability: 1 })
  })
}

/** Lets time pass in the namespace of the one who asks. */
export function waitUntil(network: Network, probe: Probe, at: number): void {
  const ns = network.host(probe.from.host)?.netns.get(probe.from.netns)
  const left = at - network.queue.now
  if (ns === undefined || left <= 0) return
  startProcess(ns, SLEEP, sleepProgram(left), {})
  const awake = (): boolean => ns.state.processes.get(SLEEP)?.exitCode !== undefined
  run(network, { until: awake, maxEvents: MAX_EVENTS, maxTime: Number.POSITIVE_INFINITY })
}

const SLEEP = 'sleep'

/** sleep(1). */
const sleepProgram = (afterNs: number): Program => ({
  name: SLEEP,
  start: () => ({ state: undefined, syscalls: [{ kind: 'timer', id: SLEEP, afterNs }] }),
  step: (state) => ({ state, syscalls: [{ kind: 'exit', code: 0 }] }),
})

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
  const observed = watch(newNetwork(built.blueprint, draw), probe, options)
  return tell(built, probe, { observed, probability: probability() })
}

export type Watched = Pick<Conversation, 'steps' | 'durationNs'> & { readonly endless: boolean }

/** Starts the client, or has one that kept its socket ask again, and watches until it has its answer. */
export function watch(network: Network, probe: Probe, options: AskOptions): Watched {
  const ns = network.host(probe.from.host)?.netns.get(probe.from.netns)
  if (ns === undefined) return { steps: network.steps, durationNs: 0, endless: false }
  const first = network.steps.length
  const begun = network.queue.now
  network.wake(ns)
  const running = ns.state.processes.get(CLIENT)
  if (running !== undefined && running.exitCode === undefined)
    tellProcess(ns, CLIENT, { program: running.program, args: {} })
  else startProcess(ns, CLIENT, clientProgram(probe), {})
  const done = (): boolean => {
    const client = ns.state.processes.get(CLIENT)
    return client !== undefined && hasAnswered(client)
  }
  const limits = { until: done, maxEvents: options.maxEvents ?? MAX_EVENTS, maxTime: begun + MAX_TIME }
  const ended = run(network, limits)
  const steps = first === 0 ? network.steps : network.steps.slice(first)
  return { steps, durationNs: network.queue.now - begun, endless: ended === 'tooManyEvents' }
}

/** What was watched, as the answer to the question. */
export function tell(
  built: Built,
  probe: Probe,
  { observed, probability }: { readonly observed: Watched; readonly probability: number },
): Conversation {
  const { steps, durationNs } = observed
  const exchange = readExchange({ probe, ...observed })
  const judged = judge(built, probe, exchange)
  const server = serverView(exchange.request)
  return {
    probe,
    ...exchange,
    ...judged,
    ...(server === undefined ? {} : { server }),
    durationNs,
    probability,
    steps,
  }
}
