import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { caseFiles, ownCasesFolder } from './cases-folder.ts'
import { replaySyncs } from './kube-proxy.ts'
import type { KubeProxyCase } from './kube-proxy-case.ts'

/** Runs a tool in a network namespace that nobody else uses. */
const inOwnNamespace = (command: string, input: string) =>
  spawnSync('unshare', ['--net', 'sh', '-c', command], { input, encoding: 'utf8' })

function hasTools(): boolean {
  const missing = ['iptables', 'ip6tables'].find((tool) => inOwnNamespace(`${tool}-save`, '').status !== 0)
  if (missing === undefined) return true
  console.warn(`skipped: ${missing}-save cannot be run in a namespace of its own (root and iptables are needed)`)
  return false
}

/** The kernel of a test machine seldom has nfnetlink_acct. */
const withoutCounters = (text: string): string => text.replaceAll(/-m nfacct --nfacct-name +\S+ /g, '')

describe.runIf(hasTools())('the real iptables', () => {
  const folder = ownCasesFolder('kube-proxy')

  it.each(caseFiles(folder, /-iptables\.json$/))('takes and prints our rules of %s', (file) => {
    const recorded = JSON.parse(readFileSync(join(folder, file), 'utf8')) as KubeProxyCase
    const [first] = replaySyncs({ ...recorded, steps: [{ apply: [], expected: {} }] })
    for (const tool of ['iptables', 'ip6tables']) {
      const [written, saved] = [first?.texts[`${tool}-restore`], first?.texts[`${tool}-save`]]
      if (written === undefined || saved === undefined) continue
      const test = inOwnNamespace(`${tool}-restore --test --noflush --counters`, withoutCounters(written))
      expect([test.status, test.stderr]).toEqual([0, ''])
      const printed = inOwnNamespace(`${tool}-restore && ${tool}-save`, withoutCounters(saved))
      expect(printed.stdout.replaceAll(/^#.*\n/gm, '')).toBe(withoutCounters(saved))
    }
  })
})
