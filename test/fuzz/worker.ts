import { parentPort, workerData } from 'node:worker_threads'
import { fuzzCorpus } from './corpus.ts'
import { loadMutated } from './load-mutated.ts'

export interface FuzzWork {
  readonly from: number
  readonly to: number
}

/** What the worker tells: that it begins a seed, or what came of it. */
export type FuzzWord =
  | { readonly kind: 'begin'; readonly seed: number }
  | { readonly kind: 'threw'; readonly seed: number; readonly error: string }
  | { readonly kind: 'memory'; readonly seed: number; readonly megabytes: number }
  | { readonly kind: 'slow'; readonly seed: number; readonly milliseconds: number }
  | { readonly kind: 'done' }

const { from, to } = workerData as FuzzWork
const tell = (word: FuzzWord) => parentPort?.postMessage(word)

const SLOW_MILLISECONDS = 2000
const MOST_MEGABYTES = 500

const corpus = fuzzCorpus()
let high = process.memoryUsage.rss()
for (let seed = from; seed < to; seed++) {
  tell({ kind: 'begin', seed })
  const milliseconds = attempt(seed)
  // On a busy machine a slow one may be slow by chance.
  const again = milliseconds > SLOW_MILLISECONDS ? attempt(seed) : 0
  if (again > SLOW_MILLISECONDS) tell({ kind: 'slow', seed, milliseconds: Math.round(Math.min(milliseconds, again)) })
  const memory = process.memoryUsage.rss()
  if (memory > MOST_MEGABYTES * 1e6 && memory > high * 1.1)
    tell({ kind: 'memory', seed, megabytes: Math.round(memory / 1e6) })
  high = Math.max(high, memory)
}
tell({ kind: 'done' })

/** Milliseconds of the clock or of the processor, whichever are fewer. */
function attempt(seed: number): number {
  const start = performance.now()
  const cpu = process.cpuUsage()
  try {
    loadMutated(corpus, seed)
  } catch (error) {
    tell({ kind: 'threw', seed, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
  const { user, system } = process.cpuUsage(cpu)
  return Math.min(performance.now() - start, (user + system) / 1000)
}
