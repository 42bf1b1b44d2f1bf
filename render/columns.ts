/** Text that fits: names cut in the middle, sentences wrapped, columns without borders. */

/** `my-very-long-deployment-name` to `my-very-l…ent-name`: both ends tell more than the beginning alone. */
export function cutMiddle(text: string, width: number, ellipsis = '…'): string {
  if (text.length <= width) return text
  const room = Math.max(width - ellipsis.length, 0)
  const head = Math.ceil(room / 2)
  return `${text.slice(0, head)}${ellipsis}${text.slice(text.length - (room - head))}`
}

/** Text that goes on beyond the line, cut at its end. */
export const cutEnd = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text

/** Breaks at blanks; a word that is longer than the line (a path, a name) is cut in the middle. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').map((whole) => cutMiddle(whole, width))) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines
}

/** A paragraph whose lines after the first stand below the text, not below its label. */
export function labelled(
  label: string,
  text: string,
  { indent, width }: { indent: number; width: number },
): readonly string[] {
  const room = Math.max(width - indent, 20)
  return wrap(text, room).map((line, i) => (i === 0 ? label.padEnd(indent) : ' '.repeat(indent)) + line)
}

/** Rows as kubectl prints them: columns padded to the widest cell, two blanks between, nothing after the last. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
