/** A set of characters as ranges of codes, both ends included. */
export type Ranges = readonly (readonly [low: number, high: number])[]

const LAST = 0xffff

/** Sorted, without overlaps. */
export function simplified(ranges: Ranges): Ranges {
  const sorted = [...ranges].sort(([a], [b]) => a - b)
  const merged: [number, number][] = []
  for (const [low, high] of sorted) {
    const last = merged.at(-1)
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else merged.push([low, high])
  }
  return merged
}

/** All other characters. */
export function negated(ranges: Ranges): Ranges {
  const others: [number, number][] = []
  let from = 0
  for (const [low, high] of simplified(ranges)) {
    if (low > from) others.push([from, low - 1])
    from = high + 1
  }
  if (from <= LAST) others.push([from, LAST])
  return others
}

/** Each ASCII letter in both cases. */
export function withBothCases(ranges: Ranges): Ranges {
  const both: (readonly [number, number])[] = [...ranges]
  for (const [low, high] of ranges)
    for (const [from, to, shift] of [
      [0x41, 0x5a, 32],
      [0x61, 0x7a, -32],
    ] as const) {
      const [start, end] = [Math.max(low, from), Math.min(high, to)]
      if (start <= end) both.push([start + shift, end + shift])
    }
  return simplified(both)
}

export function contains(ranges: Ranges, code: number): boolean {
  for (const [low, high] of ranges) if (code >= low && code <= high) return true
  return false
}

const codes = (text: string): Ranges =>
  (text.match(/.-.|./gs) ?? []).map((part) => [part.charCodeAt(0), part.charCodeAt(part.length - 1)])

const DIGIT = codes('0-9')
const WORD = codes('0-9A-Z_a-z')
const SPACE = codes('\t\n\f\r ')

/** `\d`, `\s`, `\w` and their opposites: ASCII only, as in RE2. */
export const CLASS_ESCAPES: Readonly<Record<string, Ranges>> = {
  d: DIGIT,
  D: negated(DIGIT),
  s: SPACE,
  S: negated(SPACE),
  w: WORD,
  W: negated(WORD),
}

/** `[[:alpha:]]` and the like (RE2 syntax, "Kinds of ASCII character classes"). */
export const POSIX_CLASSES: Readonly<Record<string, Ranges>> = {
  alnum: codes('0-9A-Za-z'),
  alpha: codes('A-Za-z'),
  ascii: [[0, 0x7f]],
  blank: codes('\t '),
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: DIGIT,
  graph: [[0x21, 0x7e]],
  lower: codes('a-z'),
  print: [[0x20, 0x7e]],
  punct: codes('!-/:-@[-`{-~'),
  space: codes('\t\n\v\f\r '),
  upper: codes('A-Z'),
  word: WORD,
  xdigit: codes('0-9A-Fa-f'),
}
