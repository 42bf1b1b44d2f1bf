import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Judge, JudgeSummary } from './judge.ts'
import { replaySequence, type Sequences } from './resolver-sequences.ts'
import { replayTranscript, type Transcript, type Transcripts } from './resolver-transcripts.ts'

/** The judge over `cases/resolvers`: cases of clients that are not emulated are left out. */
export const resolversJudge: Judge = ({ cases, out }): JudgeSummary => {
  mkdirSync(out, { recursive: true })
  const skipped: { file: string; reason: string }[] = []
  let written = 0
  const read = (file: string): unknown =>
    existsSync(join(cases, file)) ? JSON.parse(readFileSync(join(cases, file), 'utf8')) : undefined
  const write = (file: string, value: unknown) =>
    writeFileSync(join(out, file), `${JSON.stringify(value, undefined, 1)}\n`)
  const transcripts = read('transcripts.json') as Transcripts | undefined
  if (transcripts) {
    const scenarios = transcripts.scenarios.map((scenario) => {
      const clients: Record<string, Transcript> = {}
      for (const client of Object.keys(scenario.clients)) {
        const result = replayTranscript(transcripts.zone, scenario, client)
        if (result) clients[client] = result
        else skipped.push({ file: 'transcripts.json', reason: `client ${client} is not emulated` })
        if (result) written++
      }
      return { ...scenario, clients }
    })
    write('transcripts.json', { ...transcripts, scenarios })
  }
  const sequences = read('sequences.json') as Sequences | undefined
  if (sequences) {
    const replayed = Object.entries(sequences.cases).map(([group, list]) => {
      const results = list.map((one) => {
        const result = replaySequence(sequences, group, one)
        if (result) written++
        else skipped.push({ file: 'sequences.json', reason: `tool ${one.tool} is not emulated` })
        return result ?? null
      })
      return [group, results] as const
    })
    write('sequences.json', { ...sequences, cases: Object.fromEntries(replayed) })
  }
  return { written, skipped }
}
