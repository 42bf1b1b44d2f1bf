import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeNode } from '../../cluster/objects.ts'
import { applyOps } from '../../linux/apply.ts'
import { listTables, type Ruleset, resolveChain } from '../../linux/netfilter/iptables/ruleset.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { anyObjects, NODES, type Objects } from '../testing/arbitrary-cluster.ts'
import { DEFAULT_CONFIG, machine, smallCluster } from '../testing/small-cluster.ts'
import { iptablesMode } from './compile.ts'
import { changesBetween, type Synced } from './partial-sync.ts'
import { renderRestore } from './restore.ts'
import { iptablesSync } from './sync.ts'

const FACTS = machine(['192.0.2.11/24', '2001:db8::11/64'], { nfacct: true })
const FAMILIES: readonly Family[] = [4, 6]

const clusterOf = (objects: Objects) => smallCluster({ ...objects, nodes: NODES })

function rulesetsOf(objects: Objects, of: KubeNode): readonly Ruleset[] {
  const ops = iptablesMode.compile(clusterOf(objects), of, DEFAULT_CONFIG, FACTS)
  const config = applyOps('node1', ops, FACTS.capabilities)
  expect(config.refused).toEqual([])
  const root = config.netns.get(ROOT_NETNS)!
  return FAMILIES.map((family) => root.netfilter.iptables[family])
}

const anyNode = fc.constantFrom(...NODES)

describe('for any Services and endpoints', () => {
  it('every jump has a chain, and every chain is jumped to', () => {
    fc.assert(
      fc.property(anyObjects, anyNode, (objects, of) => {
        for (const ruleset of rulesetsOf(objects, of))
          for (const table of listTables(ruleset)) {
            const found = new Set<string>()
            for (const chain of table.chains)
              for (const { target } of chain.rules) {
                if (target?.kind !== 'jump') continue
                expect(resolveChain(ruleset.tables.get(table.name)!, chain, target.chain), target.chain).toBeDefined()
                found.add(target.chain)
              }
            const own = table.chains.map(({ name }) => name).filter((name) => /^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(name))
            expect(own.filter((name) => !found.has(name))).toEqual([])
          }
      }),
    )
  })

  it('a jump to an endpoint is the last of its chain, or made by chance or memory', () => {
    fc.assert(
      fc.property(anyObjects, anyNode, (objects, of) => {
        for (const ruleset of rulesetsOf(objects, of))
          for (const { chains } of listTables(ruleset))
            for (const chain of chains)
              for (const [i, { target, matches }] of [...chain.rules].entries()) {
                if (target?.kind !== 'jump' || !target.chain.startsWith('KUBE-SEP-')) continue
                const sometimes = matches.some((match) => match.kind === 'statistic' || match.kind === 'recent')
                expect(sometimes).toBe(i < chain.lines.length - 1)
              }
      }),
    )
  })

  it('no address is translated once all endpoints are gone', () => {
    fc.assert(
      fc.property(anyObjects, anyNode, (objects, of) => {
        const empty = objects.slices.map((one) => ({ ...one, endpoints: [] }))
        for (const ruleset of rulesetsOf({ ...objects, slices: empty }, of))
          for (const { chains } of listTables(ruleset))
            for (const chain of chains) for (const { target } of chain.rules) expect(target?.kind).not.toBe('dnat')
      }),
    )
  })

  it('the text is the same each time', () => {
    fc.assert(
      fc.property(anyObjects, anyNode, fc.constantFrom(...FAMILIES), (objects, of, family) => {
        const text = () =>
          renderRestore(iptablesSync(clusterOf(objects), of, { family, facts: FACTS, config: DEFAULT_CONFIG }))
        expect(text()).toBe(text())
      }),
    )
  })

  it('a partial sync leaves the tables as a full one would', () => {
    fc.assert(
      fc.property(anyObjects, anyObjects, anyNode, fc.constantFrom(...FAMILIES), (before, after, of, family) => {
        const synced = (objects: Objects): Synced => {
          const cluster = clusterOf(objects)
          return { cluster, sync: iptablesSync(cluster, of, { family, facts: FACTS, config: DEFAULT_CONFIG }) }
        }
        const [first, second] = [synced(before), synced(after)]
        const tables = restore(
          restore(new Map(), renderRestore(first.sync)),
          renderRestore(second.sync, changesBetween(first, second)),
        )
        expect(tables).toEqual(restore(new Map(), renderRestore(second.sync)))
      }),
    )
  })
})

/** What `iptables-restore --noflush` does: chains and their rules by `table chain`. */
function restore(before: ReadonlyMap<string, readonly string[]>, text: string): ReadonlyMap<string, readonly string[]> {
  const chains = new Map(before)
  let table = ''
  for (const line of text.split('\n')) {
    const [, kind = '', name = '', rest = ''] = /^([*:]|-A |-X )(\S+)(.*)$/.exec(line) ?? []
    const key = `${table} ${name}`
    if (kind === '*') table = name
    else if (kind === ':') chains.set(key, [])
    else if (kind === '-A ') chains.set(key, [...chains.get(key)!, rest])
    else if (kind === '-X ') {
      expect(chains.get(key)).toEqual([])
      chains.delete(key)
    }
  }
  return chains
}
