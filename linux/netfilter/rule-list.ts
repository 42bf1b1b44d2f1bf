/**
 * The rules of a chain, each read from its line when somebody first wants to see it: a chain may have ten thousand of
 * which a packet meets two.
 */
export interface RuleList<T> extends Iterable<T> {
  readonly length: number
  /** 0-based; undefined behind the last. */
  at(index: number): T | undefined
}

export function ruleList<L, T>(lines: readonly L[], read: (line: L) => T): RuleList<T> {
  const known: (T | undefined)[] = []
  const at = (index: number): T | undefined => {
    const rule = known[index]
    if (rule !== undefined) return rule
    const line = lines[index]
    if (line === undefined) return undefined
    const made = read(line)
    known[index] = made
    return made
  }
  return {
    length: lines.length,
    at,
    *[Symbol.iterator]() {
      for (const [i, line] of lines.entries()) yield at(i) ?? read(line)
    },
  }
}
