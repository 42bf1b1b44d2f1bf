import type { KubeNode } from '../cluster/objects.ts'
import type { Viewpoint } from './endpoint-choice.ts'
import { type ProxyFeatures, proxyFeatures } from './versions.ts'

const ZONE_LABEL = 'topology.kubernetes.io/zone'

/** How a node looks at endpoints. */
export const viewpointOf = (node: KubeNode, version: string): Viewpoint => ({
  node: node.meta.name,
  zone: node.meta.labels[ZONE_LABEL] ?? '',
  features: proxyFeatures(version),
})

/**
 * Whether kube-proxy sees another node than before, and so writes everything again: OnTopologyChange in
 * pkg/proxy/iptables/proxier.go and nftables/proxier.go, before 1.34 OnNodeUpdate.
 */
export function isSeenOtherwise(before: KubeNode, after: KubeNode, features: ProxyFeatures): boolean {
  const [then, now] = [before.meta.labels, after.meta.labels]
  const names = features.watchesOnlyZone ? [ZONE_LABEL] : [...Object.keys(then), ...Object.keys(now)]
  return names.some((name) => then[name] !== now[name])
}
