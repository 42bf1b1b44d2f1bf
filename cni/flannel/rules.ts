import type { HostFacts } from '../../linux/host-facts.ts'
import { type IptablesTable, type Op, ROOT_NETNS } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { formatPrefix, type Prefix } from '../../packet/prefix.ts'
import { originOf } from '../origin.ts'
import type { FlannelConfig } from './config.ts'
import type { FamilyLease } from './lease.ts'
import { flannelTraits } from './versions.ts'

const MULTICAST: Readonly<Record<Family, string>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' }
/** kube-proxy's mark of packets it will masquerade itself. */
const KUBE_PROXY_MARK = '0x4000/0x4000'

interface FlannelRule {
  readonly args: string
  readonly reason: string
}

/**
 * --ip-masq: what pods send out of the pod network is masqueraded (pkg/trafficmngr/iptables masqRules). Appended, so
 * kube-proxy's KUBE-POSTROUTING, which is inserted, is asked first.
 */
export function masqueradeOps(config: FlannelConfig, lease: FamilyLease, facts: HostFacts): Op[] {
  const network = networkOfLease(config, lease)
  if (network === undefined || !config.args.ipMasq) return []
  const traits = flannelTraits(config.version)
  const randomFully = facts.capabilities.randomFully && !config.args.randomFullyDisabled
  const masquerade = `MASQUERADE${randomFully ? ' --random-fully' : ''}`
  const texts = { pods: formatPrefix(network), own: formatPrefix(lease.subnet), multicast: MULTICAST[lease.family] }
  const rules = traits.chains ? chainedRules(texts, masquerade, traits) : plainRules(texts, masquerade)
  return install(config, lease, {
    table: 'nat',
    hook: 'POSTROUTING',
    chain: traits.chains ? 'FLANNEL-POSTRTG' : undefined,
    comment: 'flanneld masq',
    rules,
  })
}

/** What goes to or comes from the pod network is let through, whatever the policy of FORWARD (forwardRules). */
export function forwardOps(config: FlannelConfig, lease: FamilyLease): Op[] {
  const network = networkOfLease(config, lease)
  if (network === undefined || !config.args.forwardRules) return []
  const pods = formatPrefix(network)
  return install(config, lease, {
    table: 'filter',
    hook: 'FORWARD',
    chain: flannelTraits(config.version).chains ? 'FLANNEL-FWD' : undefined,
    comment: 'flanneld forward',
    rules: [
      { args: `-s ${pods} @ -j ACCEPT`, reason: 'what pods send may be forwarded' },
      { args: `-d ${pods} @ -j ACCEPT`, reason: 'what is for pods may be forwarded' },
    ],
  })
}

/** `pods` the cluster's pod network, `own` this node's part of it. `@` stands where the comment goes. */
interface Texts {
  readonly pods: string
  readonly own: string
  readonly multicast: string
}

function chainedRules(
  { pods, own, multicast }: Texts,
  masquerade: string,
  traits: { readonly markReturn: boolean },
): readonly FlannelRule[] {
  const mark = {
    args: `-m mark --mark ${KUBE_PROXY_MARK} @ -j RETURN`,
    reason: 'kube-proxy masquerades what it marked',
  }
  return [
    ...(traits.markReturn ? [mark] : []),
    { args: `-s ${own} -d ${pods} @ -j RETURN`, reason: 'pods of this node see other pods without NAT' },
    { args: `-s ${pods} -d ${own} @ -j RETURN`, reason: 'pods of other nodes reach the pods here without NAT' },
    {
      args: `! -s ${pods} -d ${own} @ -j RETURN`,
      reason: 'who comes from outside to a pod of this node keeps its address',
    },
    { args: `-s ${pods} ! -d ${multicast} @ -j ${masquerade}`, reason: 'pods leave the pod network as their node' },
    {
      args: `! -s ${pods} -d ${pods} @ -j ${masquerade}`,
      reason: 'who goes to a pod of another node does it as this node, or the answer would not come back here',
    },
  ]
}

/** The four rules of releases before v0.20, in POSTROUTING itself. */
function plainRules({ pods, own, multicast }: Texts, masquerade: string): readonly FlannelRule[] {
  return [
    { args: `-s ${pods} -d ${pods} @ -j RETURN`, reason: 'pods see each other without NAT' },
    { args: `-s ${pods} ! -d ${multicast} @ -j ${masquerade}`, reason: 'pods leave the pod network as their node' },
    {
      args: `! -s ${pods} -d ${own} @ -j RETURN`,
      reason: 'who comes from outside to a pod of this node keeps its address',
    },
    {
      args: `! -s ${pods} -d ${pods} @ -j ${masquerade}`,
      reason: 'who goes to a pod of another node does it as this node',
    },
  ]
}

interface RuleSet {
  readonly table: IptablesTable
  readonly hook: string
  /** Undefined: the rules stand in the hook's own chain. */
  readonly chain: string | undefined
  readonly comment: string
  readonly rules: readonly FlannelRule[]
}

function install(config: FlannelConfig, lease: FamilyLease, { table, hook, chain, comment, rules }: RuleSet): Op[] {
  const { family } = lease
  const text = `-m comment --comment "${comment}"`
  const base = { netns: ROOT_NETNS, family, table }
  const origin = (reason?: string) =>
    originOf('flanneld', `podCIDR ${formatPrefix(lease.subnet)}`, config.configMap, reason)
  const append = (to: string, args: string, reason?: string): Op => ({
    ...base,
    kind: 'rule.append',
    chain: to,
    args: args.replace('@', text),
    origin: origin(reason),
  })
  const own = rules.map(({ args, reason }) => append(chain ?? hook, args, reason))
  if (chain === undefined) return own
  return [{ ...base, kind: 'chain.new', chain, origin: origin() }, append(hook, `@ -j ${chain}`), ...own]
}

const networkOfLease = (config: FlannelConfig, lease: FamilyLease): Prefix | undefined =>
  config.networks.find((network) => network.address.family === lease.family)
