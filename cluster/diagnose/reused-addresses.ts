import { formatIp, ipKey } from '../../packet/ip.ts'
import { isFinished } from '../build-index.ts'
import { keyOf } from '../cluster.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, noteOf, placeOf } from './context.ts'

/** Finished pods that still show an address which another pod has by now. */
export function reusedAddresses(context: DiagnoseContext): Diagnostic[] {
  const { cluster } = context
  return cluster.pods.flatMap((pod) => {
    if (!isFinished(pod) || pod.spec.hostNetwork) return []
    return pod.ips.flatMap((ip) => {
      const owner = cluster.index.podByIp.get(ipKey(ip))
      if (owner === undefined || keyOf(owner.meta) === keyOf(pod.meta)) return []
      return [
        {
          severity: 'note' as const,
          code: 'pod-ip-reused',
          message: `${nameOf(pod)} has ${pod.phase.toLowerCase()} and still shows ${formatIp(ip)}, which ${nameOf(owner)} has now`,
          ...placeOf(context, pod, ['status', 'podIP']),
          notes: [noteOf(context, owner, `${nameOf(owner)} has it`)],
          object: nameOf(pod),
          suggestion: `packets to ${formatIp(ip)} go to ${keyOf(owner.meta)}`,
        },
      ]
    })
  })
}
