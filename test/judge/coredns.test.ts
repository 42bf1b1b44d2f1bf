import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { caseFiles, casesFolder, hasCases, ownCasesFolder } from './cases-folder.ts'
import { type CorednsSession, replayCorefile, replaySession } from './coredns.ts'
import { differences, type RecordedReply } from './coredns-compare.ts'

const read = <T>(folder: string, file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T
const sessions = (folder: string) => caseFiles(folder, /^(?!corefiles).*\.json$/)

/** The query came from another address than the recording tells: the log does not know the pod. */
const ODD_LOG = new Set(['055-log-metadata.json 17'])

/** What differs between a recorded session and ours; of one that is not all modelled, why. */
function replay(folder: string, file: string) {
  const session = read<CorednsSession>(folder, file)
  const ours = replaySession(session)
  const start = { want: session.startError ?? session.exit ?? '', got: ours.startError ?? ours.exit ?? '' }
  const wrong = (session.queries ?? []).flatMap(({ q, reply, upstream = [], log }, i) => {
    const our = ours.queries[i]
    const found = [...differences(reply as RecordedReply | null, our?.reply ?? null)]
    // A refresh in the background is asked for at another moment than in the recording.
    if (!session.corefile.includes('serve_stale') && JSON.stringify(upstream) !== JSON.stringify(our?.upstream ?? []))
      found.push('upstream')
    // A program does not learn the port its query left from.
    const lines = log?.map((line) => line.replace(/\S+->(?=\S+: i\/o timeout)/, ''))
    if (lines && !ODD_LOG.has(`${file} ${i}`) && JSON.stringify(lines) !== JSON.stringify(our?.log)) found.push('log')
    return found.length === 0 ? [] : [`#${i} ${q.name} ${q.type}: ${found.join(', ')}`]
  })
  return { start, wrong, notModelled: ours.notModelled.filter((text) => /plugin (?!bind)|multicluster/.test(text)) }
}

describe('replies of the real CoreDNS', () => {
  const folder = ownCasesFolder('coredns')

  it('has sessions to compare with', () => expect(sessions(folder).length).toBeGreaterThanOrEqual(62))

  it.each(sessions(folder))('%s', (file) => {
    const { start, wrong, notModelled } = replay(folder, file)
    expect(start.got).toBe(start.want)
    expect(notModelled).toEqual([])
    expect(wrong).toEqual([])
  })
})

interface CorefileCase {
  readonly corefile: string
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly error: string
}

/** A name that CoreDNS looks up at its start. */
const NOT_YET = /failed to resolve/

describe('what the real CoreDNS says of a Corefile', () => {
  const cases = read<readonly CorefileCase[]>(ownCasesFolder('coredns'), 'corefiles.json')
  const modelled = cases.map((one, i) => [i, one] as const).filter(([, { error }]) => !NOT_YET.test(error))

  it('covers most of them', () => expect(modelled.length).toBeGreaterThanOrEqual(159))

  it.each(modelled)('Corefile %i', (_, one) => expect(replayCorefile(one)).toBe(one.error))
})

describe.runIf(hasCases('coredns/real'))('all recorded sessions', () => {
  const folder = casesFolder('coredns/real')

  it.each(sessions(folder))('%s', (file) => {
    const { start, wrong, notModelled } = replay(folder, file)
    expect(start.got).toBe(start.want)
    // Where a plugin is not modelled, that is said and its answers are not compared.
    if (notModelled.length === 0) expect(wrong).toEqual([])
  })
})
