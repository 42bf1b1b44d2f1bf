import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { IptablesSync } from './sync.ts'

/**
 * What kube-proxy feeds to `iptables-restore --noflush --counters` in a first (full) sync: services in the order of
 * the service map, where the real one has them in random order.
 */
export function renderRestore(sync: IptablesSync): string {
  const { frame, services } = sync
  const filter: string[] = ['*filter']
  const nat: string[] = ['*nat']
  writeChains(filter, frame.chains.filter)
  writeChains(nat, frame.chains.nat)
  for (const service of services) writeChains(nat, service.own().chains)
  const out = { filter, nat }
  writeRules(out, frame.head)
  for (const service of services) {
    writeRules(out, service.dispatch)
    writeRules(out, service.own().rules)
  }
  writeRules(out, frame.tail)
  return `${filter.join('\n')}\nCOMMIT\n${nat.join('\n')}\nCOMMIT\n`
}

/** `:CHAIN` makes a chain, or empties it where it is there. */
function writeChains(lines: string[], chains: readonly string[]): void {
  for (const chain of chains) lines.push(`:${chain} - [0:0]`)
}

function writeRules(lines: { readonly filter: string[]; readonly nat: string[] }, rules: readonly RuleLine[]): void {
  for (const { table, chain, args } of rules) (table === 'nat' ? lines.nat : lines.filter).push(`-A ${chain} ${args}`)
}
