import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import { formatLocation } from '../../cluster/source.ts'
import type { Op } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { containerEnv, environText } from './env.ts'
import { podHostname } from './hostname.ts'
import { podHosts } from './hosts.ts'
import { NSSWITCH_TEXT } from './nsswitch.ts'
import { podResolvConf } from './resolv-conf.ts'

export interface PodFilesPlace {
  /** The namespace the pod's processes run in. */
  readonly netns: string
  /** The node's own files; kubelet reads /etc/resolv.conf and /etc/hosts. */
  readonly nodeFiles: ReadonlyMap<string, string>
}

/**
 * Where a pod's /etc is. A hostNetwork pod shares its network namespace with the node but not the node's files: its
 * own stand below the folder kubelet keeps for it.
 */
export const podRoot = (pod: Pod): string =>
  pod.spec.hostNetwork ? `/var/lib/kubelet/pods/${pod.meta.uid ?? `${pod.meta.namespace}_${pod.meta.name}`}` : ''

/** The files of a pod that decide how names are resolved in it, as kubelet and the container runtime write them. */
export function compilePodFiles(cluster: Cluster, pod: Pod, place: PodFilesPlace): Op[] {
  const { nodeFiles, netns } = place
  const origin = (reason: string): Origin => ({
    by: 'kubelet',
    for: `Pod ${keyOf(pod.meta)}`,
    reason,
    ...(pod.at && { source: formatLocation({ file: pod.at.file, line: pod.at.line }) }),
  })
  const root = podRoot(pod)
  const write = (path: string, text: string, reason: string): Op => ({
    kind: 'file.write',
    netns,
    path: `${root}${path}`,
    text,
    origin: origin(reason),
  })
  const hosts = podHosts(cluster, pod, nodeFiles.get('/etc/hosts') ?? '')
  const container = pod.spec.containers[0]
  const resolvConf = podResolvConf(cluster, pod, nodeResolvConf(cluster, nodeFiles))
  return [
    write('/etc/resolv.conf', resolvConf, resolvConfReason(cluster, pod)),
    ...(hosts === undefined ? [] : [write('/etc/hosts', hosts, 'the pod and its hostAliases')]),
    write('/etc/hostname', `${podHostname(cluster, pod).kernel}\n`, 'the pod name, or spec.hostname'),
    write('/etc/nsswitch.conf', NSSWITCH_TEXT, 'hosts file first, then DNS, as glibc images have it'),
    ...(container
      ? [write('/proc/1/environ', environText(containerEnv(cluster, pod, container)), `container ${container.name}`)]
      : []),
  ]
}

const ETC_RESOLV_CONF = '/etc/resolv.conf'

/**
 * The file that kubelet reads of the node: `resolvConf` of its configuration, which kubeadm sets to that of
 * systemd-resolved where it runs, as the stub in /etc would be each pod's own loopback. Undefined: none, by `""`.
 */
export function nodeResolvConf(cluster: Cluster, nodeFiles: ReadonlyMap<string, string>): string | undefined {
  const path = cluster.facts.kubeletResolvConf ?? ETC_RESOLV_CONF
  return path === '' ? undefined : (nodeFiles.get(path) ?? nodeFiles.get(ETC_RESOLV_CONF) ?? '')
}

function resolvConfReason(cluster: Cluster, pod: Pod): string {
  const policy = `dnsPolicy ${pod.spec.dnsPolicy}`
  const dns = pod.spec.dnsConfig
  const own = dns.nameservers.length + dns.searches.length + dns.options.length > 0 ? ', merged with dnsConfig' : ''
  const host =
    pod.spec.hostNetwork && pod.spec.dnsPolicy === 'ClusterFirst' ? ': hostNetwork makes it the node file' : ''
  const missing = cluster.facts.clusterDNS.length === 0 && pod.spec.dnsPolicy !== 'None' ? ' (no clusterDNS known)' : ''
  return `${policy}${host}${own}${missing}`
}
