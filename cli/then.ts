import { changeCluster } from '../cluster/change/change-cluster.ts'
import type { Change } from '../cluster/change/parse-change.ts'
import { CHANGE_EXAMPLES, parseChanges } from '../cluster/change/parse-change.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { InputFile } from '../cluster/input/item.ts'
import { type Aftermath, askAcross, type Stage } from '../engine/ask-across.ts'
import type { Built } from '../engine/build.ts'
import type { Probe } from '../engine/probe.ts'
import { readQuestion } from '../engine/question.ts'
import { probeOf, type QuestionOptions, questionOf } from './question-options.ts'
import { readInput } from './read-input.ts'
import { buildFrom, type SnapshotOptions, tell } from './snapshot.ts'
import { Stop } from './terminal.ts'

/** Options of every command that asks before and after changes. */
export interface ThenOptions extends QuestionOptions {
  /** Changes in kubectl's words, one after each question. */
  readonly then?: readonly string[]
  /** Ask by a new socket each time. */
  readonly anew?: boolean
  /** How often it is asked in each state of the cluster. */
  readonly repeat?: number
  /** Seconds between. */
  readonly every: number
}

const SECOND = 1_000_000_000

/** Asks, changes the cluster as `--then` says, and asks again, as often as there are changes. */
export function askThen(built: Built, options: ThenOptions): Aftermath {
  const keeps = options.then !== undefined && options.anew !== true
  const first = withKeeps(probeOf(built, options), keeps)
  const stages: Stage[] = [{ built, probe: first }]
  for (const words of options.then ?? []) {
    const last = stages.at(-1) ?? { built, probe: first }
    const earlier = stages.slice(0, -1).map((stage) => stage.built.cluster)
    const next = rebuilt(last.built, words, { earlier, options })
    stages.push({ built: next, probe: probeIn(next, { words, last: last.probe, keeps, options }) })
  }
  const repeats = { times: options.repeat ?? 1, every: options.every * SECOND }
  return askAcross(stages, repeats, { seed: options.seed })
}

const withKeeps = (probe: Probe, keeps: boolean): Probe => (keeps ? { ...probe, keeps } : probe)

/** The cluster after a change, ready to be walked. */
function rebuilt(
  { cluster }: Built,
  words: string,
  { earlier, options }: { readonly earlier: readonly Cluster[]; readonly options: ThenOptions },
): Built {
  const changes = parseChanges(words)
  if (!changes.ok) throw new Stop(`--then "${words}": ${changes.reason}`)
  const files = filesOf(changes.value, options)
  const changed = changeCluster(cluster, changes.value, {
    files: (name) => files.get(name) ?? [],
    namespace: options.namespace,
    earlier,
  })
  if (!changed.ok) throw new Stop(`--then "${words}": ${changed.reason}`, { todo: `for example: ${CHANGE_EXAMPLES}` })
  tell(changed.value.diagnostics, options)
  return buildFrom(changed.value.cluster, { ...options, quiet: true })
}

/** Every file that the changes name, read before anything is changed. */
function filesOf(changes: readonly Change[], options: SnapshotOptions): ReadonlyMap<string, readonly InputFile[]> {
  const files = new Map<string, readonly InputFile[]>()
  for (const change of changes)
    for (const name of 'files' in change ? change.files : []) {
      const input = readInput([name])
      tell(input.diagnostics, options)
      const error = input.diagnostics.find(({ severity }) => severity === 'error')
      if (error !== undefined && input.files.length === 0) throw new Stop('')
      files.set(name, input.files)
    }
  return files
}

/** Who keeps a socket asks by it; who does not asks anew, of whatever has that name now. */
function probeIn(
  built: Built,
  of: { readonly words: string; readonly last: Probe; readonly keeps: boolean; readonly options: ThenOptions },
): Probe {
  const { words, last, keeps, options } = of
  const { host, netns, label } = last.from
  const isThere = built.blueprint.hosts.get(host)?.().netns.has(netns) === true
  if (!isThere)
    throw new Stop(`--then "${words}": ${label} is gone after that, and cannot ask again`, {
      todo: 'ask from somebody who stays',
    })
  if (keeps) return last
  const probe = readQuestion(built, questionOf(options))
  return probe.ok ? probe.value : last
}
