import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownCasesFolder } from './cases-folder.ts'
import { settled, withoutChance } from './resolver-compare.ts'
import { replaySequence, type Sequences } from './resolver-sequences.ts'
import { replayTranscript, type TranscriptQuery, type Transcripts } from './resolver-transcripts.ts'

const folder = ownCasesFolder('resolvers')
const read = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T

const transcripts = read<Transcripts>('transcripts.json')
const sequences = read<Sequences>('sequences.json')

/** Milliseconds within which queries left together, and that times may differ. */
const TOGETHER = 2
const TOLERANCE = 50

function shape(queries: readonly TranscriptQuery[]): readonly string[] {
  let start = Number.NEGATIVE_INFINITY
  return settled(
    queries.map(({ name, type, server, transport, socket, edns, atMs }) => {
      if (atMs - start > TOGETHER) start = atMs
      return {
        what: `${name} ${type} ${server} ${transport}${edns ? ' edns' : ''}`,
        socket: `${transport}${socket}`,
        batch: start,
      }
    }),
  )
}

describe('queries of real resolvers, with their times', () => {
  const rows = transcripts.scenarios.flatMap((scenario) =>
    Object.entries(scenario.clients).map(
      ([client, recorded]) => [scenario.scenario, client, scenario, recorded] as const,
    ),
  )

  it.each(rows)('%s / %s', (_, client, scenario, recorded) => {
    const ours = replayTranscript(transcripts.zone, scenario, client)
    expect(ours && shape(ours.queries)).toEqual(shape(recorded.queries))
    // The jitter of c-ares is chance.
    if (client !== 'node-resolve4') {
      for (const [i, { atMs }] of recorded.queries.entries())
        expect(Math.abs((ours?.queries[i]?.atMs ?? 0) - atMs)).toBeLessThan(TOLERANCE)
      expect(Math.abs((ours?.seconds ?? 0) - recorded.seconds)).toBeLessThan(2 * (TOLERANCE / 1000))
    }
    expect(withoutChance(ours?.output ?? '')).toBe(withoutChance(recorded.output))
  })
})

describe('query sequences of real tools', () => {
  const lines = (queries: readonly string[]) =>
    settled(
      queries.map((line) => {
        const [name, type, answer, batch = '', socket = '', ...rest] = line.split(' ')
        const timeless = rest.filter((word) => !word.startsWith('t='))
        return { what: [name, type, answer, ...timeless].join(' '), socket, batch }
      }),
    )

  const rows = Object.entries(sequences.cases).flatMap(([group, cases]) =>
    cases.map((one) => [group, one.variant ?? '', one.tool, one.name, one] as const),
  )

  it.each(rows)('%s / %s / %s %s', (group, _, __, ___, recorded) => {
    const ours = replaySequence(sequences, group, recorded)
    expect(lines(ours?.queries ?? [])).toEqual(lines(recorded.queries))
    expect(ours?.rc).toBe(recorded.rc)
    expect(withoutChance(ours?.result ?? '')).toBe(withoutChance(recorded.result))
  })
})
