import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Change, changed } from './change.ts'

/** A copy of the repository's folders that may be broken; packages are those of the repository. */
export interface Scratch {
  readonly folder: string
  /** Runs with the change in place, and takes it back. */
  readonly during: <T>(change: Change, run: () => Promise<T>) => Promise<T>
  readonly remove: () => void
}

const NOT_COPIED = new Set(['.git', 'node_modules', 'dist'])

export function newScratch(root: string): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'podwalk-sabotage-'))
  for (const name of readdirSync(root))
    if (!NOT_COPIED.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    during: async (change, run) => {
      const file = join(folder, change.file)
      const text = readFileSync(file, 'utf8')
      const made = changed(text, change)
      if (typeof made === 'string') throw new Error(made)
      writeFileSync(file, made.text)
      try {
        return await run()
      } finally {
        writeFileSync(file, text)
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
