import type { Cluster } from '../cluster/cluster.ts'
import type { Underlay } from './underlay.ts'
import type { Draft } from './underlay-draft.ts'
import { addNode } from './underlay-nodes.ts'
import { addOutsideAddress, addOutsideHost, otherOutsideAddresses } from './underlay-outside.ts'
import { addRouters, planRouters } from './underlay-routers.ts'
import { addSegments } from './underlay-segments.ts'

/** The underlay of a cluster, from its Lab document and from what has to be assumed. */
export function readUnderlay(cluster: Cluster): Underlay {
  const draft: Draft = {
    cluster,
    segments: new Map(),
    machines: new Map(),
    taken: new Set(),
    assumptions: [],
    routers: [],
  }
  addSegments(draft)
  for (const node of cluster.nodes) addNode(draft, node)
  planRouters(draft)
  for (const host of cluster.lab.hosts ?? []) addOutsideHost(draft, host)
  for (const address of otherOutsideAddresses(cluster)) addOutsideAddress(draft, address)
  addRouters(draft)
  return { segments: [...draft.segments.values()], machines: draft.machines, assumptions: draft.assumptions }
}
