import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fidelityText, type KernelReport, type RecordedCases, type SabotageResults } from './fidelity.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Of the last long run: `npm run kernel -- --scenarios 1000 --seed S --report test/kernel/report.json`. */
const REPORT = join(import.meta.dirname, 'report.json')
const SABOTAGE = join(ROOT, 'test/sabotage/results.json')
const CASES = join(ROOT, 'test/cases/kernel')
export const FIDELITY = join(ROOT, 'docs/fidelity.md')

const read = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8')) as T

export const currentReport = (): KernelReport => read<KernelReport>(REPORT)

/** docs/fidelity.md as the files of this repository make it. */
export function currentFidelity(): string {
  const sabotage = existsSync(SABOTAGE) ? read<SabotageResults>(SABOTAGE) : undefined
  return fidelityText(currentReport(), sabotage, recordedCases())
}

function recordedCases(): RecordedCases {
  const files = readdirSync(CASES).filter((file) => file.endsWith('.json'))
  const modes = new Map<string, number>()
  const versions = new Set<string>()
  for (const file of files) {
    const { recorded, scenario } = read<{
      recorded: Readonly<Record<string, string>>
      scenario: { readonly mode?: string }
    }>(join(CASES, file))
    const mode = scenario.mode ?? 'by hand'
    modes.set(mode, (modes.get(mode) ?? 0) + 1)
    versions.add(['kernel', 'iproute2', 'iptables', 'nft'].map((tool) => recorded[tool]).join(', '))
  }
  return { count: files.length, modes, versions: [...versions].sort() }
}
