import type { Chain } from '../linux/netfilter/iptables/chain.ts'
import { printRule } from '../linux/netfilter/iptables/print.ts'
import { type ListedTable, listTables, type Ruleset } from '../linux/netfilter/iptables/ruleset.ts'
import type { IptablesTable } from '../linux/op.ts'
import { type Lens, WHOLE } from './lens.ts'

/**
 * Which iptables prints. They differ only in the order of the tables: the nf_tables backend has a fixed one
 * (`listTables`), the legacy backend names the table that came last first, which for kube-proxy is this order.
 */
export type IptablesBackend = 'nf_tables' | 'legacy'

const LEGACY_ORDER: readonly IptablesTable[] = ['filter', 'nat', 'mangle', 'raw']

/**
 * What `iptables-save` (or `ip6tables-save`) of iptables 1.8.9 prints for one family of a namespace, without the
 * comment lines that hold version and date. Counters are zero: traffic is not part of a ruleset.
 */
export function renderIptablesSave(
  ruleset: Ruleset,
  { backend = 'nf_tables', lens = WHOLE }: { readonly backend?: IptablesBackend; readonly lens?: Lens } = {},
): string {
  return orderOf(listTables(ruleset), backend)
    .flatMap((table) => tableLines(ruleset, table, lens))
    .map((line) => `${line}\n`)
    .join('')
}

function tableLines(ruleset: Ruleset, { name, chains }: ListedTable, lens: Lens): readonly string[] {
  const shown = chains.filter((chain) => lens.whole || chain.lines.some(({ origin }) => lens.keeps(origin)))
  if (shown.length === 0) return []
  return [
    `*${name}`,
    ...shown.map((chain) => `:${chain.name} ${chain.policy ?? '-'} [0:0]`),
    ...shown.flatMap((chain) => ruleLines(ruleset, chain, lens)),
    'COMMIT',
  ]
}

function orderOf(tables: readonly ListedTable[], backend: IptablesBackend): readonly ListedTable[] {
  return backend === 'nf_tables'
    ? tables
    : LEGACY_ORDER.flatMap((name) => tables.find((table) => table.name === name) ?? [])
}

/** A rule without any word still has its chain: `-A KUBE-FIREWALL`. */
const ruleLines = (ruleset: Ruleset, chain: Chain, lens: Lens): readonly string[] =>
  [...chain.rules]
    .filter(({ origin }) => lens.keeps(origin))
    .map((rule) => lens.line(`-A ${chain.name} ${printRule(ruleset.family, rule)}`.trimEnd(), rule.origin))
