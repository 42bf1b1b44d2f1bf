import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { emitCase, parseCase } from './case-file.ts'
import { type Covered, coveredBy, ENDS, STEP_KINDS } from './coverage.ts'
import { type Judgement, judge } from './judge.ts'
import { comparedAnything, differencesText } from './report.ts'
import { MODES } from './scenario/recipe.ts'
import type { Scenario } from './scenario.ts'

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../cases/kernel')
const files = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .sort()
const textOf = (file: string): string => readFileSync(join(FOLDER, file), 'utf8')

/** Each case is judged once, whichever test asks first; of its steps only what they cover is kept. */
const known = new Map<string, JudgedCase>()

interface JudgedCase {
  readonly scenario: Scenario
  readonly judged: Omit<Judgement, 'steps'>
  readonly covered: Covered
}

function judgedCase(file: string): JudgedCase {
  const before = known.get(file)
  if (before !== undefined) return before
  const { scenario, kernel, recorded } = parseCase(textOf(file))
  const { steps, ...judged } = judge(scenario, kernel)
  const one = { scenario, judged, covered: coveredBy({ steps, scenario, recorded }) }
  known.set(file, one)
  return one
}

describe('our model does what the recorded kernel did', () => {
  it('has recorded cases', () => {
    expect(files.length).toBeGreaterThanOrEqual(200)
  })

  it('says nothing of the machine they were recorded on', () => {
    expect(files.filter((file) => /"file": ?"\//.test(textOf(file)))).toEqual([])
  })

  it.each(files)('%s', (file) => {
    const { scenario, judged } = judgedCase(file)
    expect(comparedAnything(judged)).toBe(true)
    expect(judged.differences.length === 0 ? '' : differencesText(scenario.name, judged)).toBe('')
  })
})

describe('the recorded cases together', () => {
  const missing = (what: keyof Covered, wanted: readonly string[]): readonly string[] => {
    const found = new Set(files.flatMap((file) => [...judgedCase(file).covered[what]]))
    return wanted.filter((name) => !found.has(name))
  }

  it('show every kind of step', () => expect(missing('steps', STEP_KINDS)).toEqual([]), 60_000)
  it('show every end of a packet', () => expect(missing('ends', ENDS)).toEqual([]), 60_000)
  it('show every mode', () => expect(missing('modes', [...MODES, 'by hand'])).toEqual([]), 60_000)
  it('show rules of both iptables', () => expect(missing('backends', ['legacy', 'nft'])).toEqual([]), 60_000)
})

describe('a recorded case', () => {
  it.each(files.slice(0, 5))('reads and writes as the same bytes: %s', (file) => {
    const text = textOf(file)
    expect(emitCase(parseCase(text))).toBe(text)
  })

  it('that is changed in one octet of one frame no longer agrees', () => {
    const { scenario, kernel } = parseCase(textOf('flannel-vxlan-ping.json'))
    for (const [index, one] of kernel.frames.entries()) {
      const frames = kernel.frames.with(index, { ...one, bytes: flipLastNibble(one.bytes) })
      expect(judge(scenario, { ...kernel, frames }).differences.length).toBeGreaterThan(0)
    }
  })

  it('that misses a rule hit, an event or an entry no longer agrees', () => {
    const { scenario, kernel } = parseCase(textOf('service-vxlan-brnf1-remote-udp.json'))
    const rules = Object.fromEntries(Object.entries(kernel.rules).map(([place, passes]) => [place, passes.slice(1)]))
    const conntrack = Object.fromEntries(
      Object.entries(kernel.conntrack).map(([place, entries]) => [place, entries.slice(1)]),
    )
    for (const less of [
      { rules },
      { conntrack },
      { sockets: kernel.sockets.slice(1) },
      { frames: kernel.frames.slice(1) },
    ])
      expect(judge(scenario, { ...kernel, ...less }).differences.length).toBeGreaterThan(0)
  })
})

const flipLastNibble = (hex: string): string => hex.slice(0, -1) + (Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16)
