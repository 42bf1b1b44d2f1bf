import type { Cluster } from '../cluster/cluster.ts'
import type { OtherObject, Workload } from '../cluster/objects.ts'

/** Who acts on NetworkPolicies in a cluster. */
export interface Enforcer {
  /** `none`, `felix`, `kube-network-policies`, ... */
  readonly name: string
  /** Nobody does; or somebody does whose doing is not computed. */
  readonly kind: 'none' | 'notModelled'
  /** Words that follow "enforced by", or the sentence that nobody does. */
  readonly words: string
  /** Where that was seen. */
  readonly evidence: string
}

interface EnforcerRule {
  readonly name: string
  readonly kind: Enforcer['kind']
  readonly words: string
}

/** What each pod network brings along, by the name the detection gives it. */
export const enforcers = {
  flannel: { name: 'none', kind: 'none', words: 'flannel enforces nothing' },
  calico: { name: 'felix', kind: 'notModelled', words: "calico's felix" },
  canal: { name: 'felix', kind: 'notModelled', words: "calico's felix (canal)" },
  kindnet: { name: 'kube-network-policies', kind: 'notModelled', words: "kindnet's own agent" },
  'aws-vpc-cni': {
    name: 'aws-network-policy-agent',
    kind: 'notModelled',
    words: "the AWS VPC CNI's node agent, where it is switched on",
  },
  'kube-router': { name: 'kube-router', kind: 'notModelled', words: 'kube-router' },
  cilium: { name: 'cilium', kind: 'notModelled', words: 'cilium' },
  weave: { name: 'weave-npc', kind: 'notModelled', words: 'weave-npc' },
  antrea: { name: 'antrea', kind: 'notModelled', words: 'antrea-agent' },
  'ovn-kubernetes': { name: 'ovn-kubernetes', kind: 'notModelled', words: 'OVN' },
} as const satisfies Readonly<Record<string, EnforcerRule>>

/** Agents that enforce policies beside a pod network that does not, by their DaemonSet. */
const ADDED: readonly { readonly daemonSet: RegExp; readonly rule: EnforcerRule }[] = [
  { daemonSet: /^calico-node$|^canal$/, rule: enforcers.canal },
  {
    daemonSet: /^kube-network-policies$/,
    rule: { name: 'kube-network-policies', kind: 'notModelled', words: 'kube-network-policies' },
  },
  { daemonSet: /^kube-router$/, rule: enforcers['kube-router'] },
  { daemonSet: /^cilium$/, rule: enforcers.cilium },
]

export function enforcerOf(cluster: Cluster): Enforcer {
  const { cni } = cluster.facts
  const own: EnforcerRule | undefined = Object.hasOwn(enforcers, cni.name)
    ? enforcers[cni.name as keyof typeof enforcers]
    : undefined
  if (own?.kind === 'notModelled') return { ...own, evidence: cni.evidence }
  const added = addedAgent(cluster)
  if (added !== undefined) return added
  if (own !== undefined) return { ...own, evidence: cni.evidence }
  return { name: 'unknown', kind: 'notModelled', words: `whatever comes with ${cni.name}`, evidence: cni.evidence }
}

function addedAgent(cluster: Cluster): Enforcer | undefined {
  for (const workload of cluster.workloads) {
    if (workload.kind !== 'DaemonSet') continue
    const found = ADDED.find(({ daemonSet }) => daemonSet.test(workload.meta.name))
    if (found !== undefined) return { ...found.rule, evidence: describeDaemonSet(workload) }
  }
  return undefined
}

const describeDaemonSet = ({ meta }: Workload): string => `DaemonSet ${meta.namespace}/${meta.name}`

/** Kinds of policy beside NetworkPolicy, by the API groups they are in; none of them is evaluated. */
const OTHER_KINDS: readonly { readonly group: RegExp; readonly kinds: readonly string[] }[] = [
  { group: /projectcalico\.org\//, kinds: ['GlobalNetworkPolicy', 'NetworkPolicy', 'HostEndpoint'] },
  {
    group: /^policy\.networking\.k8s\.io\//,
    kinds: ['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy'],
  },
  { group: /^cilium\.io\//, kinds: ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'] },
  { group: /^crd\.antrea\.io\//, kinds: ['NetworkPolicy', 'ClusterNetworkPolicy'] },
]

/**
 * Policies of other kinds that somebody may enforce. Where there are any and the enforcer is not modelled, no walk
 * between pods can be called delivered.
 */
export function otherPolicies(cluster: Cluster): readonly OtherObject[] {
  if (enforcerOf(cluster).kind === 'none') return []
  return cluster.others.filter(({ apiVersion, objectKind }) =>
    OTHER_KINDS.some(({ group, kinds }) => group.test(apiVersion) && kinds.includes(objectKind)),
  )
}
