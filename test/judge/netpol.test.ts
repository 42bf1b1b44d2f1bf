import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { casesFolder, hasCases, ownCasesFolder } from './cases-folder.ts'
import { isNetworkPolicyOnly, type PolicyCase, type PolicySuite, type ReplayedStep, replayCase } from './netpol.ts'

const read = (file: string): PolicySuite => JSON.parse(readFileSync(file, 'utf8'))

/** Own copies run everywhere; the others where the folder of cases is. */
const OWN = ['e2e.json', 'recipes.json', 'extra.json']
const SHARED = ['e2e-9pods.json', 'kube-network-policies.json', 'policy-assistant.json']

const files = [
  ...OWN.map((name) => join(ownCasesFolder('netpol'), name)),
  ...(hasCases('netpol') ? SHARED.map((name) => join(casesFolder('netpol'), name)).filter(existsSync) : []),
]

describe.each(files)('%s', (file) => {
  const suite = read(file)
  const cases = suite.cases.filter((given) => isNetworkPolicyOnly(given, suite) && given.invalidInput === undefined)

  it('has cases', () => expect(cases.length).toBeGreaterThan(1))

  it.each(cases.map((given) => [given.id, given] as const))('%s', (_, given) => {
    const got = replayCase(given, suite)
    expect(compared(given, got)).toEqual(wanted(given))
  })
})

/** The verdicts that count: what upstream disputes is held to the API's reading, what it leaves open is not compared. */
function wanted(given: PolicyCase): readonly string[] {
  return given.steps
    .flatMap((step, i) => [
      ...(step.probes ?? []).map(
        (probe, n) => `${i}.${n} ${probe.disputed?.expect ?? given.disputed?.expect ?? probe.expect}`,
      ),
      ...[step.matrix ?? []]
        .flat()
        .flatMap(({ rows }) => Object.entries(rows).map(([from, row]) => `${i} ${from} ${row}`)),
    ])
    .filter((line) => !line.endsWith(' any'))
}

function compared(given: PolicyCase, got: readonly ReplayedStep[]): readonly string[] {
  return given.steps.flatMap((step, i) => [
    ...(step.probes ?? []).flatMap((probe, n) => {
      const counts = (probe.disputed?.expect ?? given.disputed?.expect ?? probe.expect) !== 'any'
      return counts ? [`${i}.${n} ${got[i]?.probes[n]}`] : []
    }),
    ...[step.matrix ?? []]
      .flat()
      .flatMap(({ rows }) =>
        Object.entries(rows).map(([from, row]) => `${i} ${from} ${masked(got[i]?.rows[from] ?? '', row)}`),
      ),
  ])
}

/** Cells upstream does not compare stay out of it. */
const masked = (row: string, by: string): string => [...row].map((cell, k) => (by[k] === '-' ? '-' : cell)).join('')
