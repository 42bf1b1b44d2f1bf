import { lineAt, readOn } from './byte-window.ts'
import type { Reading } from './reading.ts'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 0x20
const DASH = 0x2d
const HASH = 0x23

/** A line of the window; indexes hold until the next line is asked for. */
export interface Line {
  start: number
  /** Index behind its line feed. */
  end: number
  /** Index of its first byte that is no space. */
  ink: number
}

export const isInk = (byte: number | undefined): boolean => byte !== undefined && byte > SPACE

/** The line at `reading.at`, all of it at hand; undefined at the end of the file. */
export function lineHere(reading: Reading): Line | undefined {
  for (;;) {
    const { bytes, ended } = reading.window
    const feed = bytes.indexOf(LINE_FEED, reading.at)
    if (feed >= 0 || ended) {
      const end = feed < 0 ? bytes.length : feed + 1
      if (end === reading.at) return undefined
      let ink = reading.at
      while (bytes[ink] === SPACE) ink++
      return { start: reading.at, end, ink }
    }
    const keep = reading.keep < 0 ? reading.at : reading.keep
    const before = reading.window.offset
    readOn(reading.window, keep)
    const moved = reading.window.offset - before
    reading.at -= moved
    if (reading.keep >= 0) reading.keep -= moved
  }
}

export const lineNumber = (reading: Reading): number => lineAt(reading.window, reading.at)

/** Blank lines and comments: they belong to whatever stands around them. */
export function isEmptyLine({ window }: Reading, line: Line): boolean {
  const first = window.bytes[line.ink]
  return line.ink >= line.end || first === LINE_FEED || first === CARRIAGE_RETURN || first === HASH
}

/** `---`, alone or with something behind a blank. */
export function isMarker({ window }: Reading, { start }: Line): boolean {
  const { bytes } = window
  return (
    bytes[start] === DASH && bytes[start + 1] === DASH && bytes[start + 2] === DASH && !isInk(bytes[start + 3] ?? SPACE)
  )
}

/** `- ` or a dash that ends the line. */
export const isDashLine = ({ window }: Reading, { ink }: Line): boolean =>
  window.bytes[ink] === DASH && !isInk(window.bytes[ink + 1] ?? SPACE)

/** Whether a word stands at an index. */
export function standsAt({ window }: Reading, index: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (window.bytes[index + i] !== word.charCodeAt(i)) return false
  return true
}
