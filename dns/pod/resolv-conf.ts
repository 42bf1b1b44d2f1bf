import type { Cluster } from '../../cluster/cluster.ts'
import type { DnsConfig, Pod } from '../../cluster/objects.ts'
import { formatIp } from '../../packet/ip.ts'
import { keepsEmptySearch, searchLimits } from '../versions.ts'

/** What a pod's /etc/resolv.conf says, and what kubelet reported while making it. */
export interface PodDns {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  /** As they stand in the file: `ndots:5`. */
  readonly options: readonly string[]
  readonly events: readonly KubeletEvent[]
}

/** An event that kubelet records on the pod (or, where said, on the node). */
export interface KubeletEvent {
  readonly reason: 'MissingClusterDNS' | 'DNSConfigForming' | 'CheckLimitsForResolvConf' | 'FailedCreatePodSandBox'
  readonly message: string
}

interface Lines {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

/** pkg/apis/core/validation MaxDNSNameservers. */
const MAX_SERVERS = 3
/** The longest a single search domain may be; utilvalidation.DNS1123SubdomainMaxLength. */
const MAX_SEARCH_DOMAIN = 253
/** kubelet's defaultDNSOptions. */
const CLUSTER_OPTIONS = ['ndots:5']

/**
 * The DNS configuration that kubelet gives a pod: Configurer.GetPodDNS of pkg/kubelet/network/dns/dns.go.
 * `nodeResolvConf` is the text of kubelet's --resolv-conf file; undefined where that flag is "".
 */
export function podDns(cluster: Cluster, pod: Pod, nodeResolvConf: string | undefined): PodDns {
  const kubelet = cluster.index.node.get(pod.spec.nodeName)?.kubeletVersion ?? cluster.facts.kubernetesVersion
  const events: KubeletEvent[] = []
  const host = nodeResolvConf === undefined ? undefined : parseNodeResolvConf(nodeResolvConf, kubelet)
  if (host?.emptyNameserver) events.push({ reason: 'FailedCreatePodSandBox', message: 'nameserver list is empty ""' })
  const base = baseLines(cluster, pod, host, events)
  return { ...limited(withDnsConfig(base, pod.spec.dnsConfig), kubelet, events), events }
}

/** appendDNSConfig: without a dnsConfig nothing is touched, not even a server that stands twice. */
function withDnsConfig(base: Lines, { nameservers, searches, options }: DnsConfig): Lines {
  if (nameservers.length + searches.length + options.length === 0) return base
  return {
    servers: deduped([...base.servers, ...nameservers]),
    searches: deduped([...base.searches, ...searches]),
    options: mergedOptions(base.options, options),
  }
}

/** The file's text, in the order containerd writes it (parseDNSOptions, internal/cri/server). */
export function resolvConfText(dns: Lines): string {
  const lines: string[] = []
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(' ')}`)
  for (const server of dns.servers) lines.push(`nameserver ${server}`)
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(' ')}`)
  return lines.map((line) => `${line}\n`).join('')
}

/** The text of a pod's /etc/resolv.conf; with nothing to say, containerd copies the node's file. */
export function podResolvConf(cluster: Cluster, pod: Pod, nodeResolvConf: string | undefined): string {
  return resolvConfText(podDns(cluster, pod, nodeResolvConf)) || (nodeResolvConf ?? '')
}

function baseLines(cluster: Cluster, pod: Pod, host: Lines | undefined, events: KubeletEvent[]): Lines {
  const policy = dnsType(pod)
  if (policy === 'none') return { servers: [], searches: [], options: [] }
  const servers = cluster.facts.clusterDNS
  if (policy === 'cluster' && servers.length > 0) {
    const domain = cluster.facts.dnsDomain
    const own = domain === '' ? [] : [`${pod.meta.namespace}.svc.${domain}`, `svc.${domain}`, domain]
    return {
      servers: servers.map(formatIp),
      searches: deduped([...own, ...(host?.searches ?? [])]),
      options: CLUSTER_OPTIONS,
    }
  }
  if (policy === 'cluster')
    events.push({
      reason: 'MissingClusterDNS',
      message: `pod: "${pod.meta.namespace}/${pod.meta.name}". kubelet does not have ClusterDNS IP configured and cannot create Pod using "${pod.spec.dnsPolicy}" policy. Falling back to "Default" policy.`,
    })
  return host ?? withoutHostFile(cluster, pod)
}

type DnsType = 'cluster' | 'host' | 'none'

function dnsType(pod: Pod): DnsType {
  switch (pod.spec.dnsPolicy) {
    case 'None':
      return 'none'
    case 'ClusterFirstWithHostNet':
      return 'cluster'
    case 'ClusterFirst':
      return pod.spec.hostNetwork ? 'host' : 'cluster'
    case 'Default':
      return 'host'
  }
}

/** `--resolv-conf=""` shuts name resolution off: a loopback address for each of the node's, and no search. */
function withoutHostFile(cluster: Cluster, pod: Pod): Lines {
  const nodeIps = cluster.index.node.get(pod.spec.nodeName)?.internalIPs ?? []
  const servers = nodeIps.map((ip) => (ip.family === 4 ? '127.0.0.1' : '::1'))
  return { servers: servers.length > 0 ? servers : ['127.0.0.1'], searches: ['.'], options: [] }
}

/**
 * parseResolvConf of kubelet: unknown lines are passed over, the last `search` wins, each of its items loses one final
 * dot, options are merged by name (the later value wins).
 */
export function parseNodeResolvConf(text: string, kubelet: string): Lines & { readonly emptyNameserver: boolean } {
  const servers: string[] = []
  let searches: string[] = []
  const options = new Map<string, string>()
  let emptyNameserver = false
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line.startsWith('#')) continue
    const [keyword, ...words] = line.split(/\s+/)
    switch (keyword) {
      case 'nameserver':
        if (words[0] === undefined) emptyNameserver = true
        else servers.push(words[0])
        break
      case 'search':
        searches = words.map((word) => (word.endsWith('.') ? word.slice(0, -1) : word))
        if (!keepsEmptySearch(kubelet)) searches = searches.filter((word) => word !== '')
        break
      case 'options':
        for (const word of words) options.set(word.split(':', 1)[0] ?? word, word)
        break
    }
  }
  return { servers, searches, options: [...options.values()], emptyNameserver }
}

/** By name; the pod's own value wins. kubelet's order is that of a Go map: here the base's first, then the pod's. */
function mergedOptions(base: readonly string[], own: DnsConfig['options']): readonly string[] {
  const options = new Map(base.map((option) => [option.split(':', 1)[0] ?? option, option]))
  for (const { name, value } of own) options.set(name, value === undefined || value === '' ? name : `${name}:${value}`)
  return [...options.values()]
}

/** formDNSNameserversFitsLimits and formDNSSearchFitsLimits. */
function limited(wanted: Lines, kubelet: string, events: KubeletEvent[]): Lines {
  const servers = wanted.servers.slice(0, MAX_SERVERS)
  if (servers.length < wanted.servers.length)
    events.push({
      reason: 'DNSConfigForming',
      message: `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(' ')}`,
    })
  const limits = searchLimits(kubelet)
  let searches = wanted.searches.slice(0, limits.domains).filter((search) => search.length <= MAX_SEARCH_DOMAIN)
  while (searches.join(' ').length > limits.characters) searches = searches.slice(0, -1)
  if (searches.length < wanted.searches.length)
    events.push({
      reason: 'DNSConfigForming',
      message: `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    })
  return { servers, searches, options: wanted.options }
}

const deduped = (items: readonly string[]): readonly string[] => [...new Set(items)]
