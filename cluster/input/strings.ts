/**
 * Texts that many objects share (names, labels, images) are kept once. A text that V8 cut out of a longer one would keep
 * all of that alive, so the one that is kept is a copy.
 */
export type Strings = Map<string, string>

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** V8 copies what is shorter instead of pointing into the whole. */
const SHORTEST_CUT = 13
const SURROGATE = /[\ud800-\udfff]/

/** Replaces the texts in a value that was just made by those that are kept. */
export function internStrings(value: unknown, strings: Strings): void {
  // What is frozen is a constant that every object shares.
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  const entries = value as Record<string, unknown>
  for (const key in entries) {
    const entry = entries[key]
    if (typeof entry === 'string') {
      if (entry !== '') entries[key] = interned(entry, strings)
    } else if (typeof entry === 'object') internStrings(entry, strings)
  }
}

function interned(text: string, strings: Strings): string {
  const known = strings.get(text)
  if (known !== undefined) return known
  // Half a surrogate pair would not outlive the copy; what may hold one stays as it is.
  const copy = text.length < SHORTEST_CUT || SURROGATE.test(text) ? text : decoder.decode(encoder.encode(text))
  strings.set(copy, copy)
  return copy
}
