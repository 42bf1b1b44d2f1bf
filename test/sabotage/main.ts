import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Change, changed, type Group } from './change.ts'
import { GROUPS } from './groups.ts'
import { newScratch, type Scratch } from './scratch.ts'

/**
 * `npm run sabotage -- [GROUP...] [--only NAME] [--seed S] [--no-live]`: makes each change in a copy of the repository,
 * lets the group's judge look, and tells which were noticed. Writes test/sabotage/results.json. Exit code 0: enough.
 */

const ROOT = join(import.meta.dirname, '..', '..')
const RESULTS = join(import.meta.dirname, 'results.json')
/** Two copies at a time: more would slow each other down. */
const WORKERS = 2
const PATIENCE_MS = 180_000
const LIVE_PATIENCE_MS = 400_000

interface Options {
  readonly groups: readonly Group[]
  readonly only: string | undefined
  readonly seed: string
  readonly live: boolean
}

/** What became of one change. */
interface Outcome {
  readonly name: string
  readonly file: string
  readonly breaks: string
  readonly caught: boolean
  /** By what, or null. */
  readonly by: string | null
  /** `recorded`, or `live` where only the running kernel told. */
  readonly judge: 'recorded' | 'live' | null
}

function readOptions(argv: readonly string[]): Options | string {
  const valueAfter = (option: string): string | undefined => {
    const at = argv.indexOf(option)
    return at < 0 ? undefined : argv[at + 1]
  }
  const words = argv.filter((word, i) => !word.startsWith('--') && !['--only', '--seed'].includes(argv[i - 1] ?? ''))
  const unknown = words.filter((word) => !GROUPS.some((group) => group.name === word))
  if (unknown.length > 0) return `there is no group ${unknown.join(', ')}: ${GROUPS.map(({ name }) => name).join(', ')}`
  const groups = GROUPS.filter(({ name }) => words.length === 0 || words.includes(name))
  const seed = valueAfter('--seed') ?? '1'
  return { groups, only: valueAfter('--only'), seed, live: !argv.includes('--no-live') && process.getuid?.() === 0 }
}

/** Changes that no longer apply: nothing is run before they are mended. */
function staleIn(group: Group): readonly string[] {
  return group.changes.flatMap((change) => {
    const made = changed(readFileSync(join(ROOT, change.file), 'utf8'), change)
    return typeof made === 'string' ? [made] : []
  })
}

interface Ran {
  readonly noticed: boolean
  readonly by: string
}

function run(scratch: Scratch, command: readonly string[], patience: number): Promise<Ran> {
  const [program = '', ...args] = command
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: scratch.folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let said = ''
    const hear = (data: Buffer): void => {
      said += data
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    let late = false
    const clock = setTimeout(() => {
      late = true
      if (child.pid !== undefined) process.kill(-child.pid)
    }, patience)
    child.once('close', (code) => {
      clearTimeout(clock)
      if (late) return resolve({ noticed: true, by: `nothing came of it in ${patience / 1000} s` })
      const by = /^caught by (.*)$/m.exec(said)?.[1] ?? said.trim().split('\n').at(-1) ?? ''
      resolve({ noticed: code !== 0, by })
    })
  })
}

async function tryOne(scratch: Scratch, group: Group, change: Change, { live, seed }: Options): Promise<Outcome> {
  const { name, file, breaks } = change
  return scratch.during(change, async () => {
    const recorded = await run(scratch, group.command, PATIENCE_MS)
    if (recorded.noticed) return { name, file, breaks, caught: true, by: recorded.by, judge: 'recorded' }
    if (!live || group.live === undefined) return { name, file, breaks, caught: false, by: null, judge: null }
    const asked = await run(
      scratch,
      group.live.map((word) => word.replace('{seed}', seed)),
      LIVE_PATIENCE_MS,
    )
    return {
      name,
      file,
      breaks,
      caught: asked.noticed,
      by: asked.noticed ? asked.by : null,
      judge: asked.noticed ? 'live' : null,
    }
  })
}

async function tryGroup(group: Group, options: Options): Promise<readonly Outcome[]> {
  const chosen = group.changes.filter(({ name }) => options.only === undefined || name.includes(options.only))
  const scratches = Array.from({ length: Math.min(WORKERS, chosen.length) }, () => newScratch(ROOT))
  const outcomes = new Map<Change, Outcome>()
  try {
    for (const scratch of scratches.slice(0, 1)) {
      const sound = await run(scratch, group.command, PATIENCE_MS)
      if (sound.noticed) throw new Error(`${group.name}: its judge is not content even without sabotage: ${sound.by}`)
    }
    const waiting = [...chosen]
    await Promise.all(
      scratches.map(async (scratch) => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const outcome = await tryOne(scratch, group, next, options)
          outcomes.set(next, outcome)
          console.log(`${outcome.caught ? 'caught  ' : 'ALIVE   '} ${outcome.name}: ${outcome.by ?? outcome.breaks}`)
        }
      }),
    )
  } finally {
    for (const scratch of scratches) scratch.remove()
  }
  return chosen.flatMap((change) => outcomes.get(change) ?? [])
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (typeof options === 'string') {
    console.error(options)
    return 2
  }
  const stale = options.groups.flatMap(staleIn)
  for (const words of stale) console.error(words)
  if (stale.length > 0) return 2
  let enough = true
  const results = readResults()
  for (const group of options.groups) {
    const outcomes = await tryGroup(group, options)
    const caught = outcomes.filter((outcome) => outcome.caught).length
    console.log(`${group.name}: ${caught} of ${outcomes.length} caught, ${group.atLeast} are wanted`)
    if (options.only !== undefined) continue
    enough &&= caught >= group.atLeast
    const { name, atLeast } = group
    results.set(name, { name, changes: outcomes.length, caught, atLeast, outcomes })
  }
  if (options.only === undefined) {
    const groups = GROUPS.flatMap(({ name }) => results.get(name) ?? [])
    writeFileSync(RESULTS, `${JSON.stringify({ groups }, undefined, 2)}\n`)
  }
  return enough ? 0 : 1
}

interface GroupResult {
  readonly name: string
  readonly changes: number
  readonly caught: number
  readonly atLeast: number
  readonly outcomes: readonly Outcome[]
}

/** Of groups that are not asked now, what is known stays. */
function readResults(): Map<string, GroupResult> {
  try {
    const { groups } = JSON.parse(readFileSync(RESULTS, 'utf8')) as { readonly groups: readonly GroupResult[] }
    return new Map(groups.map((group) => [group.name, group]))
  } catch {
    return new Map()
  }
}

process.exitCode = await main()
