import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyOps } from '../../linux/apply.ts'
import type { NftVerdict, SetRef, Statement } from '../../linux/netfilter/nftables/expression.ts'
import {
  applyNftOp,
  finishNftTables,
  listNftTable,
  type NftBuilder,
  type NftTable,
  newNftBuilder,
  resolveNftChain,
  resolveNftSet,
} from '../../linux/netfilter/nftables/ruleset.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { anyObjects, NODES, type Objects } from '../testing/arbitrary-cluster.ts'
import { DEFAULT_CONFIG, machine, smallCluster } from '../testing/small-cluster.ts'
import { commandOp, nftablesMode } from './compile.ts'
import { nftSync } from './sync.ts'
import { type SyncedTable, syncTable } from './transaction.ts'

const FACTS = machine(['192.0.2.11/24', '2001:db8::11/64'])
const FAMILIES: readonly Family[] = [4, 6]

const clusterOf = (objects: Objects) => smallCluster({ ...objects, nodes: NODES })
const anyNode = fc.constantFrom(...NODES)
const anyConfig = fc
  .constantFrom('v1.30.1', 'v1.32.1', 'v1.33.1', 'v1.35.4', 'v1.36.3')
  .map((version): KubeProxyConfig => ({ ...DEFAULT_CONFIG, mode: 'nftables', version }))

function tablesOf(objects: Objects, of: (typeof NODES)[number], config: KubeProxyConfig): readonly NftTable[] {
  const applied = applyOps('node1', nftablesMode.compile(clusterOf(objects), of, config, FACTS), FACTS.capabilities)
  expect(applied.refused).toEqual([])
  return applied.netns.get(ROOT_NETNS)?.netfilter.nftables ?? []
}

/** Where the rules and elements of a table lead, and the sets that they name, by the chain that they stand in. */
function namesIn(table: NftTable) {
  const { chains } = listNftTable(table)
  return chains.flatMap((chain) =>
    [...chain.rules].flatMap(({ statements }) =>
      statements.map((statement) => {
        expect(statement.kind).not.toBe('notModelled')
        return { chain, ...namesOf(statement) }
      }),
    ),
  )
}

function namesOf(statement: Statement): { readonly to: readonly string[]; readonly sets: readonly string[] } {
  switch (statement.kind) {
    case 'verdict':
      return { to: chainOf(statement.verdict), sets: [] }
    case 'vmap':
      return { to: chainsIn(statement.map), sets: setsIn(statement.map) }
    case 'lookup':
      return { to: [], sets: setsIn(statement.set) }
    case 'update':
      return { to: [], sets: [statement.set] }
    default:
      return { to: [], sets: [] }
  }
}

const chainOf = (verdict: NftVerdict): readonly string[] => ('chain' in verdict ? [verdict.chain] : [])
const setsIn = (set: SetRef): readonly string[] => (set.kind === 'named' ? [set.name] : [])
const chainsIn = (set: SetRef): readonly string[] =>
  set.kind === 'named'
    ? []
    : set.elements.flatMap(({ value }) => (value?.kind === 'verdict' ? chainOf(value.verdict) : []))

describe('for any Services and endpoints', () => {
  it('every chain and set that is named is there, and every one that is there is named', () => {
    fc.assert(
      fc.property(anyObjects, anyNode, anyConfig, (objects, of, config) => {
        for (const table of tablesOf(objects, of, config)) {
          const { chains, sets } = listNftTable(table)
          const used = new Set(chains.flatMap(({ base, name }) => (base === undefined ? [] : [name])))
          for (const names of namesIn(table)) {
            for (const name of names.sets) expect(resolveNftSet(table, names.chain, name), name).toBeDefined()
            for (const name of names.to) expect(resolveNftChain(table, names.chain, name), name).toBeDefined()
            for (const name of [...names.to, ...names.sets]) used.add(name)
          }
          const [services] = chains
          for (const set of sets)
            for (const { value } of set.elements())
              for (const name of value?.kind === 'verdict' ? chainOf(value.verdict) : [])
                expect(services && resolveNftChain(table, services, name), name).toBeDefined()
          // An address that two Services have is one element, and leads to the chain of one of them only.
          for (const { elements } of table.blocks)
            for (const { value } of elements) used.add(value?.replace('goto ', '') ?? '')
          const unused = [...chains, ...sets.map(({ line }) => line)].filter(({ name }) => !used.has(name))
          // A service chain of a port that only Local traffic reaches is made for pods and the node alone.
          expect(
            unused.map(({ name }) => name).filter((name) => !/^(service-|reject-chain$|mark-for)/.test(name)),
          ).toEqual([])
        }
      }),
    )
  })

  it('a later sync leaves the table as a first one would, but for chains that wait to be deleted', () => {
    fc.assert(
      fc.property(anyObjects, anyObjects, anyNode, anyConfig, (before, after, of, config) => {
        for (const family of FAMILIES) {
          const [stepwise, afresh] = [newNftBuilder({ next: 0 }), newNftBuilder({ next: 0 })]
          const sync = (builder: NftBuilder, objects: Objects, last?: SyncedTable) => {
            const cluster = clusterOf(objects)
            const made = nftSync(cluster, of, { family, facts: FACTS, config })
            const synced = syncTable(cluster, made, last)
            for (const command of synced.commands)
              expect(applyNftOp(builder, commandOp(made.setup, command))).toBeUndefined()
            return synced
          }
          sync(stepwise, after, sync(stepwise, before))
          sync(afresh, after)
          expect(contentOf(stepwise)).toEqual(contentOf(afresh))
        }
      }),
    )
  })
})

/** Rules by chain, elements by set; chains without rules are left out. */
function contentOf(builder: NftBuilder): ReadonlyMap<string, readonly string[]> {
  const [table] = finishNftTables(builder)
  const content = new Map<string, readonly string[]>()
  if (table === undefined) return content
  const { chains, sets } = listNftTable(table)
  for (const { name, lines } of chains)
    if (lines.length > 0)
      content.set(
        name,
        lines.map(({ rule }) => rule),
      )
  for (const { line, elements } of sets)
    content.set(
      line.name,
      elements().map(({ line: { key, value } }) => `${key} ${value ?? ''}`),
    )
  return new Map([...content].sort())
}
