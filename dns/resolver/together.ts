import type { ProcessEvent } from '../../linux/process.ts'
import type { LookupIo, Wait, Waiting } from './lookup.ts'

/** Something that runs beside others: a goroutine, a query of an event loop. */
export interface Run<Result> {
  readonly result: Result
  /** Which of the runs it was. */
  readonly index: number
}

/** Which of those that may go on at the same moment does so first: their indexes in order. */
export type Schedule = (due: readonly number[]) => readonly number[]

/**
 * Runs several at once. Each sees every event of a socket and passes over what is not its own, and its own deadline.
 * The results stand in the order they came in.
 */
export function* together<Result>(
  io: LookupIo,
  running: readonly Waiting<Result>[],
  schedule: Schedule = (due) => due,
): Waiting<readonly Run<Result>[]> {
  const finished: Run<Result>[] = []
  const open = running.map((run, index) => ({ run, index, wait: undefined as Wait | undefined, over: false }))
  const go = (one: (typeof open)[number], event?: ProcessEvent) => {
    const step = event ? one.run.next(event) : one.run.next(NO_EVENT)
    one.over = step.done === true
    if (step.done) finished.push({ result: step.value, index: one.index })
    else one.wait = step.value
  }
  const goEach = (due: readonly (typeof open)[number][], event?: ProcessEvent) => {
    for (const index of due.length > 1 ? schedule(due.map((one) => one.index)) : due.map((one) => one.index)) {
      const one = open[index]
      if (one) go(one, event)
    }
  }
  goEach(open)
  for (;;) {
    const waiting = open.filter(({ over }) => !over)
    if (waiting.length === 0) return finished
    const event = yield { until: earliest(waiting.map(({ wait }) => wait?.until)) }
    if (event.kind !== 'timer') for (const one of waiting) go(one, event)
    else
      goEach(
        waiting.filter(({ wait }) => wait?.until !== undefined && wait.until <= io.now),
        event,
      )
  }
}

/** What a generator is begun with; nothing reads it. */
const NO_EVENT: ProcessEvent = { kind: 'timer', id: '' }

function earliest(deadlines: readonly (number | undefined)[]): number | undefined {
  const set = deadlines.filter((until) => until !== undefined)
  return set.length === 0 ? undefined : Math.min(...set)
}
