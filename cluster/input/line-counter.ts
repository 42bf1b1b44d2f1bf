const LINE_FEED = 10

/** Tells the 1-based line of byte offsets that only grow; each byte is looked at once. */
export interface LineCounter {
  readonly lineAt: (offset: number) => number
}

export function lineCounter(bytes: Uint8Array): LineCounter {
  let line = 1
  let next = bytes.indexOf(LINE_FEED)
  return {
    lineAt(offset) {
      while (next >= 0 && next < offset) {
        line++
        next = bytes.indexOf(LINE_FEED, next + 1)
      }
      return line
    },
  }
}

/** Line and column, both 1-based, of an offset into a text whose first character stands at `line`. */
export function positionIn(text: string, offset: number, line: number): { line: number; column: number } {
  let lines = 0
  let lineStart = 0
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) {
    lines++
    lineStart = i + 1
  }
  return { line: line + lines, column: offset - lineStart + 1 }
}
