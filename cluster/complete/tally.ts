import type { Placed } from './placed.ts'

/** Pods on nodes, counted by what is asked about them: for one question each pod is looked at once, as they come. */
export interface Tally {
  /**
   * How many pods there are for each answer to a question; those without an answer are not counted. The text stands for
   * the question: the same text must always mean the same.
   */
  readonly count: (question: string, answer: (pod: Placed) => string | undefined) => ReadonlyMap<string, number>
}

/** Counts the pods of a list that only grows. */
export function tallyOf(placed: readonly Placed[]): Tally {
  const known = new Map<string, { seen: number; readonly counts: Map<string, number> }>()
  return {
    count(question, answer) {
      const tally = known.get(question) ?? { seen: 0, counts: new Map<string, number>() }
      known.set(question, tally)
      for (; tally.seen < placed.length; tally.seen++) {
        const pod = placed[tally.seen]
        const key = pod && answer(pod)
        if (key !== undefined) tally.counts.set(key, (tally.counts.get(key) ?? 0) + 1)
      }
      return tally.counts
    },
  }
}
