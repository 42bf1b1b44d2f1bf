import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** Folder of the cases that are not part of the project: environment variable PODWALK_CASES. */
export const casesFolder = (name: string): string =>
  join(process.env.PODWALK_CASES ?? join(REPOSITORY, '..', 'shared', 'cases'), name)

/**
 * Whether tests over a folder of cases can run. Where the cases are missing the reason is printed; on CI they must be
 * there.
 */
export function hasCases(name: string): boolean {
  const folder = casesFolder(name)
  if (existsSync(folder)) return true
  const reason = `no cases in ${folder}: set PODWALK_CASES`
  if (process.env.CI) throw new Error(reason)
  console.warn(`skipped: ${reason}`)
  return false
}

/** Folder of the project's own copies. */
export const ownCasesFolder = (name: string): string => join(REPOSITORY, 'test', 'cases', name)

/** The case files of a folder whose names match, in order; none where the folder is missing. */
export const caseFiles = (folder: string, names: RegExp): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => names.test(file))
        .sort()
    : []
