import type { Diagnostic } from '../source.ts'
import { counted, type DiagnoseContext, nameOf, placeOf } from './context.ts'

/** Machines that are down or closed to new pods. */
export function nodesInTrouble(context: DiagnoseContext): Diagnostic[] {
  const { cluster } = context
  return cluster.nodes.flatMap((node): Diagnostic[] => {
    const pods = cluster.index.podsOnNode.get(node.meta.name) ?? []
    if (!node.ready)
      return [
        {
          severity: 'warning',
          code: 'node-not-ready',
          message: `${nameOf(node)} is not ready; ${counted(pods.length, 'pod')} ${pods.length === 1 ? 'is' : 'are'} on it`,
          ...placeOf(context, node),
          object: nameOf(node),
          suggestion: `kubectl describe node ${node.meta.name}`,
        },
      ]
    if (!node.unschedulable) return []
    return [
      {
        severity: 'note',
        code: 'node-cordoned',
        message: `${nameOf(node)} is cordoned: no new pod gets there but those of DaemonSets`,
        ...placeOf(context, node, ['spec', 'unschedulable']),
        object: nameOf(node),
        suggestion: `kubectl uncordon ${node.meta.name}`,
      },
    ]
  })
}
