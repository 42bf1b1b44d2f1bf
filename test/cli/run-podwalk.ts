import { commandLine } from '../../cli/command-line.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs the command line in this process; what it writes is kept. */
export function podwalk(...args: readonly string[]): Ran {
  const out: string[] = []
  const err: string[] = []
  const into =
    (kept: string[]): typeof process.stdout.write =>
    (text: string | Uint8Array): boolean => {
      kept.push(typeof text === 'string' ? text : new TextDecoder().decode(text))
      return true
    }
  const { stdout, stderr } = process
  const real = { out: stdout.write, err: stderr.write }
  stdout.write = into(out)
  stderr.write = into(err)
  try {
    const code = commandLine(args)
    return { code, out: out.join(''), err: err.join('') }
  } finally {
    stdout.write = real.out
    stderr.write = real.err
  }
}
