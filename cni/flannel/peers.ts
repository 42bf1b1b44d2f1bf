import type { Cluster } from '../../cluster/cluster.ts'
import type { LabFault } from '../../cluster/lab.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { Family } from '../../packet/ip.ts'
import { samePrefix } from '../../packet/prefix.ts'
import type { FlannelConfig } from './config.ts'
import type { FamilyLease, Lease } from './lease.ts'

export interface Peer {
  readonly node: KubeNode
  readonly lease: FamilyLease
}

export const leaseOfNode = (config: FlannelConfig, node: KubeNode): Lease | undefined =>
  config.leases.find((lease) => lease.node.meta.name === node.meta.name)

export const ofFamily = (lease: Lease, family: Family): FamilyLease | undefined =>
  lease.families.find((one) => one.family === family)

/** The backend a node runs: what its annotation says (nodes may differ while being migrated), else the configured. */
export function backendTypeOf(config: FlannelConfig, lease: Lease): string {
  if (config.backendForced || lease.backendType === undefined) return config.backend.kind
  return lease.backendType === '' ? 'udp' : lease.backendType
}

/**
 * The leases of the others that a node acts on, node by node. A lease with the node's own subnet is taken for its
 * own; one of another backend is passed over (the UDP backend takes any).
 */
export function peersOf(config: FlannelConfig, lease: Lease, family: Family): readonly Peer[] {
  const own = ofFamily(lease, family)
  if (own === undefined) return []
  const kind = backendTypeOf(config, lease)
  return config.leases.flatMap((other) => {
    const theirs = ofFamily(other, family)
    if (other === lease || theirs === undefined || samePrefix(theirs.subnet, own.subnet)) return []
    return kind === 'udp' || backendTypeOf(config, other) === kind ? [{ node: other.node, lease: theirs }] : []
  })
}

/** Whether a Lab asks for this fault between the two nodes. */
export const hasFault = (
  cluster: Cluster,
  kind: Extract<LabFault, { readonly peer: string }>['kind'],
  between: { readonly node: KubeNode; readonly peer: KubeNode },
): boolean =>
  (cluster.lab.faults ?? []).some(
    (fault) => fault.kind === kind && fault.node === between.node.meta.name && fault.peer === between.peer.meta.name,
  )

export const flanneldDown = (cluster: Cluster, node: KubeNode): boolean =>
  (cluster.lab.faults ?? []).some((fault) => fault.kind === 'flanneldDown' && fault.node === node.meta.name)
