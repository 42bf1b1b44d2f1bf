import pc from 'picocolors'
import { type Diagnostic, formatLocation } from '../cluster/source.ts'
import { type Paint, plainPaint } from '../render/paint.ts'
import { EXIT } from './exit-code.ts'

/** What stops a command: what is wrong, what to do about it, and an exit code. */
export class Stop extends Error {
  readonly code: number
  /** For standard error; none where everything has been told. */
  readonly lines: readonly string[]

  constructor(what: string, { todo, code }: { readonly todo?: string; readonly code?: number } = {}) {
    super(what)
    this.code = code ?? EXIT.usage
    this.lines = what === '' ? [] : [`error: ${what}`, ...(todo === undefined ? [] : [`  do: ${todo}`])]
  }
}

export interface ColorChoice {
  /** `--color`, `--no-color`, or what the terminal and NO_COLOR say. */
  readonly color?: boolean
}

/** Colours go to terminals only, unless asked for. */
export function paintFor({ color }: ColorChoice): Paint {
  const on = color ?? (process.stdout.isTTY === true && pc.isColorSupported)
  if (!on) return plainPaint
  const colors = pc.createColors(true)
  return { good: colors.green, bad: colors.red, unsure: colors.yellow, heading: colors.bold, faint: colors.dim }
}

/** `error: snap/pods.json:14: message` with its notes and what to do, one line each. */
export function diagnosticLines({ severity, code, message, at, notes, suggestion }: Diagnostic): readonly string[] {
  const where = at === undefined ? '' : `${formatLocation(at)}: `
  return [
    `${severity}: ${where}${message} [${code}]`,
    ...(notes ?? []).map(
      (note) => `  note: ${note.at === undefined ? '' : `${formatLocation(note.at)}: `}${note.message}`,
    ),
    ...(suggestion === undefined ? [] : [`  do: ${suggestion}`]),
  ]
}

/** Writes to standard error, so that results can be piped. */
export function complain(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`)
}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`)
}
