import { type Op, ROOT_NETNS } from '../linux/op.ts'
import type { KubeProxyConfig } from './config.ts'

/**
 * The conntrack settings that kube-proxy makes at start (cmd/kube-proxy/app/conntrack.go). The size of the table is
 * not among them: it depends on the number of CPUs.
 */
export function conntrackOps(config: KubeProxyConfig): readonly Op[] {
  const { conntrack } = config
  const settings: readonly (readonly [string, number])[] = [
    ['tcp_timeout_established', conntrack.tcpEstablishedTimeout],
    ['tcp_timeout_close_wait', conntrack.tcpCloseWaitTimeout],
    ['tcp_be_liberal', conntrack.tcpBeLiberal ? 1 : 0],
    ['udp_timeout', conntrack.udpTimeout],
    ['udp_timeout_stream', conntrack.udpStreamTimeout],
  ]
  return settings
    .filter(([, value]) => value > 0)
    .map(([name, value]) => ({
      kind: 'sysctl.set',
      key: `net.netfilter.nf_conntrack_${name}`,
      value: String(Math.floor(value)),
      netns: ROOT_NETNS,
      origin: {
        by: 'kube-proxy',
        reason: 'conntrack section of its configuration',
        ...(config.source === undefined ? {} : { source: config.source }),
      },
    }))
}
