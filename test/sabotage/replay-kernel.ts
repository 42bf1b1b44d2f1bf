import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseCase } from '../kernel/case-file.ts'
import { judge } from '../kernel/judge.ts'

/**
 * Replays the recorded kernel cases up to the first that our model answers otherwise. `--all` goes on, and tells every
 * one. Exit code 1: there was one.
 */

const FOLDER = join(import.meta.dirname, '..', 'cases', 'kernel')

/** What is wrong with one case, if anything; a model that breaks down is wrong too. */
function complaint(file: string): string | undefined {
  const { scenario, kernel } = parseCase(readFileSync(join(FOLDER, file), 'utf8'))
  try {
    const [first] = judge(scenario, kernel).differences
    return first === undefined ? undefined : `${first.what} at ${first.where}`
  } catch (error) {
    return `broke down: ${(error as Error).message}`
  }
}

const files = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .sort()
let wrong = 0
for (const [index, file] of files.entries()) {
  const what = complaint(file)
  if (what === undefined) continue
  wrong++
  console.log(`caught by ${file.replace(/\.json$/, '')}, case ${index + 1} of ${files.length}: ${what}`)
  if (!process.argv.includes('--all')) break
}
if (wrong === 0) console.log(`${files.length} cases agree`)
process.exitCode = wrong === 0 ? 0 : 1
