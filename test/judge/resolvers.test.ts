import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownCasesFolder } from './cases-folder.ts'
import { replaySequence, replayTranscript, type Scenario, type Sequences, type TranscriptQuery } from './resolvers.ts'

const folder = ownCasesFolder('resolvers')
const read = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T

const transcripts = read<{
  readonly zone: Parameters<typeof replayTranscript>[0]
  readonly scenarios: readonly Scenario[]
}>('transcripts.json')

/** Without times; queries with the same number left from the same socket. */
const shape = (queries: readonly TranscriptQuery[]) =>
  queries.map(
    ({ name, type, server, transport, socket, edns }) =>
      `${name} ${type} ${server} ${transport}${socket}${edns ? ' edns' : ''}`,
  )

describe('queries of real resolvers, with their times', () => {
  const rows = transcripts.scenarios.flatMap((scenario) =>
    Object.entries(scenario.clients).flatMap(([client, recorded]) => {
      const ours = replayTranscript(transcripts.zone, scenario, client)
      return ours ? [[scenario.scenario, client, { recorded, ours }] as const] : []
    }),
  )

  it('has every scenario of glibc', () => expect(rows.filter(([, client]) => client === 'glibc2.36')).toHaveLength(22))

  it.each(rows)('%s / %s', (_, __, { recorded, ours }) => {
    expect(shape(ours.queries)).toEqual(shape(recorded.queries))
    for (const [i, { atMs }] of recorded.queries.entries())
      expect(Math.abs((ours.queries[i]?.atMs ?? 0) - atMs)).toBeLessThan(50)
    expect(Math.abs(ours.seconds - recorded.seconds)).toBeLessThan(0.05)
    expect(ours.output).toBe(recorded.output)
  })
})

describe('query sequences of real tools', () => {
  const sequences = read<Sequences>('sequences.json')
  const rows = Object.entries(sequences.cases).flatMap(([group, cases]) =>
    cases.flatMap((one) => {
      const ours = replaySequence(sequences, group, one)
      return ours ? [[group, one.variant ?? '', one.tool, one.name, { recorded: one, ours }] as const] : []
    }),
  )

  it('has every case of the glibc tools', () => expect(rows.length).toBeGreaterThanOrEqual(188))

  it.each(rows)('%s / %s / %s %s', (_, __, ___, ____, { recorded, ours }) => {
    expect(ours.queries).toEqual(recorded.queries)
    expect(ours.rc).toBe(recorded.rc)
    // The recorded result ends after 160 characters.
    expect(ours.result.replace(/RAW +\//g, 'RAW /').slice(0, 120)).toBe(
      recorded.result.replace(/RAW +\//g, 'RAW /').slice(0, 120),
    )
  })
})
