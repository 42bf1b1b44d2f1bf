import type { Cluster } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import { formatIp } from '../../packet/ip.ts'
import { podHostname } from './hostname.ts'

/** The addresses kubelet writes for the pod itself, and the text around them (kubelet_pods.go, managedHostsFileContent). */
const HEADER = [
  '# Kubernetes-managed hosts file.',
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
]
const HOST_NETWORK_HEADER = '# Kubernetes-managed hosts file (host network).\n'

/** The text of a pod's /etc/hosts; undefined while it has no address, when kubelet does not mount one. */
export function podHosts(cluster: Cluster, pod: Pod, nodeHosts: string): string | undefined {
  if (pod.spec.hostNetwork) return HOST_NETWORK_HEADER + nodeHosts + aliasLines(pod)
  if (pod.ips.length === 0) return undefined
  const { hostname, domain } = podHostname(cluster, pod)
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`
  const own = pod.ips.map((ip) => `${formatIp(ip)}\t${names}`)
  return `${[...HEADER, ...own].join('\n')}\n${aliasLines(pod)}`
}

function aliasLines(pod: Pod): string {
  if (pod.spec.hostAliases.length === 0) return ''
  const lines = pod.spec.hostAliases.map(({ ip, hostnames }) => `${ip}\t${hostnames.join('\t')}\n`)
  return `\n# Entries added by HostAliases.\n${lines.join('')}`
}
