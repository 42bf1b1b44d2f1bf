import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { build } from '../../engine/build.ts'
import { must } from '../../packet/parsed.ts'
import { show } from '../../render/show.ts'
import { LAB_NAMES, openLab } from '../labs.ts'

/** The real ipset and iptables-restore accept what `show` prints of a node in ipvs and in userspace mode. */

const run = (command: string, input: string) =>
  spawnSync('unshare', ['--net', 'sh', '-c', command], { input, encoding: 'utf8' })

const usable = run('iptables-restore --test && ipset list', '*filter\nCOMMIT\n').status === 0
if (!usable && process.env.CI)
  throw new Error('iptables-restore and ipset in a namespace of their own do not work, and CI must not skip them')
if (!usable) console.log('skipped: needs root, namespaces, iptables and ipset')

/** As `ipset save` prints them: without what the kernel chose for each set. */
const saved = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/ bucketsize .*$/, ''))
    .sort()

const TOOLS = [
  ['iptables', 'iptables-restore'],
  ['ip6tables', 'ip6tables-restore'],
] as const

describe.skipIf(!usable).each(LAB_NAMES)('%s', (lab) => {
  const { cluster } = openLab(lab)
  const node = cluster.nodes[0]?.meta.name ?? ''

  test('ipvs mode: sets are as the kernel gives them back, and rules may name them', () => {
    const built = build(cluster, { proxyMode: 'ipvs' })
    const sets = must(show(built, 'ipset', { node }))
    expect(sets).toContain('create KUBE-CLUSTER-IP hash:ip,port')
    const restored = run('ipset restore && ipset save', sets)
    expect(restored.stderr).toBe('')
    expect(saved(restored.stdout)).toEqual(saved(sets))
    for (const [noun, tool] of TOOLS) {
      const rules = must(show(built, noun, { node }))
      expect(rules).toContain('KUBE-SERVICES')
      const script = `printf '%s\\n' '${sets.trimEnd().split('\n').join("' '")}' | ipset restore && ${tool} --test`
      const { status, stderr } = run(script, rules)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    }
  })

  test('userspace mode', () => {
    const built = build(cluster, { proxyMode: 'userspace' })
    const rules = must(show(built, 'iptables', { node }))
    expect(rules).toContain('KUBE-PORTALS-CONTAINER')
    const sets = must(show(built, 'ipset', { node }))
    const tool = 'iptables-restore --test'
    const script =
      sets === '' ? tool : `printf '%s\\n' '${sets.trimEnd().split('\n').join("' '")}' | ipset restore && ${tool}`
    const { status, stderr } = run(script, rules)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })
})
