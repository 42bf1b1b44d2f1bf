import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/**
 * Tests that run the command line run what a user runs: dist/podwalk.mjs, built from the sources as they are now. Where
 * they cannot be built there is none, so that those tests fail and the others still tell what they know.
 */
export function setup(): void {
  try {
    execFileSync(process.execPath, ['build.mjs'], { cwd: ROOT, stdio: 'inherit' })
  } catch {
    rmSync(join(ROOT, 'dist', 'podwalk.mjs'), { force: true })
    console.error('error: build.mjs failed (above): tests that run podwalk will fail')
  }
}
