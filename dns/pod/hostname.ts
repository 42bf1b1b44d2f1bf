import type { Cluster } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'

/** What a pod is called: `domain` is `''` where it has none. */
export interface PodHostname {
  readonly hostname: string
  readonly domain: string
  /** What uname(2) says: the hostname, or with setHostnameAsFQDN all of it. */
  readonly kernel: string
  /** Why kubelet would not start the pod. */
  readonly refused?: string
}

/** Linux __NEW_UTS_LEN. */
const MAX_KERNEL_HOSTNAME = 64

/** GeneratePodHostNameAndDomain of pkg/kubelet/kubelet_pods.go; a hostNetwork pod keeps the node's kernel hostname. */
export function podHostname(cluster: Cluster, pod: Pod): PodHostname {
  const hostname = truncated(pod.spec.hostname || pod.meta.name)
  const { subdomain } = pod.spec
  const domain = subdomain === '' ? '' : `${subdomain}.${pod.meta.namespace}.svc.${cluster.facts.dnsDomain}`
  if (pod.spec.hostNetwork) {
    const node = cluster.index.node.get(pod.spec.nodeName)
    return { hostname, domain, kernel: node?.hostname || pod.spec.nodeName }
  }
  if (!pod.spec.setHostnameAsFQDN || domain === '') return { hostname, domain, kernel: hostname }
  const full = `${hostname}.${domain}`
  if (full.length <= MAX_KERNEL_HOSTNAME) return { hostname, domain, kernel: full }
  const refused = `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long (${MAX_KERNEL_HOSTNAME} characters is the max, ${full.length} characters requested)`
  return { hostname, domain, kernel: full, refused }
}

/** truncatePodHostnameIfNeeded: 63 characters, no `-` or `.` at the end. */
function truncated(name: string): string {
  return name.length <= 63 ? name : name.slice(0, 63).replace(/[-.]+$/, '')
}
