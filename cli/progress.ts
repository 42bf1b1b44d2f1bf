import type { InputProgress } from '../cluster/input/read-inputs.ts'

/** Reading that is over sooner needs no word. */
const FIRST_AFTER_MILLISECONDS = 1000
const EVERY_MILLISECONDS = 100

export interface ProgressLine {
  readonly tell: InputProgress
  /** Takes the line away. */
  readonly done: () => void
}

/** One line on standard error that says how far reading has come, after a second; none where nobody watches. */
export function progressLine(
  { now, write, watched }: { now: () => number; write: (text: string) => void; watched: boolean } = {
    now: () => performance.now(),
    write: (text) => void process.stderr.write(text),
    watched: process.stderr.isTTY === true,
  },
): ProgressLine {
  const start = now()
  let next = start + FIRST_AFTER_MILLISECONDS
  let shown = false
  return {
    tell({ file, bytes, objects }) {
      const time = now()
      if (!watched || time < next) return
      next = time + EVERY_MILLISECONDS
      shown = true
      write(`\r\x1b[Kreading ${file}: ${Math.round(bytes / 1e6)} MB, ${objects.toLocaleString('en')} objects`)
    },
    done() {
      if (shown) write('\r\x1b[K')
      shown = false
    },
  }
}
