/** A line of several texts that were laid side by side. */
export interface AlignedLine<T> {
  readonly item: T
  /** Indexes of the texts that have it at this place, ascending. */
  readonly of: readonly number[]
}

/**
 * Lays texts side by side: lines that are alike, in an order they share, become one line. Each text in turn joins those
 * before by a longest common subsequence, so the first one leads.
 */
export function align<T>(texts: readonly (readonly T[])[], keyOf: (item: T) => string): readonly AlignedLine<T>[] {
  let merged: readonly AlignedLine<T>[] = []
  for (const [index, text] of texts.entries()) merged = join(merged, text, index, keyOf)
  return merged
}

function join<T>(
  merged: readonly AlignedLine<T>[],
  text: readonly T[],
  index: number,
  keyOf: (item: T) => string,
): readonly AlignedLine<T>[] {
  const left = merged.map(({ item }) => keyOf(item))
  const right = text.map(keyOf)
  const common = commonLengths(left, right)
  const lines: AlignedLine<T>[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    const old = merged[i]
    const own = text[j]
    if (old !== undefined && own !== undefined && left[i] === right[j]) {
      lines.push({ item: old.item, of: [...old.of, index] })
      i++
      j++
    } else if (old !== undefined && (own === undefined || (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      lines.push(old)
      i++
    } else if (own !== undefined) {
      lines.push({ item: own, of: [index] })
      j++
    }
  }
  return lines
}

/** `common[i][j]`: length of the longest common subsequence of what follows `left[i]` and `right[j]`, themselves included. */
function commonLengths(left: readonly string[], right: readonly string[]): readonly (readonly number[])[] {
  const common = Array.from({ length: left.length + 1 }, () => new Array<number>(right.length + 1).fill(0))
  for (let i = left.length - 1; i >= 0; i--) {
    const row = common[i]
    const below = common[i + 1]
    if (row === undefined || below === undefined) continue
    for (let j = right.length - 1; j >= 0; j--)
      row[j] = left[i] === right[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0)
  }
  return common
}
