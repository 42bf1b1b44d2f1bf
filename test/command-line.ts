import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..')

export interface CommandRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `podwalk ARGS` from the repository's root, without colours and without a snapshot in the environment. */
export function podwalk(
  args: readonly string[],
  { input, env }: { input?: string | Buffer; env?: Record<string, string> } = {},
): CommandRun {
  const run = spawnSync(process.execPath, ['dist/podwalk.mjs', ...args], {
    cwd: ROOT,
    input: input ?? '',
    maxBuffer: 256 * 1024 * 1024,
    env: { ...process.env, NO_COLOR: '1', PODWALK_SNAPSHOT: '', ...env },
  })
  return { code: run.status ?? -1, stdout: run.stdout.toString(), stderr: run.stderr.toString() }
}
