import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { caseFiles, casesFolder, hasCases, ownCasesFolder } from './cases-folder.ts'
import { replayKubeProxyCase } from './kube-proxy.ts'
import type { KubeProxyCase } from './kube-proxy-case.ts'

const recordedCases = (folder: string) =>
  caseFiles(folder, /-(iptables|nftables|ipvs)(-\d+)?\.json$/).map((file) => [file, join(folder, file)] as const)

/** Every text of a recorded case beside ours, by stage and key. */
function textsOf(path: string): { readonly recorded: object; readonly ours: object } {
  const recorded = JSON.parse(readFileSync(path, 'utf8')) as KubeProxyCase
  const replayed = replayKubeProxyCase(recorded)
  if (replayed.kind === 'skipped') throw new Error(replayed.reason)
  const ours = replayed.value as Pick<KubeProxyCase, 'expected' | 'steps'>
  const stages = [recorded, ...(recorded.steps ?? [])].map(({ expected }) => expected)
  const ourStages = [ours, ...(ours.steps ?? [])].map(({ expected }) => expected)
  return {
    recorded: stages.map((texts) => mapTexts(texts, (_, text) => text.trimEnd())),
    ours: stages.map((texts, i) => mapTexts(texts, (key) => ourStages[i]?.[key]?.trimEnd())),
  }
}

const mapTexts = (texts: Readonly<Record<string, string>>, to: (key: string, text: string) => string | undefined) =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, to(key, text)]))

const OWN = ownCasesFolder('kube-proxy')

describe('rules of the real kube-proxy', () => {
  it('has cases to compare with', () => expect(recordedCases(OWN).length).toBeGreaterThanOrEqual(33))

  it.each(recordedCases(OWN))('%s', (_, path) => {
    const { recorded, ours } = textsOf(path)
    expect(ours).toEqual(recorded)
  })
})

/** Random clusters, releases 1.29 to 1.36: the folder's README. */
const FRESH = ownCasesFolder('kube-proxy-fresh')

describe('rules of the real kube-proxy, release by release', () => {
  it('has cases of every release and mode to compare with', () => {
    const shown = recordedCases(FRESH).map(([file]) => /^v1\.(\d+)-([a-z]+)/.exec(file)?.slice(1).join(' ') ?? file)
    const releases = [29, 30, 31, 32, 33, 34, 35, 36]
    const wanted = releases.flatMap((minor) =>
      ['iptables', 'nftables', 'ipvs'].map((mode) => `${minor} ${mode}`).filter((one) => one !== '29 nftables'),
    )
    expect(wanted.filter((one) => !shown.includes(one))).toEqual([])
  })

  it.each(recordedCases(FRESH))('%s', (_, path) => {
    const { recorded, ours } = textsOf(path)
    expect(ours).toEqual(recorded)
  })
})

describe.runIf(hasCases('kube-proxy/real'))('all recorded cases', () => {
  const folder = casesFolder('kube-proxy/real')

  it.each(recordedCases(folder))('%s', (_, path) => {
    const { recorded, ours } = textsOf(path)
    expect(ours).toEqual(recorded)
  })
})
