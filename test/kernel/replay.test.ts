import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { emitCase, parseCase } from './case-file.ts'
import { judge } from './judge.ts'
import { comparedAnything, differencesText } from './report.ts'

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../cases/kernel')
const files = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .sort()
const textOf = (file: string): string => readFileSync(join(FOLDER, file), 'utf8')

describe('our model does what the recorded kernel did', () => {
  it('has recorded cases', () => {
    expect(files.length).toBeGreaterThan(100)
  })

  it.each(files)('%s', (file) => {
    const { scenario, kernel } = parseCase(textOf(file))
    const judged = judge(scenario, kernel)
    expect(comparedAnything(judged)).toBe(true)
    expect(judged.differences.length === 0 ? '' : differencesText(scenario.name, judged)).toBe('')
  })
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
