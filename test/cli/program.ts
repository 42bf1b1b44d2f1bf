import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from '../command-line.ts'
import type { Ran } from './run-podwalk.ts'

/** Built before any test runs. */
export const PROGRAM = join(ROOT, 'dist', 'podwalk.mjs')

export interface Setting {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const TELL_CPU = `process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  process.stderr.write('cpu ' + Math.round((user + system) / 1000) + '\\n')
})`

/** Milliseconds of CPU that a run takes, whoever else uses the machine, and what it said. */
export function timedProgram(args: readonly string[]): Ran & { readonly cpuMs: number } {
  const ran = run(['--import', `data:text/javascript,${encodeURIComponent(TELL_CPU)}`, PROGRAM, ...args], {})
  const [line = '', cpuMs = ''] = /^cpu (\d+)\n$/m.exec(ran.err) ?? []
  return { ...ran, err: ran.err.replace(line, ''), cpuMs: Number(cpuMs) }
}

/** Runs the command line as people do: a process of its own, without a terminal. */
export const runProgram = (args: readonly string[], setting: Setting = {}): Ran => run([PROGRAM, ...args], setting)

function run(args: readonly string[], { input = '', env = {}, cwd = ROOT }: Setting): Ran {
  const { NO_COLOR: _no, FORCE_COLOR: _force, PODWALK_SNAPSHOT: _snapshot, ...inherited } = process.env
  const ran = spawnSync(process.execPath, args, {
    input,
    cwd,
    env: { ...inherited, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  return { code: ran.status ?? -1, out: ran.stdout, err: ran.stderr }
}
