import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Ran } from './run-podwalk.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const PROGRAM = join(ROOT, 'dist', 'podwalk.mjs')
const SOURCES = ['packet', 'linux', 'cluster', 'cni', 'proxy', 'netpol', 'dns', 'engine', 'render', 'cli']

/** The one-file command line; built anew where a source is younger. */
export function builtProgram(): string {
  const built = existsSync(PROGRAM) ? statSync(PROGRAM).mtimeMs : 0
  const younger = SOURCES.some((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).some(
      (name) => name.endsWith('.ts') && statSync(join(ROOT, folder, name)).mtimeMs > built,
    ),
  )
  if (younger) execFileSync(process.execPath, ['build.mjs'], { cwd: ROOT })
  return PROGRAM
}

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
