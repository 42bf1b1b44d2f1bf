import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { Diagnostic } from '../cluster/source.ts'
import { networkedPods } from './pod-netns.ts'

/** Pods with a hostPort: the portmap plugin's rules are not written, so their node does not answer for them. */
export function hostPortDiagnostics(cluster: Cluster): readonly Diagnostic[] {
  return cluster.nodes.flatMap((node) =>
    networkedPods(cluster, node).flatMap((pod) => {
      const ports = pod.spec.containers.flatMap((one) => one.ports.filter(({ hostPort }) => hostPort > 0))
      if (ports.length === 0) return []
      const words = ports.map(({ hostPort, protocol }) => `${protocol}/${hostPort}`).join(', ')
      const diagnostic: Diagnostic = {
        severity: 'warning',
        code: 'hostport-not-modelled',
        message: `Pod ${keyOf(pod.meta)}: hostPort ${words} on ${node.meta.name} is not modelled: the rules of the portmap plugin are missing there`,
        ...(pod.at === undefined ? {} : { at: pod.at }),
        suggestion: `ask for the pod's own address instead`,
      }
      return [diagnostic]
    }),
  )
}
