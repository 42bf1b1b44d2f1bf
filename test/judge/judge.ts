import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Replays the recorded cases in one folder and writes our results beside each other in another. */
export type Judge = (folders: JudgeFolders) => JudgeSummary

export interface JudgeFolders {
  readonly cases: string
  readonly out: string
}

export interface JudgeSummary {
  readonly written: number
  /** Cases that were not replayed, each with the reason. */
  readonly skipped: readonly { readonly file: string; readonly reason: string }[]
}

/** What replaying one case gives: its result in the format of the cases, or why there is none. */
export type Replayed =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'skipped'; readonly reason: string }

/** A judge over a folder of JSON files, one case each; a result has the name of its case. */
export function judgeOfJsonFiles(replay: (recorded: unknown, file: string) => Replayed): Judge {
  return ({ cases, out }) => {
    mkdirSync(out, { recursive: true })
    const skipped: { file: string; reason: string }[] = []
    let written = 0
    for (const file of readdirSync(cases).sort()) {
      if (!file.endsWith('.json')) continue
      const result = replay(JSON.parse(readFileSync(join(cases, file), 'utf8')), file)
      if (result.kind === 'skipped') {
        skipped.push({ file, reason: result.reason })
        continue
      }
      writeFileSync(join(out, file), `${JSON.stringify(result.value, undefined, 1)}\n`)
      written++
    }
    return { written, skipped }
  }
}
