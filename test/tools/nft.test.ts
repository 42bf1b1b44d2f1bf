import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { build } from '../../engine/build.ts'
import type { NftOp, Op } from '../../linux/op.ts'
import { must } from '../../packet/parsed.ts'
import { nftLines } from '../../render/nft-command.ts'
import { show } from '../../render/show.ts'
import { LAB_NAMES, openLab } from '../labs.ts'

/** The real nft takes what a node with kube-proxy's nftables mode is given, and what `show nft` prints. */

const run = (command: string, input: string) =>
  spawnSync('unshare', ['--net', 'sh', '-c', command], { input, encoding: 'utf8', maxBuffer: 1 << 26 })

const usable = run('nft -c -f -', 'add table ip t\n').status === 0
if (!usable && process.env.CI)
  throw new Error('nft in a namespace of its own does not work, and CI must not skip its verdict')
if (!usable) console.log('skipped: nft needs root, namespaces and the nftables package')

/** Listings of other versions differ; their rules are the same. */
const VERSION = /v1\.0\.6\b/
const lists = usable && VERSION.test(run('nft -v', '').stdout)
if (usable && !lists) console.log('skipped: listings are compared with nft 1.0.6 only')

const isNft = (op: Op): op is NftOp & Op => op.kind.startsWith('nft.')

describe.skipIf(!usable).each(LAB_NAMES)('%s', (lab) => {
  const { cluster } = openLab(lab)
  const built = build(cluster, { proxyMode: 'nftables' })
  const nodes = cluster.nodes.map((node) => node.meta.name)

  test.each(nodes)('every command and every line of %s is taken', (node) => {
    const lines = (built.opsOf(node) ?? []).filter(isNft).flatMap(nftLines)
    expect(lines.length).toBeGreaterThan(100)
    const text = must(show(built, 'nft', { node }))
    for (const input of [`${lines.join('\n')}\n`, withPorts(text)]) {
      const { status, stderr } = run('nft -c -f -', input)
      expect(stderr).toBe('')
      expect(status).toBe(0)
    }
  })

  test.skipIf(!lists).each(nodes)('nft lists on %s what show prints', (node) => {
    const lines = (built.opsOf(node) ?? []).filter(isNft).flatMap(nftLines)
    const { stdout, stderr } = run('nft -f - && nft list ruleset', `${lines.join('\n')}\n`)
    expect(stderr).toBe('')
    expect(stdout).toBe(must(show(built, 'nft', { node })))
  })
})

/** nft 1.0.6 does not read its own listing of `dnat ip addr . port to`. */
const withPorts = (text: string): string => text.replaceAll(/dnat (ip6?) to numgen/g, 'dnat $1 addr . port to numgen')

describe.skipIf(!lists)('recorded listings', () => {
  test('are those of the nft that is here', () => {
    const folder = join(import.meta.dirname, '../cases/nftables')
    const recorded = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(run('nft -f - && nft list ruleset', recorded('ruleset.nft')).stdout).toBe(recorded('ruleset.txt'))
  })
})
