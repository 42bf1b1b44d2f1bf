import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { SourceFile } from '../cluster/input/item.ts'
import type { Diagnostic } from '../cluster/source.ts'

/** Files of the snapshot as the user named them; what cannot be read is told. */
export interface Input {
  readonly files: readonly SourceFile[]
  readonly diagnostics: readonly Diagnostic[]
}

const SNAPSHOT_FILE = /\.(json|ya?ml)(\.gz)?$/i

/** Reads files, directories (every .json, .yaml and .yml below, packed or not) and `-`, standard input. */
export function readInput(paths: readonly string[]): Input {
  const files: SourceFile[] = []
  const diagnostics: Diagnostic[] = []
  for (const path of paths) {
    if (path === '-') readOne('standard input', 0)
    else readPath(path)
  }
  return { files, diagnostics }

  function readPath(path: string): void {
    try {
      if (!statSync(path).isDirectory()) return readOne(path, path)
      const found = below(path)
      if (found.length === 0)
        diagnostics.push({
          severity: 'error',
          code: 'directory-empty',
          message: `${path}: there is no .json, .yaml or .yml file in this directory`,
          suggestion:
            'collect a snapshot: kubectl get nodes,ns,pods,svc,endpointslices,cm,networkpolicies -A -o yaml > snapshot.yaml',
        })
      for (const file of found) readOne(file, file)
    } catch (error) {
      unreadable(path, error)
    }
  }

  function readOne(name: string, from: string | 0): void {
    try {
      files.push({ name, bytes: readFileSync(from) })
    } catch (error) {
      unreadable(name, error)
    }
  }

  function unreadable(name: string, error: unknown): void {
    diagnostics.push({
      severity: 'error',
      code: 'file-unreadable',
      message: `${name} cannot be read: ${reasonOf(error)}`,
      suggestion: 'check the name, and that you may read it',
    })
  }
}

/** Snapshot files below a directory, sorted, so that the order of a file system does not matter. */
function below(directory: string): readonly string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((x, y) => (x.name < y.name ? -1 : 1))
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return below(path)
    return SNAPSHOT_FILE.test(entry.name) ? [path] : []
  })
}

/** `no such file or directory` of the operating system's `ENOENT: no such file or directory, open 'x'`. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /^[A-Z0-9]+: (.*?)(, \w+( '.*')?)?$/.exec(text)?.[1] ?? text
}

export const gunzip = (bytes: Uint8Array): Uint8Array => gunzipSync(bytes)
