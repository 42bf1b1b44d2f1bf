import { closeSync, openSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { InputFile } from '../cluster/input/item.ts'
import type { Diagnostic } from '../cluster/source.ts'
import { fileSource, streamSource } from './file-source.ts'

/** Files of the snapshot as the user named them; what cannot be read is told. */
export interface Input {
  readonly files: readonly InputFile[]
  readonly diagnostics: readonly Diagnostic[]
}

const STANDARD_INPUT = 0

/** Finds files, the files in directories of any depth, and `-`, standard input. Their contents are read later. */
export function readInput(paths: readonly string[]): Input {
  const files: InputFile[] = []
  const diagnostics: Diagnostic[] = []
  for (const path of paths)
    attempt(path === '-' ? 'standard input' : path, () => {
      if (path === '-') files.push({ name: 'standard input', source: streamSource(STANDARD_INPUT) })
      else addPath(path)
    })
  return { files, diagnostics }

  function addPath(path: string): void {
    const kind = statSync(path)
    if (!kind.isDirectory()) return addFile(path, kind.isFile())
    const found = files.length
    addBelow(path, path, new Set())
    if (files.length === found)
      diagnostics.push({
        severity: 'error',
        code: 'directory-empty',
        message: `${path}: there is no file in this directory`,
        suggestion:
          'collect a snapshot: kubectl get nodes,ns,pods,svc,endpointslices,cm,networkpolicies -A -o yaml > snapshot.yaml',
      })
  }

  function addFile(path: string, isPlain: boolean, below?: string): void {
    const file = openSync(path, 'r')
    try {
      const source = isPlain ? fileSource(path) : streamSource(file)
      files.push({ name: path, source, ...(below === undefined ? {} : { below }) })
    } finally {
      closeSync(file)
    }
  }

  /** Sorted, so that the order of a file system does not matter. A link to a directory above leads nowhere. */
  function addBelow(directory: string, root: string, seen: Set<string>): void {
    const real = realpathSync(directory)
    if (seen.has(real)) return
    seen.add(real)
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name)
      attempt(path, () => {
        const kind = statSync(path)
        if (kind.isDirectory()) addBelow(path, root, seen)
        else if (kind.isFile()) addFile(path, true, root)
      })
    }
  }

  function attempt(name: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      diagnostics.push({
        severity: 'error',
        code: 'file-unreadable',
        message: `${name} cannot be read: ${reasonOf(error)}`,
        suggestion: 'check the name, and that you may read it',
      })
    }
  }
}

/** `no such file or directory` of the operating system's `ENOENT: no such file or directory, open 'x'`. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /^[A-Z0-9]+: (.*?)(, \w+( '.*')?)?$/.exec(text)?.[1] ?? text
}
