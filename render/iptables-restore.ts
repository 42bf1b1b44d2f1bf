import type { IptablesTable, Op } from '../linux/op.ts'
import type { Family } from '../packet/ip.ts'

/** The chains that each table has from the start, in the order of iptables-save(8). */
const BUILT_IN: Readonly<Record<IptablesTable, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
}
const TABLES = ['raw', 'mangle', 'nat', 'filter'] as const satisfies readonly IptablesTable[]

interface Chain {
  policy: string
  readonly rules: string[]
}

/** Chains of one table by name; a built-in chain has a policy other than `-`. */
export type ChainTable = ReadonlyMap<string, { readonly policy: string; readonly rules: readonly string[] }>

/**
 * What a family's tables hold after `ops` of one namespace have been given to iptables one by one: a block's chains
 * are flattened, `-I` stands above what was there. Tables that no op names are absent: the kernel has no hook for
 * them.
 */
export function iptablesTables(ops: readonly Op[], family: Family): ReadonlyMap<IptablesTable, ChainTable> {
  const tables = new Map<IptablesTable, Map<string, Chain>>()
  const chainOf = (table: IptablesTable, name: string): Chain => {
    const chains = tables.get(table) ?? new Map(BUILT_IN[table].map((one) => [one, { policy: 'ACCEPT', rules: [] }]))
    tables.set(table, chains)
    const chain = chains.get(name) ?? { policy: '-', rules: [] }
    chains.set(name, chain)
    return chain
  }
  for (const op of ops) {
    if (!('family' in op) || op.kind === 'rule.add' || op.family !== family) continue
    switch (op.kind) {
      case 'chain.new':
        chainOf(op.table, op.chain)
        break
      case 'chain.policy':
        chainOf(op.table, op.chain).policy = op.policy
        break
      case 'rule.append':
        chainOf(op.table, op.chain).rules.push(op.args)
        break
      case 'rule.insert':
        chainOf(op.table, op.chain).rules.unshift(op.args)
        break
      case 'rules.block': {
        const own = op.block.chains()
        for (const one of own) chainOf(one.table, one.chain).rules.push(...one.rules.map((rule) => rule.args))
        for (const rule of op.block.dispatch) chainOf(rule.table, rule.chain).rules.push(rule.args)
        break
      }
      default: {
        const other: never = op
        throw new Error(`not an iptables op: ${JSON.stringify(other)}`)
      }
    }
  }
  return tables
}

/** The text for `iptables-restore` (or `ip6tables-restore`) that makes these tables; empty where there are none. */
export function iptablesRestoreText(tables: ReadonlyMap<IptablesTable, ChainTable>): string {
  const lines: string[] = []
  for (const name of TABLES) {
    const chains = tables.get(name)
    if (chains === undefined) continue
    lines.push(`*${name}`)
    for (const [chain, { policy }] of chains) lines.push(`:${chain} ${policy} [0:0]`)
    for (const [chain, { rules }] of chains) for (const args of rules) lines.push(`-A ${chain} ${args}`)
    lines.push('COMMIT')
  }
  return lines.map((line) => `${line}\n`).join('')
}
