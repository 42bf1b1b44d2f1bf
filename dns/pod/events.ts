import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import type { Diagnostic } from '../../cluster/source.ts'
import { searchLimits } from '../versions.ts'
import { nodeResolvConf } from './files.ts'
import { type KubeletEvent, parseNodeResolvConf, podDns } from './resolv-conf.ts'

/** The files of a node by its name; undefined where the node is not known. */
export type NodeFiles = (node: string) => ReadonlyMap<string, string> | undefined

/**
 * The DNSConfigForming events that kubelet records: nameservers and search domains that a pod does not get. One for all
 * pods that have the same, at the first of them.
 */
export function podDnsDiagnostics(cluster: Cluster, filesOf: NodeFiles): readonly Diagnostic[] {
  const found = new Map<string, Pod[]>()
  const known = new Map<string, readonly string[]>()
  for (const pod of cluster.pods) {
    const files = filesOf(pod.spec.nodeName)
    if (!files) continue
    const key = classOf(pod)
    const messages = known.get(key) ?? formingMessages(podDns(cluster, pod, nodeResolvConf(cluster, files)).events)
    known.set(key, messages)
    for (const message of messages) found.set(message, [...(found.get(message) ?? []), pod])
  }
  return [...found].map(([message, [first, ...others]]) => ({
    severity: 'warning',
    code: 'dns-config-forming',
    message: others.length === 0 ? message : `${message} (and ${others.length} more pods)`,
    ...(first && { object: `Pod ${keyOf(first.meta)}` }),
    ...(first?.at && { at: first.at }),
    suggestion: 'shorten the search list of the node or of dnsConfig',
  }))
}

/** Pods of one class have the same events. */
const classOf = ({ meta, spec }: Pod): string =>
  [spec.nodeName, meta.namespace, spec.dnsPolicy, spec.hostNetwork, JSON.stringify(spec.dnsConfig)].join(' ')

const formingMessages = (events: readonly KubeletEvent[]): readonly string[] =>
  events.filter(({ reason }) => reason === 'DNSConfigForming').map(({ message }) => message)

/** What kubelet says of the node's own file (CheckLimitsForResolvConf): the cluster's three domains come on top of it. */
export function nodeDnsEvents(cluster: Cluster, text: string, kubelet: string): readonly KubeletEvent[] {
  const { domains, characters } = searchLimits(kubelet)
  const allowed = cluster.facts.dnsDomain === '' ? domains : domains - CLUSTER_DOMAINS
  const { searches } = parseNodeResolvConf(text, kubelet)
  const file = cluster.facts.kubeletResolvConf ?? '/etc/resolv.conf'
  const event = (what: string): KubeletEvent => ({
    reason: 'CheckLimitsForResolvConf',
    message: `Resolv.conf file '${file}' contains search line ${what}!`,
  })
  if (searches.length > allowed) return [event(`consisting of more than ${allowed} domains`)]
  return searches.join(' ').length > characters ? [event(`which length is more than allowed ${characters} chars`)] : []
}

const CLUSTER_DOMAINS = 3
