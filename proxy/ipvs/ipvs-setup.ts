import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { isSchedulerName, type SchedulerName } from '../../linux/ipvs/scheduler/registry.ts'
import type { Family } from '../../packet/ip.ts'
import type { KubeProxyConfig } from '../config.ts'
import { type SyncSetup, syncSetup } from '../iptables/sync-setup.ts'

/** What of configuration, node and kernel shows in one family; marks and local traffic are those of iptables mode. */
export interface IpvsSetup extends SyncSetup {
  readonly scheduler: SchedulerName
}

/** kube-proxy's default where the configuration names none; one it does not have is told by `readKubeProxyConfig`. */
const DEFAULT_SCHEDULER = 'rr'

export function ipvsSetup(
  node: KubeNode,
  family: Family,
  given: { readonly config: KubeProxyConfig; readonly facts: HostFacts },
): IpvsSetup {
  const { scheduler } = given.config.ipvs
  return {
    ...syncSetup(node, family, given),
    scheduler: isSchedulerName(scheduler) ? scheduler : DEFAULT_SCHEDULER,
  }
}
