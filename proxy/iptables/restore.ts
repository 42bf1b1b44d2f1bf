import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { IptablesTable } from '../../linux/op.ts'
import type { SyncChanges } from './partial-sync.ts'
import type { IptablesSync } from './sync.ts'

/**
 * What kube-proxy feeds to `iptables-restore --noflush --counters`, with services in the order of the service map
 * where the real one has them in random order. Without `changes` it is a full sync, as the first one is; with them
 * the chains of services that did not change are left out, and chains that nobody uses any more are deleted.
 */
export function renderRestore(sync: IptablesSync, changes?: SyncChanges): string {
  const { frame, services, setup } = sync
  const leavesOut = setup.features.iptablesPartialSync
  const natChains = [chainLines(frame.chains.nat)]
  const filter = [ruleLines(frame.head, 'filter')]
  const nat = [ruleLines(frame.head, 'nat')]
  for (const service of services) {
    filter.push(ruleLines(service.dispatch, 'filter'))
    nat.push(ruleLines(service.dispatch, 'nat'))
    if (leavesOut && changes?.isUnchanged(service.port) === true) continue
    const own = service.own()
    natChains.push(chainLines(own.chains))
    nat.push(ruleLines(own.rules, 'nat'))
  }
  const stale = changes?.staleChains ?? []
  natChains.push(chainLines(stale))
  nat.push(...stale.map((chain) => `-X ${chain}\n`))
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
