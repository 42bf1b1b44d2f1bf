import type { Fib, FibRule } from '../linux/fib.ts'
import type { Family } from '../packet/ip.ts'
import { formatIp } from '../packet/ip.ts'
import { bitsOf, formatPrefix, type Prefix } from '../packet/prefix.ts'

type RuleView = Pick<FibRule, 'priority' | 'from' | 'to' | 'fwmark' | 'iif' | 'table'>

/** What the kernel starts with; IPv6 has no `default` table. */
const DEFAULT_RULES: Readonly<Record<Family, readonly RuleView[]>> = {
  4: [
    { priority: 0, table: 'local' },
    { priority: 32766, table: 'main' },
    { priority: 32767, table: 'default' },
  ],
  6: [
    { priority: 0, table: 'local' },
    { priority: 32766, table: 'main' },
  ],
}

/** `ip rule` as iproute2 6.1 prints it. */
export function renderIpRule(fib: Fib, family: Family = 4): readonly string[] {
  const own: readonly RuleView[] = fib.rules.filter((rule) => rule.family === family)
  const rules = [...DEFAULT_RULES[family], ...own].map((rule, turn) => ({ rule, turn }))
  return rules.sort((x, y) => x.rule.priority - y.rule.priority || x.turn - y.turn).map(({ rule }) => ruleLine(rule))
}

function ruleLine({ priority, from, to, fwmark, iif, table }: RuleView): string {
  const words = [
    `from ${from === undefined ? 'all' : prefixWord(from)}`,
    to === undefined ? '' : `to ${prefixWord(to)}`,
    fwmark === undefined ? '' : `fwmark ${markWord(fwmark)}`,
    iif === undefined ? '' : `iif ${iif}`,
    `lookup ${table}`,
  ]
  return `${priority}:\t${words.filter((word) => word !== '').join(' ')}`
}

const prefixWord = (prefix: Prefix): string =>
  prefix.length === bitsOf(prefix.address.family) ? formatIp(prefix.address) : formatPrefix(prefix)

const markWord = ({ value, mask }: { readonly value: number; readonly mask: number }): string =>
  mask === 0xffffffff ? hex(value) : `${hex(value)}/${hex(mask)}`

const hex = (value: number): string => (value === 0 ? '0' : `0x${value.toString(16)}`)
