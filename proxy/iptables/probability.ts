/** Written so often that the texts are kept. */
const texts: string[] = []

/**
 * One in `n`, as Go's `%0.10f` writes it. JavaScript rounds as Go does, but for a tie, which Go rounds to the even
 * digit; 1/2048 is the only one.
 */
export function probability(n: number): string {
  const known = texts[n]
  if (known !== undefined) return known
  const text = n === 2048 ? '0.0004882812' : (1 / n).toFixed(10)
  texts[n] = text
  return text
}
