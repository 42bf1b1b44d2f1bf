import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FEATURES } from './features.ts'
import { currentFidelity, currentReport, FIDELITY } from './fidelity-sources.ts'

const report = currentReport()

describe('docs/fidelity.md', () => {
  it('is what `npm run fidelity` writes', () => {
    expect(readFileSync(FIDELITY, 'utf8')).toBe(currentFidelity())
  })

  it('tells of a run without a difference that showed everything a lab can be about', () => {
    expect(report.differences).toBe(0)
    const features: Readonly<Record<string, number>> = report.features
    expect(FEATURES.filter((name) => (features[name] ?? 0) === 0)).toEqual([])
  })

  it('tells of ten thousand probes in ten minutes', () => {
    expect(report.probes).toBeGreaterThanOrEqual(10_000)
  })
})
