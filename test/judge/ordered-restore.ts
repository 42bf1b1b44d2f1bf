/**
 * A restore input in the order in which kube-proxy's own tests compare it: tables, chains and the rules of a chain
 * together; in the two dispatch chains rules by the service they speak of; deletions last.
 */
export function orderedRestore(text: string): string {
  const tables = text
    .split('COMMIT')
    .map((table) => table.trim().split('\n'))
    .filter(([name]) => name?.startsWith('*') === true)
  return tables
    .sort(([x], [y]) => compare(x ?? '', y ?? ''))
    .map(([name, ...lines]) => [name, ...orderedTable(lines), 'COMMIT'].join('\n'))
    .join('\n')
}

function orderedTable(lines: readonly string[]): readonly string[] {
  const named = (prefix: string) =>
    lines
      .filter((line) => line.startsWith(prefix))
      .map((line) => ({ line, chain: line.slice(prefix.length).split(' ')[0] ?? '' }))
  const byChain = (x: { chain: string }, y: { chain: string }) => compare(chainKey(x.chain), chainKey(y.chain))
  const rules = named('-A ').sort((x, y) => byChain(x, y) || dispatchOrder(x, y))
  return [...named(':').sort(byChain), ...rules, ...named('-X ').sort(byChain)].map(({ line }) => line)
}

const DISPATCH = ['KUBE-NODEPORTS', 'KUBE-SERVICES']

const chainKey = (chain: string): string => {
  const rank = DISPATCH.indexOf(chain)
  return rank >= 0 ? String(rank) : `${chain.startsWith('KUBE-') ? 8 : 9}${chain}`
}

/** Only in the dispatch chains; `sort` is stable, so a service's own rules stay as they were written. */
function dispatchOrder(x: { line: string; chain: string }, y: { line: string; chain: string }): number {
  if (!DISPATCH.includes(x.chain)) return 0
  return compare(serviceOf(x.line), serviceOf(y.line))
}

/** The comment up to a space or colon; the rule that must be last sorts last. */
function serviceOf(line: string): string {
  const comment = / --comment "?([^ :"]*)/.exec(line)?.[1] ?? ''
  return line.includes('must be the last rule') ? '~' : comment
}

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0)
