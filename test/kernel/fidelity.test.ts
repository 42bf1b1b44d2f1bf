import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { currentFidelity, currentReport, FIDELITY } from './fidelity-sources.ts'
import { MODES } from './scenario/recipe.ts'

const report = currentReport()

describe('docs/fidelity.md', () => {
  it('is what `npm run fidelity` writes', () => {
    expect(readFileSync(FIDELITY, 'utf8')).toBe(currentFidelity())
  })

  it('tells of a run of every mode', () => {
    const features: Readonly<Record<string, number>> = report.features
    expect(MODES.filter((mode) => (features[`mode ${mode}`] ?? 0) === 0)).toEqual([])
  })

  it('and of no difference in ten thousand probes', () => {
    expect(report.differences).toBe(0)
    expect(report.probes).toBeGreaterThan(10_000)
  })
})
