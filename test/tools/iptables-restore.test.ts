import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { must } from '../../packet/parsed.ts'
import { show } from '../../render/show.ts'
import { LAB_NAMES, openLab } from '../labs.ts'

/** The real iptables-restore accepts every ruleset that `show iptables` and `show ip6tables` print. */

const run = (command: string, input: string) =>
  spawnSync('unshare', ['--net', 'sh', '-c', command], { input, encoding: 'utf8' })

const usable = run('iptables-restore --test', '*filter\nCOMMIT\n').status === 0
if (!usable && process.env.CI)
  throw new Error('iptables-restore in a namespace of its own does not work, and CI must not skip its verdict')
if (!usable) console.log('skipped: iptables-restore needs root, namespaces and the iptables package')

/** Sets exist before rules that name them. */
const withSets = (sets: string, tool: string): string =>
  sets === ''
    ? `${tool} --test`
    : `printf '%s\\n' '${sets.trimEnd().split('\n').join("' '")}' | ipset restore && ${tool} --test`

describe.skipIf(!usable).each(LAB_NAMES)('%s', (lab) => {
  const built = openLab(lab)
  const nodes = built.cluster.nodes.map((node) => node.meta.name)

  test.each(nodes)('every rule of %s is accepted', (node) => {
    const sets = must(show(built, 'ipset', { node }))
    for (const [noun, tool] of [
      ['iptables', 'iptables-restore'],
      ['ip6tables', 'ip6tables-restore'],
    ] as const) {
      const rules = must(show(built, noun, { node }))
      expect(rules).toContain('KUBE-SERVICES')
      const { status, stderr } = run(withSets(noun === 'iptables' ? sets : '', tool), rules)
      expect(stderr).toBe('')
      expect(status).toBe(0)
    }
  })
})
