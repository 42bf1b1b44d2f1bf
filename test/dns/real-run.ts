import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BehavingServer } from './behaviours.ts'

/** One program to run against servers that answer as told. */
export interface RealTask {
  readonly command: readonly string[]
  /** Below /etc: resolv.conf, hosts, nsswitch.conf. */
  readonly files: Readonly<Record<string, string>>
  readonly servers: readonly (Omit<BehavingServer, 'log'> & { readonly address: string })[]
}

export interface RealSeen {
  readonly atMs: number
  readonly answeredAtMs?: number
  readonly server: string
  readonly port: number
  readonly transport: 'udp' | 'tcp'
  /** The query's octets. */
  readonly hex: string
}

export interface RealRun {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
  readonly seen: readonly RealSeen[]
}

/** Why real programs cannot be run here; undefined: they can. */
export function missingForRealRuns(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  const { status } = spawnSync('unshare', ['-n', '-m', 'ip', 'link', 'set', 'lo', 'up'])
  return status === 0 ? undefined : 'no network namespaces (unshare, ip)'
}

/** Whether a program is there. */
export const isInstalled = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

/** Runs the tasks one after the other in namespaces of their own. */
export function realRuns(tasks: readonly RealTask[]): readonly RealRun[] {
  const folder = mkdtempSync(join(tmpdir(), 'podwalk-real-'))
  try {
    const [tasksFile, runsFile] = [join(folder, 'tasks.json'), join(folder, 'runs.json')]
    writeFileSync(tasksFile, JSON.stringify(tasks))
    const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
    const room = [here('../../node_modules/.bin/tsx'), here('real-room.ts'), tasksFile, runsFile]
    const { status, stderr } = spawnSync('unshare', ['-n', '-m', ...room], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the room of real programs failed: ${stderr}`)
    return JSON.parse(readFileSync(runsFile, 'utf8')) as readonly RealRun[]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
