import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { IptablesTable } from '../../linux/op.ts'
import type { IptablesSync } from './sync.ts'

/**
 * What kube-proxy feeds to `iptables-restore --noflush --counters` in a first (full) sync: services in the order of
 * the service map, where the real one has them in random order.
 */
export function renderRestore(sync: IptablesSync): string {
  const { frame, services } = sync
  const natChains = [chainLines(frame.chains.nat)]
  const filter = [ruleLines(frame.head, 'filter')]
  const nat = [ruleLines(frame.head, 'nat')]
  for (const service of services) {
    const own = service.own()
    natChains.push(chainLines(own.chains))
    filter.push(ruleLines(service.dispatch, 'filter'))
    nat.push(ruleLines(service.dispatch, 'nat'), ruleLines(own.rules, 'nat'))
  }
  filter.push(ruleLines(frame.tail, 'filter'))
  nat.push(ruleLines(frame.tail, 'nat'))
  return [
    '*filter\n',
    chainLines(frame.chains.filter),
    ...filter,
    'COMMIT\n*nat\n',
    ...natChains,
    ...nat,
    'COMMIT\n',
  ].join('')
}

/** `:CHAIN` makes a chain, or empties it where it is there. */
const chainLines = (chains: readonly string[]): string => chains.map((chain) => `:${chain} - [0:0]\n`).join('')

const ruleLines = (rules: readonly RuleLine[], table: IptablesTable): string =>
  rules.map((rule) => (rule.table === table ? `-A ${rule.chain} ${rule.args}\n` : '')).join('')
