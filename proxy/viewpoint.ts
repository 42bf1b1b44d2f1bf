import type { KubeNode } from '../cluster/objects.ts'
import type { Viewpoint } from './endpoint-choice.ts'
import { proxyFeatures } from './versions.ts'

const ZONE_LABEL = 'topology.kubernetes.io/zone'

/** How a node looks at endpoints. */
export const viewpointOf = (node: KubeNode, version: string): Viewpoint => ({
  node: node.meta.name,
  zone: node.meta.labels[ZONE_LABEL] ?? '',
  features: proxyFeatures(version),
})
